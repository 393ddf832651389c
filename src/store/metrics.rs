//! What the store tells about itself.

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    exponential_buckets,
};

use super::error::Refusal;

/// The store's own metrics; depths and ages are asked of [`super::Store`] when they are scraped.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) commit_seconds: Histogram,
    pub(super) group_jobs: Histogram,
    pub(super) checkpoint_pause_seconds: Histogram,
    pub(super) wal_bytes: IntGauge,
    pub(super) used_bytes: IntGauge,
    pub(super) dedup_window_seconds: Gauge,
    pub(super) refused: IntCounterVec,
    pub(super) clock_set_back: IntCounter,
}

impl Metrics {
    /// Creates and registers them.
    ///
    /// # Errors
    /// When a metric of the same name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let this = Self::new()?;
        registry.register(Box::new(this.commit_seconds.clone()))?;
        registry.register(Box::new(this.group_jobs.clone()))?;
        registry.register(Box::new(this.checkpoint_pause_seconds.clone()))?;
        registry.register(Box::new(this.wal_bytes.clone()))?;
        registry.register(Box::new(this.used_bytes.clone()))?;
        registry.register(Box::new(this.dedup_window_seconds.clone()))?;
        registry.register(Box::new(this.refused.clone()))?;
        registry.register(Box::new(this.clock_set_back.clone()))?;
        Ok(this)
    }

    fn new() -> Result<Self, prometheus::Error> {
        let this = Self {
            commit_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "zohook_store_commit_seconds",
                    "Time one group took from its begin to its fsynced commit.",
                )
                .buckets(exponential_buckets(0.000_25, 2.0, 14)?),
            )?,
            group_jobs: Histogram::with_opts(
                HistogramOpts::new("zohook_store_group_jobs", "Callers answered by one commit.")
                    .buckets(exponential_buckets(1.0, 2.0, 12)?),
            )?,
            checkpoint_pause_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "zohook_store_checkpoint_pause_seconds",
                    "Time the writer stood still to restart the write-ahead log.",
                )
                .buckets(exponential_buckets(0.001, 2.0, 14)?),
            )?,
            wal_bytes: IntGauge::new("zohook_store_wal_bytes", "Write-ahead log in use.")?,
            used_bytes: IntGauge::new("zohook_store_used_bytes", "Used pages of the file.")?,
            dedup_window_seconds: Gauge::new(
                "zohook_store_dedup_window_seconds",
                "How far back a repeat can be recognised; below the configured window when memory's bound is reached.",
            )?,
            refused: IntCounterVec::new(
                Opts::new(
                    "zohook_store_refused_total",
                    "Calls answered with unavailable, by reason.",
                ),
                &["reason"],
            )?,
            clock_set_back: IntCounter::new(
                "zohook_clock_set_back_total",
                "Jumps back of the machine's clock by more than five seconds.",
            )?,
        };
        for reason in Refusal::REASONS {
            drop(this.refused.with_label_values(&[reason]));
        }
        Ok(this)
    }
}
