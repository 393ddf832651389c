//! One destination's breaker: opened by failures of several records, so that one poison message cannot; closed by a probe.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::event::RecordKey;

use super::retry::{DESTINATION_BACKOFF_MAX, backoff};

/// So many different records in a row must fail before a destination counts as down.
const RECORDS_TO_OPEN: usize = 5;

/// Longest wait between two probes of a destination that is down.
const PROBE_WAIT_MAX: Duration = DESTINATION_BACKOFF_MAX;

/// Records whose failures in a row are remembered; one more counts as its first.
const RECORDS_REMEMBERED_MAX: usize = 1024;

/// What the dispatcher may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// As much as the destination takes.
    All,
    /// One delivery, to see whether it is well again.
    Probe,
    /// Nothing before this time of the monotonic clock.
    NotBefore(Duration),
    /// Nothing: it answered 410.
    Disabled,
}

/// What a success changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nothing had failed.
    WasWell,
    /// Heads that wait for the destination are due now.
    WellAgain,
}

/// A failure of the destination, as the breaker counts it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// Whose delivery failed.
    pub key: RecordKey,
    /// No message can be at fault: opens at once.
    pub down: bool,
    /// What the destination asked for.
    pub retry_after: Option<Duration>,
}

/// Counts, and decides. Times are of the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Records that failed since the last success of any.
    failed: HashSet<RecordKey>,
    /// Failures in a row of each record.
    failures: HashMap<RecordKey, u32>,
    /// Failed openings and probes in a row.
    openings: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Duration,
    },
    Probing,
    Disabled,
}

impl Breaker {
    /// What may be sent at `now`. `Probe` is given once; the next call waits for its outcome.
    pub(super) fn allowed(&mut self, now: Duration) -> Allowed {
        match self.state {
            State::Closed => Allowed::All,
            State::Open { until } if now < until => Allowed::NotBefore(until),
            State::Open { .. } => {
                self.state = State::Probing;
                Allowed::Probe
            }
            State::Probing => Allowed::NotBefore(now.saturating_add(PROBE_WAIT_MAX)),
            State::Disabled => Allowed::Disabled,
        }
    }

    /// The probe found nothing to send: the next call may probe again.
    pub(super) fn probe_unused(&mut self, now: Duration) {
        if self.state == State::Probing {
            self.state = State::Open { until: now };
        }
    }

    /// A delivery succeeded.
    pub(super) fn succeeded(&mut self, key: RecordKey) -> Recovery {
        self.failures.remove(&key);
        match self.state {
            State::Disabled => Recovery::WasWell,
            // Heads that failed alone keep their own backoff: one that poisons itself is not sent after every success.
            State::Closed => {
                self.failed.clear();
                Recovery::WasWell
            }
            State::Open { .. } | State::Probing => {
                *self = Self::default();
                Recovery::WellAgain
            }
        }
    }

    /// A message failed by itself, which shows that the destination is there.
    pub(super) fn answered(&mut self, key: RecordKey) -> Recovery {
        match self.state {
            State::Probing => self.succeeded(key),
            State::Closed | State::Open { .. } | State::Disabled => Recovery::WasWell,
        }
    }

    /// The destination failed. Gives how long this head should wait.
    pub(super) fn failed(&mut self, failure: Failure, now: Duration) -> Duration {
        let failures = self.failed_again(failure.key);
        if self.failed.len() < RECORDS_TO_OPEN {
            self.failed.insert(failure.key);
        }
        let asked = failure.retry_after.unwrap_or_default();
        let opens = failure.down || self.failed.len() >= RECORDS_TO_OPEN;
        match self.state {
            State::Closed if opens => self.open(now, asked),
            State::Probing => self.open(now, asked),
            State::Closed | State::Open { .. } | State::Disabled => {}
        }
        backoff(failures, DESTINATION_BACKOFF_MAX).max(asked)
    }

    fn failed_again(&mut self, key: RecordKey) -> u32 {
        if self.failures.len() >= RECORDS_REMEMBERED_MAX && !self.failures.contains_key(&key) {
            return 1;
        }
        let failures = self.failures.entry(key).or_default();
        *failures = failures.saturating_add(1);
        *failures
    }

