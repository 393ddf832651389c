//! A changed `routes.yaml` takes effect without a restart; a bad one is refused whole and the old one keeps working.

use std::time::Duration;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tracing::{error, info, warn};

use crate::config::{self, Config, Fingerprint, Problems};

use super::{
    App,
    core::{Core, Prepared},
    names, pull_settings,
};

/// How often the files are looked at: mounted ones are often links that move, so we compare what is in them.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long what is in flight may take when the parts behind the first crash-safe line are replaced.
/// Nothing is planned or delivered meanwhile.
const REPLACE_MAX: Duration = Duration::from_secs(10);

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

impl App {
    /// Returns once `routes.yaml`, or a secret file that it names, holds something else than `known`.
    pub async fn file_changed(&self, known: &Fingerprint) {
        while !known.is_outdated() {
            self.parts.clock.sleep(LOOK_EVERY).await;
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
        // What can fail comes before the old core is stopped.
        let mut core = self.core.lock().await;
        let prepared = Prepared::new(&config, self.parts.clone(), core.as_ref())?;
        self.port.replace(
            config.sources.values().cloned(),
            config.service.limits.clone(),
        );
        if let Some(old) = core.take()
            && !old.stop(REPLACE_MAX).await
        {
            warn!("work in flight at the reload takes long; it ends by itself");
        }
        *core = Some(Core::start(&config, prepared));
        self.destinations.store(names(&config).into());
        self.pull.replace(pull_settings(&config));
        Ok(())
    }
}
