//! Loop 2, one per destination: due delivery → deliver → settle.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    deliver::{Destination, Rate, RetrySchedule},
    event::{Delivery, DestinationName},
    store::Store,
};

use super::{
    Metrics,
    breaker::{Allowed, Breaker},
    echo::Writing,
    parts::Parts,
    retry::{RETRY_AFTER_MAX, later},
};

/// A rate may be used up ahead of time by so much of a second.
const RATE_BURST_SECONDS: f64 = 0.05;

/// Owns loop 2 of one destination.
#[derive(Clone)]
pub struct Dispatcher {
    pub(super) target: Arc<Target>,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
    health: Arc<Mutex<Health>>,
    /// Rung when a window came back while the breaker was not closed.
    changed: Arc<Notify>,
}

/// How the destination fares: as a whole, and by its parts.
pub(super) struct Health {
    pub(super) breaker: Breaker,
    pub(super) parts: Parts,
}

/// What a dispatcher works with.
pub struct Target {
    /// Its name.
    pub name: DestinationName,
    /// Where to.
    pub destination: Destination,
    /// When a message's own failures are tried again.
    pub retry: RetrySchedule,
    /// At most so many deliveries.
    pub rate: Option<Rate>,
    /// Where deliveries come from.
    pub store: Store,
    /// Our own writes to Zoho.
    pub writing: Writing,
    /// Time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
}

impl Dispatcher {
    /// Starts nothing yet.
    pub fn new(target: Target) -> Self {
        let limiter = target.rate.and_then(limiter).map(Arc::new);
        let capacity = target.destination.capacity();
        let health = Health {
            breaker: Breaker::default(),
            parts: Parts::new(capacity.window.saturating_mul(capacity.lanes)),
        };
        Self {
            target: Arc::new(target),
            limiter,
            health: Arc::new(Mutex::new(health)),
            changed: Arc::default(),
        }
    }

    /// Runs until `cancel`, then waits for what is out. What cannot be settled is put back, and delivered again.
    pub async fn run(self, cancel: CancellationToken) {
        self.show_state();
        self.target.destination.start();
        // A new start is a new chance for what an earlier configuration had put off.
        self.target.store.due_now(&self.target.name);
        let capacity = self.target.destination.capacity();
        let lanes = Arc::new(Semaphore::new(capacity.lanes));
        let tasks = TaskTracker::new();
        let window = self.limiter.as_ref().map_or(capacity.window, |_| {
            capacity.window.min(self.target.rate.map_or(1, burst))
        });
        while let Some((due, lane)) = self.next(&lanes, window, &cancel).await {
            let dispatcher = self.clone();
            let cancel = cancel.clone();
            tasks.spawn(async move {
                dispatcher.deliver(due, &cancel).await;
                drop(lane);
            });
        }
        tasks.close();
        tasks.wait().await;
        self.target.destination.close().await;
        let label = [self.target.name.as_str()];
        // Another core may start without it. An error means that it is not there.
        drop(
            self.target
                .metrics
                .breaker_state
                .remove_label_values(&label),
        );
    }

