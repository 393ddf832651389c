//! The one thread that writes: takes whatever waits, commits it as one group, then answers.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clock::Clock;
use rusqlite::Connection;

use super::{
    accept::{Effect, Transaction},
    checkpoint::Checkpointer,
    file::{self, Fault, Lock},
    group::{Pending, accept_all, do_work, refuse, tell},
    names::Names,
    own_write,
    read::Readers,
    repeat,
    retention::{self, Retention},
    scan,
    statements::Statements,
    totals::Totals,
    wall::Wall,
};
use crate::store::{
    dedup::Dedup,
    error::{Refusal, StoreError},
    mailbox::{AcceptJob, HeldGaps, Mailbox, Work, merge_gap},
    metrics::Metrics,
    types::Settings,
    waiting::Waiting,
};

/// Accepts in one group at most.
const ACCEPTS_PER_GROUP: usize = 1_024;
/// Other work in one group goes on for so long at most.
const WORK_SLICE: Duration = Duration::from_millis(5);
/// And is so many calls at most.
const WORK_PER_GROUP: usize = 64;
/// Without work the writer looks after itself so often.
const IDLE_WAIT: Duration = Duration::from_millis(200);
/// After a failure the disk is tried again so often.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// What the writer shares with its callers.
#[derive(Debug)]
pub(in crate::store) struct WriterParts {
    pub(in crate::store) settings: Settings,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) metrics: Metrics,
    pub(in crate::store) mailbox: Arc<Mailbox>,
    pub(in crate::store) waiting: Arc<Waiting>,
    pub(in crate::store) ready: Arc<AtomicBool>,
    /// Where the callers wait.
    pub(in crate::store) runtime: tokio::runtime::Handle,
}

/// See the module.
#[derive(Debug)]
pub(in crate::store) struct Writer {
    pub(super) parts: WriterParts,
    /// `None` after the disk failed, until it is opened anew.
    pub(super) connection: Option<Connection>,
    pub(super) names: Names,
    pub(super) totals: Totals,
    pub(super) dedup: Dedup,
    pub(super) checkpointer: Checkpointer,
    pub(super) retention: Retention,
    pub(super) work: VecDeque<Work>,
    pub(super) gaps: HeldGaps,
    pub(super) gaps_at: Option<Duration>,
    pub(super) beat_at: Option<Duration>,
    pub(super) failed_at: Option<Duration>,
    pub(super) disk_full: bool,
    /// The log may give room back.
    pub(super) restart_wanted: bool,
    pub(super) used_bytes: u64,
    pub(super) rounds: u32,
    pub(super) scanning: bool,
    pub(super) wall: Wall,
    _lock: Lock,
}

impl Writer {
    /// Opens the file and reads what memory needs to know.
    pub(in crate::store) fn open(parts: WriterParts) -> Result<(Self, Readers), StoreError> {
        let path = parts.settings.path.clone();
        let lock = file::lock(&path)?;
        let connection = file::open(&path)?;
        let checkpointer =
            Checkpointer::start(path.clone()).map_err(|error| StoreError::Unusable {
                detail: format!("cannot start the checkpoint thread: {error}"),
            })?;
        let names = Names::default();
        let readers = Readers::new(path, names.clone());
        let mut this = Self {
            parts,
            connection: None,
            names,
            totals: Totals::default(),
            dedup: Dedup::default(),
            checkpointer,
            retention: Retention::new(),
            work: VecDeque::new(),
            gaps: HeldGaps::new(),
            gaps_at: None,
            beat_at: None,
            failed_at: None,
            disk_full: false,
            restart_wanted: false,
            used_bytes: 0,
            rounds: 0,
            scanning: true,
            wall: Wall::default(),
            _lock: lock,
        };
        this.load(connection).map_err(|fault| unusable(&fault))?;
        let begun = this.write(|transaction| {
            transaction.open_downtime_gap()?;
            transaction.beat();
            Ok(())
        });
        match begun {
            Ok(()) => this.beat_at = Some(this.parts.clock.monotonic()),
            // It starts all the same: who calls is told 503 and comes again, what is stored goes out.
            Err(Fault::Full) => {}
            Err(fault) => return Err(unusable(&fault)),
        }
        this.tell_ready();
        Ok((this, readers))
    }

