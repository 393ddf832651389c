//! The credit budget: a rolling day of our own count, and what Zoho says is left.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{Error, auth::lock};

const DAY: Duration = Duration::from_hours(24);

/// Own use is counted in slots of this length, so a day takes at most 145 numbers.
const SLOT: Duration = Duration::from_mins(10);

/// What Zoho said is left is believed for so long; then one call may look again, or a budget once spent would be spent
/// for ever.
const REMAINING_BELIEVED: Duration = Duration::from_mins(15);

/// Answers may overtake each other for so long: within it, the lowest number that Zoho said is believed.
const OVERTAKING: Duration = Duration::from_mins(1);

/// Zoho: "API limits", v8: credits are per org and rolling 24 hours.
#[derive(Debug)]
pub(crate) struct Credits {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    daily: Option<u64>,
    reserve_percent: u8,
    /// Start of the slot, credits used in it.
    slots: VecDeque<(Duration, u64)>,
    used: u64,
    /// Cost of the calls that have not come back: Zoho may not have counted them when it said what is left.
    in_flight: u64,
    /// `X-API-CREDITS-REMAINING`, less what was used since, and when it was said.
    remaining: Option<(u64, Duration)>,
}

/// Credits taken for a call in flight; dropped when it is over, used all the same.
#[derive(Debug)]
pub(crate) struct Charge {
    state: Arc<Mutex<State>>,
    cost: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.in_flight = state.in_flight.saturating_sub(self.cost);
    }
}

impl Credits {
    pub(crate) fn new(daily: Option<u64>, reserve_percent: u8) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                daily,
                reserve_percent,
                slots: VecDeque::new(),
                used: 0,
                in_flight: 0,
                remaining: None,
            })),
        }
    }

    /// Another budget from now on; what was used stays used.
    pub(crate) fn set(&self, daily: Option<u64>, reserve_percent: u8) {
        let mut state = lock(&self.state);
        state.daily = daily;
        state.reserve_percent = reserve_percent;
    }

    pub(crate) fn reserve_percent(&self) -> u8 {
        lock(&self.state).reserve_percent
    }

    /// Takes `cost` credits from the budget, or says when it may have them again.
    pub(crate) fn take(&self, cost: u64, now: Duration) -> Result<Charge, Error> {
        let mut state = lock(&self.state);
        state.forget(now);
        if let Some(daily) = state.daily {
            let reserve = state.reserve(daily);
            let budget = daily.saturating_sub(reserve);
            if state.used.saturating_add(cost) > budget {
                let oldest = state.slots.front().map_or(now, |(start, _)| *start);
                let after = (oldest + SLOT + DAY).saturating_sub(now);
                return Err(Error::CreditsSpent { after });
            }
            if let Some((left, said_at)) = state.remaining
                && now < said_at + REMAINING_BELIEVED
                && left < reserve.saturating_add(cost)
            {
                let after = (said_at + REMAINING_BELIEVED).saturating_sub(now);
                return Err(Error::CreditsSpent { after });
            }
        }
        state.use_up(cost, now);
        Ok(Charge {
            state: Arc::clone(&self.state),
            cost,
        })
    }

    /// What the header of a call's answer said: present only once half of the credits are used.
    pub(crate) fn learn(&self, charge: &Charge, remaining: Option<u64>, now: Duration) {
        let mut state = lock(&self.state);
        let others = state.in_flight.saturating_sub(charge.cost);
        state.remaining = match (
            remaining.map(|it| it.saturating_sub(others)),
            state.remaining,
        ) {
            (Some(left), Some((known, said_at))) if known < left && now < said_at + OVERTAKING => {
                Some((known, said_at))
            }
            (left, _) => left.map(|it| (it, now)),
        };
    }
}

impl State {
    fn reserve(&self, daily: u64) -> u64 {
        let percent = u64::from(self.reserve_percent.min(100));
        daily.saturating_mul(percent) / 100
    }

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
        self.in_flight = self.in_flight.saturating_add(cost);
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
        let call = credits.take(1, Duration::ZERO).unwrap();
        credits.learn(&call, Some(22), Duration::ZERO);
        credits.take(2, Duration::ZERO).unwrap();
        assert!(credits.take(1, Duration::ZERO).is_err());
        let call = credits.take(1, REMAINING_BELIEVED).unwrap();
        credits.learn(&call, None, REMAINING_BELIEVED);
        credits.take(1, REMAINING_BELIEVED).unwrap();
    }

    #[test]
    fn calls_in_flight_are_not_yet_in_what_zoho_says() {
        let credits = Credits::new(Some(100), 20);
        let calls: Vec<_> = (0..3)
            .map(|_| credits.take(1, Duration::ZERO).unwrap())
            .collect();
        credits.learn(&calls[0], Some(22), Duration::ZERO);
        assert!(
            credits.take(1, Duration::ZERO).is_err(),
            "two may still count"
        );
        drop(calls);
        let call = credits.take(1, REMAINING_BELIEVED).unwrap();
        credits.learn(&call, Some(22), REMAINING_BELIEVED);
        drop(call);
        credits.take(1, REMAINING_BELIEVED).unwrap();
    }

    #[test]
    fn an_answer_that_was_overtaken_does_not_raise_what_is_left() {
        let credits = Credits::new(Some(100), 20);
        let slow = credits.take(1, Duration::ZERO).unwrap();
        let quick = credits.take(1, Duration::ZERO).unwrap();
        credits.learn(&quick, Some(21), Duration::ZERO);
        drop(quick);
        credits.learn(&slow, Some(22), Duration::ZERO);
        drop(slow);
        assert!(credits.take(1, Duration::ZERO).is_err());
    }

    #[test]
    fn another_budget_keeps_what_was_used() {
        let credits = Credits::new(Some(10), 0);
        for _ in 0..10 {
            credits.take(1, Duration::ZERO).unwrap();
        }
        assert!(credits.take(1, Duration::ZERO).is_err());
        credits.set(Some(20), 45);
        credits.take(1, Duration::ZERO).unwrap();
        assert!(credits.take(1, Duration::ZERO).is_err());
        assert_eq!(credits.reserve_percent(), 45);
    }

    #[test]
    fn without_a_daily_number_zoho_alone_decides() {
        let credits = Credits::new(None, 50);
        let call = credits.take(1000, Duration::ZERO).unwrap();
        credits.learn(&call, Some(0), Duration::ZERO);
        credits.take(1000, Duration::ZERO).unwrap();
    }
}
