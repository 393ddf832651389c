//! Pull destinations: consumers lease events, then acknowledge them or give them back.

mod answer;
mod leases;
mod token;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::HeaderMap,
    routing::post,
};
use clock::Clock;
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    answer::{Ask, Leased, LeasedEvent, Refusal, Settle, duration},
    leases::{Lease, Leases},
    token::consumer,
};
use super::access::bearer;
use crate::{
    deliver::{Metrics, PullSettings, structured},
    event::{Delivery, DestinationName, QuarantineReason, Settled, Settlement},
    store::{Store, StoreError},
};

/// A lease that is not answered for so long is over: the event goes to whoever asks next.
pub const LEASE: Duration = Duration::from_mins(1);

/// Events in one answer where the request names no number.
const EVENTS_DEFAULT: usize = 100;
/// And at most.
const EVENTS_MAX: usize = 1_000;
/// And bytes of them; one event is always given.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest wait for an event.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// The shortest wait before a write that failed is tried again.
const WRITE_AGAIN_MIN: Duration = Duration::from_millis(50);
/// Longest wait that a nack may ask for.
const DELAY_MAX: Duration = Duration::from_hours(12);
/// Bytes of an ack or nack.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How often leases are looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// How often, in sweeps, events are looked at that nobody takes.
const EXPIRE_EVERY: u32 = 30;
/// And how many at once.
const EXPIRE_BATCH: usize = 100;

/// All pull destinations.
pub struct PullState {
    store: Store,
    clock: Clock,
    metrics: Metrics,
    destinations: RwLock<HashMap<DestinationName, Arc<PullSettings>>>,
    leases: Leases,
    /// Writes that go on when a consumer hangs up.
    writes: TaskTracker,
    /// Consumers that wait are answered then.
    stopping: CancellationToken,
}

/// Who asks, once its token has been checked.
struct Caller {
    destination: DestinationName,
    settings: Arc<PullSettings>,
    consumer: String,
}

