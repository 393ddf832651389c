//! One queue's heads in memory: per record the next row that may go out. What is behind a head stays in the database.
//!
//! Bounded: at most `heads_max` records and `content_bytes_max` of content. Rows beyond that are found by scanning the
//! table from `cursor` once there is room, so a record with a million rows takes one place and blocks nobody; nor does an
//! org with a million records, see [`groups`].

mod clock;
mod groups;
mod scan;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) use self::groups::Group;

use self::groups::{Groups, Placed};
use super::row::{Row, Taken};
use crate::event::{ConnectionName, RecordKey};

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ready {
        due: i64,
    },
    Later {
        due: i64,
        put_back: bool,
    },
    /// It was out for a moment: no more can be done at once for its connection.
    Held(ConnectionName),
    Out,
}

#[derive(Debug)]
struct Head<T> {
    no: i64,
    group: Option<Group>,
    rank: i64,
    since: i64,
    state: State,
    /// It was out before, so that it keeps its place before older ones that come later.
    came_back: bool,
    content: Option<(T, usize)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Queue<T> {
    heads: HashMap<RecordKey, Head<T>>,
    ready: BTreeSet<(i64, i64, RecordKey)>,
    later: BTreeSet<(i64, i64, RecordKey)>,
    /// By row; no connection stays without any.
    held: HashMap<ConnectionName, BTreeSet<(i64, RecordKey)>>,
    /// Of all heads, by row.
    ages: BTreeMap<i64, (i64, RecordKey)>,
    depth: u64,
    heads_max: usize,
    content_bytes: usize,
    content_bytes_max: usize,
    /// Every row up to here was offered.
    cursor: i64,
    /// Nothing is beyond the cursor: what is committed comes directly.
    complete: bool,
    /// A row was refused for want of room.
    stalled: bool,
    groups: Groups,
    now: i64,
}

impl<T> Queue<T> {
    /// `complete` when the table is known to have no row of this queue.
    pub(super) fn new(heads_max: usize, content_bytes_max: usize, complete: bool) -> Self {
        Self {
            heads: HashMap::new(),
            ready: BTreeSet::new(),
            later: BTreeSet::new(),
            held: HashMap::new(),
            ages: BTreeMap::new(),
            depth: 0,
            heads_max,
            content_bytes: 0,
            content_bytes_max,
            cursor: 0,
            complete,
            stalled: false,
            groups: Groups::default(),
            now: 0,
        }
    }

    /// Rows in the table, and how old the oldest known one is.
    pub(super) fn state(&self) -> (u64, Option<i64>) {
        (
            self.depth,
            self.ages.values().next().map(|(since, _)| *since),
        )
    }

    /// Sets the number of rows as counted in the table.
    pub(super) fn set_depth(&mut self, depth: u64) {
        self.depth = depth;
    }

    /// Rows went away without having been out.
    pub(super) fn forget_depth(&mut self, rows: u64) {
        self.depth = self.depth.saturating_sub(rows);
    }

    /// A row just committed.
    pub(super) fn committed(&mut self, row: Row<T>) {
        self.depth += 1;
        if self.complete {
            let no = row.no;
            if self.offer(row) {
                self.cursor = no;
            } else {
                self.complete = false;
                self.stalled = true;
            }
        } else if self.heads.contains_key(&row.key) {
            self.place(row);
        }
    }

    /// The oldest heads, with `count` that are not out among them if there are so many; and the row beyond which
    /// others may be.
    pub(super) fn oldest(&self, count: usize) -> (Vec<(RecordKey, i64)>, Option<i64>) {
        let mut waiting = 0;
        let heads = self.ages.iter().map(|(no, (_, key))| (*key, *no));
        let oldest = heads.take_while(|(key, no)| {
            let wanted = waiting < count;
            waiting += usize::from(!self.is_out(*key, *no));
            wanted
        });
        let oldest = oldest.collect();
        (oldest, (!self.complete).then_some(self.cursor))
    }

