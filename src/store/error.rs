//! What can go wrong in the store, by what the caller does next.

use std::time::Duration;

/// A store that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// For now: nothing was written; try again, answer 503.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// What happened; a closed set is in `reason`.
        detail: String,
        /// `disk_full`, `store_full`, `io`, `closed`, `busy`: for metrics.
        reason: &'static str,
        /// When it may be worth another try.
        retry_after: Duration,
    },
    /// For good: a person must act (locked by another process, newer format, damaged file).
    #[error("cannot use the store: {detail}")]
    Unusable {
        /// What is wrong and what to do.
        detail: String,
    },
}

/// Why the store cannot do something now; one refusal may answer many callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The disk has no room.
    DiskFull,
    /// The file has reached its size, all of it unfinished or too young to delete.
    StoreFull,
    /// The disk failed; the file is opened anew.
    Io(String),
    /// It was closed.
    Closed,
    /// Too many callers wait.
    Busy,
}

impl Refusal {
    /// Every reason, for metrics that start at zero.
    pub(super) const REASONS: [&'static str; 5] =
        ["disk_full", "store_full", "io", "closed", "busy"];

    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::StoreFull => "store_full",
            Self::Io(_) => "io",
            Self::Closed => "closed",
            Self::Busy => "busy",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::DiskFull => "the disk is full".to_owned(),
            Self::StoreFull => "the store is full of unfinished work".to_owned(),
            Self::Io(detail) => format!("the disk failed: {detail}"),
            Self::Closed => "it was closed".to_owned(),
            Self::Busy => "too many callers wait for it".to_owned(),
        }
    }

    const fn retry_after(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Busy => 1,
            Self::Io(_) => 2,
            Self::Closed => 5,
            Self::DiskFull | Self::StoreFull => 10,
        })
    }
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        Self::Unavailable {
            detail: refusal.detail(),
            reason: refusal.reason(),
            retry_after: refusal.retry_after(),
        }
    }
}
