//! The credit budget: a rolling day of our own count, and what Zoho says is left.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use crate::{Error, auth::lock};

const DAY: Duration = Duration::from_hours(24);

/// Own use is counted in slots of this length, so a day takes at most 145 numbers.
const SLOT: Duration = Duration::from_mins(10);

/// What Zoho said is left is believed for so long; then one call may look again, or a budget once spent would be spent
/// for ever.
const REMAINING_BELIEVED: Duration = Duration::from_mins(15);

/// Zoho: "API limits", v8: credits are per org and rolling 24 hours.
#[derive(Debug)]
pub(crate) struct Credits {
    daily: Option<u64>,
    reserve: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Start of the slot, credits used in it.
    slots: VecDeque<(Duration, u64)>,
    used: u64,
    /// `X-API-CREDITS-REMAINING`, less what was used since, and when it was said.
    remaining: Option<(u64, Duration)>,
}

impl Credits {
    pub(crate) fn new(daily: Option<u64>, reserve_percent: u8) -> Self {
        let percent = u64::from(reserve_percent.min(100));
        Self {
            daily,
            reserve: daily.unwrap_or(0).saturating_mul(percent) / 100,
            state: Mutex::default(),
        }
    }

    /// Takes `cost` credits from the budget, or says when it may have them again.
    pub(crate) fn take(&self, cost: u64, now: Duration) -> Result<(), Error> {
        let mut state = lock(&self.state);
        state.forget(now);
        if let Some(daily) = self.daily {
            let budget = daily.saturating_sub(self.reserve);
            if state.used.saturating_add(cost) > budget {
                let oldest = state.slots.front().map_or(now, |(start, _)| *start);
                let after = (oldest + SLOT + DAY).saturating_sub(now);
                return Err(Error::CreditsSpent { after });
            }
            if let Some((left, said_at)) = state.remaining
                && now < said_at + REMAINING_BELIEVED
                && left < self.reserve.saturating_add(cost)
            {
                let after = (said_at + REMAINING_BELIEVED).saturating_sub(now);
                return Err(Error::CreditsSpent { after });
            }
        }
        state.use_up(cost, now);
        Ok(())
    }

    /// What an answer's header said: present only once half of the credits are used.
    pub(crate) fn learn(&self, remaining: Option<u64>, now: Duration) {
        lock(&self.state).remaining = remaining.map(|left| (left, now));
    }
}

impl State {
    fn forget(&mut self, now: Duration) {
        while let Some((start, used)) = self.slots.front().copied() {
            if start + SLOT + DAY > now {
                break;
            }
            self.slots.pop_front();
            self.used = self.used.saturating_sub(used);
        }
    }

    fn use_up(&mut self, cost: u64, now: Duration) {
        self.used = self.used.saturating_add(cost);
        if let Some((left, _)) = &mut self.remaining {
            *left = left.saturating_sub(cost);
        }
        match self.slots.back_mut() {
            Some((start, used)) if now < *start + SLOT => *used = used.saturating_add(cost),
            _ => self.slots.push_back((now, cost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_reserve_is_never_touched() {
        let credits = Credits::new(Some(10), 20);
        for _ in 0..8 {
            credits.take(1, MINUTE).unwrap();
        }
        let error = credits.take(1, MINUTE).unwrap_err();
        assert_eq!(error.retry_after(), Some(DAY + SLOT));
    }

    #[test]
    fn credits_come_back_after_a_day() {
        let credits = Credits::new(Some(2), 0);
        credits.take(1, Duration::ZERO).unwrap();
        credits.take(1, 12 * 60 * MINUTE).unwrap();
        assert!(credits.take(1, DAY).is_err());
        credits.take(1, DAY + SLOT).unwrap();
        assert!(credits.take(1, DAY + SLOT).is_err());
    }

    #[test]
    fn what_zoho_says_is_left_counts_more_than_our_own_count() {
        let credits = Credits::new(Some(100), 20);
        credits.take(1, Duration::ZERO).unwrap();
        credits.learn(Some(22), Duration::ZERO);
        credits.take(2, Duration::ZERO).unwrap();
        assert!(credits.take(1, Duration::ZERO).is_err());
        credits.take(1, REMAINING_BELIEVED).unwrap();
        credits.learn(None, REMAINING_BELIEVED);
        credits.take(1, REMAINING_BELIEVED).unwrap();
    }

    #[test]
    fn without_a_daily_number_zoho_alone_decides() {
        let credits = Credits::new(None, 50);
        credits.learn(Some(0), Duration::ZERO);
        credits.take(1000, Duration::ZERO).unwrap();
    }
}
