//! The parts of a destination: messages of one send, type and routing key. What is wrong with one of them often is wrong
//! with all of its part and with no other: a part that fails is held back and probed, while the others go on.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::event::{Delivery, RecordKey};

use super::{
    breaker::PROBE_WAIT_MAX,
    retry::{DESTINATION_BACKOFF_MAX, backoff},
};

/// So many different records in a row must fail before their part is held back, so that one poison message cannot.
const RECORDS_TO_HOLD: usize = 5;

/// A part that had a success so lately is not held back: what fails there are some of its records.
const WELL_FOR: Duration = Duration::from_secs(1);

/// Deliveries of a part that is held back that are sent at once, to see whether any is well again.
const PROBES: u32 = 5;

/// Heads that are held back ask in a random order, about so many in a second: probes find what is well wherever it is.
const ASK_PER_SECOND: usize = 200;

/// Parts remembered; beyond, those that are well are forgotten, and failures of others are the record's own.
const PARTS_MAX: usize = 1_000;

/// Heads remembered, more than the store has in memory for a destination.
const HEADS_MAX: usize = 32_768;

/// A head that is not back so long after its time was dropped, or set aside with its destination's backlog.
const HEAD_LATE_MAX: Duration = Duration::from_mins(1);

/// Heads are looked through for such so often at most.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What became of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// How long this head should wait.
    pub wait: Duration,
    /// From now on its part is held back.
    pub held: bool,
}

/// Counts, and decides. Times are of the monotonic clock; `jitter` is in 0.0..1.0.
#[derive(Debug)]
pub(super) struct Parts {
    by_id: HashMap<PartId, Part>,
    /// Heads that wait because they failed or were held back.
    heads: HashMap<RecordKey, Head>,
    /// Heads that failed before and are out again.
    retrying: HashSet<RecordKey>,
    /// And how many may be, so that the others always have most of what the destination takes.
    retrying_max: usize,
    looked_at: Duration,
}

/// A hash: a collision makes two parts one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PartId(u64);

#[derive(Debug)]
struct Head {
    part: PartId,
    /// In a row, of its own; none when it was only held back.
    failures: u32,
    back_at: Duration,
}

#[derive(Debug, Default)]
struct Part {
    /// Records that failed for the first time since the part's last success. Those that failed before say nothing new.
    failed: HashSet<RecordKey>,
    succeeded_at: Option<Duration>,
    /// Failed rounds of probes in a row, and the failures that began it.
    holds: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Until then, then this many probes.
    Held { until: Duration, probes: u32 },
}