    /// Takes what is due, oldest first, up to `max`.
    pub(super) fn take(&mut self, now: i64, max: usize) -> Taken<T> {
        self.promote(now);
        let mut keys = vec![];
        let mut missing = vec![];
        for &(_, no, key) in self.ready.iter().take(max) {
            let at_hand = self.heads.get(&key).is_some_and(|it| it.content.is_some());
            match (at_hand, missing.is_empty(), keys.is_empty()) {
                (true, true, _) => keys.push(key),
                (false, _, true) => missing.push((key, no)),
                (true, false, _) | (false, _, false) => break,
            }
        }
        if !missing.is_empty() {
            return Taken::Load(missing);
        }
        let out: Vec<_> = keys
            .into_iter()
            .filter_map(|key| self.hand_out(key))
            .collect();
        if out.is_empty() {
            Taken::Nothing(self.later.first().map(|(due, _, _)| *due))
        } else {
            Taken::Out(out)
        }
    }

    /// Content that was read for [`Taken::Load`].
    pub(super) fn fill(&mut self, key: RecordKey, no: i64, content: T, bytes: usize) {
        if let Some(head) = self.heads.get_mut(&key)
            && head.no == no
            && head.content.is_none()
            && head.state != State::Out
        {
            head.content = Some((content, bytes));
            self.content_bytes += bytes;
        }
    }

    /// A row that was to be read is gone from the table.
    pub(super) fn vanished(&mut self, key: RecordKey, no: i64) {
        if self
            .heads
            .get(&key)
            .is_some_and(|it| it.no == no && it.state != State::Out)
        {
            self.forget(key);
            self.rescan();
        }
    }

    /// A row that was out, or waited, comes (again) at `due`, without having been closed.
    pub(super) fn back(&mut self, key: RecordKey, no: i64, due: i64, put_back: bool) {
        if self.heads.get(&key).is_some_and(|it| it.no == no)
            && let Some(mut head) = self.remove(key)
        {
            head.content = None;
            head.came_back = true;
            head.state = State::Later { due, put_back };
            self.insert(key, head);
        }
    }

    /// A row that was out waits, without having been begun, until [`Self::release`] lets it go.
    pub(super) fn hold(
        &mut self,
        (key, no): (RecordKey, i64),
        connection: ConnectionName,
        (content, bytes): (T, usize),
    ) {
        if self.is_out(key, no)
            && let Some(mut head) = self.remove(key)
        {
            let room = self.content_bytes_max.saturating_sub(self.content_bytes);
            head.content = (bytes <= room).then_some((content, bytes));
            // Older ones may have come while it was out, and memory does not know of them.
            head.came_back = true;
            head.state = State::Held(connection);
            self.insert(key, head);
        }
    }

    /// Lets the oldest `count` that are held for a connection go; gives how many there were.
    pub(super) fn release(&mut self, connection: &ConnectionName, count: usize) -> usize {
        let held = self.held.get(connection).into_iter().flatten();
        let keys: Vec<_> = held.take(count).map(|(_, key)| *key).collect();
        for key in &keys {
            self.make_ready(*key);
        }
        keys.len()
    }

    /// A row left the table; `next` is its record's next.
    pub(super) fn closed(&mut self, key: RecordKey, no: i64, next: Option<Row<T>>, rows: u64) {
        self.forget_depth(rows);
        if self.heads.get(&key).is_none_or(|it| it.no != no) {
            return;
        }
        self.forget(key);
        if let Some(row) = next {
            self.insert_row(row);
        }
    }

    /// A row was dropped from the table while it may have just been taken: then its record's next waits until
    /// whoever took it is done.
    pub(super) fn dropped(&mut self, key: RecordKey, no: i64, next: Option<Row<T>>, rows: u64) {
        if self.is_out(key, no) {
            self.forget_depth(rows);
        } else {
            self.closed(key, no, next, rows);
        }
    }

    /// What was put back or is held is due now, oldest first.
    pub(super) fn due_now(&mut self) {
        let keys: Vec<_> = self.heads.keys().copied().collect();
        self.due_now_of(&keys);
    }

    /// The same, of these records.
    pub(super) fn due_now_of(&mut self, keys: &[RecordKey]) {
        for key in keys {
            let waits = self.heads.get(key).is_some_and(|it| match &it.state {
                State::Later { put_back, .. } => *put_back,
                State::Held(_) => true,
                State::Ready { .. } | State::Out => false,
            });
            if waits {
                self.make_ready(*key);
            }
        }
    }

    /// Forgets every head: the table has no more rows of this queue.
    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.ready.clear();
        self.later.clear();
        self.held.clear();
        self.ages.clear();
        self.content_bytes = 0;
        self.depth = 0;
        self.complete = true;
        self.stalled = false;
        self.groups = Groups::default();
    }

