//! Two classes of failure: the destination's, and the message's own.

use std::time::Duration;

use crate::event::QuarantineReason;

/// Why a delivery failed; the variants are what the dispatcher does next. No variant holds record content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// The destination as a whole: down, slow, refusing us. Costs the message no attempt; many open the breaker.
    #[error("{detail}")]
    Destination {
        /// What happened.
        detail: String,
        /// What it asked for (Retry-After).
        retry_after: Option<Duration>,
        /// True where no message can be at fault (connection refused, broker gone): opens the breaker at once.
        down: bool,
    },
    /// This message: spends its schedule.
    #[error("{detail}")]
    Message {
        /// What it is set aside as when the schedule is exhausted.
        reason: QuarantineReason,
        /// What happened.
        detail: String,
        /// Fewer attempts than the schedule has (400, 413, 415, 422: three); zero: none.
        attempts_max: Option<u32>,
    },
    /// 410: the destination wants nothing more. It is disabled, its deliveries wait.
    #[error("{detail}")]
    Gone {
        /// What happened.
        detail: String,
    },
}

/// A destination that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("destination {name}: {detail}")]
pub struct SetupError {
    /// Its name.
    pub name: String,
    /// What is wrong and what to do.
    pub detail: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Nothing gets through, whatever the message.
pub(super) fn down(detail: impl Into<String>) -> DeliverError {
    DeliverError::Destination {
        detail: detail.into(),
        retry_after: None,
        down: true,
    }
}

/// The destination's fault, but perhaps only with this message.
pub(super) fn failed(detail: impl Into<String>) -> DeliverError {
    DeliverError::Destination {
        detail: detail.into(),
        retry_after: None,
        down: false,
    }
}

/// Can never be sent there.
pub(super) fn unrenderable(detail: impl Into<String>) -> DeliverError {
    DeliverError::Message {
        reason: QuarantineReason::Unrenderable,
        detail: detail.into(),
        attempts_max: Some(0),
    }
}

/// The same failure for a whole window.
pub(super) fn all(count: usize, error: &DeliverError) -> Vec<Result<(), DeliverError>> {
    vec![Err(error.clone()); count]
}

/// At its place in the window.
pub(super) fn put(
    results: &mut [Result<(), DeliverError>],
    index: usize,
    outcome: Result<(), DeliverError>,
) {
    if let Some(result) = results.get_mut(index) {
        *result = outcome;
    }
}

/// The same failure at several places.
pub(super) fn put_all(
    results: &mut [Result<(), DeliverError>],
    places: impl IntoIterator<Item = usize>,
    error: &DeliverError,
) {
    for place in places {
        put(results, place, Err(error.clone()));
    }
}