    /// It answered 410: nothing more is sent until the next start or reload.
    pub(super) fn disable(&mut self) {
        self.state = State::Disabled;
    }

    /// 0 closed, 1 open or probing, 2 disabled: the metric `zohook_breaker_state`.
    pub(super) const fn state_number(&self) -> i64 {
        match self.state {
            State::Closed => 0,
            State::Open { .. } | State::Probing => 1,
            State::Disabled => 2,
        }
    }

    fn open(&mut self, now: Duration, asked: Duration) {
        self.openings = self.openings.saturating_add(1);
        let wait = backoff(self.openings, PROBE_WAIT_MAX).max(asked);
        self.state = State::Open {
            until: now.saturating_add(wait),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const KEY: RecordKey = RecordKey::from_i64(0);

    fn failure(key: i64, down: bool) -> Failure {
        Failure {
            key: RecordKey::from_i64(key),
            down,
            retry_after: None,
        }
    }

    #[test]
    fn one_poison_record_never_opens_it() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed(failure(1, false), NOW);
        }
        assert_eq!(breaker.allowed(NOW), Allowed::All);
    }

    #[test]
    fn a_poison_record_waits_longer_each_time_whatever_the_others_do() {
        let mut breaker = Breaker::default();
        let waits: Vec<_> = (0..4)
            .map(|_| {
                assert_eq!(breaker.succeeded(KEY), Recovery::WasWell);
                breaker.failed(failure(1, false), NOW).as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 5]);
    }

    #[test]
    fn five_records_open_it_and_one_probe_closes_it() {
        let mut breaker = Breaker::default();
        for key in 0..5 {
            assert_eq!(breaker.allowed(NOW), Allowed::All);
            breaker.failed(failure(key, false), NOW);
        }
        let until = NOW + Duration::from_secs(1);
        assert_eq!(breaker.allowed(NOW), Allowed::NotBefore(until));
        assert_eq!(breaker.allowed(until), Allowed::Probe);
        assert_ne!(
            breaker.allowed(until),
            Allowed::Probe,
            "one probe at a time"
        );
        assert_eq!(breaker.succeeded(KEY), Recovery::WellAgain);
        assert_eq!(breaker.allowed(until), Allowed::All);
        assert_eq!(breaker.succeeded(KEY), Recovery::WasWell);
    }

    #[test]
    fn a_failed_probe_waits_longer_up_to_a_limit() {
        let mut breaker = Breaker::default();
        let mut now = NOW;
        breaker.failed(failure(1, true), now);
        let mut waits = vec![];
        for _ in 0..5 {
            let Allowed::NotBefore(until) = breaker.allowed(now) else {
                panic!("open")
            };
            waits.push(until.saturating_sub(now).as_secs());
            now = until;
            assert_eq!(breaker.allowed(now), Allowed::Probe);
            breaker.failed(failure(1, true), now);
        }
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn a_message_that_fails_by_itself_shows_the_destination_is_there() {
        let mut breaker = Breaker::default();
        breaker.failed(failure(1, true), NOW);
        let later = NOW + Duration::from_secs(2);
        assert_eq!(breaker.allowed(later), Allowed::Probe);
        assert_eq!(breaker.answered(KEY), Recovery::WellAgain);
        assert_eq!(breaker.allowed(later), Allowed::All);
    }

    #[test]
    fn retry_after_is_honoured() {
        let mut breaker = Breaker::default();
        let asked = Duration::from_mins(1);
        let wait = breaker.failed(
            Failure {
                retry_after: Some(asked),
                ..failure(1, true)
            },
            NOW,
        );
        assert_eq!(wait, asked);
        assert_eq!(breaker.allowed(NOW), Allowed::NotBefore(NOW + asked));
    }

    #[test]
    fn a_disabled_destination_stays_so() {
        let mut breaker = Breaker::default();
        breaker.disable();
        breaker.failed(failure(1, true), NOW);
        assert_eq!(breaker.succeeded(KEY), Recovery::WasWell);
        assert_eq!(breaker.allowed(NOW), Allowed::Disabled);
    }
}
