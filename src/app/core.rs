//! What runs behind the first crash-safe line, and what a reload replaces as a whole.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use arc_swap::{ArcSwap, ArcSwapOption};
use clock::Clock;
use secrecy::SecretString;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    config::Config,
    deliver::{self, Destination, Kind},
    enrich::{self, Connection, Enricher},
    event::{DestinationName, QuarantineReason},
    pipeline::{self, BacklogWatch, Dispatcher, Gate, Planner, Rules, Target, Writing},
    route,
    store::{Store, StoreError},
};

use super::{seal::Sealer, tokens::Tokens};

/// After a store that could not be written, the next try.
const SET_ASIDE_AGAIN: Duration = Duration::from_secs(5);

/// What the core is made from, beside the file.
#[derive(Clone)]
pub(super) struct Parts {
    pub store: Store,
    pub clock: Clock,
    pub gate: Gate,
    /// What the planner goes by; replaced by each start.
    pub rules: Arc<ArcSwap<Rules>>,
    /// What it will go by once the core that starts now has started.
    pub coming: Arc<ArcSwapOption<Rules>>,
    /// Writes of every core: one may outlive it, and its echo comes to the next.
    pub writing: Writing,
    pub store_keys: Vec<SecretString>,
    pub metrics: Metrics,
}

/// One struct per stage; registered once, however often the core starts.
#[derive(Clone)]
pub(super) struct Metrics {
    pub enrich: enrich::Metrics,
    pub deliver: deliver::Metrics,
    pub pipeline: pipeline::Metrics,
    pub route: route::Metrics,
}

/// Planner, dispatchers and Zoho, running.
pub(super) struct Core {
    cancel: CancellationToken,
    tasks: JoinSet<()>,
    enricher: Arc<Enricher>,
}

/// A core that is set up and does nothing yet.
pub(super) struct Prepared {
    parts: Parts,
    rules: Arc<Rules>,
    enricher: Arc<Enricher>,
    dispatchers: Vec<Dispatcher>,
}

impl Prepared {
    /// From now on nothing that its rules listen to counts as unheard. Zoho's clients are those of the core that runs,
    /// where their connections stay as they are.
    ///
    /// # Errors
    /// When a connection or destination cannot be set up.
    pub(super) fn new(
        config: &Config,
        parts: Parts,
        running: Option<&Core>,
    ) -> anyhow::Result<Self> {
        let old = running.map(|it| &*it.enricher);
        let enricher = Arc::new(enricher(config, &parts, old)?);
        let dispatchers = dispatchers(config, &parts, &enricher)?;
        let fetch = config.sources.values();
        let rules = Arc::new(Rules {
            routes: config.routes.clone(),
            fetch: fetch.map(|it| (it.name.clone(), it.fetch)).collect(),
        });
        parts.coming.store(Some(Arc::clone(&rules)));
        Ok(Self {
            parts,
            rules,
            enricher,
            dispatchers,
        })
    }
}

impl Core {
    /// Starts it. No other may run.
    pub(super) fn start(config: &Config, prepared: Prepared) -> Self {
        let Prepared {
            parts,
            rules,
            enricher,
            dispatchers,
        } = prepared;
        parts.rules.store(rules);
        parts.coming.store(None);
        enricher.apply_limits();
        enricher.lift_refusals();
        let rules = Arc::clone(&parts.rules);
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let present = config.destinations.keys().cloned().collect();
        tasks.spawn(set_aside_removed(
            parts.clone(),
            present,
            cancel.child_token(),
        ));
        let planner = Planner {
            store: parts.store.clone(),
            rules: Arc::clone(&rules),
            enricher: Arc::clone(&enricher),
            writing: parts.writing.clone(),
            clock: parts.clock.clone(),
            metrics: parts.metrics.pipeline.clone(),
            route_metrics: parts.metrics.route.clone(),
        };
        tasks.spawn(planner.run(cancel.child_token()));
        for dispatcher in dispatchers {
            tasks.spawn(dispatcher.run(cancel.child_token()));
        }
        tasks.spawn(backlog_watch(config, &parts, rules).run(cancel.child_token()));
        Self {
            cancel,
            tasks,
            enricher,
        }
    }

