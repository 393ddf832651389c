//! Loop 1: claim → read → plan → finish. Ids are derived, so what a crash repeats does not double.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use clock::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    enrich::Enricher,
    event::{Body, Change, ChangeOutcome, EnrichedEvent, Operation, RecordState},
    route::{self, Listen, Plan, Wants},
    store::{Claim, Finish, Seen, Store, StoreError},
};

use super::{
    Metrics,
    echo::Writing,
    read::{Read, Reader, wait_for_store},
    retry::later,
    room::{Room, bytes_to_plan, places},
    rules::Rules,
    share::{Place, Shares},
};

/// Places for changes that are out, unless the smallest shares come to more; a large change takes several. Divided among
/// the orgs and what needs none: with one org enough to fill ten calls of a hundred ids while ten more are on their way.
const CLAIMS_MAX: usize = 4096;

/// And no share is smaller than what fills a call.
const SHARE_MIN: usize = 100;

/// Changes taken in one go.
const CLAIM_BATCH_MAX: usize = 512;

/// A change that waits for a write of ours to land is looked at again so much later.
const LANDING_AGAIN: Duration = Duration::from_millis(400);

/// A read that is not back so long after we were told to stop is left alone; it changes nothing at Zoho.
const READ_GRACE: Duration = Duration::from_secs(3);

/// Owns loop 1.
#[derive(Clone)]
pub struct Planner {
    /// Where changes come from and deliveries go.
    pub store: Store,
    /// Routes as of now.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Zoho.
    pub enricher: Arc<Enricher>,
    /// Our own writes to it.
    pub writing: Writing,
    /// Time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
    /// Counts of what the routes decided.
    pub route_metrics: route::Metrics,
}

