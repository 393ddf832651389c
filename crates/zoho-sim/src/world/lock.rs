//! Locks of records.

use jiff::Timestamp;

use super::people::Who;

/// A record's lock.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) id: u64,
    pub(crate) reason: String,
    pub(crate) at: Timestamp,
    pub(crate) by: Who,
}
