//! Depths and ages, read from the store at each scrape.

use std::{collections::BTreeMap, sync::Arc};

use clock::Clock;
use jiff::Timestamp;
use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};
use tokio::sync::Mutex;

use crate::{
    event::DestinationName,
    store::{Ledger, Store},
};

/// What is not counted as it happens but looked up when asked.
#[derive(Clone)]
pub struct Gauges {
    store: Store,
    clock: Clock,
    inbox_depth: IntGauge,
    inbox_oldest_seconds: Gauge,
    backlog_depth: IntGaugeVec,
    backlog_oldest_seconds: GaugeVec,
    ledger: IntGaugeVec,
    ledger_adds_up: IntGauge,
    /// Destinations that were shown last.
    shown: Arc<Mutex<Vec<DestinationName>>>,
}

impl Gauges {
    /// # Errors
    /// When a name is taken.
    pub fn register(
        registry: &Registry,
        store: Store,
        clock: Clock,
    ) -> Result<Self, prometheus::Error> {
        let gauges = Self {
            store,
            clock,
            inbox_depth: IntGauge::new(
                "zohook_inbox_depth",
                "Changes accepted and not yet planned.",
            )?,
            inbox_oldest_seconds: Gauge::new(
                "zohook_inbox_oldest_seconds",
                "Age of the oldest change not yet planned, in seconds; 0 when there is none.",
            )?,
            backlog_depth: IntGaugeVec::new(
                Opts::new(
                    "zohook_backlog_depth",
                    "Deliveries planned and not yet settled.",
                ),
                &["destination"],
            )?,
            backlog_oldest_seconds: GaugeVec::new(
                Opts::new(
                    "zohook_backlog_oldest_seconds",
                    "Age of the oldest delivery not yet settled, in seconds; 0 when there is none.",
                ),
                &["destination"],
            )?,
            ledger: IntGaugeVec::new(
                Opts::new(
                    "zohook_ledger",
                    "Durable totals since the store was made, and rows in states that are not final.",
                ),
                &["what", "state"],
            )?,
            ledger_adds_up: IntGauge::new(
                "zohook_ledger_adds_up",
                "1 while every sum of the ledger holds; 0 is a fault of zohook.",
            )?,
            shown: Arc::default(),
        };
        registry.register(Box::new(gauges.inbox_depth.clone()))?;
        registry.register(Box::new(gauges.inbox_oldest_seconds.clone()))?;
        registry.register(Box::new(gauges.backlog_depth.clone()))?;
        registry.register(Box::new(gauges.backlog_oldest_seconds.clone()))?;
        registry.register(Box::new(gauges.ledger.clone()))?;
        registry.register(Box::new(gauges.ledger_adds_up.clone()))?;
        Ok(gauges)
    }

    /// Looks everything up.
    pub(super) async fn refresh(&self, destinations: &[DestinationName]) {
        let inbox = self.store.inbox();
        self.inbox_depth.set(signed(inbox.depth));
        self.inbox_oldest_seconds.set(self.age(inbox.oldest));
        self.forget_gone(destinations).await;
        for name in destinations {
            let backlog = self.store.backlog(name);
            let label = [name.as_str()];
            self.backlog_depth
                .with_label_values(&label)
                .set(signed(backlog.depth));
            self.backlog_oldest_seconds
                .with_label_values(&label)
                .set(self.age(backlog.oldest));
        }
        if let Ok(ledger) = self.store.ledger().await {
            self.ledger_adds_up.set(i64::from(ledger.adds_up()));
            for (what, states) in rows(&ledger) {
                for (state, total) in states {
                    self.ledger
                        .with_label_values(&[what.as_str(), state.as_str()])
                        .set(signed(total));
                }
            }
        }
    }

    /// What left the file has no backlog: its last figures must not stay for ever.
    async fn forget_gone(&self, destinations: &[DestinationName]) {
        let mut shown = self.shown.lock().await;
        for gone in shown.iter().filter(|it| !destinations.contains(it)) {
            let label = [gone.as_str()];
            // An error means that they are not there.
            drop(self.backlog_depth.remove_label_values(&label));
            drop(self.backlog_oldest_seconds.remove_label_values(&label));
        }
        destinations.clone_into(&mut shown);
    }

    fn age(&self, oldest: Option<Timestamp>) -> f64 {
        oldest.map_or(0.0, |it| {
            self.clock.now().duration_since(it).as_secs_f64().max(0.0)
        })
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The ledger as (what, state, total), the words being those of its JSON.
fn rows(ledger: &Ledger) -> BTreeMap<String, BTreeMap<String, u64>> {
    serde_json::to_value(ledger)
        .and_then(serde_json::from_value)
        .unwrap_or_default()
}
