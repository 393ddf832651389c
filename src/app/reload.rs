//! A changed `routes.yaml` takes effect without a restart; a bad one is refused whole and the old one keeps working.

use std::{path::Path, time::Duration};

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use sha2::{Digest, Sha256};
use tracing::{error, info, warn};

use crate::config::{self, Config, Problems};

use super::{App, core::Core, names, pull_settings};

/// How often the file is looked at: mounted files are often links that move, so we compare what is in them.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long what is in flight may take when the parts behind the first crash-safe line are replaced.
const REPLACE_MAX: Duration = Duration::from_secs(30);

/// What became of a reload.
#[derive(Debug)]
pub enum Reloaded {
    /// The new file works from now on.
    Taken,
    /// The old one keeps working.
    Refused(Problems),
    /// It is fine by itself but could not be put to work; the old one keeps working.
    Failed(anyhow::Error),
}

/// What is counted of reloads.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    reloads: IntCounterVec,
    last_good: IntGauge,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let reloads = IntCounterVec::new(
            Opts::new(
                "zohook_config_reloads_total",
                "Reloads of routes.yaml, by outcome.",
            ),
            &["outcome"],
        )?;
        let last_good = IntGauge::new(
            "zohook_config_last_reload_successful",
            "0 while the file on disk is refused and an older one is in use.",
        )?;
        last_good.set(1);
        registry.register(Box::new(reloads.clone()))?;
        registry.register(Box::new(last_good.clone()))?;
        Ok(Self { reloads, last_good })
    }
}

/// What a file held when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(Option<[u8; 32]>);

impl App {
    /// The file as it is on disk now.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.options.routes)
    }

    /// Returns once the file on disk is another than `known`.
    pub async fn file_changed(&self, known: Fingerprint) {
        loop {
            self.parts.clock.sleep(LOOK_EVERY).await;
            let now = self.fingerprint();
            // A file that is gone is being replaced.
            if now != known && now.0.is_some() {
                return;
            }
        }
    }

    /// Reads the file again and puts it to work. Sources change at once; what is behind the first crash-safe line ends
    /// its work in flight, then starts anew. Listen addresses, the store and `limits.connections` stay as they were.
    pub async fn reload(&self, env: &dyn Fn(&str) -> Option<String>) -> Reloaded {
        let loaded = config::load(&self.options.routes, env);
        let reloaded = match loaded {
            Err(problems) => Reloaded::Refused(problems),
            Ok(config) => match self.take(config).await {
                Ok(()) => Reloaded::Taken,
                Err(error) => Reloaded::Failed(error),
            },
        };
        let outcome = match &reloaded {
            Reloaded::Taken => {
                info!("routes.yaml taken");
                "taken"
            }
            Reloaded::Refused(problems) => {
                error!(
                    problems = problems.summary(),
                    "routes.yaml refused, the old one keeps working; see zohook check"
                );
                "refused"
            }
            Reloaded::Failed(error) => {
                error!(
                    error = format!("{error:#}"),
                    "routes.yaml could not be put to work"
                );
                "failed"
            }
        };
        self.reload_metrics
            .reloads
            .with_label_values(&[outcome])
            .inc();
        let good = matches!(reloaded, Reloaded::Taken);
        self.reload_metrics.last_good.set(i64::from(good));
        reloaded
    }

    async fn take(&self, config: Config) -> anyhow::Result<()> {
        // The new core must be able to start before the old one is stopped.
        Core::check(&config, &self.parts)?;
        let mut core = self.core.lock().await;
        if let Some(old) = core.take()
            && !old.stop(REPLACE_MAX).await
        {
            warn!("work in flight was cut off by the reload; it is done again");
        }
        *core = Some(Core::start(&config, self.parts.clone()).await?);
        self.destinations.store(names(&config).into());
        self.pull.replace(pull_settings(&config));
        self.port
            .replace(config.sources.into_values(), config.service.limits);
        Ok(())
    }
}

fn fingerprint(path: &Path) -> Fingerprint {
    Fingerprint(std::fs::read(path).ok().map(|it| Sha256::digest(it).into()))
}
