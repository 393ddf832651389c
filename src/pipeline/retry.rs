//! When to try again: pure functions of the schedule and the attempts so far.

use std::time::Duration;

use crate::{
    deliver::RetrySchedule,
    event::{FailurePolicy, QuarantineReason, Settled},
};

use jiff::Timestamp;

/// Longest wait of a head whose destination failed, while no breaker is open.
pub(super) const DESTINATION_BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Longest wait that a destination may ask for with Retry-After.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// A message's own failure.
#[derive(Clone, Debug)]
pub(super) struct MessageFailure {
    /// What it is set aside as.
    pub reason: QuarantineReason,
    /// What happened.
    pub detail: String,
    /// Fewer attempts than the schedule has.
    pub attempts_max: Option<u32>,
}

/// What becomes of a delivery whose message failed: again by the schedule, or set aside.
/// `attempts` are those charged before this one; `jitter` is in 0.0..1.0.
pub(super) fn after_message_failure(
    schedule: &RetrySchedule,
    policy: FailurePolicy,
    attempts: u32,
    failure: MessageFailure,
    (now, jitter): (Timestamp, f64),
) -> Settled {
    let attempts = attempts.saturating_add(1);
    let steps = u32::try_from(schedule.0.len()).unwrap_or(u32::MAX);
    let allowed = steps
        .saturating_add(1)
        .min(failure.attempts_max.unwrap_or(u32::MAX));
    let exhausted = attempts >= allowed;
    if exhausted && policy == FailurePolicy::Quarantine {
        return Settled::Quarantined {
            reason: failure.reason,
            detail: failure.detail,
        };
    }
    let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = schedule
        .0
        .get(step)
        .or(schedule.0.last())
        .copied()
        .unwrap_or(DESTINATION_BACKOFF_MAX);
    Settled::Again {
        at: later(now, with_jitter(wait, jitter)),
        attempts,
        error: failure.detail,
    }
}

/// Doubles from one second to `max`; `failures` is at least 1.
pub(super) fn backoff(failures: u32, max: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    Duration::from_secs(1 << doublings).min(max)
}

/// Up to a tenth more, so that what failed together does not come back together.
pub(super) fn with_jitter(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0)
}

/// `now + wait`, or the end of time.
pub(super) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(attempts_max: Option<u32>) -> MessageFailure {
        MessageFailure {
            reason: QuarantineReason::Refused,
            detail: "404".to_owned(),
            attempts_max,
        }
    }

    fn check(attempts: u32, attempts_max: Option<u32>, policy: FailurePolicy) -> Option<Duration> {
        let schedule = RetrySchedule(vec![Duration::from_secs(5), Duration::from_mins(5)]);
        let now = Timestamp::UNIX_EPOCH;
        match after_message_failure(
            &schedule,
            policy,
            attempts,
            failure(attempts_max),
            (now, 0.0),
        ) {
            Settled::Again { at, .. } => Some(at.duration_since(now).unsigned_abs()),
            Settled::Quarantined { .. } => None,
            other @ (Settled::Delivered | Settled::Written(_) | Settled::Expired) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn a_schedule_of_two_waits_gives_three_attempts() {
        let quarantine = FailurePolicy::Quarantine;
        assert_eq!(check(0, None, quarantine), Some(Duration::from_secs(5)));
        assert_eq!(check(1, None, quarantine), Some(Duration::from_mins(5)));
        assert_eq!(check(2, None, quarantine), None);
    }

    #[test]
    fn a_message_that_cannot_succeed_gets_fewer() {
        assert_eq!(check(0, Some(1), FailurePolicy::Quarantine), None);
        assert_eq!(check(1, Some(2), FailurePolicy::Quarantine), None);
    }

    #[test]
    fn a_blocking_send_goes_on_at_the_last_step() {
        let block = FailurePolicy::Block;
        assert_eq!(check(7, None, block), Some(Duration::from_mins(5)));
    }

    #[test]
    fn backoff_doubles_to_its_limit() {
        let waits: Vec<_> = (1..=6)
            .map(|n| backoff(n, DESTINATION_BACKOFF_MAX).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 5, 5, 5]);
    }

    #[test]
    fn jitter_adds_a_tenth_at_most() {
        let wait = Duration::from_secs(10);
        assert_eq!(with_jitter(wait, 0.0), wait);
        assert_eq!(with_jitter(wait, 1.0), Duration::from_secs(11));
    }
}
