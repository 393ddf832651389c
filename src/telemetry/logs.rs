//! The subscriber: JSON or text, on stderr, with what must never be logged held off.

use std::io::{self, IsTerminal};

use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterFn, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people; coloured on a terminal.
    Text,
}

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter must change.
    #[error("`{0}` is no filter of log lines; try info, debug or zohook=debug,warn")]
    NoFilter(String),
    /// Logging was started before.
    #[error(transparent)]
    Started(#[from] TryInitError),
}

/// Starts logging to stderr (stdout is a destination). `filter` is as `RUST_LOG` has it; whatever it says, events of
/// the targets in `silenced` stay off: lapin logs returned messages with their content.
///
/// # Errors
/// When the filter cannot be read, or logging was started before.
pub fn init(
    format: Format,
    filter: &str,
    silenced: &'static [&'static str],
) -> Result<(), InitError> {
    let filter =
        EnvFilter::try_new(filter).map_err(|_says_less| InitError::NoFilter(filter.to_owned()))?;
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        Format::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(io::stderr)
            .boxed(),
        Format::Text => fmt::layer()
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .with_writer(io::stderr)
            .boxed(),
    };
    Registry::default()
        .with(lines.with_filter(silence(silenced)))
        .with(filter)
        .try_init()?;
    Ok(())
}

fn silence(
    silenced: &'static [&'static str],
) -> FilterFn<impl Fn(&Metadata<'_>) -> bool + Send + Sync> {
    filter_fn(move |metadata| {
        !silenced.iter().any(|target| {
            metadata
                .target()
                .strip_prefix(target)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    })
}
