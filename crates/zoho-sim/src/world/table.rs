//! The records of one module.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    deleted::{Deleted, DeletedList},
    history::{FieldChange, History},
    keys::Keys,
    module::Module,
    order::{Order, Position, SortBy},
    people::Who,
    record::{Record, Version},
};
use crate::time;

/// A module with its records.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) module: Module,
    pub(crate) history: History,
    pub(crate) deleted: DeletedList,
    rows: BTreeMap<u64, Record>,
    created: BTreeSet<(Timestamp, u64)>,
    modified: BTreeSet<(Timestamp, u64)>,
    keys: Keys,
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
        Self {
            keys: Keys::of(&module),
            module,
            history: History::default(),
            deleted: DeletedList::default(),
            rows: BTreeMap::new(),
            created: BTreeSet::new(),
            modified: BTreeSet::new(),
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Record> {
        self.rows.get(&id)
    }

    /// For what is not sorted or searched by: see [`Self::alter`] for the rest.
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Record> {
        self.rows.get_mut(&id)
    }

    /// Changes a record in any way.
    pub(crate) fn alter(&mut self, id: u64, change: impl FnOnce(&mut Record)) {
        if let Some(mut record) = self.take(id) {
            change(&mut record);
            self.put(record);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All records, oldest id first.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.rows.values()
    }

    /// The records with a higher id, lowest first.
    pub(crate) fn after(&self, id: u64) -> impl Iterator<Item = &Record> {
        let range = (Bound::Excluded(id), Bound::Unbounded);
        self.rows.range(range).map(|(_, record)| record)
    }

    /// The records in an order, from the first behind a place on. Costs nothing for those before.
    pub(crate) fn walk(
        &self,
        order: Order,
        behind: Option<Position>,
    ) -> Box<dyn Iterator<Item = &Record> + '_> {
        let times = match order.by {
            SortBy::Id => {
                let behind = behind.map(|it| it.id);
                return if order.ascending {
                    let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
                    Box::new(self.rows.range((from, Bound::Unbounded)).map(|it| it.1))
                } else {
                    let to = behind.map_or(Bound::Unbounded, Bound::Excluded);
                    let rows = self.rows.range((Bound::Unbounded, to));
                    Box::new(rows.rev().map(|it| it.1))
                };
            }
            SortBy::CreatedTime => &self.created,
            SortBy::ModifiedTime => &self.modified,
        };
        let behind = behind.map(|it| (it.at, it.id));
        let edge = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let found = |(_, id): &(Timestamp, u64)| self.rows.get(id);
        if order.ascending {
            Box::new(times.range((edge, Bound::Unbounded)).filter_map(found))
        } else {
            let times = times.range((Bound::Unbounded, edge)).rev();
            Box::new(times.filter_map(found))
        }
    }

    pub(crate) fn insert(&mut self, id: u64, values: Map<String, Value>, stamp: Stamp) {
        self.take(id);
        let mut record = record(id, values, (stamp.at, stamp.at), stamp.by);
        record.changed_at = Some(stamp.monotonic);
        self.put(record);
    }

    /// Inserts a record of old, with when it was created and modified: search knows it, and no
    /// read is stale.
    pub(crate) fn insert_old(
        &mut self,
        id: u64,
        values: Map<String, Value>,
        (created, modified): (Timestamp, Timestamp),
        by: Who,
    ) {
        self.take(id);
        self.put(record(id, values, (created, modified), by));
    }

    /// Makes a record one of old: search knows it, and no read is stale.
    pub(crate) fn settle(&mut self, id: u64, created: Timestamp, modified: Timestamp) {
        self.alter(id, |record| {
            record.created = time::whole_seconds(created);
            record.current.modified = time::whole_seconds(modified).max(record.created);
            record.changed_at = None;
        });
    }

    /// Writes `values` into a record; gives those that really changed, or nothing for no record.
    pub(crate) fn update(
        &mut self,
        id: u64,
        values: Map<String, Value>,
        stamp: Stamp,
    ) -> Option<Map<String, Value>> {
        let mut record = self.take(id)?;
        let before = record.current.clone();
        let mut changed = Map::new();
        let mut fields = vec![];
        for (name, value) in values {
            let old = before.values.get(&name).unwrap_or(&Value::Null);
            if old != &value {
                fields.push(FieldChange {
                    name: name.clone(),
                    old: old.clone(),
                    new: value.clone(),
                });
                record.current.values.insert(name.clone(), value.clone());
                changed.insert(name, value);
            }
        }
        record.current.modified = stamp.at.max(before.modified);
        record.current.modified_by = stamp.by;
        record.changed_at = Some(stamp.monotonic);
        record.before = Some(before);
        self.history.add(id, stamp.at, stamp.by, fields);
        self.put(record);
        Some(changed)
    }

    pub(crate) fn delete(&mut self, id: u64, stamp: Stamp) -> Option<Record> {
        let record = self.take(id)?;
        self.history.forget(id);
        self.deleted.add(Deleted::new(
            id,
            record.name(&self.module),
            stamp.at.max(record.current.modified),
            stamp.by,
            record.created_by,
        ));
        Some(record)
    }

    /// Another record that has one of these values in a unique field, with the field's name.
    pub(crate) fn duplicate(
        &self,
        values: &Map<String, Value>,
        except: Option<u64>,
    ) -> Option<(&str, u64)> {
        self.keys.duplicate(values, except)
    }

    /// The oldest record whose field `name` has `value`, letter case aside.
    pub(crate) fn find(&self, name: &str, value: &Value) -> Option<u64> {
        if let Some(text) = value.as_str()
            && self.keys.has(name)
        {
            return self.keys.find(name, text);
        }
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

    fn put(&mut self, record: Record) {
        let id = record.id;
        self.keys.add(id, &record.current.values);
        self.created.insert((record.created, id));
        self.modified.insert((record.current.modified, id));
        self.rows.insert(id, record);
    }

    fn take(&mut self, id: u64) -> Option<Record> {
        let record = self.rows.remove(&id)?;
        self.keys.remove(id, &record.current.values);
        self.created.remove(&(record.created, id));
        self.modified.remove(&(record.current.modified, id));
        Some(record)
    }
}

fn record(
    id: u64,
    values: Map<String, Value>,
    (created, modified): (Timestamp, Timestamp),
    by: Who,
) -> Record {
    Record {
        id,
        created,
        created_by: by,
        current: Version {
            values,
            modified,
            modified_by: by,
        },
        before: None,
        changed_at: None,
        converted: false,
        lock: None,
        notified_ms: 0,
    }
}
