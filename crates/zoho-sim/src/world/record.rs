//! A record: what was written, and how reads show it.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    lock::Lock,
    module::{DataType, Field, Module},
    people::Who,
};
use crate::time;

/// Rich text in lists is cut to this many characters. Zoho: "Get records", v8.
const RICH_TEXT_IN_LISTS: usize = 500;

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) created: Timestamp,
    pub(crate) created_by: Who,
    pub(crate) current: Version,
    /// As it was before the last change, for stale reads.
    pub(crate) before: Option<Version>,
    /// Monotonic time of the last change; nothing for a record of old.
    pub(crate) changed_at: Option<Duration>,
    pub(crate) converted: bool,
    pub(crate) lock: Option<Box<Lock>>,
    /// `server_time` of the last callback about it, so that no two are alike.
    pub(crate) notified_ms: i64,
}

/// The changing part of a record.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) values: Map<String, Value>,
    /// Whole seconds; never falls.
    pub(crate) modified: Timestamp,
    pub(crate) modified_by: Who,
}

/// What reading needs to know besides the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) org: u64,
    /// Monotonic now.
    pub(crate) now: Duration,
    /// Show records changed less than this ago as they were before.
    pub(crate) stale: Option<Duration>,
}

/// What a list shows of each record.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    fields: Vec<&'a Field>,
    /// Names with a dollar sign.
    flags: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    /// The fields of these names that lists can show; others are ignored.
    pub(crate) fn of(module: &'a Module, names: &[&'a str]) -> Self {
        Self {
            fields: names
                .iter()
                .filter_map(|it| module.field(it))
                .filter(|it| it.in_lists())
                .collect(),
            flags: names
                .iter()
                .copied()
                .filter(|it| it.starts_with('$'))
                .collect(),
        }
    }
}

impl Record {
    /// The record as a list gives it: `id` and the fields asked for, rich text cut, no subforms.
    pub(crate) fn in_list(&self, columns: &Columns<'_>, reading: Reading) -> Value {
        let mut shown = Map::new();
        for field in &columns.fields {
            let value = self.value(field, reading).into_owned();
            let value = match (field.data_type, value) {
                (DataType::RichText, Value::String(text)) => {
                    Value::String(text.chars().take(RICH_TEXT_IN_LISTS).collect())
                }
                (_, value) => value,
            };
            shown.insert(field.name.clone(), value);
        }
        for name in &columns.flags {
            if let Some(value) = self.flag(name) {
                shown.insert((*name).to_owned(), value);
            }
        }
        shown.insert("id".to_owned(), json!(self.id.to_string()));
        Value::Object(shown)
    }

    /// The record as a single read gives it: all fields unless some are asked for, in full.
    pub(crate) fn alone(
        &self,
        module: &Module,
        fields: Option<&[&str]>,
        reading: Reading,
    ) -> Value {
        let mut shown = Map::new();
        for field in &module.fields {
            if fields.is_none_or(|asked| asked.contains(&field.name.as_str())) {
                shown.insert(field.name.clone(), self.value(field, reading).into_owned());
            }
        }
        for name in FLAGS {
            if fields.is_none_or(|asked| asked.contains(name))
                && let Some(value) = self.flag(name)
            {
                shown.insert((*name).to_owned(), value);
            }
        }
        shown.insert("id".to_owned(), json!(self.id.to_string()));
        Value::Object(shown)
    }

    /// The record's name, as lookups and the deleted list show it.
    pub(crate) fn name(&self, module: &Module) -> Option<String> {
        let values = &self.current.values;
        if module.name_field == "Full_Name" {
            return full_name(values);
        }
        values
            .get(&module.name_field)
            .and_then(Value::as_str)
            .map(ToOwned::to_owned)
    }

    pub(crate) fn version(&self, reading: Reading) -> &Version {
        match (&self.before, reading.stale, self.changed_at) {
            (Some(before), Some(stale), Some(at)) if reading.now.saturating_sub(at) < stale => {
                before
            }
            _ => &self.current,
        }
    }

    /// As search knows it, `delay` after its changes: nothing for one that is too new.
    pub(crate) fn indexed(&self, now: Duration, delay: Duration) -> Option<&Version> {
        match self.changed_at {
            Some(at) if now.saturating_sub(at) < delay => self.before.as_ref(),
            _ => Some(&self.current),
        }
    }

    /// The value of a field; null for none.
    pub(crate) fn value(&self, field: &Field, reading: Reading) -> Cow<'_, Value> {
        self.value_in(self.version(reading), field, reading.org)
    }

    /// The value of a field in one version of the record.
    pub(crate) fn value_in<'a>(
        &'a self,
        version: &'a Version,
        field: &Field,
        org: u64,
    ) -> Cow<'a, Value> {
        Cow::Owned(match field.name.as_str() {
            "id" => json!(self.id.to_string()),
            "Created_Time" => json!(time::zoho(self.created)),
            "Modified_Time" | "Last_Activity_Time" => json!(time::zoho(version.modified)),
            "Created_By" => self.created_by.with_email(org),
            "Modified_By" => version.modified_by.with_email(org),
            "Record_Status__s" => json!("Available"),
            "Locked__s" => json!(self.lock.is_some()),
            "Converted__s" => json!(self.converted),
            "Full_Name" => json!(full_name(&version.values)),
            name => {
                return match version.values.get(name) {
                    Some(value) => Cow::Borrowed(value),
                    None if name == "Owner" => Cow::Owned(self.created_by.with_email(org)),
                    None if field.data_type == DataType::Tags => Cow::Owned(json!([])),
                    None => Cow::Owned(Value::Null),
                };
            }
        })
    }

    fn flag(&self, name: &str) -> Option<Value> {
        Some(match name {
            "$approval_state" => json!("approved"),
            "$converted" => json!(self.converted),
            "$locked_for_me" => json!(self.lock.is_some()),
            "$in_merge" | "$has_more" => json!(false),
            "$editable" => json!(self.lock.is_none()),
            _ => return None,
        })
    }
}

/// The keys with a dollar sign that a single read gives.
const FLAGS: &[&str] = &[
    "$approval_state",
    "$converted",
    "$locked_for_me",
    "$in_merge",
    "$editable",
];

fn full_name(values: &Map<String, Value>) -> Option<String> {
    let part = |name| values.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{} {}", part("First_Name"), part("Last_Name"));
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
