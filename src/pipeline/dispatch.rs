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
use tracing::{info, warn};

use crate::{
    deliver::{DeliverError, Delivered, Destination, Rate, RetrySchedule},
    event::{Delivery, DestinationName, Settled, Settlement},
    store::{Store, StoreError},
};

use super::{
    Metrics,
    breaker::{Allowed, Breaker, Failure, Recovery},
    echo::Writing,
    retry::{MessageFailure, RETRY_AFTER_MAX, after_message_failure, later},
};

/// A rate may be used up ahead of time by so much of a second.
const RATE_BURST_SECONDS: f64 = 0.05;

/// Owns loop 2 of one destination.
#[derive(Clone)]
pub struct Dispatcher {
    target: Arc<Target>,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
    breaker: Arc<Mutex<Breaker>>,
    /// Rung when a window came back while the breaker was not closed.
    changed: Arc<Notify>,
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
        Self {
            target: Arc::new(target),
            limiter,
            breaker: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// Runs until `cancel`, then waits for what is out. What cannot be settled is put back, and delivered again.
    pub async fn run(self, cancel: CancellationToken) {
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
            let max = match self.allowed() {
                Allowed::All => window,
                // A head that never failed goes first; those that did come back by themselves, each at its own time, so
                // that no poison message is the only one that is ever tried.
                Allowed::Probe => 1,
                wait @ (Allowed::NotBefore(_) | Allowed::Disabled) => {
                    self.wait(wait, cancel).await?;
                    continue;
                }
            };
            let due = tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                due = self.target.store.due(&self.target.name, max) => due,
                () = self.changed.notified() => {
                    self.breaker().probe_unused(self.target.clock.monotonic());
                    continue;
                }
            };
            if let Some(limiter) = &self.limiter {
                self.within_rate(limiter, due.len(), cancel).await;
            }
            return Some((due, lane));
        }
    }

    fn allowed(&self) -> Allowed {
        self.breaker().allowed(self.target.clock.monotonic())
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
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
        let state = self.breaker().state_number();
        self.target
            .metrics
            .breaker_state
            .with_label_values(&[self.target.name.as_str()])
            .set(state);
        self.changed.notify_one();
    }

    /// `None` where nothing is written: the delivery is put back.
    fn outcome(&self, delivery: &Delivery, result: Delivered) -> Option<Settlement> {
        let target = &self.target;
        let now = target.clock.now();
        let settled = match result {
            Ok(written) => {
                let recovery = self.breaker().succeeded(delivery.key);
                self.recover(recovery);
                let lag = now.duration_since(delivery.accepted_at);
                target
                    .metrics
                    .end_to_end_seconds
                    .with_label_values(&[target.name.as_str()])
                    .observe(lag.as_secs_f64().max(0.0));
                Some(written.map_or(Settled::Delivered, Settled::Written))
            }
            Err(DeliverError::Destination {
                detail,
                retry_after,
                down,
            }) => {
                let failure = Failure {
                    key: delivery.key,
                    down,
                    retry_after: retry_after.map(|it| it.min(RETRY_AFTER_MAX)),
                };
                self.destination_failed(delivery, failure, &detail);
                None
            }
            Err(DeliverError::Message {
                reason,
                detail,
                attempts_max,
            }) => {
                let recovery = self.breaker().answered(delivery.key);
                self.recover(recovery);
                let failure = MessageFailure {
                    reason,
                    detail,
                    attempts_max,
                };
                let settled = self.message_failed(delivery, failure, now);
                Some(settled)
            }
            Err(DeliverError::Gone { detail }) => {
                self.breaker().disable();
                warn!(destination.name = %target.name, detail, "destination disabled: it answered 410; its deliveries wait");
                target.store.put_back(delivery, later(now, RETRY_AFTER_MAX));
                None
            }
        };
        Some(Settlement {
            no: delivery.no,
            key: delivery.key,
            destination: target.name.clone(),
            settled: settled?,
        })
    }

    fn destination_failed(&self, delivery: &Delivery, failure: Failure, detail: &str) {
        let target = &self.target;
        let (before, wait, after) = {
            let mut breaker = self.breaker();
            let before = breaker.state_number();
            let wait = breaker.failed(failure, target.clock.monotonic());
            (before, wait, breaker.state_number())
        };
        if before == 0 && after != 0 {
            warn!(destination.name = %target.name, detail, "destination is down: its deliveries wait");
        }
        target
            .store
            .put_back(delivery, later(target.clock.now(), wait));
    }

    fn message_failed(
        &self,
        delivery: &Delivery,
        failure: MessageFailure,
        now: jiff::Timestamp,
    ) -> Settled {
        let target = &self.target;
        let settled = after_message_failure(
            &target.retry,
            delivery.planned.on_failure,
            delivery.attempts,
            failure,
            (now, rand::random()),
        );
        if let Settled::Quarantined { reason, detail } = &settled {
            warn!(delivery.id = %delivery.planned.id, destination.name = %target.name, %reason, detail, "delivery set aside");
            target
                .metrics
                .quarantined
                .with_label_values(&["delivery", reason.as_str()])
                .inc();
        }
        settled
    }

    fn recover(&self, recovery: Recovery) {
        if recovery == Recovery::WellAgain {
            info!(destination.name = %self.target.name, "destination is well again: what waits is due now");
            self.target.store.due_now(&self.target.name);
        }
    }

    /// Writes until it is written, or we are told to stop: then the deliveries are put back, and made again.
    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        due: &[Delivery],
        cancel: &CancellationToken,
    ) {
        if settlements.is_empty() {
            return;
        }
        let settlements: Arc<[Settlement]> = settlements.into();
        loop {
            let wait = match self.target.store.settle(Arc::clone(&settlements)).await {
                Ok(()) => return,
                Err(StoreError::Unavailable { retry_after, .. }) => retry_after,
                Err(error @ StoreError::Unusable { .. }) => {
                    warn!(%error, "deliveries stay unsettled: the store cannot be written");
                    Duration::from_secs(5)
                }
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.target.clock.sleep(wait) => {}
            }
        }
        let unsettled = |delivery: &&Delivery| settlements.iter().any(|it| it.no == delivery.no);
        for delivery in due.iter().filter(unsettled) {
            self.target
                .store
                .put_back(delivery, self.target.clock.now());
        }
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
