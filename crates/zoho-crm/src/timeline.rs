//! The timeline of a record: who changed what and when, and what caused it.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    Call, Client, Error, Listing, UserRef, Values,
    listed::List,
    parts::{record_fits, text_at},
    time,
};

/// What of a timeline is asked for; all of it, the newest first, by default.
#[derive(Clone, Default, PartialEq)]
pub struct TimelineQuery {
    /// Zoho's `filters`, as "Timelines" documents them.
    pub filters: Option<Value>,
    /// Whether the oldest comes first.
    pub oldest_first: bool,
}

/// The filters may hold values, and are left out.
impl fmt::Debug for TimelineQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimelineQuery")
            .field("oldest_first", &self.oldest_first)
            .finish_non_exhaustive()
    }
}

/// One thing that happened to a record.
#[derive(Clone, PartialEq)]
pub struct TimelineEntry {
    /// Its own id.
    pub id: String,
    /// What happened, in Zoho's words: `added`, `updated`, …
    pub action: String,
    /// When.
    pub at: Option<Timestamp>,
    /// Who did it; nobody for what Zoho did.
    pub by: Option<UserRef>,
    /// What it came through: `crm_ui`, `crm_api`, `workflow`, …
    pub source: Option<String>,
    /// The fields that changed, where there are any.
    pub changes: Vec<FieldChange>,
    /// The rule that caused it, as Zoho describes it.
    pub automation: Option<Values>,
    /// All that Zoho said.
    pub values: Values,
}

/// A record's content is left out.
impl fmt::Debug for TimelineEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimelineEntry")
            .field("id", &self.id)
            .field("action", &self.action)
            .field("at", &self.at)
            .field("source", &self.source)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// How one field changed.
#[derive(Clone, PartialEq)]
pub struct FieldChange {
    /// The field's API name.
    pub api_name: String,
    /// What it was, as a person reads it; null for nothing.
    pub old: Value,
    /// What it became, as a person reads it; null for nothing.
    pub new: Value,
}

/// The values are left out.
impl fmt::Debug for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldChange")
            .field("api_name", &self.api_name)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// What happened to a record.
    ///
    /// Zoho: "Timelines", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn timeline(
        &self,
        module: &str,
        id: &str,
        query: &TimelineQuery,
    ) -> Listing<TimelineEntry> {
        self.listed(list(module, id, query), entry)
    }
}

fn list(module: &str, id: &str, asked: &TimelineQuery) -> Result<List, Error> {
    record_fits(module, id)?;
    let mut query = vec![];
    if let Some(filters) = &asked.filters {
        query.push(("filters", filters.to_string()));
    }
    if asked.oldest_first {
        query.push(("sort_by", "audited_time".to_owned()));
        query.push(("sort_order", "asc".to_owned()));
    }
    Ok(List {
        call: Call::Timeline,
        path: [module, id, "__timeline"].map(ToOwned::to_owned).into(),
        key: "__timeline",
        query,
    })
}

fn entry(value: Value) -> Result<TimelineEntry, Error> {
    let text = |pointer| text_at(&value, pointer);
    let changes = value.get("field_history").and_then(Value::as_array);
    let automation = value.get("automation_details").and_then(Value::as_object);
    let (Some(id), Some(action)) = (text("/id"), text("/action")) else {
        return Err(Error::Malformed {
            problem: "a timeline entry without an id or an action",
        });
    };
    Ok(TimelineEntry {
        id,
        action,
        at: text("/audited_time").and_then(|it| time::parse(&it)),
        by: value.get("done_by").and_then(UserRef::read),
        source: text("/source"),
        changes: changes.into_iter().flatten().filter_map(change).collect(),
        automation: automation.cloned(),
        values: match value {
            Value::Object(values) => values,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        },
    })
}

fn change(value: &Value) -> Option<FieldChange> {
    let part = |pointer| value.pointer(pointer).cloned().unwrap_or_default();
    Some(FieldChange {
        api_name: text_at(value, "/api_name")?,
        old: part("/_value/old"),
        new: part("/_value/new"),
    })
}
