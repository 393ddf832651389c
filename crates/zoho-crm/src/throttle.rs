//! Tells the two meanings of a 429 apart by how long they last: too many calls at once passes in seconds, spent credits do not.

use std::{sync::Mutex, time::Duration};

use crate::{Code, Error, auth::lock};

/// With no success for so long between two 429s, the credits are taken to be spent.
const PERSISTS: Duration = Duration::from_mins(2);

/// Then the next call is made so much later.
const PAUSE: Duration = Duration::from_mins(5);

/// Until the one call that is let through then has come back, or for so long, no other is.
const PROBE: Duration = Duration::from_secs(30);

/// What 429s have said so far.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first 429 since the last success.
    since: Option<Duration>,
    /// No call before this, and then one.
    until: Option<Duration>,
}

impl Throttle {
    /// Whether a call may be made now.
    pub(crate) fn gate(&self, now: Duration) -> Result<(), Error> {
        let mut state = lock(&self.state);
        let Some(until) = state.until else {
            return Ok(());
        };
        let left = until.saturating_sub(now);
        if left.is_zero() {
            state.until = Some(now + PROBE);
            return Ok(());
        }
        Err(Error::Throttled {
            code: Code::new("TOO_MANY_REQUESTS"),
            after: left,
        })
    }

    /// A 429 came; gives how long to wait, if it is not to be retried soon.
    pub(crate) fn throttled(&self, now: Duration) -> Option<Duration> {
        let mut state = lock(&self.state);
        let since = *state.since.get_or_insert(now);
        if now.saturating_sub(since) < PERSISTS {
            return None;
        }
        if state.until.is_none() {
            tracing::warn!(
                "zoho has refused every call for two minutes: taking the day's credits as spent, trying every five minutes"
            );
        }
        state.until = Some(now + PAUSE);
        Some(PAUSE)
    }

    /// A call was answered other than by a 429, so calls are let through.
    pub(crate) fn passed(&self) {
        *lock(&self.state) = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_429_that_lasts_slows_everything_down_until_a_call_passes() {
        let throttle = Throttle::default();
        let at = Duration::from_secs;
        assert_eq!(throttle.throttled(at(10)), None);
        assert_eq!(throttle.throttled(at(129)), None);
        assert!(throttle.gate(at(129)).is_ok());
        assert_eq!(throttle.throttled(at(130)), Some(PAUSE));
        assert!(throttle.gate(at(131)).is_err());
        assert!(throttle.gate(at(430)).is_ok());
        assert!(throttle.gate(at(430)).is_err(), "one call is enough to see");
        assert_eq!(throttle.throttled(at(430)), Some(PAUSE));
        throttle.passed();
        assert!(throttle.gate(at(431)).is_ok());
        assert_eq!(throttle.throttled(at(432)), None);
    }
}
