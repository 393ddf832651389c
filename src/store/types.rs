//! What goes into the store and comes out of it.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

use crate::event::{
    Change, ChangeOutcome, ConnectionName, DestinationName, ModuleName, NewDelivery,
    NotificationId, QuarantineReason, Record, RecordId, RecordKey, Sequence, SourceName,
};

/// Where the store is and how much it keeps.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SQLite file.
    pub path: PathBuf,
    /// Finished rows are kept so long.
    pub keep_events: Duration,
    /// And the file's used pages to so many bytes.
    pub size_bytes_max: u64,
}

/// A proven notification, ready to be stored.
#[derive(Clone, Debug)]
pub struct Accept {
    /// Its id, as answered.
    pub id: NotificationId,
    /// Where it came in.
    pub source: SourceName,
    /// Its org, for the gap record.
    pub connection: Option<ConnectionName>,
    /// When.
    pub received_at: Timestamp,
    /// As sent, secrets masked.
    pub body: Bytes,
    /// What was read from it.
    pub content: Content,
    /// How a repeat is recognised, if it is.
    pub dedup: Option<DedupKey>,
    /// No route listens to any of its changes: they are closed at once, and cost no second transaction.
    pub unwanted: bool,
}

/// What was read from a notification.
#[derive(Clone, Debug)]
pub enum Content {
    /// Its changes, in the order of the ids.
    Changes(Vec<Change>),
    /// Nothing: it goes to quarantine.
    Unreadable {
        /// Why, without content.
        detail: String,
    },
}

/// How a repeat is recognised.
#[derive(Clone, Copy, Debug)]
pub struct DedupKey {
    /// SHA-256 of what makes two callbacks the same.
    pub hash: [u8; 32],
    /// For how long, 24 hours at most.
    pub window: Duration,
}

/// What became of an [`Accept`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored.
    New(NotificationId),
    /// A repeat of this one; nothing stored.
    Duplicate(NotificationId),
}

/// A change's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangeNo(pub i64);

/// A notification's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotificationNo(pub i64);

/// The oldest open change of a record, taken.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its row.
    pub no: ChangeNo,
    /// Its notification's row.
    pub notification_no: NotificationNo,
    /// Its record.
    pub key: RecordKey,
    /// What it says.
    pub change: Change,
    /// max(partition's last + 1, now in µs).
    pub sequence: Sequence,
}

/// How a claim ends.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The claim.
    pub claim: Claim,
    /// How.
    pub outcome: ChangeOutcome,
    /// With [`ChangeOutcome::Planned`]; with [`ChangeOutcome::Quarantined`] those of the routes it is not set aside for.
    pub deliveries: Vec<NewDelivery>,
    /// What is now known of the record, if it was read or its values merged.
    pub seen: Option<Seen>,
}

/// A record as it was just seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its values, and which fields they cover.
    pub record: Record,
    /// Its `Modified_Time`; on a merge of a callback's values the old one.
    pub modified_at: Option<Timestamp>,
    /// When it was read; on a merge the old one.
    pub read_at: Option<Timestamp>,
}

/// A record as it was last seen.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What was seen.
    pub seen: Seen,
    /// The highest `server_time` of a change of it that was closed.
    pub server_time_max: Timestamp,
}

/// What waits to be planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxState {
    /// Open changes.
    pub depth: u64,
    /// When the oldest was accepted.
    pub oldest: Option<Timestamp>,
}

/// What waits for a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BacklogState {
    /// Unsettled deliveries.
    pub depth: u64,
    /// When the oldest was planned.
    pub oldest: Option<Timestamp>,
}

/// A time in which proven callbacks may have been missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its row.
    pub no: i64,
    /// Whose callbacks; `None` means every connection's.
    pub connection: Option<ConnectionName>,
    /// `downtime`, or the reason of the refusal that opened it.
    pub reason: String,
    /// From then.
    pub from: Timestamp,
    /// Until then, as far as is known.
    pub until: Timestamp,
}

/// What was set aside for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its row.
    pub no: i64,
    /// What it is.
    pub kind: QuarantinedKind,
    /// Its id: a notification's, a change's or a delivery's.
    pub id: uuid::Uuid,
    /// Why, as a closed set.
    pub reason: QuarantineReason,
    /// Why, for a person.
    pub detail: String,
    /// When.
    pub at: Timestamp,
    /// Where a delivery was to go.
    pub destination: Option<DestinationName>,
    /// Where it came in; this and the next two are known as long as its event or notification is kept.
    pub source: Option<SourceName>,
    /// The module of its change.
    pub module: Option<ModuleName>,
    /// The record of its change.
    pub record: Option<RecordId>,
}

/// What kind of thing was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuarantinedKind {
    /// A body that could not be read.
    Notification,
    /// A change that could not be planned.
    Change,
    /// A message that could not be delivered.
    Delivery,
}

impl QuarantinedKind {
    /// The word in the store and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Change => "change",
            Self::Delivery => "delivery",
        }
    }

    /// The kind with that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Notification, Self::Change, Self::Delivery]
            .into_iter()
            .find(|it| it.as_str() == word)
    }
}

/// Durable totals; equal sums are promise 6.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Ledger {
    /// Notifications: accepted = split + duplicate + quarantined.
    pub notifications: NotificationTotals,
    /// Changes: created = waiting + unwanted + unmatched + superseded + echo + planned + quarantined.
    pub changes: ChangeTotals,
    /// Deliveries: planned = waiting + delivered + dropped + expired + quarantined.
    pub deliveries: DeliveryTotals,
}

/// Totals of notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "the words of the ledger, explained on Ledger")]
pub struct NotificationTotals {
    pub accepted: u64,
    pub split: u64,
    pub duplicate: u64,
    pub quarantined: u64,
}

/// Totals of changes; `waiting` is a count of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "the words of the ledger, explained on Ledger")]
pub struct ChangeTotals {
    pub created: u64,
    pub waiting: u64,
    pub unwanted: u64,
    pub unmatched: u64,
    pub superseded: u64,
    pub echo: u64,
    pub planned: u64,
    pub quarantined: u64,
}

/// Totals of deliveries; `waiting` is a count of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "the words of the ledger, explained on Ledger")]
pub struct DeliveryTotals {
    pub planned: u64,
    pub waiting: u64,
    pub delivered: u64,
    pub dropped: u64,
    pub expired: u64,
    pub quarantined: u64,
}

impl Ledger {
    /// Whether every sum holds.
    pub fn adds_up(&self) -> bool {
        let Self {
            notifications: n,
            changes: c,
            deliveries: d,
        } = self;
        n.accepted == n.split + n.duplicate + n.quarantined
            && c.created
                == c.waiting
                    + c.unwanted
                    + c.unmatched
                    + c.superseded
                    + c.echo
                    + c.planned
                    + c.quarantined
            && d.planned == d.waiting + d.delivered + d.dropped + d.expired + d.quarantined
    }
}