impl Parts {
    /// For a destination that takes so many deliveries at once.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            heads: HashMap::new(),
            retrying: HashSet::new(),
            retrying_max: (capacity / 4).max(1),
            looked_at: Duration::ZERO,
        }
    }

    /// How long a delivery must wait; `None` when it may be sent.
    pub(super) fn wait(
        &mut self,
        delivery: &Delivery,
        now: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        let (key, id) = (delivery.key, PartId::of(delivery));
        let part = self.by_id.get_mut(&id)?;
        let failed_before = self.heads.get(&key).is_some_and(|it| it.failures > 0);
        let until = match &mut part.state {
            State::Open if !failed_before => return None,
            State::Open if self.retrying.len() < self.retrying_max => {
                self.retrying.insert(key);
                return None;
            }
            State::Open => now,
            State::Held { until, probes } if *until <= now && *probes > 0 => {
                *probes -= 1;
                return None;
            }
            State::Held { until, .. } => *until,
        };
        let wait = until.saturating_sub(now) + self.spread(jitter);
        self.forget_late(now);
        if self.heads.len() < HEADS_MAX {
            let held = Head {
                part: id,
                failures: 0,
                back_at: now,
            };
            self.heads.entry(key).or_insert(held).back_at = now.saturating_add(wait);
        }
        Some(wait)
    }

    /// It took a message, or refused that one: its part is not to blame. Gives the heads that are due now.
    pub(super) fn answered(&mut self, delivery: &Delivery, now: Duration) -> Vec<RecordKey> {
        self.done(delivery.key);
        self.heads.remove(&delivery.key);
        let id = PartId::of(delivery);
        let Some(part) = self.part(id) else {
            return vec![];
        };
        let was = std::mem::replace(
            part,
            Part {
                succeeded_at: Some(now),
                ..Part::default()
            },
        );
        match was.state {
            State::Open => vec![],
            State::Held { .. } => self.let_go(id),
        }
    }

    /// Heads that failed time and again keep their own backoff, and those that failed once count as such: they may be
    /// what is wrong, and must not take the places of those that only waited.
    fn let_go(&mut self, part: PartId) -> Vec<RecordKey> {
        let of_part = |it: &Head| it.part == part && it.failures <= 1;
        let heads = self.heads.iter().filter(|(_, it)| of_part(it));
        let keys = heads.map(|(key, _)| *key).collect();
        self.heads
            .retain(|_, it| !(it.part == part && it.failures == 0));
        keys
    }

    /// The destination failed, perhaps with this message only.
    pub(super) fn failed(&mut self, delivery: &Delivery, now: Duration, jitter: f64) -> Failed {
        let (key, id) = (delivery.key, PartId::of(delivery));
        self.done(key);
        self.forget_late(now);
        let failures = self.failed_again(key, id);
        let failed = self.part_failed((key, id), failures, now, jitter);
        if let Some(head) = self.heads.get_mut(&key) {
            head.back_at = now.saturating_add(failed.wait);
        }
        failed
    }

    fn part_failed(
        &mut self,
        (key, id): (RecordKey, PartId),
        failures: u32,
        now: Duration,
        jitter: f64,
    ) -> Failed {
        let own = backoff(failures, DESTINATION_BACKOFF_MAX);
        let spread = self.spread(jitter);
        let Some(part) = self.part(id) else {
            return Failed {
                wait: own,
                held: false,
            };
        };
        if failures == 1 && part.failed.len() < RECORDS_TO_HOLD {
            part.failed.insert(key);
        }
        let well = part
            .succeeded_at
            .is_some_and(|at| now.saturating_sub(at) < WELL_FOR);
        let was = part.state;
        match was {
            State::Open if part.failed.len() >= RECORDS_TO_HOLD && !well => part.hold(now),
            State::Held { until, .. } if until <= now => part.hold(now),
            State::Open | State::Held { .. } => {}
        }
        let wait = match part.state {
            State::Open => own,
            State::Held { until, .. } => until.saturating_sub(now) + spread,
        };
        Failed {
            wait,
            held: was == State::Open && part.state != State::Open,
        }
    }

    /// Nothing is known of that delivery: it came back for reasons that are not its part's. If it was a probe, another
    /// may be made in its place, else nothing would ever be sent again.
    pub(super) fn unanswered(&mut self, delivery: &Delivery) {
        self.done(delivery.key);
        if let Some(part) = self.by_id.get_mut(&PartId::of(delivery))
            && let State::Held { probes, .. } = &mut part.state
        {
            *probes = (*probes + 1).min(PROBES);
        }
    }

    /// The same, and it will not come again.
    pub(super) fn set_aside(&mut self, delivery: &Delivery) {
        self.unanswered(delivery);
        self.heads.remove(&delivery.key);
    }

    fn done(&mut self, key: RecordKey) {
        self.retrying.remove(&key);
    }

    fn forget_late(&mut self, now: Duration) {
        if now.saturating_sub(self.looked_at) >= LOOK_EVERY {
            self.looked_at = now;
            self.heads
                .retain(|_, it| now.saturating_sub(it.back_at) < HEAD_LATE_MAX);
        }
    }

    /// Whether any part is held back.
    pub(super) fn any_held(&self) -> bool {
        self.by_id.values().any(|it| it.state != State::Open)
    }

    fn part(&mut self, id: PartId) -> Option<&mut Part> {
        if self.by_id.len() >= PARTS_MAX && !self.by_id.contains_key(&id) {
            self.by_id
                .retain(|_, it| it.state != State::Open || !it.failed.is_empty());
            if self.by_id.len() >= PARTS_MAX {
                return None;
            }
        }
        Some(self.by_id.entry(id).or_default())
    }

    fn failed_again(&mut self, key: RecordKey, part: PartId) -> u32 {
        if self.heads.len() >= HEADS_MAX && !self.heads.contains_key(&key) {
            return 1;
        }
        let head = self.heads.entry(key).or_insert(Head {
            part,
            failures: 0,
            back_at: Duration::ZERO,
        });
        head.part = part;
        head.failures = head.failures.saturating_add(1);
        head.failures
    }

    fn spread(&self, jitter: f64) -> Duration {
        let seconds = self.heads.len() / ASK_PER_SECOND;
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX).max(1);
        Duration::from_secs(seconds).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

