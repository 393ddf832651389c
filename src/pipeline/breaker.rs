//! One destination's breaker: opened when nothing gets through, whatever the message; closed by any answer to a probe.
//! What fails for some messages only is for [`super::parts`].

use std::time::Duration;

use super::retry::{DESTINATION_BACKOFF_MAX, backoff};

/// Longest wait between two probes of a destination that is down.
pub(super) const PROBE_WAIT_MAX: Duration = DESTINATION_BACKOFF_MAX;

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

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nothing had failed.
    WasWell,
    /// Heads that wait for the destination are due now.
    WellAgain,
}

/// Times are of the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Breaker {
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

    /// It took a message, or refused that one. While open, this is an answer to what was sent before, and says nothing
    /// new: least of all to a Retry-After that came in between.
    pub(super) fn answered(&mut self) -> Recovery {
        match self.state {
            State::Closed | State::Open { .. } | State::Disabled => Recovery::WasWell,
            State::Probing => {
                *self = Self::default();
                Recovery::WellAgain
            }
        }
    }

    /// Nothing gets through; `asked` is what the destination asked for. Gives how long that delivery should wait.
    pub(super) fn failed(&mut self, asked: Duration, now: Duration) -> Duration {
        match self.state {
            State::Closed | State::Probing => {
                self.openings = self.openings.saturating_add(1);
                let wait = backoff(self.openings, PROBE_WAIT_MAX).max(asked);
                self.state = State::Open {
                    until: now.saturating_add(wait),
                };
                wait
            }
            State::Open { until } => {
                let until = until.max(now.saturating_add(asked));
                self.state = State::Open { until };
                until.saturating_sub(now)
            }
            State::Disabled => PROBE_WAIT_MAX.max(asked),
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const NOTHING: Duration = Duration::ZERO;

    #[test]
    fn a_failure_opens_it_and_one_probe_closes_it() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.allowed(NOW), Allowed::All);
        breaker.failed(NOTHING, NOW);
        let until = NOW + Duration::from_secs(1);
        assert_eq!(breaker.allowed(NOW), Allowed::NotBefore(until));
        assert_eq!(breaker.allowed(until), Allowed::Probe);
        assert_ne!(
            breaker.allowed(until),
            Allowed::Probe,
            "one probe at a time"
        );
        assert_eq!(breaker.answered(), Recovery::WellAgain);
        assert_eq!(breaker.allowed(until), Allowed::All);
        assert_eq!(breaker.answered(), Recovery::WasWell);
    }

    #[test]
    fn a_failed_probe_waits_longer_up_to_a_limit() {
        let mut breaker = Breaker::default();
        let mut now = NOW;
        breaker.failed(NOTHING, now);
        let mut waits = vec![];
        for _ in 0..5 {
            let Allowed::NotBefore(until) = breaker.allowed(now) else {
                panic!("open")
            };
            waits.push(until.saturating_sub(now).as_secs());
            now = until;
            assert_eq!(breaker.allowed(now), Allowed::Probe);
            breaker.failed(NOTHING, now);
        }
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn retry_after_is_honoured_whatever_else_was_in_flight() {
        let mut breaker = Breaker::default();
        let asked = Duration::from_mins(1);
        assert_eq!(breaker.failed(asked, NOW), asked);
        assert_eq!(breaker.answered(), Recovery::WasWell);
        breaker.failed(NOTHING, NOW);
        breaker.failed(Duration::from_secs(5), NOW);
        assert_eq!(breaker.allowed(NOW), Allowed::NotBefore(NOW + asked));
        assert_eq!(breaker.failed(2 * asked, NOW), 2 * asked);
        assert_eq!(breaker.allowed(NOW), Allowed::NotBefore(NOW + 2 * asked));
    }

    #[test]
    fn a_probe_that_found_nothing_to_send_may_be_made_again() {
        let mut breaker = Breaker::default();
        breaker.failed(NOTHING, NOW);
        let later = NOW + PROBE_WAIT_MAX;
        assert_eq!(breaker.allowed(later), Allowed::Probe);
        breaker.probe_unused(later);
        assert_eq!(breaker.allowed(later), Allowed::Probe);
    }

    #[test]
    fn a_disabled_destination_stays_so() {
        let mut breaker = Breaker::default();
        breaker.disable();
        breaker.failed(NOTHING, NOW);
        assert_eq!(breaker.answered(), Recovery::WasWell);
        assert_eq!(breaker.allowed(NOW), Allowed::Disabled);
    }
}
