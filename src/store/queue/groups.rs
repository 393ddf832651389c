//! How a queue's memory is shared: a group (an org) may have as many records in it as are left free, so that however many
//! groups are as large as that, there is room for one more.

use std::collections::HashMap;

use super::{Queue, Row};

/// Of rows that share what there is of room with others.
pub(in crate::store) type Group = i64;

/// Whether a row was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is here, or it is behind its record's head.
    Here,
    /// Its group has its share.
    GroupFull,
    /// There is no room at all.
    Full,
}

/// What is known of groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Records here.
    counts: HashMap<Group, usize>,
    /// Of which not all rows are here: the first that is not.
    behind: HashMap<Group, i64>,
    /// What is being read for a group that has room again, and every row up to where was offered.
    filling: Option<(Group, i64)>,
}

impl Groups {
    pub(super) fn entered(&mut self, group: Option<Group>) {
        if let Some(group) = group {
            *self.counts.entry(group).or_default() += 1;
        }
    }

    pub(super) fn left(&mut self, group: Option<Group>) {
        if let Some(count) = group.and_then(|it| self.counts.get_mut(&it)) {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether a group has as many as are left free, or more.
    pub(super) fn is_full(&self, group: Option<Group>, free: usize) -> bool {
        group.is_some_and(|it| self.count(it) >= free)
    }

    fn count(&self, group: Group) -> usize {
        self.counts.get(&group).copied().unwrap_or_default()
    }

    fn lacks_rows(&self, group: Option<Group>) -> bool {
        group.is_some_and(|it| self.behind.contains_key(&it))
    }

    fn missed(&mut self, group: Option<Group>, no: i64) {
        if let Some(group) = group {
            let first = self.behind.entry(group).or_insert(no);
            *first = no.min(*first);
        }
    }

    /// Where to read on for a group that has room again.
    fn fill_from(&mut self, free: usize) -> Option<i64> {
        if self.filling.is_none() && free > 0 {
            let mut behind = self.behind.iter();
            let roomy = behind.find(|(group, _)| self.count(**group) <= free / 2);
            self.filling = roomy.map(|(group, first)| (*group, first.saturating_sub(1)));
        }
        self.filling.map(|(_, to)| to)
    }

    /// Every row will be offered again.
    pub(super) fn start_anew(&mut self) {
        self.behind.clear();
        self.filling = None;
    }
}

impl<T> Queue<T> {
    /// Takes a row in, or notes that its group lacks it; false when there is no room at all.
    pub(super) fn offer(&mut self, row: Row<T>) -> bool {
        let (no, group) = (row.no, row.group);
        let lacks_older = self.groups.lacks_rows(group) && !self.heads.contains_key(&row.key);
        let placed = if lacks_older {
            Placed::GroupFull
        } else {
            self.place(row)
        };
        if placed == Placed::GroupFull {
            self.groups.missed(group, no);
        }
        placed != Placed::Full
    }

    /// Where to read on for a group, once nothing is to be read for all.
    pub(super) fn fill_from(&mut self) -> Option<i64> {
        let free = self.heads_max.saturating_sub(self.heads.len());
        self.groups.fill_from(free)
    }

    /// A row found while a group is filled, in the order of rows.
    pub(super) fn fill_group(&mut self, row: Row<T>) {
        let Some((group, to)) = self.groups.filling else {
            return;
        };
        let no = row.no;
        if row.group != Some(group) || no <= to {
            return;
        }
        self.groups.filling = match self.place(row) {
            Placed::Here => Some((group, no)),
            Placed::GroupFull | Placed::Full => {
                self.groups.behind.insert(group, no);
                None
            }
        };
    }

    /// While a group was filled, every row up to `to` was offered; `end` when none follow.
    pub(super) fn fill_ended(&mut self, to: i64, end: bool) {
        if let Some((group, offered)) = self.groups.filling {
            self.groups.filling = Some((group, offered.max(to)));
            if end {
                self.groups.behind.remove(&group);
                self.groups.filling = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;
    use crate::{event::RecordKey, store::row::Taken};

    const GROUPS: i64 = 3;

    /// A table whose rows are records by number, and the queue over it.
    struct Table {
        open: BTreeMap<i64, i64>,
        last: i64,
        out: VecDeque<(RecordKey, i64)>,
        queue: Queue<i64>,
    }

    fn row(record: i64, no: i64) -> Row<i64> {
        Row {
            key: RecordKey::from_i64(record),
            no,
            group: Some(record % GROUPS),
            rank: 0,
            since: no,
            due: 0,
            content: Some((no, 1)),
        }
    }

    impl Table {
        fn new(heads_max: usize) -> Self {
            Self {
                open: BTreeMap::new(),
                last: 0,
                out: VecDeque::new(),
                queue: Queue::new(heads_max, 1_000, true),
            }
        }

        fn commit(&mut self, record: i64) {
            self.last += 1;
            self.open.insert(self.last, record);
            self.queue.committed(row(record, self.last));
        }

        fn oldest_of(&self, record: i64) -> Option<i64> {
            let mut rows = self.open.iter();
            rows.find(|(_, it)| **it == record).map(|(no, _)| *no)
        }

        /// Takes up to three; each must be the oldest of its record.
        fn take(&mut self) -> usize {
            loop {
                match self.queue.take(self.last, 3) {
                    Taken::Out(out) => {
                        for (key, no, _) in &out {
                            assert_eq!(self.oldest_of(key.as_i64()), Some(*no));
                            self.out.push_back((*key, *no));
                        }
                        return out.len();
                    }
                    Taken::Load(rows) => {
                        for (key, no) in rows {
                            self.queue.fill(key, no, no, 1);
                        }
                    }
                    Taken::Nothing(_) => return 0,
                }
            }
        }

        fn close(&mut self) {
            if let Some((key, no)) = self.out.pop_front() {
                self.open.remove(&no);
                let next = self.oldest_of(key.as_i64());
                let next = next.map(|no| Row {
                    content: None,
                    ..row(key.as_i64(), no)
                });
                self.queue.closed(key, no, next, 1);
            }
        }

        /// Reads a page of two rows; false when none is wanted.
        fn read(&mut self) -> bool {
            let Some(from) = self.queue.scan_from() else {
                return false;
            };
            let page = self.open.range(from + 1..).take(2);
            let page: Vec<_> = page.map(|(no, record)| row(*record, *no)).collect();
            let (to, end) = (page.last().map_or(from, |it| it.no), page.len() < 2);
            for row in page {
                self.queue.scanned(row);
            }
            self.queue.scan_ended(from, to, end);
            true
        }

        /// Everything goes out, in order.
        fn drain(&mut self) {
            for _ in 0..10_000 {
                while self.read() {}
                if self.take() == 0 && self.out.is_empty() {
                    break;
                }
                while !self.out.is_empty() {
                    self.close();
                }
            }
            assert_eq!(self.open, BTreeMap::new());
        }
    }

    #[test]
    fn a_group_that_does_not_move_leaves_room_for_others() {
        let mut table = Table::new(8);
        for record in 0..20 {
            table.commit(record * GROUPS);
        }
        while table.read() {}
        while table.take() > 0 {}
        assert_eq!(table.out.len(), 4, "half of the room");
        for record in 0..20 {
            table.commit(record * GROUPS + 1);
        }
        table.take();
        assert_eq!(table.out.len(), 6, "half of what was left");
        table.commit(2);
        table.take();
        assert_eq!(table.out.len(), 7);
        while table.read() {}
        table.drain();
    }

    #[test]
    fn a_group_is_filled_again_once_it_has_room() {
        let mut table = Table::new(8);
        for record in 0..10 {
            table.commit(record * GROUPS);
        }
        table.take();
        assert!(!table.read(), "it has its share");
        while !table.out.is_empty() {
            table.close();
        }
        assert!(table.read(), "it has room");
        table.drain();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn whatever_the_order_each_record_goes_out_in_its_own(
            heads_max in 1_usize..9,
            steps in prop::collection::vec((0_u8..8, 0_i64..14), 0..200),
        ) {
            let mut table = Table::new(heads_max);
            for (step, record) in steps {
                match step {
                    0..=3 => table.commit(record),
                    4 => drop(table.take()),
                    5 => table.close(),
                    6 => drop(table.read()),
                    _ => table.queue.rescan(),
                }
            }
            table.drain();
        }
    }
}
