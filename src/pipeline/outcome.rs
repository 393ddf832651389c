//! What became of deliveries: counted for their destination's health, then settled or put back.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    deliver::{DeliverError, Delivered},
    event::{Delivery, Settled, Settlement},
    store::StoreError,
};

use super::{
    breaker::Recovery,
    dispatch::Dispatcher,
    retry::{MessageFailure, RETRY_AFTER_MAX, after_message_failure, later},
};

impl Dispatcher {
    /// `None` where nothing is written: the delivery is put back.
    pub(super) fn outcome(&self, delivery: &Delivery, result: Delivered) -> Option<Settlement> {
        let target = &self.target;
        let now = target.clock.now();
        let settled = match result {
            Ok(written) => {
                self.answered(delivery);
                Some(written.map_or(Settled::Delivered, Settled::Written))
            }
            Err(DeliverError::Destination {
                detail,
                retry_after,
                down,
            }) => {
                let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
                let wait = if down {
                    self.destination_failed(delivery, asked, &detail)
                } else {
                    self.part_failed(delivery, &detail).max(asked)
                };
                target.store.put_back(delivery, later(now, wait));
                None
            }
            Err(DeliverError::Message {
                reason,
                detail,
                attempts_max,
            }) => {
                if attempts_max == Some(0) {
                    self.not_asked(delivery);
                } else {
                    self.answered(delivery);
                }
                let failure = MessageFailure {
                    reason,
                    detail,
                    attempts_max,
                };
                Some(after_message_failure(
                    &target.retry,
                    delivery.planned.on_failure,
                    delivery.attempts,
                    failure,
                    (now, rand::random()),
                ))
            }
            Err(DeliverError::Gone { detail }) => {
                let mut health = self.health();
                health.breaker.disable();
                health.parts.unanswered(delivery);
                drop(health);
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

    /// It took a message, or refused that one: it is there, and the message's part is well.
    fn answered(&self, delivery: &Delivery) {
        let target = &self.target;
        let (recovery, due) = {
            let mut health = self.health();
            let now = target.clock.monotonic();
            (
                health.breaker.answered(),
                health.parts.answered(delivery, now),
            )
        };
        self.recover(recovery);
        if !due.is_empty() {
            info!(destination.name = %target.name, deliveries = due.len(), "what was held back is taken again: it is due now");
            target.store.due_now_of(&target.name, &due);
        }
    }

    /// It can never be sent: that says nothing of the destination, and somebody else must be its probe.
    fn not_asked(&self, delivery: &Delivery) {
        let now = self.target.clock.monotonic();
        let mut health = self.health();
        health.breaker.probe_unused(now);
        health.parts.set_aside(delivery);
    }

    /// Nothing gets through. Gives how long this head waits.
    fn destination_failed(&self, delivery: &Delivery, asked: Duration, detail: &str) -> Duration {
        let target = &self.target;
        let (before, wait, after) = {
            let mut health = self.health();
            health.parts.unanswered(delivery);
            let before = health.breaker.state_number();
            let wait = health.breaker.failed(asked, target.clock.monotonic());
            (before, wait, health.breaker.state_number())
        };
        if before == 0 && after != 0 {
            warn!(destination.name = %target.name, detail, "destination is down: its deliveries wait");
        }
        wait
    }

    /// It answers, if only with failure, and the others may well go on. Gives how long this head waits.
    fn part_failed(&self, delivery: &Delivery, detail: &str) -> Duration {
        let target = &self.target;
        let (recovery, failed) = {
            let mut health = self.health();
            let now = target.clock.monotonic();
            (
                health.breaker.answered(),
                health.parts.failed(delivery, now, rand::random()),
            )
        };
        self.recover(recovery);
        if failed.held {
            let planned = &delivery.planned;
            warn!(destination.name = %target.name, route.name = %planned.route, send.name = %planned.send, detail, "destination fails for records in a row: deliveries like these wait, others go on");
        }
        failed.wait
    }

    fn recover(&self, recovery: Recovery) {
        if recovery == Recovery::WellAgain {
            info!(destination.name = %self.target.name, "destination is well again: what waits is due now");
            self.target.store.due_now(&self.target.name);
        }
    }

    pub(super) fn show_state(&self) {
        let state = {
            let health = self.health();
            let whole = health.breaker.state_number();
            whole.max(i64::from(health.parts.any_held()))
        };
        self.target
            .metrics
            .breaker_state
            .with_label_values(&[self.target.name.as_str()])
            .set(state);
    }

    /// Writes until it is written, or we are told to stop: then the deliveries are put back, and made again.
    pub(super) async fn settle(
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
                Ok(()) => {
                    self.count(&settlements, due);
                    return;
                }
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

    /// Once it is committed: what is not is done again, and must not count twice.
    fn count(&self, settlements: &[Settlement], due: &[Delivery]) {
        let target = &self.target;
        let now = target.clock.now();
        for settlement in settlements {
            let Some(delivery) = due.iter().find(|it| it.no == settlement.no) else {
                continue;
            };
            match &settlement.settled {
                Settled::Delivered | Settled::Written(_) => {
                    let lag = now.duration_since(delivery.accepted_at);
                    target
                        .metrics
                        .end_to_end_seconds
                        .with_label_values(&[target.name.as_str()])
                        .observe(lag.as_secs_f64().max(0.0));
                }
                Settled::Quarantined { reason, detail } => {
                    warn!(delivery.id = %delivery.planned.id, destination.name = %target.name, %reason, detail, "delivery set aside");
                    target
                        .metrics
                        .quarantined
                        .with_label_values(&["delivery", reason.as_str()])
                        .inc();
                }
                Settled::Again { .. } | Settled::Expired => {}
            }
        }
    }
}
