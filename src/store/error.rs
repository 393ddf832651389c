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
