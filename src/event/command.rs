//! What a delivery to `kind: zoho` asks of Zoho, and what is remembered of it once it is done.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConnectionName, ModuleName, RecordId, SourceName};

/// What a `kind: zoho` destination does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Writes fields of a record.
    Update,
    /// Writes the record found by a unique field, or makes it.
    Upsert,
    /// Makes a record that holds the delivery's id in a unique field, by which a repeat finds it.
    Create,
    /// Puts tags on a record.
    AddTags,
    /// Takes tags off a record.
    RemoveTags,
    /// Adds a note to a record.
    Note,
    /// Makes an account, a contact and perhaps a deal of a lead.
    Convert,
    /// Sends a mail to a record.
    Mail,
}

impl Action {
    /// Every action with its word in `routes.yaml`.
    pub const ALL: [(&'static str, Self); 8] = [
        ("update", Self::Update),
        ("upsert", Self::Upsert),
        ("create", Self::Create),
        ("add_tags", Self::AddTags),
        ("remove_tags", Self::RemoveTags),
        ("note", Self::Note),
        ("convert", Self::Convert),
        ("mail", Self::Mail),
    ];

    /// Whether it finds its record by unique fields, and not by an id.
    pub const fn is_by_unique_field(self) -> bool {
        matches!(self, Self::Upsert | Self::Create)
    }

    /// Whether it writes fields: then Zoho answers with the record's new `Modified_Time`, by which the echo is known.
    pub const fn writes_fields(self) -> bool {
        matches!(self, Self::Update | Self::Upsert | Self::Create)
    }

    /// Whether doing it twice is as doing it once.
    pub const fn is_repeatable(self) -> bool {
        match self {
            Self::Update | Self::Upsert | Self::Create | Self::AddTags | Self::RemoveTags => true,
            Self::Note | Self::Convert | Self::Mail => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL.iter().find(|it| it.1 == *self);
        f.write_str(word.map_or("", |it| it.0))
    }
}

/// The data of a delivery to `kind: zoho`: all of what is asked, rendered when it was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command<V = Value> {
    /// What is done.
    pub action: Action,
    /// In which module.
    pub module: ModuleName,
    /// To which record; `None` where unique fields say it.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub id: Option<RecordId>,
    /// By which fields an existing record is found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_fields: Vec<String>,
    /// Which automations of Zoho run; `None` for all.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Vec<String>>,
    /// Values by field; for other actions what they need, by Zoho's own keys.
    pub values: V,
}

/// The default of an optional field, whatever `V` is.
const fn none<T>() -> Option<T> {
    None
}

/// A record that a write may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteTarget {
    /// Its org.
    pub connection: ConnectionName,
    /// Its module.
    pub module: ModuleName,
    /// Which one; `None` while only Zoho knows.
    pub record: Option<RecordId>,
}

/// A write of ours as Zoho answered it: how its echo is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWrite {
    /// The org.
    pub connection: ConnectionName,
    /// The module.
    pub module: ModuleName,
    /// The record.
    pub record: RecordId,
    /// Its `Modified_Time` after the write; Zoho's times have whole seconds.
    pub modified_at: Timestamp,
    /// The write made the record.
    pub created: bool,
    /// API names of the fields that were sent.
    pub fields: BTreeSet<String>,
    /// Sources that have told of it by a callback that did not say what had changed: another such callback is somebody
    /// else's.
    pub explained: BTreeSet<SourceName>,
}
