//! The records of one module.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    module::Module,
    people::Who,
    record::{Record, Version},
};

/// Rows of the deleted list kept per module; the oldest go first.
const DELETED_MAX: usize = 200_000;

/// A module with its records.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) module: Module,
    rows: BTreeMap<u64, Record>,
    deleted: VecDeque<Deleted>,
    unique_fields: Vec<String>,
    /// Which record has a value of a unique field; values in lower case.
    unique: HashMap<(String, String), u64>,
}

/// A row of the deleted list.
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) by: Who,
    pub(crate) created_by: Who,
}

/// When, and by whom, something is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// Wall-clock time in whole seconds.
    pub(crate) at: Timestamp,
    pub(crate) monotonic: std::time::Duration,
    pub(crate) by: Who,
}

impl Table {
    pub(crate) fn new(module: Module) -> Self {
        let unique = module.fields.iter().filter(|it| it.unique);
        Self {
            unique_fields: unique.map(|it| it.name.clone()).collect(),
            module,
            rows: BTreeMap::new(),
            deleted: VecDeque::new(),
            unique: HashMap::new(),
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Record> {
        self.rows.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Record> {
        self.rows.get_mut(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All records, oldest id first.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.rows.values()
    }

    pub(crate) fn deleted(&self) -> impl DoubleEndedIterator<Item = &Deleted> {
        self.deleted.iter()
    }

    /// Whether a record of this id was ever deleted here.
    pub(crate) fn was_deleted(&self, id: u64) -> bool {
        self.deleted.iter().rev().any(|it| it.id == id)
    }

    pub(crate) fn insert(&mut self, id: u64, values: Map<String, Value>, stamp: Stamp) {
        self.index(id, &values);
        self.rows.insert(
            id,
            Record {
                id,
                created: stamp.at,
                created_by: stamp.by,
                current: Version {
                    values,
                    modified: stamp.at,
                    modified_by: stamp.by,
                },
                before: None,
                changed_at: stamp.monotonic,
                converted: false,
                notified_ms: 0,
            },
        );
    }

    /// Writes `values` into a record; gives those that really changed, or nothing for no record.
    pub(crate) fn update(
        &mut self,
        id: u64,
        values: Map<String, Value>,
        stamp: Stamp,
    ) -> Option<Map<String, Value>> {
        let record = self.rows.get_mut(&id)?;
        let before = record.current.clone();
        let mut changed = Map::new();
        for (name, value) in values {
            if record.current.values.get(&name).unwrap_or(&Value::Null) != &value {
                record.current.values.insert(name.clone(), value.clone());
                changed.insert(name, value);
            }
        }
        record.current.modified = stamp.at.max(before.modified);
        record.current.modified_by = stamp.by;
        record.changed_at = stamp.monotonic;
        record.before = Some(before.clone());
        let replaced = self.unique_keys(&before.values, Some(&changed));
        for key in replaced {
            self.unique.remove(&key);
        }
        self.index(id, &changed);
        Some(changed)
    }

    pub(crate) fn delete(&mut self, id: u64, stamp: Stamp) -> Option<Record> {
        let record = self.rows.remove(&id)?;
        for key in self.unique_keys(&record.current.values, None) {
            self.unique.remove(&key);
        }
        if self.deleted.len() >= DELETED_MAX {
            self.deleted.pop_front();
        }
        self.deleted.push_back(Deleted {
            id,
            name: record.name(&self.module),
            at: stamp.at.max(record.current.modified),
            by: stamp.by,
            created_by: record.created_by,
        });
        Some(record)
    }

    /// Another record that has one of these values in a unique field, with the field's name.
    pub(crate) fn duplicate(
        &self,
        values: &Map<String, Value>,
        except: Option<u64>,
    ) -> Option<(&str, u64)> {
        self.unique_fields.iter().find_map(|name| {
            let value = values.get(name)?.as_str()?.to_lowercase();
            let id = *self.unique.get(&(name.clone(), value))?;
            (Some(id) != except).then_some((name.as_str(), id))
        })
    }

    /// The oldest record whose field `name` has `value`, letter case aside.
    pub(crate) fn find(&self, name: &str, value: &Value) -> Option<u64> {
        let wanted = value.as_str().map(str::to_lowercase);
        self.rows
            .values()
            .find(|record| match record.current.values.get(name) {
                Some(Value::String(text)) => wanted.as_ref() == Some(&text.to_lowercase()),
                Some(Value::Null) | None => false,
                Some(other) => other == value,
            })
            .map(|record| record.id)
    }

    fn index(&mut self, id: u64, values: &Map<String, Value>) {
        for key in self.unique_keys(values, None) {
            self.unique.insert(key, id);
        }
    }

    /// The unique fields of `values` as keys of the index; only those also `among` others, if given.
    fn unique_keys(
        &self,
        values: &Map<String, Value>,
        among: Option<&Map<String, Value>>,
    ) -> Vec<(String, String)> {
        self.unique_fields
            .iter()
            .filter(|it| among.is_none_or(|among| among.contains_key(*it)))
            .filter_map(|name| {
                let value = values.get(name)?.as_str()?;
                Some((name.clone(), value.to_lowercase()))
            })
            .collect()
    }
}