    /// Waits for the end of any part, which is a fault: all run until they are told to stop.
    pub(super) async fn part_ended(&mut self) {
        self.tasks.join_next().await;
    }

    /// Takes no more work, waits for what is in flight; false when `deadline` passed first. What is in flight then ends
    /// by itself, or with the process, after whose next start it is done again.
    pub(super) async fn stop(mut self, deadline: Duration) -> bool {
        self.cancel.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let in_time = timeout(deadline, all).await.is_ok();
        self.tasks.shutdown().await;
        self.enricher.close().await;
        in_time
    }
}

/// Sets aside what waits for destinations that have left the file, then waits for `cancel`. Beside all else: nothing that
/// runs touches those rows, and there may be a million of them.
async fn set_aside_removed(parts: Parts, present: Vec<DestinationName>, cancel: CancellationToken) {
    let moved = async {
        while let Err(error) = keep_destinations(&parts, &present).await {
            warn!(%error, "deliveries of destinations that left the file are not set aside yet");
            parts.clock.sleep(SET_ASIDE_AGAIN).await;
        }
    };
    tokio::select! {
        () = cancel.cancelled() => return,
        () = moved => {}
    }
    cancel.cancelled().await;
}

async fn keep_destinations(parts: &Parts, present: &[DestinationName]) -> Result<(), StoreError> {
    for (name, count) in parts.store.keep_destinations(present.to_vec()).await? {
        warn!(destination.name = %name, count, "destination is no longer in the file: its deliveries are set aside");
        let quarantined = &parts.metrics.pipeline.quarantined;
        let removed = QuarantineReason::DestinationRemoved.as_str();
        quarantined
            .with_label_values(&["delivery", removed])
            .inc_by(count);
    }
    Ok(())
}

fn enricher(config: &Config, parts: &Parts, old: Option<&Enricher>) -> anyhow::Result<Enricher> {
    let connections = config
        .connections
        .values()
        .map(|connection| (connection.clone(), tokens(connection, parts)))
        .collect();
    Enricher::after(old, connections, &parts.clock, &parts.metrics.enrich)
        .context("a connection cannot be set up")
}

fn tokens(connection: &Connection, parts: &Parts) -> Arc<dyn zoho_crm::TokenStore> {
    let keys = if parts.store_keys.is_empty() {
        &connection.client_secret
    } else {
        &parts.store_keys
    };
    Arc::new(Tokens {
        store: parts.store.clone(),
        connection: connection.name.clone(),
        sealer: Sealer::new(keys),
    })
}

/// One for each destination that we push to; pull consumers come by themselves.
fn dispatchers(
    config: &Config,
    parts: &Parts,
    enricher: &Enricher,
) -> anyhow::Result<Vec<Dispatcher>> {
    let clients = enricher.clients();
    let mut dispatchers = vec![];
    for (name, settings) in &config.destinations {
        if matches!(settings.kind, Kind::Pull(_)) {
            continue;
        }
        let metrics = &parts.metrics.deliver;
        let destination = Destination::new(name, settings, &parts.clock, metrics, &clients)?;
        dispatchers.push(Dispatcher::new(Target {
            name: name.clone(),
            destination,
            retry: settings.retry.clone(),
            rate: settings.rate,
            store: parts.store.clone(),
            writing: parts.writing.clone(),
            clock: parts.clock.clone(),
            metrics: parts.metrics.pipeline.clone(),
        }));
    }
    Ok(dispatchers)
}

fn backlog_watch(config: &Config, parts: &Parts, rules: Arc<ArcSwap<Rules>>) -> BacklogWatch {
    BacklogWatch {
        store: parts.store.clone(),
        rules,
        limits: config
            .destinations
            .iter()
            .map(|(name, settings)| (name.clone(), settings.backlog))
            .collect(),
        sources: config.sources.keys().cloned().collect(),
        gate: Arc::clone(&parts.gate),
        clock: parts.clock.clone(),
    }
}
