//! What the public port counts.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    exponential_buckets,
};

use super::answer::Refused;
use crate::{event::SourceName, verify::Refusal};

/// Metrics of the public port. Names of unknown sources are never labels.
#[derive(Clone, Debug)]
pub struct Metrics {
    received: IntCounterVec,
    accepted: IntCounterVec,
    refused: IntCounterVec,
    pub(super) unknown: IntCounter,
    pub(super) accept_seconds: Histogram,
    pub(super) changes: Histogram,
    pub(super) connections: IntGauge,
    pub(super) in_flight: IntGauge,
}

/// Those of one source, looked up once.
pub(super) struct SourceMetrics {
    pub(super) received: IntCounter,
    pub(super) split: IntCounter,
    pub(super) duplicate: IntCounter,
    pub(super) quarantined: IntCounter,
    refused: IntCounterVec,
    source: SourceName,
}

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            received: counters(
                "zohook_notifications_received_total",
                "Requests to a source that exists.",
                &["source"],
            )?,
            accepted: counters(
                "zohook_notifications_accepted_total",
                "Requests answered 200: split into changes, duplicate of an earlier one, or quarantined.",
                &["source", "outcome"],
            )?,
            refused: counters(
                "zohook_notifications_refused_total",
                "Requests to a source that exists that were not answered 200.",
                &["source", "reason"],
            )?,
            unknown: IntCounter::new(
                "zohook_notifications_unknown_source_total",
                "Requests answered 404.",
            )?,
            accept_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "zohook_accept_seconds",
                    "From the last byte read to the commit of an accepted notification.",
                )
                .buckets(exponential_buckets(0.000_25, 2.0, 16)?),
            )?,
            changes: Histogram::with_opts(
                HistogramOpts::new(
                    "zohook_notification_changes",
                    "Changes in a notification that was split.",
                )
                .buckets(vec![
                    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0, 10_000.0,
                ]),
            )?,
            connections: IntGauge::new(
                "zohook_connections_open",
                "Open connections of the public port.",
            )?,
            in_flight: IntGauge::new(
                "zohook_requests_in_flight",
                "Requests of the public port being read or stored.",
            )?,
        };
        for vec in [&metrics.received, &metrics.accepted, &metrics.refused] {
            registry.register(Box::new(vec.clone()))?;
        }
        registry.register(Box::new(metrics.unknown.clone()))?;
        for histogram in [&metrics.accept_seconds, &metrics.changes] {
            registry.register(Box::new(histogram.clone()))?;
        }
        for gauge in [&metrics.connections, &metrics.in_flight] {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(metrics)
    }

    /// Those of a source, all reasons at zero.
    pub(super) fn of(&self, source: &SourceName) -> SourceMetrics {
        let name = source.as_str();
        let accepted = |outcome| self.accepted.with_label_values(&[name, outcome]);
        let words = Refusal::ALL.map(Refusal::as_str);
        for reason in words.into_iter().chain(Refused::WORDS) {
            self.refused.with_label_values(&[name, reason]);
        }
        SourceMetrics {
            received: self.received.with_label_values(&[name]),
            split: accepted("split"),
            duplicate: accepted("duplicate"),
            quarantined: accepted("quarantined"),
            refused: self.refused.clone(),
            source: source.clone(),
        }
    }
}

impl SourceMetrics {
    pub(super) fn refused(&self, reason: &'static str) {
        self.refused
            .with_label_values(&[self.source.as_str(), reason])
            .inc();
    }
}

/// Counts one more in a gauge for as long as it lives.
pub(super) struct Counted(IntGauge);

impl Counted {
    pub(super) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}
