//! A time that a test moves by hand.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

/// The test's handle on a simulated time.
#[derive(Clone, Debug)]
pub struct Simulated {
    start: Timestamp,
    elapsed: Arc<watch::Sender<Duration>>,
    /// By how much the wall clock was set back, all in all.
    set_back: Arc<watch::Sender<Duration>>,
}

impl Simulated {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self {
            start,
            elapsed: Arc::new(watch::Sender::new(Duration::ZERO)),
            set_back: Arc::new(watch::Sender::new(Duration::ZERO)),
        }
    }

    /// Moves the time on and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }

    /// Sets the wall clock back; the time that passes goes on.
    pub fn set_back(&self, by: Duration) {
        self.set_back.send_modify(|set_back| *set_back += by);
    }

    /// How many sleep until a time that has not come: with none, moving the time on would only outrun work under way.
    pub fn sleepers(&self) -> usize {
        self.elapsed.receiver_count()
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = self
            .start
            .checked_add(self.monotonic())
            .unwrap_or(Timestamp::MAX);
        now.checked_sub(*self.set_back.borrow())
            .unwrap_or(Timestamp::MIN)
    }

    pub(crate) fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        let until = self.monotonic().saturating_add(duration);
        let mut elapsed = self.elapsed.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        drop(elapsed.wait_for(|now| *now >= until).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let (clock, hand) = Clock::simulated(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        hand.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        assert_eq!(hand.sleepers(), 1);
        hand.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(hand.sleepers(), 0);
        assert_eq!(clock.now(), Timestamp::from_second(10).unwrap());
        hand.set_back(Duration::from_secs(3));
        assert_eq!(clock.now(), Timestamp::from_second(7).unwrap());
        assert_eq!(clock.monotonic(), Duration::from_secs(10));
    }
}
