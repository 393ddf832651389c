//! Inserts, updates and deletes of records, checked as Zoho checks them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    World,
    channel::Event,
    module::{DataType, Field},
    notify::Change,
    people::Who,
    table::{Stamp, Table},
    tags,
};
use crate::{answer::Refusal, time};

/// Whether missing mandatory fields matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Insert,
    Update,
}

/// A record in a request: its module, and its place in `data`, for error details.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) module: &'a str,
    pub(crate) at: usize,
}

impl World {
    /// When, and by whom, something written now is written.
    pub(crate) fn stamp(&self, by: Who) -> Stamp {
        Stamp {
            at: time::whole_seconds(self.clock.now()),
            monotonic: self.clock.monotonic(),
            by,
        }
    }

    /// The values to store, or why not. Unknown names are ignored, as Zoho does.
    pub(crate) fn check(
        &self,
        place: Place<'_>,
        sent: &Value,
        write: Write,
        except: Option<u64>,
    ) -> Result<Map<String, Value>, Refusal> {
        let table = self.tables.get(place.module);
        let table = table.ok_or_else(Refusal::invalid_module)?;
        let sent = sent.as_object().ok_or_else(|| {
            Refusal::invalid_data(json!({
                "expected_data_type": "jsonobject",
                "json_path": format!("$.data[{}]", place.at),
            }))
        })?;
        let mut values = Map::new();
        for field in &table.module.fields {
            let value = sent.get(&field.name);
            let empty = value.is_none_or(|it| it.is_null() || it.as_str() == Some(""));
            if field.mandatory && empty && (write == Write::Insert || value.is_some()) {
                return Err(Refusal::new(
                    "MANDATORY_NOT_FOUND",
                    "required field not found",
                    json!({"api_name": field.name, "json_path": json_path(place, &field.name)}),
                ));
            }
            let Some(value) = value.filter(|_| !field.read_only) else {
                continue;
            };
            let value = if empty {
                Value::Null
            } else {
                accept(&self.tables, self.org, field, value).map_err(|mut details| {
                    details.insert("api_name".into(), json!(field.name));
                    details.insert("json_path".into(), json!(json_path(place, &field.name)));
                    Refusal::invalid_data(Value::Object(details))
                })?
            };
            values.insert(field.name.clone(), value);
        }
        match table.duplicate(&values, except) {
            Some((name, id)) => Err(Refusal::new(
                "DUPLICATE_DATA",
                "duplicate data",
                json!({
                    "api_name": name,
                    "id": id.to_string(),
                    "json_path": json_path(place, name),
                }),
            )),
            None => Ok(values),
        }
    }

    /// Inserts checked values; the caller notifies.
    pub(crate) fn insert(
        &mut self,
        module: &str,
        mut values: Map<String, Value>,
        by: Who,
    ) -> Result<Change, Refusal> {
        let stamp = self.stamp(by);
        self.adopt_tags(module, &mut values, by);
        let id = self.next_id();
        let table = self.tables.get_mut(module);
        let table = table.ok_or_else(Refusal::invalid_module)?;
        let told = values.clone();
        number(table, &mut values);
        table.insert(id, values, stamp);
        Ok(Change {
            id,
            values: told,
            notified_ms: 0,
            by,
        })
    }

    /// Inserts a loaded record under its own id, without a check or a callback.
    pub(crate) fn insert_as(
        &mut self,
        module: &str,
        id: u64,
        mut values: Map<String, Value>,
        by: Who,
    ) {
        let stamp = self.stamp(by);
        self.adopt_tags(module, &mut values, by);
        self.reserve(id);
        let table = self.table_or_new(module);
        number(table, &mut values);
        table.insert(id, values, stamp);
    }

    /// A value as a call would have it stored, or nothing if a call could not write it.
    pub(crate) fn normal(&self, field: &Field, value: &Value) -> Option<Value> {
        accept(&self.tables, self.org, field, value).ok()
    }

    /// Updates with checked values; the caller notifies. Nothing if there is no such record.
    pub(crate) fn update(
        &mut self,
        module: &str,
        id: u64,
        mut values: Map<String, Value>,
        by: Who,
    ) -> Option<Change> {
        let stamp = self.stamp(by);
        self.adopt_tags(module, &mut values, by);
        let org = self.org;
        let table = self.tables.get_mut(module)?;
        let record = table.get_mut(id)?;
        let notified_ms = record.notified_ms;
        if values.contains_key("Owner") {
            // So far whoever created it, without a word.
            let owner = record.created_by.with_email(org);
            record.current.values.entry("Owner").or_insert(owner);
        }
        let values = table.update(id, values, stamp)?;
        Some(Change {
            id,
            values,
            notified_ms,
            by,
        })
    }

    /// Deletes; the caller notifies. Nothing if there is no such record.
    pub(crate) fn delete(&mut self, module: &str, id: u64, by: Who) -> Option<Change> {
        let stamp = self.stamp(by);
        let table = self.tables.get_mut(module)?;
        let (record, member) = (table.delete(id, stamp)?, (table.module.id, id));
        self.relations.forget(member);
        self.delete_papers(id, by);
        Some(Change {
            id,
            values: Map::new(),
            notified_ms: record.notified_ms,
            by,
        })
    }

    /// Queues callbacks for edits; those that changed nothing are not told.
    pub(crate) fn notify_edits(&mut self, module: &str, mut changes: Vec<Change>) {
        changes.retain(|it| !it.values.is_empty());
        self.notify(module, Event::Edit, &changes);
    }
}

