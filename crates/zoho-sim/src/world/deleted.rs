//! What is left of deleted records.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::Timestamp;

use super::people::Who;

/// Rows of the deleted list kept per module; the oldest go first.
const DELETED_MAX: usize = 200_000;
/// How long the recycle bin keeps a record, and the list one that left it.
/// Zoho: "Get deleted records", v8.
const IN_BIN: Duration = Duration::from_hours(60 * 24);
const LISTED: Duration = Duration::from_hours(120 * 24);

/// A row of the deleted list.
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) by: Who,
    pub(crate) created_by: Who,
    /// Taken out of the recycle bin for good.
    purged: bool,
}

/// Where a deleted record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the recycle bin.
    Bin,
    /// Gone for good, and still listed.
    Gone,
    /// Not even listed any more.
    Forgotten,
}

/// The deleted records of a module.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeletedList {
    /// In the order they were deleted.
    rows: BTreeMap<u64, Deleted>,
    numbers: HashMap<u64, u64>,
    next: u64,
}

impl Deleted {
    pub(crate) fn new(
        id: u64,
        name: Option<String>,
        at: Timestamp,
        by: Who,
        created_by: Who,
    ) -> Self {
        Self {
            id,
            name,
            at,
            by,
            created_by,
            purged: false,
        }
    }

    pub(crate) fn place(&self, now: Timestamp) -> Place {
        let age = now.duration_since(self.at).unsigned_abs();
        if age >= LISTED {
            Place::Forgotten
        } else if self.purged || age >= IN_BIN {
            Place::Gone
        } else {
            Place::Bin
        }
    }
}

impl DeletedList {
    pub(crate) fn add(&mut self, row: Deleted) {
        if let Some(number) = self.numbers.insert(row.id, self.next) {
            self.rows.remove(&number);
        }
        self.rows.insert(self.next, row);
        self.next += 1;
        if self.rows.len() > DELETED_MAX
            && let Some((_, oldest)) = self.rows.pop_first()
        {
            self.numbers.remove(&oldest.id);
        }
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.numbers.contains_key(&id)
    }

    /// All rows, the oldest first.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &Deleted> {
        self.rows.values()
    }

    /// Takes a record out of the recycle bin; false if it is not in there.
    pub(crate) fn purge(&mut self, id: u64, now: Timestamp) -> bool {
        let number = self.numbers.get(&id);
        match number.and_then(|it| self.rows.get_mut(it)) {
            Some(row) if row.place(now) == Place::Bin => {
                row.purged = true;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_record_leaves_the_bin_after_60_days_and_the_list_after_120() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let row = Deleted::new(1, None, at, Who::Person, Who::Person);
        for (days, place) in [
            (59, Place::Bin),
            (60, Place::Gone),
            (119, Place::Gone),
            (120, Place::Forgotten),
        ] {
            assert_eq!(row.place(at + Duration::from_hours(24 * days)), place);
        }
    }

    #[test]
    fn a_record_is_purged_once() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut list = DeletedList::default();
        list.add(Deleted::new(7, None, at, Who::Person, Who::Person));
        assert!(!list.purge(8, at));
        assert!(list.purge(7, at));
        assert!(!list.purge(7, at));
        assert!(list.has(7));
    }
}
