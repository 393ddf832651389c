//! Whether the machine's clock was set back.

use std::time::Duration;

use clock::Clock;
use jiff::{SignedDuration, Timestamp};

/// A clock set back by more is told of; a little is how it is kept right.
const SET_BACK_MIN: SignedDuration = SignedDuration::from_secs(5);

/// The clock as last looked at: the wall's time, and the time that had passed.
#[derive(Debug, Default)]
pub(super) struct Wall(Option<(Timestamp, Duration)>);

impl Wall {
    /// By how much the clock was set back since the last look, if by more than five seconds.
    pub(super) fn set_back(&mut self, clock: &Clock) -> Option<SignedDuration> {
        let (now, passed) = (clock.now(), clock.monotonic());
        let (last, passed_then) = self.0.replace((now, passed))?;
        let expected = last
            .checked_add(passed.saturating_sub(passed_then))
            .unwrap_or(Timestamp::MAX);
        Some(expected.duration_since(now)).filter(|it| *it > SET_BACK_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_told_once_and_a_step_never() {
        let (clock, hand) = Clock::simulated(Timestamp::UNIX_EPOCH);
        let mut wall = Wall::default();
        assert_eq!(wall.set_back(&clock), None);
        hand.set_back(Duration::from_secs(5));
        assert_eq!(wall.set_back(&clock), None, "a step");
        hand.advance(Duration::from_hours(1));
        hand.set_back(Duration::from_mins(1));
        let jump = wall.set_back(&clock);
        assert_eq!(
            jump,
            Some(SignedDuration::from_secs(60)),
            "though it is later"
        );
        assert_eq!(wall.set_back(&clock), None, "once");
    }
}
