//! API credits over a rolling day, and calls running at once.

use std::{collections::VecDeque, time::Duration};

/// Credits are given back a day after they were used.
const DAY: Duration = Duration::from_hours(24);
/// Uses within one such span are kept as one entry, which bounds the list to a day of them.
const SPAN: Duration = Duration::from_mins(1);

/// The org's credits.
#[derive(Debug)]
pub(crate) struct Credits {
    limit: u64,
    used: u64,
    /// Monotonic start of the span, credits used in it; oldest first.
    spans: VecDeque<(Duration, u64)>,
}

impl Credits {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            spans: VecDeque::new(),
        }
    }

    /// Takes `cost` credits; false, and nothing taken, if fewer are left.
    pub(crate) fn take(&mut self, cost: u64, now: Duration) -> bool {
        self.give_back(now);
        if self.used + cost > self.limit {
            return false;
        }
        self.used += cost;
        match self.spans.back_mut() {
            Some((start, used)) if now < *start + SPAN => *used += cost,
            _ => self.spans.push_back((now, cost)),
        }
        true
    }

    /// Credits left, told only once half of them are used. Zoho: "API limits", v8.
    pub(crate) fn told(&self) -> Option<u64> {
        (self.used * 2 >= self.limit).then(|| self.limit.saturating_sub(self.used))
    }

    fn give_back(&mut self, now: Duration) {
        while let Some((start, used)) = self.spans.front().copied()
            && now >= start + DAY
        {
            self.used -= used;
            self.spans.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_come_back_after_a_day_and_are_told_from_half_on() {
        let mut credits = Credits::new(10);
        let hour = Duration::from_hours(1);
        assert!(credits.take(4, hour));
        assert_eq!(credits.told(), None);
        assert!(credits.take(1, hour * 2));
        assert_eq!(credits.told(), Some(5));
        assert!(!credits.take(6, hour * 24));
        assert!(credits.take(9, hour * 25));
        assert_eq!(credits.told(), Some(0));
    }
}
