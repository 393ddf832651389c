//! The last writes of ours to Zoho, in memory: looked at for every change, so no query.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use crate::event::{Change, OwnWrite, RecordKey};

/// A write is remembered so long.
pub(super) const KEPT: Duration = Duration::from_hours(24);

/// Writes remembered at once; about 400 bytes each with a few fields. The oldest goes first.
pub(super) const COUNT_MAX: usize = 50_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct OwnWrites {
    /// When each was remembered, and its record; oldest first.
    order: VecDeque<(Timestamp, RecordKey)>,
    /// Of each record, oldest first.
    by_record: HashMap<RecordKey, VecDeque<OwnWrite>>,
}

impl OwnWrites {
    /// Remembers one more, or what one has explained since.
    pub(super) fn remember(&mut self, write: OwnWrite, at: Timestamp) {
        let key = RecordKey::of_record(&write.connection, &write.module, &write.record);
        let known = self.by_record.entry(key).or_default();
        let same = known.iter_mut().find(|it| explains_more(&write, it));
        if let Some(same) = same {
            *same = write;
        } else {
            known.push_back(write);
            self.order.push_back((at, key));
        }
        self.forget_old(at);
    }

    /// Lets go what is too old, or one too many.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        while let Some(&(at, key)) = self.order.front()
            && (at < oldest || self.order.len() > COUNT_MAX)
        {
            self.order.pop_front();
            if let Some(writes) = self.by_record.get_mut(&key) {
                writes.pop_front();
                if writes.is_empty() {
                    self.by_record.remove(&key);
                }
            }
        }
    }

    /// Those to the record of a change, oldest first; `key` is the change's.
    pub(super) fn of<'a>(
        &'a self,
        key: RecordKey,
        change: &'a Change,
    ) -> impl Iterator<Item = &'a OwnWrite> {
        // Two records may share a key.
        self.by_record
            .get(&key)
            .into_iter()
            .flatten()
            .filter(move |it| {
                Some(&it.connection) == change.connection.as_ref()
                    && it.module == change.module
                    && Some(&it.record) == change.record.as_ref()
            })
    }
}

/// Whether it is the same write, and has explained what the other had and more.
fn explains_more(write: &OwnWrite, other: &OwnWrite) -> bool {
    let so_far = OwnWrite {
        explained: other.explained.clone(),
        ..write.clone()
    };
    so_far == *other
        && write.explained.len() > other.explained.len()
        && write.explained.is_superset(&other.explained)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::event::{ConnectionName, ModuleName, RecordId, SourceName, sample};

    fn write(record: &str, second: i64) -> OwnWrite {
        OwnWrite {
            connection: ConnectionName::new("acme"),
            module: ModuleName::new("Leads"),
            record: RecordId::new(record),
            modified_at: Timestamp::from_second(second).unwrap(),
            created: false,
            fields: BTreeSet::new(),
            explained: BTreeSet::new(),
        }
    }

    fn seconds(writes: &OwnWrites, module: &str, record: &str) -> Vec<i64> {
        let change = sample::change(module, record);
        let found = writes.of(change.key(), &change);
        found.map(|it| it.modified_at.as_second()).collect()
    }

    #[test]
    fn a_write_is_found_by_its_record_until_a_day_has_passed() {
        let mut writes = OwnWrites::default();
        let at = |hours: i64| Timestamp::from_second(hours * 3_600).unwrap();
        writes.remember(write("1", 1), at(0));
        writes.remember(write("2", 2), at(1));
        writes.remember(write("1", 3), at(2));
        assert_eq!(seconds(&writes, "Leads", "1"), [1, 3]);
        assert_eq!(seconds(&writes, "Contacts", "1"), [0; 0]);
        writes.forget_old(at(25));
        assert_eq!(seconds(&writes, "Leads", "1"), [3]);
        assert_eq!(seconds(&writes, "Leads", "2"), [2]);
        writes.forget_old(at(27));
        assert!(writes.by_record.is_empty());
    }

    #[test]
    fn what_a_write_has_explained_is_added_to_it() {
        let mut writes = OwnWrites::default();
        let at = Timestamp::UNIX_EPOCH;
        let explained = OwnWrite {
            explained: BTreeSet::from([SourceName::new("crm")]),
            ..write("1", 1)
        };
        for it in [write("1", 1), write("1", 1), explained.clone()] {
            writes.remember(it, at);
        }
        let change = sample::change("Leads", "1");
        let found: Vec<_> = writes.of(change.key(), &change).cloned().collect();
        assert_eq!(found, [explained, write("1", 1)]);
        writes.forget_old(Timestamp::from_second(25 * 3_600).unwrap());
        assert!(writes.by_record.is_empty() && writes.order.is_empty());
    }

    #[test]
    fn one_too_many_makes_the_oldest_go() {
        let mut writes = OwnWrites::default();
        for n in 0..=COUNT_MAX {
            let second = i64::try_from(n).unwrap();
            writes.remember(write(&n.to_string(), second), Timestamp::UNIX_EPOCH);
        }
        assert_eq!(writes.order.len(), COUNT_MAX);
        assert_eq!(seconds(&writes, "Leads", "0"), [0; 0]);
        assert_eq!(seconds(&writes, "Leads", "1"), [1]);
    }
}