/// Fills the fields that count records, unless they are brought along.
fn number(table: &Table, values: &mut Map<String, Value>) {
    let number = json!((table.len() + 1).to_string());
    for field in &table.module.fields {
        if field.data_type == DataType::AutoNumber {
            values
                .entry(field.name.clone())
                .or_insert_with(|| number.clone());
        }
    }
}

fn json_path(place: Place<'_>, name: &str) -> String {
    format!("$.data[{}].{name}", place.at)
}

/// An id as it was sent: text, or the number it is, as the official Python SDK sends it.
fn read_id(value: &Value) -> Option<String> {
    let number = || value.as_u64().map(|id| id.to_string());
    value.as_str().map(ToOwned::to_owned).or_else(number)
}

/// A value as it is stored, or what is wrong with it as error details.
fn accept(
    tables: &BTreeMap<String, Table>,
    org: u64,
    field: &Field,
    value: &Value,
) -> Result<Value, Map<String, Value>> {
    let data_type = field.data_type;
    let expected = |name: &str| Map::from_iter([("expected_data_type".into(), json!(name))]);
    let wrong = || expected(data_type.name());
    match data_type {
        DataType::Integer => match value.as_i64() {
            Some(number) if number.unsigned_abs().to_string().len() <= data_type.length() => {
                Ok(value.clone())
            }
            _ => Err(wrong()),
        },
        DataType::Double | DataType::Currency | DataType::Percent if value.is_number() => {
            Ok(value.clone())
        }
        DataType::Double | DataType::Currency | DataType::Percent => Err(expected("double")),
        DataType::Boolean if value.is_boolean() => Ok(value.clone()),
        DataType::Boolean => Err(wrong()),
        DataType::Tags if value.is_array() => accept_tags(value),
        DataType::MultiPicklist | DataType::Subform if value.is_array() => Ok(value.clone()),
        DataType::MultiPicklist | DataType::Subform | DataType::Tags => Err(expected("jsonarray")),
        DataType::Lookup | DataType::Owner => {
            let id = read_id(value).or_else(|| read_id(value.get("id")?));
            let id = id.ok_or_else(|| expected("jsonobject"))?;
            if data_type == DataType::Owner {
                let who = Who::ALL.into_iter().find(|it| it.id(org) == id);
                return who.map(|it| it.with_email(org)).ok_or_else(Map::new);
            }
            if field.name == "Parent_Id" {
                return parent(tables, value, &id).ok_or_else(Map::new);
            }
            let table = field.target.as_ref().and_then(|it| tables.get(it));
            let record = table.and_then(|table| Some((table, table.get(id.parse().ok()?)?)));
            match record {
                Some((table, record)) => Ok(json!({"name": record.name(&table.module), "id": id})),
                None if field.target.is_none() => Ok(value.clone()),
                None => Err(Map::new()),
            }
        }
        DataType::Text
        | DataType::Email
        | DataType::Phone
        | DataType::Website
        | DataType::TextArea
        | DataType::RichText
        | DataType::Picklist
        | DataType::BigInt
        | DataType::Date
        | DataType::DateTime
        | DataType::AutoNumber => accept_text(data_type, value),
    }
}

/// The parent of a note: of whichever module; told by its id alone if none is named.
fn parent(tables: &BTreeMap<String, Table>, value: &Value, id: &str) -> Option<Value> {
    let number = id.parse().ok()?;
    let named = value.pointer("/module/api_name").and_then(Value::as_str);
    let table = match named {
        Some(name) => tables.get(name)?,
        None => tables.values().find(|it| it.get(number).is_some())?,
    };
    let name = table.get(number)?.name(&table.module);
    let module = json!({"api_name": table.module.name, "id": table.module.id.to_string()});
    Some(json!({"module": module, "name": name, "id": id}))
}

/// Tags by name or by id; those there are none of are made.
fn accept_tags(value: &Value) -> Result<Value, Map<String, Value>> {
    for tag in value.as_array().into_iter().flatten() {
        let name = tag.get("name").unwrap_or(tag);
        let length = name.as_str().map(|it| it.chars().count());
        match length {
            Some(0) | None if tag.get("id").is_none() => {
                return Err(Map::from_iter([(
                    "expected_data_type".into(),
                    json!("jsonobject"),
                )]));
            }
            Some(length) if length > tags::NAME_MAX => {
                return Err(Map::from_iter([(
                    "maximum_length".into(),
                    json!(tags::NAME_MAX),
                )]));
            }
            _ => {}
        }
    }
    Ok(value.clone())
}

fn accept_text(data_type: DataType, value: &Value) -> Result<Value, Map<String, Value>> {
    let wrong = || Map::from_iter([("expected_data_type".into(), json!(data_type.name()))]);
    let text = value.as_str().ok_or_else(wrong)?;
    if text.chars().count() > data_type.length() {
        return Err(Map::from_iter([(
            "maximum_length".into(),
            json!(data_type.length()),
        )]));
    }
    let refined = if data_type == DataType::Email {
        let parts = text.split_once('@');
        let plausible = parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        plausible.then(|| value.clone())
    } else if data_type == DataType::Date {
        text.parse::<jiff::civil::Date>()
            .ok()
            .map(|it| json!(it.to_string()))
    } else if data_type == DataType::DateTime {
        time::parse(text).map(|it| json!(time::zoho(it)))
    } else if data_type == DataType::BigInt {
        text.parse::<i64>().ok().map(|_| value.clone())
    } else {
        Some(value.clone())
    };
    refined.ok_or_else(wrong)
}
