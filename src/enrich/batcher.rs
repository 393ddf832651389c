//! Owns what waits for one module: gathers reads until a call is worth it.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::{self, JoinSet},
};
use zoho_crm::{Error, IDS_MAX};

use super::{
    Fields,
    batch::{Batch, Lane, Taken},
    org::{Look, Org},
};
use crate::event::{ModuleName, RecordId};

/// A read waits so long for others while no call for its module is in flight.
const LINGER: Duration = Duration::from_millis(50);

/// Reads in the channel to a batcher; more wait at their callers.
pub(super) const QUEUE_JOBS_MAX: usize = 256;

/// Reads a batcher holds; it takes no more until some are sent.
const WAITING_JOBS_MAX: usize = 4096;

/// A batcher without work ends after this.
const IDLE: Duration = Duration::from_mins(1);

/// One read, waiting for its batch.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) record: RecordId,
    pub(super) fields: Arc<Fields>,
    pub(super) lane: Lane,
    pub(super) reply: oneshot::Sender<Result<Look, Error>>,
}

/// The task that makes batches for one module. Reads that cannot share a call wait in lanes of their own, so that a busy
/// lane cannot hold up another.
pub(super) struct Batcher {
    org: Arc<Org>,
    module: ModuleName,
    queue: mpsc::Receiver<Job>,
    lanes: BTreeMap<Lane, Waiting>,
    running: JoinSet<()>,
    /// The lane of each batch in flight.
    in_flight: HashMap<task::Id, Lane>,
    active_at: Duration,
}

/// What waits in one lane, oldest first.
#[derive(Default)]
struct Waiting {
    jobs: Vec<(Duration, Job)>,
    /// How many of the jobs ask for each record: a record asked twice is one id.
    ids: HashMap<RecordId, usize>,
}

impl Batcher {
    pub(super) fn new(org: Arc<Org>, module: ModuleName, queue: mpsc::Receiver<Job>) -> Self {
        let active_at = org.clock.monotonic();
        Self {
            org,
            module,
            queue,
            lanes: BTreeMap::new(),
            running: JoinSet::new(),
            in_flight: HashMap::new(),
            active_at,
        }
    }

    /// Runs until it was idle for a while.
    pub(super) async fn run(mut self) {
        let mut open = true;
        loop {
            self.send_due();
            let waiting: usize = self.lanes.values().map(|it| it.jobs.len()).sum();
            let idle = waiting == 0 && self.running.is_empty();
            if idle && !open {
                return;
            }
            let wake = self.wake(idle);
            let clock = self.org.clock.clone();
            tokio::select! {
                job = self.queue.recv(), if open && waiting < WAITING_JOBS_MAX => match job {
                    Some(job) => self.add(job),
                    None => open = false,
                },
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                () = clock.sleep(wake.unwrap_or_default()), if wake.is_some() => {
                    if idle {
                        self.queue.close();
                    }
                }
            }
        }
    }

    fn add(&mut self, job: Job) {
        let now = self.org.clock.monotonic();
        self.active_at = now;
        let lane = self.lanes.entry(job.lane).or_default();
        *lane.ids.entry(job.record.clone()).or_default() += 1;
        lane.jobs.push((now, job));
    }

    fn ended(&mut self, ended: Result<(task::Id, ()), task::JoinError>) {
        self.active_at = self.org.clock.monotonic();
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a batch of reads was lost: its changes are read again");
                error.id()
            }
        };
        self.in_flight.remove(&id);
    }

    /// Sends a batch when 100 ids wait in a lane, or its oldest has waited long enough and no call of it is in flight;
    /// of several such lanes the one that has waited longest.
    fn send_due(&mut self) {
        let now = self.org.clock.monotonic();
        while self.running.len() < self.org.concurrency {
            let due = self.lanes.iter().filter_map(|(lane, waiting)| {
                let since = waiting.oldest()?;
                let lingered = now >= since + LINGER && !self.is_in_flight(*lane);
                (waiting.ids.len() >= IDS_MAX || lingered).then_some((since, *lane))
            });
            let Some((_, lane)) = due.min() else {
                return;
            };
            let waiting = self.lanes.get_mut(&lane);
            let jobs = waiting.map(Waiting::take).unwrap_or_default();
            let batch = Batch {
                org: Arc::clone(&self.org),
                module: self.module.clone(),
                lane,
            };
            let task = self.running.spawn(batch.run(jobs));
            self.in_flight.insert(task.id(), lane);
        }
    }

    fn is_in_flight(&self, lane: Lane) -> bool {
        self.in_flight.values().any(|it| *it == lane)
    }

    /// How long until there is something to do without being told.
    fn wake(&self, idle: bool) -> Option<Duration> {
        let now = self.org.clock.monotonic();
        if idle {
            return Some((self.active_at + IDLE).saturating_sub(now));
        }
        if self.running.len() >= self.org.concurrency {
            return None;
        }
        let lingering = self
            .lanes
            .iter()
            .filter(|(lane, _)| !self.is_in_flight(**lane));
        let oldest = lingering.filter_map(|(_, it)| it.oldest()).min()?;
        Some((oldest + LINGER).saturating_sub(now))
    }
}

impl Waiting {
    fn oldest(&self) -> Option<Duration> {
        self.jobs.first().map(|(since, _)| *since)
    }

    /// The oldest jobs that one batch can hold; the others stay, in their order.
    fn take(&mut self) -> Vec<Job> {
        let mut taken = Taken::default();
        let mut jobs = vec![];
        for (since, job) in mem::take(&mut self.jobs) {
            if taken.add(&job) {
                jobs.push(job);
            } else {
                self.jobs.push((since, job));
            }
        }
        self.ids.clear();
        for (_, job) in &self.jobs {
            *self.ids.entry(job.record.clone()).or_default() += 1;
        }
        jobs
    }
}
