//! Loop 1: claim → read → plan → finish. Ids are derived, so what a crash repeats does not double.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use clock::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    enrich::Enricher,
    event::{Change, ChangeOutcome, EnrichedEvent, Fetch, Operation, RecordState, SourceName},
    route::{self, Listen, Plan, RouteTable, Wants},
    store::{Claim, Finish, Seen, Store, StoreError},
};

use super::{
    Metrics,
    echo::Writing,
    read::{Read, Reader},
    retry::later,
    share::{Place, Shares},
};

/// Changes out at once, unless the smallest shares come to more. Divided among the orgs and what needs none: with one org
/// enough to fill ten calls of a hundred ids while ten more are on their way.
const CLAIMS_MAX: usize = 4096;

/// And no share is smaller than what fills a call.
const SHARE_MIN: usize = 100;

/// Changes taken in one go.
const CLAIM_BATCH_MAX: usize = 512;

/// A change that waits for a write of ours to land is looked at again so much later.
const LANDING_AGAIN: Duration = Duration::from_millis(400);

/// A read that is not back so long after we were told to stop is left alone; it changes nothing at Zoho.
const READ_GRACE: Duration = Duration::from_secs(3);

/// What a reload replaces.
#[derive(Debug, Default)]
pub struct Rules {
    /// Compiled routes.
    pub routes: RouteTable,
    /// Of each source, whether its records are read.
    pub fetch: HashMap<SourceName, Fetch>,
}

impl Rules {
    fn fetch(&self, source: &SourceName) -> Fetch {
        self.fetch.get(source).copied().unwrap_or_default()
    }

    /// Whether a change's record is asked for, if not for an echo.
    fn reads(&self, change: &Change, wants: &Wants) -> bool {
        change.operation != Operation::Delete
            && wants.listen != Listen::NoRecord
            && self.fetch(&change.source) != Fetch::Never
    }
}

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
        let run = Run {
            permits: Arc::new(Semaphore::new(places)),
            shares: Shares::new(self.store.clone(), share),
            tasks: TaskTracker::new(),
            cancel,
        };
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
        let more = u32::try_from(claims.len().saturating_sub(1)).unwrap_or(u32::MAX);
        // `room` was free and only this loop takes permits.
        if let Ok(rest) = Arc::clone(&run.permits).try_acquire_many_owned(more) {
            permit.merge(rest);
        }
        Some((claims, permit))
    }

    /// What needs no reading is planned here and now and finished together; the rest gets a task each, or is held while
    /// its org has enough to do.
    fn start(&self, claims: Vec<Claim>, mut permit: OwnedSemaphorePermit, run: &Run) {
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
                    let Some(own) = permit.split(1) else { continue };
                    let planner = self.clone();
                    let (rules, cancel) = (Arc::clone(&rules), run.cancel.clone());
                    run.tasks.spawn(async move {
                        planner.read_and_finish(&rules, claim, wants, &cancel).await;
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
        let (claim, place) = run.shares.take(claim, &connection)?;
        Some((claim, Some(place)))
    }

    async fn read_and_finish(
        &self,
        rules: &Rules,
        claim: Claim,
        wants: Wants,
        cancel: &CancellationToken,
    ) {
        let started = self.clock.monotonic();
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
        let finish = match read {
            Read::Event { event, seen } => self.plan(rules, claim, &event, seen),
            Read::Closed { outcome, seen } => Finish {
                seen,
                ..closed(claim, outcome)
            },
            Read::Again { after, reason } => {
                debug!(change.id = %claim.change.id, ?after, reason, "change is read again later");
                self.metrics
                    .changes_retried
                    .with_label_values(&[reason])
                    .inc();
                self.store.give_back(&claim, later(self.clock.now(), after));
                return;
            }
        };
        self.finish(vec![finish], cancel).await;
        let took = self.clock.monotonic().saturating_sub(started);
        self.metrics.plan_seconds.observe(took.as_secs_f64());
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
                Err(StoreError::Unavailable { retry_after, .. }) => retry_after,
                Err(error @ StoreError::Unusable { .. }) => {
                    warn!(%error, "changes stay open: the store cannot be written");
                    Duration::from_secs(5)
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
