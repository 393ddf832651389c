//! Asks Zoho for records: many changes, few calls.

mod settings;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::event::{ConnectionName, ModuleName, QuarantineReason, Record, RecordId};

pub use self::settings::Connection;

/// Which fields of a record are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    /// All the module has, in groups of 49 plus Modified_Time.
    All,
    /// These, plus id and Modified_Time.
    Only(BTreeSet<String>),
}

/// One record to read.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The org.
    pub connection: ConnectionName,
    /// Its module.
    pub module: ModuleName,
    /// Which record.
    pub record: RecordId,
    /// Which fields.
    pub fields: Fields,
    /// Read alone, for rich text, subforms and multi-lookups (`enrich.full`).
    pub full: bool,
    /// The change's time: a read in several groups waits until 2 s after it.
    pub server_time: Timestamp,
    /// Modified_Time of the record as last seen; an older answer is read again.
    pub modified_at_least: Option<Timestamp>,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadAnswer {
    /// The record, with the fields asked for.
    Found {
        /// Its values.
        record: Record,
        /// Zoho's time when it answered (its `Date` header).
        read_at: Timestamp,
        /// Its Modified_Time; not every module has one.
        modified_at: Option<Timestamp>,
    },
    /// Zoho does not return it: not in the list, not among converted leads, not alone.
    Missing,
}

/// Why a read gave nothing; the variants are what the caller does next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EnrichError {
    /// Zoho is down, slow, out of credits or refuses us for now: nothing is charged to the change.
    #[error("try again in {after:?}: {detail}")]
    Retry {
        /// How long to wait.
        after: std::time::Duration,
        /// Why; holds no secret and no record content.
        detail: String,
    },
    /// It will not get better by itself: quarantine.
    #[error("{reason}: {detail}")]
    Refuse {
        /// Stale read, or refused for good.
        reason: QuarantineReason,
        /// Why; holds no secret and no record content.
        detail: String,
    },
}
