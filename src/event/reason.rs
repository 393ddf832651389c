//! What became of a change, and why something was set aside: closed sets, the same words in the store, metrics and docs.

use std::fmt;

use super::OwnWrite;

/// Why a change or delivery was set aside for a person to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuarantineReason {
    /// All proofs held, but no change could be read from the body.
    Unreadable,
    /// A `when` or template failed for a reason other than comparing with null.
    ConditionError,
    /// Zoho does not return the record and nothing says that it was deleted.
    RecordMissing,
    /// Zoho kept answering with a record older than one already seen.
    StaleRead,
    /// Zoho refuses the read for good (scope, permission, unknown module or field).
    ReadRefused,
    /// The destination refused this message until its schedule was exhausted.
    Refused,
    /// What cannot be repeated safely had no clear outcome until its schedule was exhausted: it may be done.
    Unclear,
    /// No queue took the message until its schedule was exhausted.
    Unroutable,
    /// The destination's settings cannot carry this message.
    Unrenderable,
    /// The destination is no longer in `routes.yaml`.
    DestinationRemoved,
}

impl QuarantineReason {
    /// Every reason, for metrics that start at zero.
    pub const ALL: [Self; 10] = [
        Self::Unreadable,
        Self::ConditionError,
        Self::RecordMissing,
        Self::StaleRead,
        Self::ReadRefused,
        Self::Refused,
        Self::Unclear,
        Self::Unroutable,
        Self::Unrenderable,
        Self::DestinationRemoved,
    ];

    /// The word in the store, metrics and docs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::ConditionError => "condition_error",
            Self::RecordMissing => "record_missing",
            Self::StaleRead => "stale_read",
            Self::ReadRefused => "read_refused",
            Self::Refused => "refused",
            Self::Unclear => "unclear",
            Self::Unroutable => "unroutable",
            Self::Unrenderable => "unrenderable",
            Self::DestinationRemoved => "destination_removed",
        }
    }

    /// The reason with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == word)
    }
}

impl fmt::Display for QuarantineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a change was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// No route listens to its module and operation.
    Unwanted,
    /// Routes listen, but none matched.
    Unmatched,
    /// A newer change of the record makes it moot (a delete was accepted meanwhile).
    Superseded,
    /// It is a write of ours coming back.
    Echo {
        /// The write that it was taken for, now with the change's source in `explained`; `None` where the callback says
        /// what has changed.
        explained: Option<Box<OwnWrite>>,
    },
    /// Its deliveries are queued.
    Planned,
    /// Set aside.
    Quarantined {
        /// Why, as a closed set.
        reason: QuarantineReason,
        /// Why, for a person; holds no secret and no record content.
        detail: String,
    },
}

impl ChangeOutcome {
    /// The word in the store, metrics and docs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unwanted => "unwanted",
            Self::Unmatched => "unmatched",
            Self::Superseded => "superseded",
            Self::Echo { .. } => "echo",
            Self::Planned => "planned",
            Self::Quarantined { .. } => "quarantined",
        }
    }
}