impl Part {
    fn hold(&mut self, now: Duration) {
        self.holds = self.holds.saturating_add(1);
        self.state = State::Held {
            until: now.saturating_add(backoff(self.holds, PROBE_WAIT_MAX)),
            probes: PROBES,
        };
    }
}

impl PartId {
    fn of(delivery: &Delivery) -> Self {
        let planned = &delivery.planned;
        let message = &planned.message;
        let mut hasher = DefaultHasher::new();
        planned.route.as_str().hash(&mut hasher);
        planned.send.as_str().hash(&mut hasher);
        message.attributes.event_type.hash(&mut hasher);
        message.routing_key.hash(&mut hasher);
        Self(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::sample;

    const NOW: Duration = Duration::from_secs(100);
    const SECOND: Duration = Duration::from_secs(1);

    fn delivery(record: usize, routing_key: &str) -> Delivery {
        let mut delivery = sample::delivery(&record.to_string());
        delivery.planned.message.routing_key = Some(routing_key.to_owned());
        delivery
    }

    /// Five records of `k` failed.
    fn held() -> Parts {
        let mut parts = Parts::new(40);
        for record in 0..5 {
            assert_eq!(parts.wait(&delivery(record, "k"), NOW, 0.0), None);
            let failed = parts.failed(&delivery(record, "k"), NOW, 0.0);
            assert_eq!(failed.held, record == 4);
        }
        parts
    }

    #[test]
    fn five_records_hold_their_part_back_and_no_other() {
        let mut parts = held();
        assert!(parts.any_held());
        assert_eq!(parts.wait(&delivery(9, "k"), NOW, 0.0), Some(SECOND));
        assert_eq!(parts.wait(&delivery(9, "other"), NOW, 0.0), None);
    }

    #[test]
    fn one_poison_record_never_holds_any_back_and_waits_longer_each_time() {
        let mut parts = Parts::new(40);
        let poison = delivery(1, "k");
        let waits = [(); 5].map(|()| {
            assert_eq!(parts.answered(&delivery(2, "k"), NOW), []);
            parts.failed(&poison, NOW, 0.0).wait.as_secs()
        });
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        for _ in 0..100 {
            assert!(!parts.failed(&poison, NOW + 9 * SECOND, 0.0).held);
        }
    }

    #[test]
    fn records_that_fail_again_say_nothing_new() {
        let mut parts = Parts::new(40);
        for round in 0..10 {
            for record in 0..20 {
                parts.answered(&delivery(99, "k"), NOW);
                parts.failed(&delivery(record, "k"), NOW, 0.0);
            }
            let later = NOW + (round + 2) * SECOND;
            for record in 0..20 {
                assert!(!parts.failed(&delivery(record, "k"), later, 0.0).held);
            }
        }
    }

    #[test]
    fn a_part_that_was_well_a_moment_ago_is_not_held_back() {
        let mut parts = Parts::new(40);
        parts.answered(&delivery(0, "k"), NOW);
        for record in 1..10 {
            let soon = NOW + SECOND / 2;
            assert!(!parts.failed(&delivery(record, "k"), soon, 0.0).held);
        }
        let later = NOW + SECOND;
        assert!(parts.failed(&delivery(10, "k"), later, 0.0).held);
    }

    #[test]
    fn a_few_probes_go_out_and_each_failed_round_waits_longer_up_to_a_limit() {
        let mut parts = held();
        let mut now = NOW;
        let mut waits = vec![];
        for _ in 0..5 {
            let wait = parts.wait(&delivery(9, "k"), now, 0.0).unwrap();
            waits.push(wait.as_secs());
            now += wait;
            for record in 10..10 + usize::try_from(PROBES).unwrap() {
                assert_eq!(parts.wait(&delivery(record, "k"), now, 0.0), None);
            }
            assert!(parts.wait(&delivery(9, "k"), now, 0.5).is_some());
            for record in 10..10 + usize::try_from(PROBES).unwrap() {
                assert!(!parts.failed(&delivery(record, "k"), now, 0.0).held);
            }
        }
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn probes_that_came_back_without_an_answer_are_made_again() {
        let mut parts = held();
        let now = NOW + SECOND;
        for _ in 0..3 {
            for record in 10..15 {
                assert_eq!(parts.wait(&delivery(record, "k"), now, 0.0), None);
            }
            assert!(parts.wait(&delivery(15, "k"), now, 0.5).is_some());
            for record in 10..15 {
                parts.unanswered(&delivery(record, "k"));
            }
        }
    }

    #[test]
    fn what_does_not_come_back_is_forgotten() {
        let mut parts = held();
        assert_eq!(parts.heads.len(), 5);
        let late = NOW + SECOND + HEAD_LATE_MAX;
        parts.answered(&delivery(9, "other"), late);
        parts.failed(&delivery(9, "other"), late, 0.0);
        assert_eq!(parts.heads.len(), 1);
        parts.set_aside(&delivery(9, "other"));
        assert_eq!(parts.heads.len(), 0);
    }

    #[test]
    fn one_success_lets_all_go_that_did_not_fail_time_and_again() {
        let mut parts = held();
        let later = NOW + SECOND;
        assert!(parts.wait(&delivery(7, "k"), NOW, 0.0).is_some());
        assert_eq!(parts.wait(&delivery(0, "k"), later, 0.0), None);
        parts.failed(&delivery(0, "k"), later, 0.0);
        let mut due = parts.answered(&delivery(1, "k"), later);
        let mut expected: Vec<_> = [2, 3, 4, 7].map(|record| delivery(record, "k").key).into();
        due.sort_unstable();
        expected.sort_unstable();
        assert_eq!(due, expected);
        assert!(!parts.any_held());
        assert_eq!(parts.wait(&delivery(8, "k"), later, 0.0), None);
        assert_eq!(
            parts.failed(&delivery(2, "k"), later, 0.0).wait.as_secs(),
            2
        );
        assert_eq!(
            parts.failed(&delivery(7, "k"), later, 0.0).wait.as_secs(),
            1
        );
    }

    #[test]
    fn what_failed_before_takes_a_quarter_of_the_places() {
        let mut parts = Parts::new(8);
        for record in 0..3 {
            parts.answered(&delivery(9, "k"), NOW);
            parts.failed(&delivery(record, "k"), NOW, 0.0);
        }
        assert_eq!(parts.wait(&delivery(0, "k"), NOW, 0.5), None);
        assert_eq!(parts.wait(&delivery(1, "k"), NOW, 0.5), None);
        assert!(parts.wait(&delivery(2, "k"), NOW, 0.5).is_some());
        assert_eq!(parts.wait(&delivery(5, "k"), NOW, 0.5), None, "a new one");
        parts.done(delivery(0, "k").key);
        assert_eq!(parts.wait(&delivery(2, "k"), NOW, 0.5), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut parts = Parts::new(8);
        for number in 0..3 * PARTS_MAX {
            parts.answered(&delivery(number, &format!("well{number}")), NOW);
        }
        assert!(parts.by_id.len() <= PARTS_MAX);
        for number in 0..HEADS_MAX + 10 {
            parts.failed(&delivery(number, &number.to_string()), NOW, 0.0);
        }
        assert!(parts.by_id.len() <= PARTS_MAX && parts.heads.len() <= HEADS_MAX);
    }
}
