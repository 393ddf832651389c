//! One record's change, as a callback tells it: which record, what happened, and the little it says of the values.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    ChangeId, ConnectionName, ModuleName, NotificationId, RecordId, RecordKey, SourceName,
};

/// What a segment of a path cannot hold as it is (RFC 3986, 3.3).
const NOT_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// What happened to the record. Zoho's other words (merge, restore, …) are not documented, so they stay as they came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Operation {
    /// `insert` in callbacks, `create` in subscriptions.
    Insert,
    /// `update` in callbacks, `edit` in subscriptions.
    Update,
    /// `delete` in both.
    Delete,
    /// Any other word, lower case.
    Other(Arc<str>),
}

impl Operation {
    /// Reads both spellings (callback's and subscription's), in any case.
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "insert" | "create" => Self::Insert,
            "update" | "edit" => Self::Update,
            "delete" => Self::Delete,
            other => Self::Other(other.into()),
        }
    }

    /// `insert`, `update`, `delete` or the other word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Other(word) => word,
        }
    }

    /// As the last part of a CloudEvents type: `inserted`, `updated`, `deleted` or the other word.
    pub fn past(&self) -> &str {
        match self {
            Self::Insert => "inserted",
            Self::Update => "updated",
            Self::Delete => "deleted",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for Operation {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<Operation> for String {
    fn from(operation: Operation) -> Self {
        operation.as_str().to_owned()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How we learned of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Zoho called us.
    Notification,
    /// We looked for what a gap had swallowed.
    Repair,
    /// An operator sent it again.
    Replay,
}

impl Origin {
    /// The CloudEvents extension `origin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Repair => "repair",
            Self::Replay => "replay",
        }
    }
}

/// Whether a source's records are read from Zoho.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fetch {
    /// Always (the default of workflow).
    Always,
    /// Only when the callback's values do not cover the fields in use (watch sources).
    #[default]
    Missing,
    /// Never (generic sources).
    Never,
}

/// One record's change. A callback with several ids becomes several of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Derived from the notification, module, record and index.
    pub id: ChangeId,
    /// The callback it came in.
    pub notification: NotificationId,
    /// Where the callback came in.
    pub source: SourceName,
    /// The org whose record it is; `None` for a generic source.
    pub connection: Option<ConnectionName>,
    /// Zoho's module; for a generic source the source's name.
    pub module: ModuleName,
    /// Zoho's record id, or a generic source's key; `None` for a generic source without `key`.
    pub record: Option<RecordId>,
    /// What happened.
    pub operation: Operation,
    /// CloudEvents type of a generic event; `None` means `com.zoho.crm.<Module>.<inserted|…>`.
    pub event_type: Option<String>,
    /// When it changed, as the callback says (`server_time`, `read.time`), else when it arrived.
    pub server_time: Timestamp,
    /// When we accepted it.
    pub accepted_at: Timestamp,
    /// How we learned of it.
    pub origin: Origin,
    /// As the callback says; see [`Self::affected`].
    pub affected_fields: Option<Vec<String>>,
    /// The values that came with the callback (`affected_values`, or `read.record`).
    pub values: Option<Map<String, Value>>,
}

impl Change {
    /// Changes with the same key are kept in order. A change without a record has a key of its own.
    pub fn key(&self) -> RecordKey {
        let module = self.module.as_str();
        match (&self.connection, &self.record) {
            (Some(connection), Some(record)) => {
                RecordKey::of(connection.as_str(), module, record.as_str())
            }
            (None, Some(record)) => RecordKey::of("generic", module, record.as_str()),
            (_, None) => RecordKey::of("", "", &self.id.to_string()),
        }
    }

    /// API names of the fields that changed, where they are known. A list without any says nothing: no callback is about
    /// no change.
    pub fn affected(&self) -> Option<&[String]> {
        self.affected_fields.as_deref().filter(|it| !it.is_empty())
    }

    /// CloudEvents `source`: `/zoho/<connection>/<module>` or `/generic/<source>`. A URI reference, so the module is
    /// percent-encoded where it is no plain name; the other names cannot need it.
    pub fn event_source(&self) -> String {
        match &self.connection {
            Some(connection) => {
                let module = utf8_percent_encode(self.module.as_str(), NOT_IN_SEGMENT);
                format!("/zoho/{connection}/{module}")
            }
            None => format!("/generic/{}", self.source),
        }
    }

    /// CloudEvents `type`.
    pub fn event_type(&self) -> String {
        self.event_type
            .clone()
            .unwrap_or_else(|| format!("com.zoho.crm.{}.{}", self.module, self.operation.past()))
    }
}

#[cfg(test)]
mod tests {
    use crate::event::sample;

    /// CloudEvents asks for a URI reference.
    #[test]
    fn the_source_of_an_event_is_a_path_whatever_the_module_is_called() {
        for (module, segment) in [
            ("Leads", "Leads"),
            ("Sales_Orders", "Sales_Orders"),
            ("CustomModule1.a-b~c", "CustomModule1.a-b~c"),
            ("My Mod %\u{e9}", "My%20Mod%20%25%C3%A9"),
            ("a/b?c#d[e]", "a%2Fb%3Fc%23d%5Be%5D"),
            ("a\"<>\\^`{|}\u{7f}", "a%22%3C%3E%5C%5E%60%7B%7C%7D%7F"),
            ("a!$&'()*+,;=:@", "a!$&'()*+,;=:@"),
        ] {
            let source = sample::change(module, "1").event_source();
            assert_eq!(source, format!("/zoho/acme/{segment}"));
        }
    }
}
