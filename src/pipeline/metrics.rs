//! What the two loops count.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

/// Of both loops.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Changes closed, by outcome.
    pub changes_closed: IntCounterVec,
    /// Changes given back to be tried again, by reason.
    pub changes_retried: IntCounterVec,
    /// Reads from Zoho that were not needed.
    pub fetches_skipped: IntCounterVec,
    /// From accepted to delivered.
    pub end_to_end_seconds: HistogramVec,
    /// Set aside, by reason.
    pub quarantined: IntCounterVec,
    /// 0 closed, 1 open, 2 disabled.
    pub breaker_state: IntGaugeVec,
    /// From claimed to finished.
    pub plan_seconds: Histogram,
}

/// Seconds, from a millisecond to an hour.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 1800.0, 3600.0,
];

impl Metrics {
    /// # Errors
    /// When a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            let metric = HistogramVec::new(options, labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let breaker_state = IntGaugeVec::new(
            Opts::new(
                "zohook_breaker_state",
                "A destination's breaker: 0 closed, 1 open, or a part of it (one send, type and routing key) is held back, 2 disabled by 410.",
            ),
            &["destination"],
        )?;
        registry.register(Box::new(breaker_state.clone()))?;
        let plan_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "zohook_plan_seconds",
                "From a change's claim to its close, in seconds, of changes that were read.",
            )
            .buckets(BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(plan_seconds.clone()))?;
        Ok(Self {
            changes_closed: counter(
                "zohook_changes_closed_total",
                "Changes closed, by outcome.",
                &["outcome"],
            )?,
            changes_retried: counter(
                "zohook_changes_retried_total",
                "Changes given back to be tried again, by reason.",
                &["reason"],
            )?,
            fetches_skipped: counter(
                "zohook_fetches_skipped_total",
                "Reads from Zoho that were not needed, by reason.",
                &["reason"],
            )?,
            end_to_end_seconds: histogram(
                "zohook_end_to_end_seconds",
                "From a notification's acceptance to its delivery, in seconds.",
                &["destination"],
            )?,
            quarantined: counter(
                "zohook_quarantined_total",
                "Changes and deliveries set aside, by stage and reason.",
                &["stage", "reason"],
            )?,
            breaker_state,
            plan_seconds,
        })
    }
}
