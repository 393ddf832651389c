//! How many messages are sent together: what the broker, or the way to it, cannot confirm in time would be sent again and
//! again.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// A group confirmed within this part of the timeout leaves room for one twice as big, and for other lanes.
const QUICK: u32 = 4;

/// After one that took longer the next is bigger by this part: where each confirm takes long, however few there are, it
/// must not stay small for ever.
const STEP: usize = 8;

/// Of one destination, all its lanes together.
#[derive(Debug)]
pub(super) struct Pace {
    together: AtomicUsize,
    full: usize,
}

impl Pace {
    /// At most `full` messages, from the start.
    pub(super) const fn new(full: usize) -> Self {
        Self {
            together: AtomicUsize::new(full),
            full,
        }
    }

    /// Messages of the next group, at least one.
    pub(super) fn together(&self) -> usize {
        self.together.load(Ordering::Relaxed).max(1)
    }

    /// So many were not confirmed in time: half of them from now on. Lanes that time out together halve it once.
    pub(super) fn timed_out(&self, messages: usize) {
        let half = (messages / 2).max(1);
        self.together.fetch_min(half, Ordering::Relaxed);
    }

    /// So many were confirmed in time: more may go together, twice as many if it was quick.
    pub(super) fn confirmed(&self, messages: usize, took: Duration, timeout: Duration) {
        let more = if took <= timeout / QUICK {
            messages
        } else {
            (messages / STEP).max(1)
        };
        let next = messages.saturating_add(more).min(self.full);
        self.together.fetch_max(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn a_timeout_halves_it_and_quick_confirms_double_it() {
        let pace = Pace::new(200);
        let confirmed = |messages, seconds| {
            pace.confirmed(messages, Duration::from_secs(seconds), TIMEOUT);
            pace.together()
        };
        let timed_out = |messages| {
            pace.timed_out(messages);
            pace.together()
        };
        assert_eq!(timed_out(200), 100);
        assert_eq!(timed_out(200), 100, "another lane, at the same time");
        assert_eq!(timed_out(100), 50);
        assert_eq!(confirmed(10, 1), 50, "few say nothing of many");
        assert_eq!(confirmed(50, 9), 56, "twice as many would take too long");
        assert_eq!(confirmed(56, 1), 112);
        assert_eq!(confirmed(112, 1), 200);
        assert_eq!(confirmed(200, 1), 200, "never more than full");
        assert_eq!(timed_out(1), 1, "never none");
        assert_eq!(confirmed(1, 1), 2);
    }
}
