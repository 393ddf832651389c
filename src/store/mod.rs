//! Durable memory: the only place that knows SQL.
//!
//! One writer thread commits groups; what may go out next is held in memory, at most one row per record, and a claim
//! writes nothing. Bounds: [`mailbox`] for callers that wait, [`waiting`] for memory, [`dedup`] for hashes.

mod error;
mod types;
mod metrics;
mod mailbox;
mod row;
mod queue;
mod waiting;
mod accept;
mod claim;
mod due;
mod dedup;
mod own_writes;
mod tokens;
mod sqlite;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use clock::Clock;
use jiff::Timestamp;
use tokio::sync::{Semaphore, oneshot};

use self::{
    error::Refusal,
    mailbox::{Answer, Mailbox, WORK_WAITING_MAX, Work},
    sqlite::{Readers, Writer, WriterParts},
    waiting::Waiting,
};
use crate::event::{
    ConnectionName, DestinationName, ModuleName, OwnWrite, RecordId, RecordKey, Settlement,
};

pub use self::{
    error::StoreError,
    metrics::Metrics,
    types::{
        Accept, Accepted, BacklogState, ChangeNo, ChangeTotals, Claim, Content, DedupKey,
        DeliveryTotals, Finish, Gap, InboxState, Ledger, NotificationNo, NotificationTotals,
        Quarantined, QuarantinedKind, Seen, Settings, Snapshot,
    },
};

/// After a read that failed, the next try.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// A row that cannot be decoded is looked at again after that; what is behind it of its record waits.
const UNDECODABLE_WAIT: Duration = Duration::from_hours(1);

/// The open store. Cheap to clone; clones share one writer, which ends after [`Store::close`] or with the last clone.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    metrics: Metrics,
    mailbox: Arc<Mailbox>,
    /// One permit for each call in the mailbox that is not an accept.
    permits: Arc<Semaphore>,
    waiting: Arc<Waiting>,
    ready: Arc<AtomicBool>,
    readers: Readers,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// However the writer thread ends, by a panic too: nobody waits for it any more, and nothing says that it works.
struct Ends {
    mailbox: Arc<Mailbox>,
    waiting: Arc<Waiting>,
    ready: Arc<AtomicBool>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.ready.store(false, Ordering::Release);
        self.mailbox.abandon();
        self.waiting.close();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

impl Store {
    /// Opens or creates the file, takes its lock, migrates it, loads what is open.
    ///
    /// # Errors
    /// When another process holds it, it is of a newer format, or the disk refuses.
    pub async fn open(
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, StoreError> {
        let opened =
            tokio::task::spawn_blocking(move || Self::open_blocking(settings, clock, metrics));
        match opened.await {
            Ok(opened) => opened,
            Err(error) => Err(StoreError::Unusable {
                detail: format!("opening it failed: {error}"),
            }),
        }
    }

    fn open_blocking(
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, StoreError> {
        let parts = WriterParts {
            settings,
            clock: clock.clone(),
            metrics: metrics.clone(),
            mailbox: Arc::default(),
            waiting: Arc::new(Waiting::new()),
            ready: Arc::default(),
            runtime: tokio::runtime::Handle::current(),
        };
        let (mailbox, waiting) = (Arc::clone(&parts.mailbox), Arc::clone(&parts.waiting));
        let ready = Arc::clone(&parts.ready);
        let (writer, readers) = Writer::open(parts)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn({
                let ends = Ends {
                    mailbox: Arc::clone(&mailbox),
                    waiting: Arc::clone(&waiting),
                    ready: Arc::clone(&ready),
                };
                move || {
                    let _ends = ends;
                    writer.run();
                }
            })
            .map_err(|error| StoreError::Unusable {
                detail: format!("cannot start the writer thread: {error}"),
            })?;
        Ok(Self {
            shared: Arc::new(Shared {
                clock,
                metrics,
                mailbox,
                permits: Arc::new(Semaphore::new(WORK_WAITING_MAX)),
                waiting,
                ready,
                readers,
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// Closes changes and queues their deliveries, all in one transaction. A change that is no longer open is skipped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nothing was written: the claims are still out; call again.
    pub async fn finish(&self, finish: impl Into<Arc<[Finish]>>) -> Result<(), StoreError> {
        let finish = finish.into();
        self.work(|answer| Work::Finish(finish, answer)).await
    }

    /// Writes what became of deliveries, in one transaction, and lets the next of each record go.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nothing was written: the deliveries are still out; call again.
    pub async fn settle(
        &self,
        settlements: impl Into<Arc<[Settlement]>>,
    ) -> Result<(), StoreError> {
        let settlements = settlements.into();
        self.work(|answer| Work::Settle(settlements, answer)).await
    }

    /// Writes of ours to the record of a claim, oldest first: those of the last 24 hours, as long as memory's bound has
    /// room. Cheap. A write is here before the call of [`Self::settle`] that brought it returns.
    pub fn own_writes(&self, claim: &Claim) -> Vec<OwnWrite> {
        let writes = self.shared.waiting.own_writes();
        writes.of(claim.key, &claim.change).cloned().collect()
    }

    /// The records as last seen; absent where never seen.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn snapshots(
        &self,
        records: Vec<(RecordKey, ModuleName, RecordId)>,
    ) -> Result<HashMap<RecordKey, Snapshot>, StoreError> {
        self.shared.readers.snapshots(records).await
    }

    /// Whether a delete of this claim's record comes after it: by its time, or because it was accepted later.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deleted_meanwhile(&self, claim: &Claim) -> Result<bool, StoreError> {
        self.shared.readers.deleted_meanwhile(claim).await
    }

    /// The stored body (secrets masked) of a notification; `None` when retention has deleted it, which it never does
    /// while a change of it is open.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn body(&self, no: NotificationNo) -> Result<Option<Bytes>, StoreError> {
        self.shared.readers.body(no).await
    }

    /// Bytes of [`Self::body`], without reading it; 0 where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn body_bytes(&self, no: NotificationNo) -> Result<usize, StoreError> {
        self.shared.readers.body_bytes(no).await
    }

    /// What was set aside, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn quarantined(&self, limit: u32) -> Result<Vec<Quarantined>, StoreError> {
        self.shared.readers.quarantined(limit).await
    }

    /// A proven callback of this connection was refused elsewhere (full inbox or backlog): a gap is written as soon as
    /// anything can be. `reason` is of a closed set. [`Self::accept`] does this itself for its own refusals.
    pub fn open_gap(&self, connection: &ConnectionName, reason: &'static str) {
        let now = self.shared.clock.now();
        self.shared
            .mailbox
            .hold_gap((connection.clone(), reason), now, now);
    }

    /// Gaps that are not closed, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError> {
        self.shared.readers.gaps(limit).await
    }

    /// A gap was repaired.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn close_gap(&self, no: i64) -> Result<(), StoreError> {
        self.work(|answer| Work::CloseGap(no, answer)).await
    }