    /// Works until the mailbox is closed and empty.
    pub(in crate::store) fn run(mut self) {
        while self.round() {}
        let gaps = std::mem::take(&mut self.gaps);
        let said_goodbye = self.write(|transaction| {
            transaction.write_gaps(&gaps)?;
            transaction.beat();
            Ok(())
        });
        if said_goodbye.is_err() {
            tracing::warn!("the last heartbeat was not written; the next start sees a longer gap");
        }
        if let Some(connection) = self.connection.take() {
            let checkpoint =
                || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            if let Err(error) = checkpoint() {
                tracing::warn!(%error, "the last checkpoint failed; the next start makes it up");
            }
        }
        self.checkpointer.stop();
        self.parts.ready.store(false, Ordering::Release);
        self.parts.waiting.close();
    }

    fn round(&mut self) -> bool {
        // Without a connection there is nothing to do but to wait for it.
        let busy = self.connection.is_some() && (self.scanning || !self.work.is_empty());
        let wait = match (busy, self.retention.is_active()) {
            (true, _) => Duration::ZERO,
            (false, true) => retention::SLICE_PAUSE,
            (false, false) => IDLE_WAIT,
        };
        let batch = self.parts.mailbox.take(wait, ACCEPTS_PER_GROUP);
        self.work.extend(batch.work);
        for (gap, span) in batch.gaps {
            merge_gap(&mut self.gaps, gap, span);
        }
        if self.connection.is_none() && !self.reopen() {
            let refusal = Refusal::Io("it is not open again yet".to_owned());
            refuse(batch.accepts, &refusal);
            self.work.drain(..).for_each(|it| it.refuse(&refusal));
        } else {
            self.group(batch.accepts);
            self.look_after();
        }
        self.tell_ready();
        !batch.closed || !self.work.is_empty()
    }

    /// One transaction, then the answers.
    fn group(&mut self, accepts: Vec<AcceptJob>) {
        let refusal = self.refusal();
        let accepts = if let Some(refusal) = &refusal {
            refuse(accepts, refusal);
            vec![]
        } else {
            accepts
        };
        let began = self.parts.clock.monotonic();
        let chores = self.chores_due(began);
        if accepts.is_empty() && self.work.is_empty() && !chores {
            return;
        }
        let mut answers = Vec::with_capacity(accepts.len() + self.work.len());
        let mut work = std::mem::take(&mut self.work);
        let waiting = Arc::clone(&self.parts.waiting);
        let clock = self.parts.clock.clone();
        let gaps = std::mem::take(&mut self.gaps);
        // Then the downtime before this start is not written down yet.
        let is_first = self.beat_at.is_none();
        let mut accepts = Some(accepts);
        let result = self.write(|transaction| {
            if chores {
                if is_first {
                    transaction.open_downtime_gap()?;
                }
                transaction.write_gaps(&gaps)?;
                transaction.beat();
            }
            accept_all(
                transaction,
                accepts.take().unwrap_or_default(),
                &mut answers,
            )?;
            let until = clock.monotonic() + WORK_SLICE;
            for _ in 0..WORK_PER_GROUP {
                let Some(next) = work.pop_front() else {
                    break;
                };
                do_work(transaction, next, &waiting, &mut answers)?;
                if clock.monotonic() >= until {
                    break;
                }
            }
            Ok(())
        });
        self.work = work;
        if result.is_err() || !chores {
            self.gaps = gaps;
        } else {
            self.gaps_at = Some(began);
            self.beat_at = Some(began);
        }
        let metrics = &self.parts.metrics;
        let took = self.parts.clock.monotonic().saturating_sub(began);
        metrics.commit_seconds.observe(took.as_secs_f64());
        metrics
            .group_jobs
            .observe(f64::from(u32::try_from(answers.len()).unwrap_or(u32::MAX)));
        // Before the answers, so that who was refused does not find it ready.
        self.tell_ready();
        let refusal = result.as_ref().err().map(Refusal::from);
        if let Some(refusal) = &refusal {
            // Not even looked at, since the transaction did not begin.
            refuse(accepts.unwrap_or_default(), refusal);
        }
        let (told, going_on): (Vec<_>, Vec<_>) = answers.into_iter().partition(Pending::ends);
        // Waking the callers one by one would cost this thread more than their rows.
        self.parts.runtime.spawn(tell(told, refusal.clone()));
        for pending in going_on {
            if let Some(more) = pending.answer(refusal.as_ref()) {
                self.work.push_back(more);
            }
        }
    }

