//! How a queue takes in what memory had no room for: rows in their order, from a cursor on.

use super::{Queue, Row};

impl<T> Queue<T> {
    /// The table may differ from what was handed over: offer every row again.
    pub(in crate::store) fn rescan(&mut self) {
        self.cursor = 0;
        self.complete = false;
        self.stalled = false;
        self.groups.start_anew();
    }

    /// Where the next scan begins, if one is needed and there is room.
    pub(in crate::store) fn scan_from(&mut self) -> Option<i64> {
        if self.stalled && self.heads.len() <= self.heads_max / 2 {
            self.stalled = false;
        }
        if self.complete {
            self.fill_from()
        } else {
            (!self.stalled).then_some(self.cursor)
        }
    }

    /// A row found by a scan in the order of rows.
    pub(in crate::store) fn scanned(&mut self, row: Row<T>) {
        if self.complete {
            self.fill_group(row);
            return;
        }
        if self.stalled || row.no <= self.cursor {
            return;
        }
        let no = row.no;
        if self.offer(row) {
            self.cursor = no;
        } else {
            self.stalled = true;
        }
    }

    /// A scan that began at `from` has offered every row up to `to`; `end` when none follow.
    pub(in crate::store) fn scan_ended(&mut self, from: i64, to: i64, end: bool) {
        if self.complete {
            self.fill_ended(to, end);
            return;
        }
        if self.stalled || self.cursor < from {
            return;
        }
        self.cursor = self.cursor.max(to);
        self.complete = end;
    }
}