    /// Open changes, and the oldest one's age. Cheap.
    pub fn inbox(&self) -> InboxState {
        let (depth, oldest) = self.shared.waiting.inbox().queue.state();
        InboxState {
            depth,
            oldest: oldest.and_then(|it| Timestamp::from_microsecond(it).ok()),
        }
    }

    /// What waits for a destination. Cheap.
    pub fn backlog(&self, destination: &DestinationName) -> BacklogState {
        let (depth, oldest) = self.shared.waiting.lane(destination, |it| it.queue.state());
        BacklogState {
            depth,
            oldest: oldest.and_then(|it| Timestamp::from_microsecond(it).ok()),
        }
    }

    /// Durable totals, and counts of rows for the states that are not final.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ledger(&self) -> Result<Ledger, StoreError> {
        self.shared.readers.ledger().await
    }

    /// False while nothing can be accepted (disk or store full, reopening after an fsync error).
    pub fn ready(&self) -> bool {
        self.shared.ready.load(Ordering::Acquire)
    }

    /// Commits what waits, checkpoints, closes. Later calls answer [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.shared.mailbox.close();
        let shared = Arc::clone(&self.shared);
        let closed = tokio::task::spawn_blocking(move || {
            let mut thread = shared.thread.lock().unwrap_or_else(PoisonError::into_inner);
            shared.readers.close();
            if let Some(thread) = thread.take()
                && thread.join().is_err()
            {
                tracing::error!("the writer thread panicked");
            }
        });
        if let Err(error) = closed.await {
            tracing::error!(%error, "closing the store failed");
        }
    }

    async fn work<T>(&self, make: impl FnOnce(Answer<T>) -> Work) -> Result<T, StoreError> {
        let Ok(_permit) = self.shared.permits.acquire().await else {
            return Err(Refusal::Closed.into());
        };
        let (answer, answered) = oneshot::channel();
        self.shared.mailbox.push_work(make(answer));
        let result = wait_for(answered).await;
        if let Err(StoreError::Unavailable { reason, .. }) = &result {
            self.count_refusal(reason);
        }
        result
    }

    fn count_refusal(&self, reason: &str) {
        self.shared
            .metrics
            .refused
            .with_label_values(&[reason])
            .inc();
    }

    fn undecodable_until(&self) -> i64 {
        let now = self.shared.clock.now();
        let until = now.checked_add(UNDECODABLE_WAIT).unwrap_or(now);
        until.as_microsecond()
    }

    async fn wait(&self, news: impl Future<Output = ()>, wake_at: Option<i64>) {
        let wake_at = wake_at.and_then(|it| Timestamp::from_microsecond(it).ok());
        match wake_at {
            None => news.await,
            Some(wake_at) => {
                tokio::select! {
                    () = news => {}
                    () = self.shared.clock.sleep_until(wake_at) => {}
                }
            }
        }
    }
}

async fn wait_for<T>(
    answered: impl Future<Output = Result<Result<T, StoreError>, oneshot::error::RecvError>>,
) -> Result<T, StoreError> {
    match answered.await {
        Ok(answer) => answer,
        // The writer is gone, and with it what it held.
        Err(_) => Err(Refusal::Closed.into()),
    }
}
