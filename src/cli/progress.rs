//! How far long work is, on stderr, and only when that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar that waits for Zoho moves.
const TICK: Duration = Duration::from_millis(120);

/// So many of a known number.
pub(super) fn counting(total: u64, what: &str) -> anyhow::Result<ProgressBar> {
    let style = "{msg} [{bar:30}] {human_pos}/{human_len} {eta}";
    Ok(ProgressBar::new(total)
        .with_style(ProgressStyle::with_template(style)?.progress_chars("=> "))
        .with_message(what.to_owned()))
}

/// Bytes, of a number that may not be known.
pub(super) fn bytes(total: Option<u64>, what: &str) -> anyhow::Result<ProgressBar> {
    let (bar, style) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
        ),
        None => (
            ProgressBar::no_length(),
            "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec}",
        ),
    };
    Ok(bar
        .with_style(ProgressStyle::with_template(style)?.progress_chars("=> "))
        .with_message(what.to_owned()))
}

/// Waiting for Zoho.
pub(super) fn waiting(what: &str) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{msg} {spinner} {elapsed}")?)
        .with_message(what.to_owned());
    bar.enable_steady_tick(TICK);
    Ok(bar)
}
