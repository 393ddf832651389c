//! What happened to records: the source of their timelines.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use serde_json::Value;

use super::people::Who;

/// Changes kept per record, and per module; the oldest go first.
const PER_RECORD_MAX: usize = 200;
const PER_MODULE_MAX: usize = 100_000;

/// One change of a record.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Counts the changes of the module.
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) by: Who,
    pub(crate) fields: Vec<FieldChange>,
}

/// How one field changed.
#[derive(Clone, Debug)]
pub(crate) struct FieldChange {
    pub(crate) name: String,
    pub(crate) old: Value,
    pub(crate) new: Value,
}

/// The changes of a module's records.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Oldest first.
    entries: HashMap<u64, VecDeque<Entry>>,
    /// Record and number of every entry, oldest first; those that are gone too.
    order: VecDeque<(u64, u64)>,
    next: u64,
}

impl History {
    pub(crate) fn add(&mut self, id: u64, at: Timestamp, by: Who, fields: Vec<FieldChange>) {
        if fields.is_empty() {
            return;
        }
        let number = self.next;
        self.next += 1;
        let entries = self.entries.entry(id).or_default();
        if entries.len() >= PER_RECORD_MAX {
            entries.pop_front();
        }
        entries.push_back(Entry {
            number,
            at,
            by,
            fields,
        });
        self.order.push_back((id, number));
        if self.order.len() > PER_MODULE_MAX
            && let Some((id, number)) = self.order.pop_front()
        {
            self.drop_oldest(id, number);
        }
    }

    /// What is known of a record's changes, oldest first.
    pub(crate) fn of(&self, id: u64) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.get(&id).into_iter().flatten()
    }

    /// Forgets a record.
    pub(crate) fn forget(&mut self, id: u64) {
        self.entries.remove(&id);
    }

    fn drop_oldest(&mut self, id: u64, number: u64) {
        if let Some(entries) = self.entries.get_mut(&id) {
            if entries.front().is_some_and(|it| it.number == number) {
                entries.pop_front();
            }
            if entries.is_empty() {
                self.entries.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_its_newest_changes() {
        let mut history = History::default();
        for _ in 0..PER_RECORD_MAX + 5 {
            let change = FieldChange {
                name: "City".into(),
                old: Value::Null,
                new: Value::Null,
            };
            history.add(1, Timestamp::UNIX_EPOCH, Who::Person, vec![change]);
        }
        history.add(1, Timestamp::UNIX_EPOCH, Who::Person, vec![]);
        assert_eq!(history.of(1).count(), PER_RECORD_MAX);
        assert_eq!(history.of(1).next().map(|it| it.number), Some(5));
        history.forget(1);
        assert_eq!(history.of(1).count(), 0);
    }
}
