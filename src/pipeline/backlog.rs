//! Destinations whose backlog is full: their sources are refused, or their oldest deliveries dropped.

use std::{collections::HashSet, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use clock::Clock;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    deliver::{Backlog, OnFull},
    event::{DestinationName, SourceName},
    store::Store,
};

use super::rules::Rules;

/// How often backlogs are looked at. `max` is soft: what is accepted in between is still planned.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Sources that must be refused for now.
pub type Gate = Arc<ArcSwap<HashSet<SourceName>>>;

/// What the watch works with.
pub struct BacklogWatch {
    /// Depths.
    pub store: Store,
    /// Which source reaches which destination.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Limits.
    pub limits: Vec<(DestinationName, Backlog)>,
    /// All sources.
    pub sources: Vec<SourceName>,
    /// What the public port looks at.
    pub gate: Gate,
    /// Time.
    pub clock: Clock,
}

impl BacklogWatch {
    /// Runs until `cancel`.
    pub async fn run(self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.clock.sleep(LOOK_EVERY) => {}
            }
            self.look().await;
        }
    }

    async fn look(&self) {
        let rules = self.rules.load_full();
        let mut refused = HashSet::new();
        for (name, limit) in &self.limits {
            let depth = self.store.backlog(name).depth;
            if depth < limit.max {
                continue;
            }
            match limit.on_full {
                OnFull::Refuse => refused.extend(
                    self.sources
                        .iter()
                        .filter(|source| rules.routes.reaches(source, name))
                        .cloned(),
                ),
                OnFull::DropOldest => {
                    let over = depth.saturating_sub(limit.max);
                    if let Err(error) = self.store.drop_oldest(name, over).await {
                        warn!(destination.name = %name, %error, "backlog is over its limit and could not be cut");
                    }
                }
            }
        }
        if **self.gate.load() != refused {
            warn!(
                sources = refused.len(),
                "sources refused because a backlog is full"
            );
            self.gate.store(Arc::new(refused));
        }
    }
}
