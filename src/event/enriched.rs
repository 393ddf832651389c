//! A change together with the record as Zoho had it when we read it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Body, Change, QuarantineReason, Sequence};

/// What we know of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// Read, or known in full from the callback.
    Present,
    /// Zoho says it was deleted.
    Deleted,
    /// It was asked for, and is not to be had.
    Unreadable(Unread),
    /// Nobody asked for it.
    NotRead,
}

/// Why a record that was asked for is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Zoho does not return it, and nothing says that it was deleted.
    Missing,
    /// Zoho does not return it, and a delete of it that comes after this change was accepted.
    Deleted,
    /// The read was refused for good, or what it brings stays older than what was seen before.
    Refused {
        /// Which of the two.
        reason: QuarantineReason,
        /// Why, for a person; holds no secret and no record content.
        detail: String,
    },
}

impl RecordState {
    /// The CloudEvents extension `recordstate`; `None` where there is nothing to say.
    pub const fn attribute(&self) -> Option<&'static str> {
        match self {
            Self::Present => Some("present"),
            Self::Deleted => Some("deleted"),
            Self::Unreadable(_) => Some("unreadable"),
            Self::NotRead => None,
        }
    }
}

/// A record's values by API name, and which fields they are known to cover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// By API name, in the shape Zoho's list call gives. A field in `fields` but not here is null.
    pub values: Map<String, Value>,
    /// The fields that were asked for.
    pub fields: BTreeSet<String>,
}

/// A change, ready to be routed.
#[derive(Clone, Debug)]
pub struct EnrichedEvent {
    /// What happened.
    pub change: Change,
    /// `None` for a change without a record.
    pub sequence: Option<Sequence>,
    /// What we know of the record.
    pub state: RecordState,
    /// As read for this change, or filled from the callback's values; `None` on a delete, when unreadable or not read.
    pub record: Option<Record>,
    /// As it was last seen before this change, if it ever was.
    pub before: Option<Record>,
    /// When Zoho answered the read (its `Date` header).
    pub read_at: Option<Timestamp>,
    /// The callback's body (secrets masked), where a route or the default message reads it.
    pub body: Option<Body>,
}