    /// Whether a head is out.
    pub(super) fn is_out(&self, key: RecordKey, no: i64) -> bool {
        self.heads
            .get(&key)
            .is_some_and(|it| it.no == no && it.state == State::Out)
    }

    fn make_ready(&mut self, key: RecordKey) {
        if let Some(mut head) = self.remove(key) {
            head.state = State::Ready { due: head.since };
            self.insert(key, head);
        }
    }

    fn hand_out(&mut self, key: RecordKey) -> Option<(RecordKey, i64, T)> {
        let mut head = self.remove(key)?;
        let no = head.no;
        let (content, _) = head.content.take()?;
        head.state = State::Out;
        self.insert(key, head);
        Some((key, no, content))
    }

    fn place(&mut self, row: Row<T>) -> Placed {
        if let Some(head) = self.heads.get(&row.key) {
            let begun = match head.state {
                State::Ready { .. } => head.came_back,
                State::Later { .. } | State::Held(_) | State::Out => true,
            };
            if !begun && head.no != row.no && (row.rank, row.no) < (head.rank, head.no) {
                self.forget(row.key);
                self.insert_row(row);
            }
            return Placed::Here;
        }
        let free = self.heads_max.saturating_sub(self.heads.len());
        if free == 0 {
            return Placed::Full;
        }
        if self.groups.is_full(row.group, free) {
            return Placed::GroupFull;
        }
        self.insert_row(row);
        Placed::Here
    }

    /// It is not to come back.
    fn forget(&mut self, key: RecordKey) {
        if let Some(head) = self.remove(key) {
            self.groups.left(head.group);
        }
    }

    fn insert_row(&mut self, row: Row<T>) {
        let state = if row.due > self.now {
            State::Later {
                due: row.due,
                put_back: false,
            }
        } else {
            State::Ready {
                due: row.since.min(self.now),
            }
        };
        let room = self.content_bytes_max.saturating_sub(self.content_bytes);
        let content = row.content.filter(|(_, bytes)| *bytes <= room);
        self.groups.entered(row.group);
        let head = Head {
            no: row.no,
            group: row.group,
            rank: row.rank,
            since: row.since,
            state,
            came_back: false,
            content,
        };
        self.insert(row.key, head);
    }

    fn insert(&mut self, key: RecordKey, head: Head<T>) {
        match &head.state {
            State::Ready { due } => drop(self.ready.insert((*due, head.no, key))),
            State::Later { due, .. } => drop(self.later.insert((*due, head.no, key))),
            State::Held(connection) => {
                let of_it = self.held.entry(connection.clone()).or_default();
                of_it.insert((head.no, key));
            }
            State::Out => {}
        }
        self.content_bytes += head.content.as_ref().map_or(0, |(_, bytes)| *bytes);
        self.ages.insert(head.no, (head.since, key));
        self.heads.insert(key, head);
    }

    fn remove(&mut self, key: RecordKey) -> Option<Head<T>> {
        let head = self.heads.remove(&key)?;
        match &head.state {
            State::Ready { due } => drop(self.ready.remove(&(*due, head.no, key))),
            State::Later { due, .. } => drop(self.later.remove(&(*due, head.no, key))),
            State::Held(connection) => {
                if let Some(of_it) = self.held.get_mut(connection) {
                    of_it.remove(&(head.no, key));
                    if of_it.is_empty() {
                        self.held.remove(connection);
                    }
                }
            }
            State::Out => {}
        }
        self.ages.remove(&head.no);
        self.content_bytes -= head.content.as_ref().map_or(0, |(_, bytes)| *bytes);
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::{clock::WAIT_MAX_US, *};

    fn key(n: i64) -> RecordKey {
        RecordKey::from_i64(n)
    }

    fn row(record: i64, no: i64) -> Row<i64> {
        Row {
            key: key(record),
            no,
            group: None,
            rank: 0,
            since: no,
            due: 0,
            content: Some((no, 10)),
        }
    }

    fn out(queue: &mut Queue<i64>, now: i64) -> Vec<i64> {
        match queue.take(now, 10) {
            Taken::Out(out) => out.into_iter().map(|(_, no, _)| no).collect(),
            Taken::Load(_) | Taken::Nothing(_) => vec![],
        }
    }

    #[test]
    fn one_row_of_a_record_is_out_at_a_time() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(row(1, 1));
        queue.committed(row(1, 2));
        queue.committed(row(2, 3));
        assert_eq!(out(&mut queue, 100), [1, 3]);
        assert_eq!(out(&mut queue, 100), Vec::<i64>::new());
        queue.closed(key(1), 1, Some(row(1, 2)), 1);
        assert_eq!(out(&mut queue, 100), [2]);
        assert_eq!(queue.state(), (2, Some(2)));
    }

