//! Metrics of the process as a whole, and the text that Prometheus scrapes.

use prometheus::{Encoder, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// Build and process.
///
/// # Errors
/// When a name is taken.
pub fn register_process(
    registry: &Registry,
    started_at_seconds: i64,
) -> Result<(), prometheus::Error> {
    let build = IntGaugeVec::new(
        Opts::new("zohook_build_info", "Always 1; the version is a label."),
        &["version"],
    )?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    registry.register(Box::new(build))?;
    let started = IntGauge::new(
        "zohook_start_time_seconds",
        "When this process started, in seconds since 1970.",
    )?;
    started.set(started_at_seconds);
    registry.register(Box::new(started))
}

/// Everything registered, in the text format.
///
/// # Errors
/// When a metric cannot be encoded.
pub fn render(registry: &Registry) -> Result<String, prometheus::Error> {
    let mut text = vec![];
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
