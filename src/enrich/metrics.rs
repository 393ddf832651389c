//! What reading from Zoho counts.

use std::sync::Arc;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, core::Collector, exponential_buckets,
};
use zoho_crm::{Call, Event, Outcome, TokenOutcome};

use crate::event::ConnectionName;

/// Upper bounds of the batch size, in records.
const BATCH_BUCKETS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 99.0, 100.0];

/// Metrics of the enrichment.
#[derive(Clone, Debug)]
pub struct Metrics {
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    errors: IntCounterVec,
    batch: Histogram,
    records: IntCounterVec,
    rereads: IntCounterVec,
    torn: IntCounterVec,
    credits_used: IntCounterVec,
    credits_remaining: IntGaugeVec,
    tokens: IntCounterVec,
    authorized: IntGaugeVec,
}

/// Those of one connection, its names looked up once where they are hot.
#[derive(Debug)]
pub(super) struct ConnectionMetrics {
    all: Metrics,
    connection: ConnectionName,
    pub(super) batch: Histogram,
    pub(super) found: IntCounter,
    pub(super) missing: IntCounter,
    pub(super) retry: IntCounter,
    pub(super) refused: IntCounter,
    pub(super) reread_stale: IntCounter,
    pub(super) reread_torn: IntCounter,
    pub(super) torn: IntCounter,
    credits_used: IntCounter,
    authorized: IntGauge,
}

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            calls: counters(
                registry,
                "zohook_enrich_calls_total",
                "Requests sent to Zoho's API, by operation and outcome.",
                &["connection", "call", "outcome"],
            )?,
            call_seconds: call_seconds(registry)?,
            errors: counters(
                registry,
                "zohook_enrich_errors_total",
                "Requests to Zoho's API that failed, by what it means.",
                &["connection", "class"],
            )?,
            batch: batch(registry)?,
            records: counters(
                registry,
                "zohook_enrich_records_total",
                "Reads of a record, by how they ended.",
                &["connection", "outcome"],
            )?,
            rereads: counters(
                registry,
                "zohook_enrich_rereads_total",
                "Reads done again because the answer was older than a record already seen, or torn.",
                &["connection", "reason"],
            )?,
            torn: counters(
                registry,
                "zohook_enrich_torn_total",
                "Records sent although their groups of fields were read at different versions.",
                &["connection"],
            )?,
            credits_used: counters(
                registry,
                "zohook_credits_used_total",
                "API credits used by this process.",
                &["connection"],
            )?,
            credits_remaining: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "zohook_credits_remaining",
                        "API credits of the org that are left, as Zoho says; absent while it does not say (below half use).",
                    ),
                    &["connection"],
                )?,
            )?,
            tokens: counters(
                registry,
                "zohook_token_requests_total",
                "Requests for an access token; Zoho allows ten in ten minutes, and zohook keeps to that over restarts.",
                &["connection", "outcome"],
            )?,
            authorized: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "zohook_connection_authorized",
                        "0 while Zoho refuses a connection's credentials (revoked, wrong client) or rejects its tokens (wrong data centre), else 1. At 0 nothing can be read: alert on it. zohook asks again by itself, after 15 minutes, of rejected tokens sooner; a reload or restart asks at once.",
                    ),
                    &["connection"],
                )?,
            )?,
        })
    }

    /// Those of one connection, all at zero.
    pub(super) fn connection(&self, name: &ConnectionName) -> Arc<ConnectionMetrics> {
        let connection = name.as_str();
        for call in Call::ALL {
            for outcome in ["ok", "failed"] {
                drop(
                    self.calls
                        .with_label_values(&[connection, call.as_str(), outcome]),
                );
            }
        }
        for class in zoho_crm::Error::CLASSES {
            drop(self.errors.with_label_values(&[connection, class]));
        }
        for outcome in TokenOutcome::ALL {
            drop(
                self.tokens
                    .with_label_values(&[connection, outcome.as_str()]),
            );
        }
        let authorized = self.authorized.with_label_values(&[connection]);
        let record = |outcome| self.records.with_label_values(&[connection, outcome]);
        let reread = |reason| self.rereads.with_label_values(&[connection, reason]);
        Arc::new(ConnectionMetrics {
            all: self.clone(),
            connection: name.clone(),
            batch: self.batch.clone(),
            found: record("found"),
            missing: record("missing"),
            retry: record("retry"),
            refused: record("refused"),
            reread_stale: reread("stale"),
            reread_torn: reread("torn"),
            torn: self.torn.with_label_values(&[connection]),
            credits_used: self.credits_used.with_label_values(&[connection]),
            authorized,
        })
    }
}

impl ConnectionMetrics {
    /// A new client: nothing is known against its credentials.
    pub(super) fn presume_authorized(&self) {
        self.authorized.set(1);
    }

    /// Counts one request of the client.
    pub(super) fn observe(&self, event: &Event) {
        let connection = self.connection.as_str();
        match event {
            Event::Call {
                call,
                outcome,
                elapsed,
                credits,
                credits_remaining,
            } => {
                let word = match outcome {
                    Outcome::Ok => "ok",
                    Outcome::Failed(class) => {
                        self.all
                            .errors
                            .with_label_values(&[connection, class])
                            .inc();
                        "failed"
                    }
                };
                self.all
                    .calls
                    .with_label_values(&[connection, call.as_str(), word])
                    .inc();
                self.all
                    .call_seconds
                    .with_label_values(&[connection, call.as_str()])
                    .observe(elapsed.as_secs_f64());
                self.credits_used.inc_by(*credits);
                self.remaining(*credits_remaining);
            }
            Event::Token(outcome) => {
                self.all
                    .tokens
                    .with_label_values(&[connection, outcome.as_str()])
                    .inc();
            }
            Event::Authorized(authorized) => self.authorized.set(i64::from(*authorized)),
            _ => {}
        }
    }

    fn remaining(&self, credits: Option<u64>) {
        let labels = &[self.connection.as_str()];
        let gauges = &self.all.credits_remaining;
        match credits {
            Some(left) => gauges
                .with_label_values(labels)
                .set(i64::try_from(left).unwrap_or(i64::MAX)),
            // Fails only where it was never set.
            None => drop(gauges.remove_label_values(labels)),
        }
    }
}

fn call_seconds(registry: &Registry) -> Result<HistogramVec, prometheus::Error> {
    let opts = HistogramOpts::new(
        "zohook_enrich_call_seconds",
        "Time from sending a request to Zoho's API to the last byte of its answer.",
    );
    let buckets = exponential_buckets(0.025, 2.0, 11)?;
    let seconds = HistogramVec::new(opts.buckets(buckets), &["connection", "call"])?;
    register(registry, seconds)
}

fn batch(registry: &Registry) -> Result<Histogram, prometheus::Error> {
    let opts = HistogramOpts::new(
        "zohook_enrich_batch_records",
        "Records asked for by one list call.",
    );
    register(
        registry,
        Histogram::with_opts(opts.buckets(BATCH_BUCKETS.to_vec()))?,
    )
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