    #[test]
    fn an_older_change_that_comes_later_goes_first_unless_the_head_is_out() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(Row {
            rank: 5,
            ..row(1, 1)
        });
        queue.committed(Row {
            rank: 4,
            ..row(1, 2)
        });
        assert_eq!(out(&mut queue, 100), [2]);
        queue.committed(Row {
            rank: 3,
            ..row(1, 3)
        });
        assert_eq!(out(&mut queue, 100), Vec::<i64>::new());
    }

    #[test]
    fn what_does_not_fit_is_found_by_a_scan_when_there_is_room() {
        let mut queue = Queue::new(2, 1000, true);
        for n in 1..=3 {
            queue.committed(row(n, n));
        }
        assert_eq!(queue.scan_from(), None);
        assert_eq!(out(&mut queue, 100), [1, 2]);
        queue.closed(key(1), 1, None, 1);
        assert_eq!(queue.scan_from(), Some(2));
        queue.scanned(row(3, 3));
        queue.scan_ended(2, 3, true);
        assert_eq!(out(&mut queue, 100), [3]);
        queue.closed(key(3), 3, None, 1);
        queue.committed(row(4, 4));
        assert_eq!(out(&mut queue, 100), [4]);
    }

    #[test]
    fn content_beyond_the_budget_is_read_again() {
        let mut queue = Queue::new(10, 10, true);
        queue.committed(row(1, 1));
        queue.committed(row(2, 2));
        assert_eq!(out(&mut queue, 100), [1]);
        assert_eq!(queue.take(100, 10), Taken::Load(vec![(key(2), 2)]));
        queue.fill(key(2), 2, 2, 10);
        assert_eq!(out(&mut queue, 100), [2]);
    }

    #[test]
    fn what_was_put_back_waits_for_its_time_or_for_due_now() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(row(1, 1));
        queue.committed(row(2, 2));
        assert_eq!(out(&mut queue, 100), [1, 2]);
        queue.back(key(1), 1, 500, false);
        queue.back(key(2), 2, 900, true);
        assert_eq!(queue.take(100, 10), Taken::Nothing(Some(500)));
        queue.due_now();
        assert_eq!(queue.take(100, 10), Taken::Load(vec![(key(2), 2)]));
        queue.fill(key(2), 2, 2, 10);
        assert_eq!(out(&mut queue, 100), [2]);
        assert_eq!(queue.take(500, 10), Taken::Load(vec![(key(1), 1)]));
    }

    #[test]
    fn what_is_held_lets_others_pass_and_goes_oldest_first() {
        let (acme, other) = (ConnectionName::new("acme"), ConnectionName::new("other"));
        let mut queue = Queue::new(10, 25, true);
        for n in 1..=4 {
            queue.committed(Row {
                rank: 5,
                ..row(n, n)
            });
        }
        assert_eq!(out(&mut queue, 100), [1, 2]);
        queue.hold((key(2), 2), acme.clone(), (2, 10));
        queue.hold((key(1), 1), acme.clone(), (1, 10));
        queue.fill(key(3), 3, 3, 10);
        queue.fill(key(4), 4, 4, 10);
        assert_eq!(out(&mut queue, 100), [3, 4]);
        queue.hold((key(3), 3), other.clone(), (3, 10));
        queue.committed(row(5, 5));
        assert_eq!(queue.release(&acme, 1), 1);
        assert_eq!(out(&mut queue, 100), [1], "its content was kept");
        assert_eq!(queue.state(), (5, Some(1)));

        // It keeps its place before an older change of its record that comes now.
        queue.committed(row(2, 6));
        assert_eq!(queue.release(&acme, 10), 1);
        queue.due_now();
        queue.fill(key(2), 2, 2, 10);
        queue.fill(key(3), 3, 3, 10);
        queue.fill(key(5), 5, 5, 10);
        assert_eq!(out(&mut queue, 100), [2, 3, 5]);
        assert!(queue.held.is_empty());
        queue.hold((key(9), 9), other, (9, 10));
        assert!(queue.held.is_empty(), "only what is out can be held");
    }

    #[test]
    fn what_was_put_back_keeps_its_place_by_age() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(row(1, 1));
        queue.committed(row(2, 2));
        assert_eq!(out(&mut queue, 100), [1, 2]);
        queue.committed(row(3, 3));
        queue.back(key(2), 2, 900, true);
        queue.committed(row(4, 4));
        queue.due_now();
        queue.fill(key(2), 2, 2, 1);
        assert_eq!(out(&mut queue, 100), [2, 3, 4]);
        assert!(out(&mut queue, 100).is_empty());

        queue.back(key(4), 4, 900, true);
        queue.closed(key(3), 3, None, 1);
        queue.committed(row(3, 3));
        queue.due_now();
        queue.fill(key(4), 4, 4, 1);
        assert_eq!(out(&mut queue, 100), [3, 4]);

        queue.back(key(3), 3, 900, true);
        queue.back(key(4), 4, 900, false);
        queue.due_now_of(&[key(3), key(4), key(9)]);
        queue.fill(key(3), 3, 3, 1);
        assert_eq!(out(&mut queue, 100), [3]);
    }

    #[test]
    fn a_drop_of_what_was_just_taken_frees_nothing_of_its_record() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(row(1, 1));
        queue.committed(row(1, 2));
        assert_eq!(queue.oldest(1), (vec![(key(1), 1)], None));
        assert_eq!(out(&mut queue, 100), [1]);
        queue.dropped(key(1), 1, Some(row(1, 2)), 1);
        assert_eq!(out(&mut queue, 100), Vec::<i64>::new());
        assert_eq!(queue.state().0, 1);
        queue.closed(key(1), 1, Some(row(1, 2)), 0);
        assert_eq!(out(&mut queue, 100), [2]);

        queue.committed(row(1, 3));
        queue.dropped(key(1), 2, Some(row(1, 3)), 1);
        queue.back(key(1), 2, 100, true);
        assert_eq!(queue.take(100, 10), Taken::Load(vec![(key(1), 2)]));
        queue.vanished(key(1), 2);
        assert_eq!(queue.scan_from(), Some(0));
        queue.scanned(row(1, 3));
        assert_eq!(out(&mut queue, 100), [3]);
    }

    #[test]
    fn the_oldest_are_enough_that_wait_and_those_out_before_them() {
        let mut queue = Queue::new(3, 1000, true);
        for n in 1..=4 {
            queue.committed(row(n, n));
        }
        assert_eq!(queue.take(100, 1), Taken::Out(vec![(key(1), 1, 1)]));
        assert_eq!(queue.oldest(1), (vec![(key(1), 1), (key(2), 2)], Some(3)));
        assert_eq!(queue.oldest(9).0.len(), 3);
    }

    #[test]
    fn a_clock_that_jumps_back_delays_nobody() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(row(1, 1));
        assert_eq!(out(&mut queue, 100_000_000), [1]);
        queue.back(key(1), 1, 101_000_000, false);
        assert_eq!(queue.take(50_000_000, 10), Taken::Nothing(Some(51_000_000)));
        assert_eq!(queue.take(51_000_000, 10), Taken::Load(vec![(key(1), 1)]));
    }

    #[test]
    fn a_due_time_of_a_clock_that_ran_ahead_is_clamped() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(Row {
            due: i64::MAX,
            ..row(1, 1)
        });
        assert_eq!(queue.take(100, 10), Taken::Nothing(Some(100 + WAIT_MAX_US)));
    }

    #[test]
    fn a_rescan_neither_doubles_nor_frees_what_is_out() {
        let mut queue = Queue::new(10, 1000, true);
        queue.committed(row(1, 1));
        assert_eq!(out(&mut queue, 100), [1]);
        queue.rescan();
        queue.scanned(row(1, 1));
        queue.scanned(row(2, 2));
        queue.scan_ended(0, 2, true);
        assert_eq!(out(&mut queue, 100), [2]);
    }
}