/// `POST /api/v1/pull/{destination}/lease`, `…/ack`, `…/nack`, for consumers only: an operator's token opens none.
pub fn router(state: Arc<PullState>) -> Router {
    Router::new()
        .route("/api/v1/pull/{destination}/lease", post(lease))
        .route("/api/v1/pull/{destination}/ack", post(ack))
        .route("/api/v1/pull/{destination}/nack", post(nack))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

async fn lease(
    State(state): State<Arc<PullState>>,
    Path(destination): Path<String>,
    Query(ask): Query<Ask>,
    headers: HeaderMap,
) -> Result<Json<Leased>, Refusal> {
    let caller = state.caller(destination, &headers)?;
    let wait = duration(ask.wait.as_deref())?;
    let room = state.leases.room(&caller.destination);
    if room == 0 {
        return Err(Refusal::TooManyLeased);
    }
    let max = ask.max.unwrap_or(EVENTS_DEFAULT).clamp(1, EVENTS_MAX);
    let (max, wait) = (max.min(room), wait.min(WAIT_MAX));
    let due = state.store.due_within(&caller.destination, max, wait);
    let due = tokio::select! {
        biased;
        due = due => due,
        () = state.stopping.cancelled() => vec![],
    };
    // No await from here on: a consumer that hangs up must not take a delivery along.
    let events = state.hand_out(&caller, due);
    Ok(Json(Leased { events }))
}

async fn ack(
    State(state): State<Arc<PullState>>,
    Path(destination): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<answer::Settled>, Refusal> {
    let caller = state.caller(destination, &headers)?;
    let ids = Settle::read(&body)?.ids;
    let (found, unknown) = state
        .leases
        .take(&caller.destination, &caller.consumer, ids);
    let settled = found.len();
    if settled > 0 {
        let write = Arc::clone(&state).acknowledge(caller.destination, found);
        let written = state.writes.spawn(write).await;
        written.map_err(|_cut_off| Refusal::Unavailable(SWEEP))??;
    }
    Ok(Json(answer::Settled { settled, unknown }))
}

async fn nack(
    State(state): State<Arc<PullState>>,
    Path(destination): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<answer::Settled>, Refusal> {
    let caller = state.caller(destination, &headers)?;
    let answer = Settle::read(&body)?;
    let delay = duration(answer.delay.as_deref())?.min(DELAY_MAX);
    let name = &caller.destination;
    let (found, unknown) = state.leases.take(name, &caller.consumer, answer.ids);
    let now = state.clock.now();
    state.give_back(
        name,
        &found,
        now.checked_add(delay).unwrap_or(now),
        "nacked",
    );
    let settled = found.len();
    Ok(Json(answer::Settled { settled, unknown }))
}

impl PullState {
    /// Nothing is leased yet.
    pub fn new(
        destinations: Vec<(DestinationName, PullSettings)>,
        store: Store,
        clock: Clock,
        metrics: Metrics,
    ) -> Arc<Self> {
        let state = Self {
            store,
            clock,
            metrics,
            destinations: RwLock::default(),
            leases: Leases::default(),
            writes: TaskTracker::new(),
            stopping: CancellationToken::new(),
        };
        state.replace(destinations);
        Arc::new(state)
    }

    /// Other destinations, consumers and tokens from now on; leases of those that stay go on.
    pub fn replace(&self, destinations: Vec<(DestinationName, PullSettings)>) {
        let destinations = destinations
            .into_iter()
            .map(|(name, settings)| (name, Arc::new(settings)))
            .collect();
        *self
            .destinations
            .write()
            .unwrap_or_else(PoisonError::into_inner) = destinations;
    }

    /// Ends leases whose time has come and expires what nobody takes, until cancelled; then gives all leases back.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let mut sweeps = 0;
        while !cancel.is_cancelled() {
            if sweeps % EXPIRE_EVERY == 0 {
                for (name, settings) in self.all() {
                    self.expire(&name, settings.keep).await;
                }
            }
            sweeps = (sweeps + 1) % EXPIRE_EVERY;
            // Right before the sleep: time that passes from here on wakes us.
            self.end_leases(self.clock.monotonic());
            tokio::select! {
                () = self.clock.sleep(SWEEP) => {}
                () = cancel.cancelled() => {}
            }
        }
        self.stopping.cancel();
        self.end_leases(Duration::MAX);
        self.writes.close();
        self.writes.wait().await;
    }

    fn all(&self) -> Vec<(DestinationName, Arc<PullSettings>)> {
        let destinations = self
            .destinations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        destinations
            .iter()
            .map(|(name, settings)| (name.clone(), Arc::clone(settings)))
            .collect()
    }

    fn caller(&self, destination: String, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let token = bearer(headers).ok_or(Refusal::NoToken)?;
        let destination = DestinationName::new(destination);
        let settings = self
            .destinations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&destination)
            .map(Arc::clone)
            .ok_or(Refusal::NoSuchDestination)?;
        let consumer =
            consumer(&settings.consumers, token.as_bytes()).ok_or(Refusal::WrongToken)?;
        Ok(Caller {
            destination,
            settings,
            consumer,
        })
    }

    fn hand_out(self: &Arc<Self>, caller: &Caller, due: Vec<Delivery>) -> Vec<LeasedEvent> {
        let now = self.clock.now();
        let until = self.clock.monotonic().saturating_add(LEASE);
        let lease = now.checked_add(LEASE).unwrap_or(now).to_string();
        let (mut events, mut leases, mut settled) = (vec![], vec![], vec![]);
        let mut bytes = 0;
        for delivery in due {
            if is_expired(&delivery, now, caller.settings.keep) {
                settled.push(settlement(&delivery, Settled::Expired));
                continue;
            }
            let event = match event(&delivery) {
                Ok(event) => event,
                Err(unrenderable) => {
                    settled.push(settlement(&delivery, unrenderable));
                    continue;
                }
            };
            bytes += event.get().len();
            if bytes > ANSWER_BYTES_MAX && !events.is_empty() {
                self.store.put_back(&delivery, delivery.planned_at);
                continue;
            }
            events.push(LeasedEvent {
                id: delivery.planned.message.attributes.id.clone(),
                lease: lease.clone(),
                event,
            });
            leases.push(Lease {
                delivery,
                consumer: caller.consumer.clone(),
                until,
            });
        }
        self.leases.put(&caller.destination, leases);
        if !settled.is_empty() {
            self.writes.spawn(Arc::clone(self).settle_surely(settled));
        }
        self.metrics
            .leases(caller.destination.as_str(), "leased", events.len());
        events
    }

    /// Settles them as delivered; when that cannot be written the leases are there again.
    async fn acknowledge(
        self: Arc<Self>,
        destination: DestinationName,
        found: Vec<Lease>,
    ) -> Result<(), Refusal> {
        let settlements = found
            .iter()
            .map(|lease| settlement(&lease.delivery, Settled::Delivered))
            .collect::<Arc<[_]>>();
        match self.store.settle(settlements).await {
            Ok(()) => {
                self.metrics
                    .leases(destination.as_str(), "acked", found.len());
                Ok(())
            }
            Err(error) => {
                self.leases.put(&destination, found);
                Err(Refusal::Unavailable(match error {
                    StoreError::Unavailable { retry_after, .. } => retry_after,
                    StoreError::Unusable { .. } => LEASE,
                }))
            }
        }
    }

    /// Until it is written, or can never be: then they are due again after the next start.
    async fn settle_surely(self: Arc<Self>, settlements: Vec<Settlement>) {
        let settlements: Arc<[Settlement]> = settlements.into();
        while let Err(error) = self.store.settle(Arc::clone(&settlements)).await {
            match error {
                StoreError::Unavailable {
                    reason,
                    retry_after,
                    ..
                } if reason != "closed" => self.clock.sleep(retry_after.max(WRITE_AGAIN_MIN)).await,
                StoreError::Unavailable { .. } | StoreError::Unusable { .. } => return,
            }
        }
    }

    /// `outcome` is `nacked` or `lapsed`.
    fn give_back(
        &self,
        destination: &DestinationName,
        leases: &[Lease],
        at: Timestamp,
        outcome: &'static str,
    ) {
        for lease in leases {
            self.store.put_back(&lease.delivery, at);
        }
        self.metrics
            .leases(destination.as_str(), outcome, leases.len());
    }

    fn end_leases(&self, now: Duration) {
        let at = self.clock.now();
        for (destination, ended) in self.leases.ended(now) {
            self.give_back(&destination, &ended, at, "lapsed");
        }
    }

    /// Looks at the oldest that wait.
    async fn expire(self: &Arc<Self>, destination: &DestinationName, keep: Duration) {
        loop {
            let due = self
                .store
                .due_within(destination, EXPIRE_BATCH, Duration::ZERO);
            let due = due.await;
            let now = self.clock.now();
            let (expired, live): (Vec<_>, Vec<_>) = due
                .into_iter()
                .partition(|delivery| is_expired(delivery, now, keep));
            for delivery in &live {
                // Due by its age, so that it keeps its place before newer ones.
                self.store.put_back(delivery, delivery.planned_at);
            }
            if expired.is_empty() {
                return;
            }
            let settlements = expired
                .iter()
                .map(|delivery| settlement(delivery, Settled::Expired))
                .collect();
            Arc::clone(self).settle_surely(settlements).await;
        }
    }
}

fn is_expired(delivery: &Delivery, now: Timestamp, keep: Duration) -> bool {
    Duration::try_from(now.duration_since(delivery.planned_at)).is_ok_and(|age| age > keep)
}

fn event(delivery: &Delivery) -> Result<Box<RawValue>, Settled> {
    let quarantined = |detail: String| Settled::Quarantined {
        reason: QuarantineReason::Unrenderable,
        detail,
    };
    let text =
        structured(&delivery.planned.message).map_err(|error| quarantined(error.to_string()))?;
    RawValue::from_string(text).map_err(|_invalid| quarantined("the event is not JSON".to_owned()))
}

fn settlement(delivery: &Delivery, settled: Settled) -> Settlement {
    Settlement {
        no: delivery.no,
        key: delivery.key,
        destination: delivery.planned.destination.clone(),
        settled,
    }
}