    /// Runs `f` in a transaction; all of it is committed, fsynced and known to memory, or nothing of it.
    fn write(
        &mut self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(connection) = &self.connection else {
            return Err(Fault::Disk("it is not open".to_owned()));
        };
        let before = self.totals;
        let mut effects: Vec<Effect> = vec![];
        let run = || -> Result<(), Fault> {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            f(&mut Transaction {
                connection,
                statements: Statements::new(connection),
                names: &self.names,
                totals: &mut self.totals,
                dedup: &mut self.dedup,
                effects: &mut effects,
                now: self.parts.clock.now(),
            })?;
            self.totals.write(before, connection)?;
            connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        };
        match run() {
            Ok(()) => {
                scan::apply(&self.parts.waiting, effects);
                if std::mem::take(&mut self.disk_full) {
                    tracing::info!("the disk has room again");
                }
                self.failed_at = None;
                Ok(())
            }
            Err(fault) => {
                self.totals = before;
                self.undo(&fault);
                Err(fault)
            }
        }
    }

    /// After a failure: nothing of the transaction stays, in the file or in memory.
    pub(super) fn undo(&mut self, fault: &Fault) {
        self.failed_at = Some(self.parts.clock.monotonic());
        let undone = match (&self.connection, fault) {
            (Some(connection), Fault::Full) => {
                let rolled_back =
                    connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
                rolled_back && self.names.load(connection).is_ok()
            }
            (_, _) => false,
        };
        if undone {
            if !self.disk_full {
                tracing::error!("the disk is full: nothing is accepted until there is room");
            }
            self.disk_full = true;
            self.restart_wanted = true;
        } else {
            tracing::error!(?fault, "the disk failed: the store is opened anew");
            self.connection = None;
        }
    }

    /// Whether the disk works again: what the log holds must reach the file before anything is accepted.
    fn reopen(&mut self) -> bool {
        let now = self.parts.clock.monotonic();
        if self
            .failed_at
            .is_some_and(|it| now.saturating_sub(it) < RETRY_WAIT)
        {
            return false;
        }
        self.failed_at = Some(now);
        let opened = file::reopen(&self.parts.settings.path).and_then(|it| self.load(it));
        match opened {
            Ok(()) => {
                tracing::info!("the store is open again");
                true
            }
            Err(fault) => {
                tracing::warn!(?fault, "the store cannot be opened yet");
                self.connection = None;
                false
            }
        }
    }

    /// Reads what memory needs to know of a file just opened.
    fn load(&mut self, mut connection: Connection) -> Result<(), Fault> {
        self.names.load(&connection)?;
        self.totals = Totals::load(&connection)?;
        self.parts
            .waiting
            .inbox()
            .raise_sequences(self.totals.sequence);
        self.dedup = repeat::load(&connection, self.parts.clock.now())?;
        scan::restart(&connection, &self.names, &self.parts.waiting)?;
        let now = self.parts.clock.now();
        own_write::load(&connection, &self.names, &self.parts.waiting, now)?;
        self.used_bytes = retention::used_bytes(&connection)?;
        self.checkpointer.watch(&mut connection)?;
        self.connection = Some(connection);
        self.scanning = true;
        Ok(())
    }

    /// Why nothing can be accepted. While the disk is full, now and then a group is let through to see.
    fn refusal(&self) -> Option<Refusal> {
        if self.used_bytes >= self.parts.settings.size_bytes_max {
            return Some(Refusal::StoreFull);
        }
        (self.disk_full && !self.retry_due()).then_some(Refusal::DiskFull)
    }

    pub(super) fn retry_due(&self) -> bool {
        let now = self.parts.clock.monotonic();
        self.failed_at
            .is_none_or(|it| now.saturating_sub(it) >= RETRY_WAIT)
    }

    fn tell_ready(&self) {
        let full = self.used_bytes >= self.parts.settings.size_bytes_max;
        let ready = self.connection.is_some() && !self.disk_full && !full;
        self.parts.ready.store(ready, Ordering::Release);
    }
}

fn unusable(fault: &Fault) -> StoreError {
    StoreError::Unusable {
        detail: match fault {
            Fault::Full => "the disk is full".to_owned(),
            Fault::Disk(detail) => detail.clone(),
        },
    }
}