/// One run of the loop.
struct Run {
    permits: Arc<Semaphore>,
    shares: Arc<Shares>,
    room: Room,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Planner {
    /// Runs until `cancel`, then waits for what is out; a claim that cannot be finished is given back.
    pub async fn run(self, cancel: CancellationToken) {
        // A new start is a new chance for what an earlier configuration could not read.
        self.store.claimable_now();
        let parties = self.enricher.connections().saturating_add(1);
        let share = (CLAIMS_MAX / parties).max(SHARE_MIN);
        let places = CLAIMS_MAX.max(share.saturating_mul(parties));
        let run = Arc::new(Run {
            permits: Arc::new(Semaphore::new(places)),
            shares: Shares::new(self.store.clone(), share),
            room: Room::new(),
            tasks: TaskTracker::new(),
            cancel,
        });
        while let Some((claims, permit)) = self.next(&run).await {
            self.start(claims, permit, &run);
        }
        run.tasks.close();
        run.tasks.wait().await;
    }

    async fn next(&self, run: &Run) -> Option<(Vec<Claim>, OwnedSemaphorePermit)> {
        let first = tokio::select! {
            biased;
            () = run.cancel.cancelled() => return None,
            permit = Arc::clone(&run.permits).acquire_owned() => permit.ok()?,
        };
        let room = run
            .permits
            .available_permits()
            .saturating_add(1)
            .min(CLAIM_BATCH_MAX);
        let claims = tokio::select! {
            biased;
            () = run.cancel.cancelled() => return None,
            claims = self.store.claim(room) => claims,
        };
        if claims.is_empty() {
            // The store is closed.
            return None;
        }
        let mut permit = first;
        let wanted: usize = claims.iter().map(|it| places(&it.change)).sum();
        let free = run.permits.available_permits();
        // Where they are so large that they are more than what is free, the next wait until there is something again.
        let more = wanted.saturating_sub(1).min(free);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        // So many were free and only this loop takes permits.
        if let Ok(rest) = Arc::clone(&run.permits).try_acquire_many_owned(more) {
            permit.merge(rest);
        }
        Some((claims, permit))
    }

    /// What needs no reading is planned here and now and finished together; the rest gets a task each, or is held while
    /// its org has enough to do.
    fn start(&self, claims: Vec<Claim>, mut permit: OwnedSemaphorePermit, run: &Arc<Run>) {
        let rules = self.rules.load_full();
        let mut finished = vec![];
        for claim in claims {
            let wants = rules.routes.wants(&claim.change);
            let Some((claim, place)) = self.place(&rules, claim, wants.as_ref(), run) else {
                continue;
            };
            match wants {
                None => finished.push(closed(claim, ChangeOutcome::Unwanted)),
                Some(wants) if place.is_none() && needs_nothing(&claim.change, &wants) => {
                    let event = bare_event(&claim);
                    finished.push(self.plan(&rules, claim, &event, None));
                }
                Some(wants) => {
                    let own = permit.split(places(&claim.change).min(permit.num_permits()));
                    let planner = self.clone();
                    let (rules, run) = (Arc::clone(&rules), Arc::clone(run));
                    run.tasks.clone().spawn(async move {
                        planner.read_and_finish(&rules, claim, wants, &run).await;
                        drop((own, place));
                    });
                }
            }
        }
        if !finished.is_empty() {
            let planner = self.clone();
            let cancel = run.cancel.clone();
            run.tasks.spawn(async move {
                planner.finish(finished, &cancel).await;
                drop(permit);
            });
        }
    }

    /// A claim, with its place if its org is to be asked; `None` while its org has enough to do.
    fn place(
        &self,
        rules: &Rules,
        claim: Claim,
        wants: Option<&Wants>,
        run: &Run,
    ) -> Option<(Claim, Option<Place>)> {
        let Some(connection) = claim.change.connection.clone() else {
            return Some((claim, None));
        };
        let asks = wants
            .is_some_and(|wants| rules.reads(&claim.change, wants) || self.may_be_echo(&claim));
        if !asks {
            run.shares.pass_on(&connection);
            return Some((claim, None));
        }
        let places = places(&claim.change);
        let (claim, place) = run.shares.take(claim, &connection, places)?;
        Some((claim, Some(place)))
    }

    async fn read_and_finish(&self, rules: &Rules, claim: Claim, wants: Wants, run: &Run) {
        let started = self.clock.monotonic();
        let cancel = &run.cancel;
        tokio::select! {
            biased;
            landed = self.writing.landed(&claim.change, &self.clock) => if !landed {
                // Not here, where it takes the place of changes that can go on.
                self.store.give_back(&claim, later(self.clock.now(), LANDING_AGAIN));
                return;
            },
            () = cancel.cancelled() => {
                self.store.give_back(&claim, self.clock.now());
                return;
            }
        }
        let reader = Reader {
            store: &self.store,
            enricher: &self.enricher,
            metrics: &self.metrics,
            clock: &self.clock,
        };
        let fetch = rules.fetch(&claim.change.source);
        let read = tokio::select! {
            biased;
            read = reader.read(&claim, &wants, fetch) => read,
            () = self.cancelled_for(cancel, READ_GRACE) => {
                self.store.give_back(&claim, self.clock.now());
                return;
            }
        };
        match read {
            Read::Event { event, seen } => {
                self.plan_and_finish(rules, (claim, wants), (*event, seen), run)
                    .await;
            }
            Read::Closed { outcome, seen } => {
                let finish = Finish {
                    seen,
                    ..closed(claim, outcome)
                };
                self.finish(vec![finish], cancel).await;
            }
            Read::Again { after, reason } => {
                self.again(&claim, after, reason);
                return;
            }
        }
        let took = self.clock.monotonic().saturating_sub(started);
        self.metrics.plan_seconds.observe(took.as_secs_f64());
    }

    /// Within the memory that there is for it.
    async fn plan_and_finish(
        &self,
        rules: &Rules,
        (claim, wants): (Claim, Wants),
        (mut event, seen): (EnrichedEvent, Option<Seen>),
        run: &Run,
    ) {
        let no = claim.notification_no;
        let body_bytes = if wants.body {
            self.store.body_bytes(no).await
        } else {
            Ok(0)
        };
        let bytes = match body_bytes {
            Ok(body_bytes) => bytes_to_plan(&event, body_bytes, wants.sends),
            Err(error) => return self.again(&claim, wait_for_store(&error), "store"),
        };
        let room = tokio::select! {
            biased;
            room = run.room.take(bytes) => room,
            () = run.cancel.cancelled() => {
                self.store.give_back(&claim, self.clock.now());
                return;
            }
        };
        if wants.body {
            event.body = match self.store.body(no).await {
                // It was read once, before it was accepted; it is gone only when retention was faster than Zoho.
                Ok(bytes) => bytes.and_then(|it| Body::parse(&it, None).ok()),
                Err(error) => return self.again(&claim, wait_for_store(&error), "store"),
            };
        }
        let finish = self.plan(rules, claim, &event, seen);
        drop(event);
        self.finish(vec![finish], &run.cancel).await;
        drop(room);
    }

    fn again(&self, claim: &Claim, after: Duration, reason: &'static str) {
        debug!(change.id = %claim.change.id, ?after, reason, "change is read again later");
        self.metrics
            .changes_retried
            .with_label_values(&[reason])
            .inc();
        self.store.give_back(claim, later(self.clock.now(), after));
    }

    /// Returns so long after `cancel`.
    async fn cancelled_for(&self, cancel: &CancellationToken, grace: Duration) {
        cancel.cancelled().await;
        self.clock.sleep(grace).await;
    }

    /// A write on its way is looked at first: once it has landed the store knows it.
    fn may_be_echo(&self, claim: &Claim) -> bool {
        self.writing.may_have_caused(&claim.change) || !self.store.own_writes(claim).is_empty()
    }

    fn plan(
        &self,
        rules: &Rules,
        claim: Claim,
        event: &EnrichedEvent,
        seen: Option<Seen>,
    ) -> Finish {
        let (outcome, deliveries) =
            match rules
                .routes
                .plan_counted(event, self.clock.now(), &self.route_metrics)
            {
                Plan::Unmatched => (ChangeOutcome::Unmatched, vec![]),
                Plan::Deliver(deliveries) => (ChangeOutcome::Planned, deliveries),
                Plan::Superseded => (ChangeOutcome::Superseded, vec![]),
                Plan::Quarantine {
                    reason,
                    detail,
                    deliveries,
                } => (ChangeOutcome::Quarantined { reason, detail }, deliveries),
            };
        Finish {
            claim,
            outcome,
            deliveries,
            seen,
        }
    }

    /// Writes until it is written, or we are told to stop: then the claims are given back.
    async fn finish(&self, finished: impl Into<Arc<[Finish]>>, cancel: &CancellationToken) {
        let finished: Arc<[Finish]> = finished.into();
        loop {
            let wait = match self.store.finish(Arc::clone(&finished)).await {
                Ok(()) => break,
                Err(error) => {
                    if matches!(error, StoreError::Unusable { .. }) {
                        warn!(%error, "changes stay open: the store cannot be written");
                    }
                    wait_for_store(&error)
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {
                    for finish in &*finished {
                        self.store.give_back(&finish.claim, self.clock.now());
                    }
                    return;
                }
                () = self.clock.sleep(wait) => {}
            }
        }
        for finish in &*finished {
            self.count(&finish.claim.change, &finish.outcome);
        }
    }

    fn count(&self, change: &Change, outcome: &ChangeOutcome) {
        self.metrics
            .changes_closed
            .with_label_values(&[outcome.as_str()])
            .inc();
        if let ChangeOutcome::Quarantined { reason, detail } = outcome {
            warn!(change.id = %change.id, source.name = %change.source, %reason, detail, "change set aside");
            self.metrics
                .quarantined
                .with_label_values(&["change", reason.as_str()])
                .inc();
        }
    }
}

fn needs_nothing(change: &Change, wants: &Wants) -> bool {
    let deleted = change.operation == Operation::Delete;
    wants.listen == Listen::NoRecord && !deleted && !wants.before && !wants.body
}

fn closed(claim: Claim, outcome: ChangeOutcome) -> Finish {
    Finish {
        claim,
        outcome,
        deliveries: vec![],
        seen: None,
    }
}

fn bare_event(claim: &Claim) -> EnrichedEvent {
    EnrichedEvent {
        sequence: claim.change.record.is_some().then_some(claim.sequence),
        change: claim.change.clone(),
        state: RecordState::NotRead,
        record: None,
        before: None,
        read_at: None,
        body: None,
    }
}