    async fn next(
        &self,
        lanes: &Arc<Semaphore>,
        window: usize,
        cancel: &CancellationToken,
    ) -> Option<(Vec<Delivery>, OwnedSemaphorePermit)> {
        let lane = tokio::select! {
            biased;
            () = cancel.cancelled() => return None,
            lane = Arc::clone(lanes).acquire_owned() => lane.ok()?,
        };
        loop {
            let allowed = self.allowed();
            let max = match allowed {
                Allowed::All => window,
                // A head that never failed goes first; those that did come back by themselves, each at its own time, so
                // that no poison message is the only one that is ever tried.
                Allowed::Probe => 1,
                wait @ (Allowed::NotBefore(_) | Allowed::Disabled) => {
                    self.wait(wait, cancel).await?;
                    continue;
                }
            };
            let mut due = tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                due = self.target.store.due(&self.target.name, max) => due,
                () = self.changed.notified() => {
                    self.health().breaker.probe_unused(self.target.clock.monotonic());
                    continue;
                }
            };
            if due.is_empty() {
                // The store is closed.
                return None;
            }
            // A probe is of the whole destination, whatever its parts.
            if allowed == Allowed::All {
                due = self.hold_back(due);
                if due.is_empty() {
                    continue;
                }
            }
            if let Some(limiter) = &self.limiter {
                self.within_rate(limiter, due.len(), cancel).await;
            }
            return Some((due, lane));
        }
    }

    /// Puts back what must wait because its part fails; gives what may be sent.
    fn hold_back(&self, due: Vec<Delivery>) -> Vec<Delivery> {
        let target = &self.target;
        let now = target.clock.monotonic();
        let mut health = self.health();
        due.into_iter()
            .filter(|delivery| {
                let wait = health.parts.wait(delivery, now, rand::random());
                if let Some(wait) = wait {
                    target
                        .store
                        .put_back(delivery, later(target.clock.now(), wait));
                }
                wait.is_none()
            })
            .collect()
    }

    fn allowed(&self) -> Allowed {
        self.health().breaker.allowed(self.target.clock.monotonic())
    }

    pub(super) fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the breaker may have changed its mind; `None` when told to stop.
    async fn wait(&self, allowed: Allowed, cancel: &CancellationToken) -> Option<()> {
        let now = self.target.clock.monotonic();
        let pause = match allowed {
            Allowed::NotBefore(until) => until.saturating_sub(now),
            Allowed::All | Allowed::Probe => Duration::ZERO,
            Allowed::Disabled => RETRY_AFTER_MAX,
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            () = self.changed.notified() => Some(()),
            () = self.target.clock.sleep(pause) => Some(()),
        }
    }

    async fn within_rate(
        &self,
        limiter: &DefaultDirectRateLimiter,
        deliveries: usize,
        cancel: &CancellationToken,
    ) {
        let count = u32::try_from(deliveries).unwrap_or(u32::MAX);
        if let Some(count) = NonZeroU32::new(count) {
            // An error means more than the burst at once, and `window` is within it.
            tokio::select! {
                () = cancel.cancelled() => {}
                _ = limiter.until_n_ready(count) => {}
            }
        }
    }

    async fn deliver(&self, due: Vec<Delivery>, cancel: &CancellationToken) {
        // Until the outcome is committed: a callback may come before the answer.
        let flight = self.target.writing.begin(
            self.target.destination.writes(&due),
            self.target.clock.now(),
        );
        let results = self.target.destination.deliver(&due).await;
        let settlements: Vec<_> = due
            .iter()
            .zip(results)
            .filter_map(|(delivery, result)| self.outcome(delivery, result))
            .collect();
        self.settle(settlements, &due, cancel).await;
        drop(flight);
        self.show_state();
        self.changed.notify_one();
    }
}

/// How many deliveries a rate lets through at once.
fn burst(rate: Rate) -> usize {
    let per_second = f64::from(rate.count) / rate.per.as_secs_f64().max(f64::MIN_POSITIVE);
    let burst = (per_second * RATE_BURST_SECONDS).clamp(1.0, f64::from(u16::MAX));
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1..=65535 above"
    )]
    {
        burst as usize
    }
}

fn limiter(rate: Rate) -> Option<DefaultDirectRateLimiter> {
    let count = NonZeroU32::new(rate.count)?;
    let burst = u32::try_from(burst(rate)).ok().and_then(NonZeroU32::new)?;
    let quota = Quota::with_period(rate.per / count.get())?.allow_burst(burst);
    Some(RateLimiter::direct(quota))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_lets_a_twentieth_of_a_second_through_at_once() {
        let rate = |count, seconds| Rate {
            count,
            per: Duration::from_secs(seconds),
        };
        assert_eq!(burst(rate(20, 1)), 1);
        assert_eq!(burst(rate(5000, 1)), 250);
        assert_eq!(burst(rate(10, 60)), 1);
    }
}
