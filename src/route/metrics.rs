//! How routes decide, counted by route.

use prometheus::{IntCounterVec, Opts, Registry};

use super::decide::{Decision, Outcome};

/// Counters of the stage `route`. Routes are named in the file, so the label is a closed set.
#[derive(Clone, Debug)]
pub struct Metrics {
    matches: IntCounterVec,
    null_ordered: IntCounterVec,
    changed_unknown: IntCounterVec,
}

impl Metrics {
    /// # Errors
    /// When a metric of the same name is there already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &["route"])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Self {
            matches: counter("zohook_route_matches_total", "Changes a route took.")?,
            null_ordered: counter(
                "zohook_route_null_comparisons_total",
                "Conditions that compared null by order, which counts as not holding.",
            )?,
            changed_unknown: counter(
                "zohook_route_changed_unknown_total",
                "Conditions that asked changed() of a field of which it is not known, which counts as changed.",
            )?,
        })
    }

    pub(super) fn count(&self, decisions: &[Decision<'_>]) {
        for decision in decisions {
            let route = [decision.route().name.as_str()];
            match decision.outcome {
                Outcome::Matched { .. } => self.matches.with_label_values(&route).inc(),
                Outcome::NullOrdered => self.null_ordered.with_label_values(&route).inc(),
                Outcome::Unmatched | Outcome::Failed(_) | Outcome::Unread => {}
            }
            if decision.changed_unknown {
                self.changed_unknown.with_label_values(&route).inc();
            }
        }
    }
}
