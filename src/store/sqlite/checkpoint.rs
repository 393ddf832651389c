//! Moves the write-ahead log into the file, beside the writer.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

use super::file::{self, Fault, PAGE_BYTES};

/// A frame of the log: a page and its header.
const FRAME_BYTES: u64 = PAGE_BYTES + 24;
/// Every so many bytes of log a passive checkpoint is asked for: each makes the commits beside it slower.
const PASSIVE_BYTES: u64 = 32 << 20;
/// Beyond so many bytes the writer stands still until the log can begin anew.
const RESTART_BYTES: u64 = 64 << 20;
/// A log that could not begin anew, since somebody reads it, is tried again after so many bytes more.
const AGAIN_BYTES: u64 = 8 << 20;

/// The writer waits no longer for a reader before it goes on with the log as it is.
const RESTART_WAIT: Duration = Duration::from_secs(1);

/// The thread that runs passive checkpoints, and the writer's view of the log.
#[derive(Debug)]
pub(super) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<AtomicBool>,
    frames: Arc<AtomicU64>,
    asked_at: u64,
    restart_at: u64,
}

impl Checkpointer {
    pub(super) fn start(path: PathBuf) -> std::io::Result<Self> {
        let (wake, wakes) = mpsc::sync_channel(1);
        let failed = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn({
                let failed = Arc::clone(&failed);
                move || run(&path, &wakes, &failed)
            })?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
            failed,
            frames: Arc::new(AtomicU64::new(0)),
            asked_at: 0,
            restart_at: RESTART_BYTES,
        })
    }

    /// Follows the length of the log as the writer's commits make it.
    pub(super) fn watch(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        let frames = Arc::clone(&self.frames);
        frames.store(0, Ordering::Relaxed);
        self.failed.store(false, Ordering::Relaxed);
        connection.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
                frames.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
                Ok(())
            },
        ))
    }

    /// Bytes of log in use.
    pub(super) fn wal_bytes(&self) -> u64 {
        self.frames.load(Ordering::Relaxed) * FRAME_BYTES
    }

    /// Whether a checkpoint met a disk that failed.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// After a commit: asks for a passive checkpoint now and then. True when the writer must restart the log.
    pub(super) fn after_commit(&mut self) -> bool {
        let bytes = self.wal_bytes();
        if bytes < self.asked_at {
            self.asked_at = 0;
            self.restart_at = RESTART_BYTES;
        }
        if bytes >= self.asked_at + PASSIVE_BYTES {
            self.asked_at = bytes;
            if let Some(wake) = &self.wake
                && wake.try_send(()).is_err()
            {
                tracing::trace!("a checkpoint is asked for already");
            }
        }
        bytes >= self.restart_at
    }

    /// Stands still until the whole log is in the file and can begin anew; false while somebody still reads it.
    pub(super) fn restart(&mut self, connection: &Connection) -> Result<bool, Fault> {
        connection.busy_timeout(RESTART_WAIT)?;
        let busy: rusqlite::Result<i64> = connection
            .prepare_cached("PRAGMA wal_checkpoint(RESTART)")?
            .query_row([], |row| row.get(0));
        connection.busy_timeout(file::BUSY_WAIT)?;
        let busy = busy?;
        self.restart_at = if busy == 0 {
            self.frames.store(0, Ordering::Relaxed);
            self.asked_at = 0;
            RESTART_BYTES
        } else {
            self.wal_bytes() + AGAIN_BYTES
        };
        Ok(busy == 0)
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn run(path: &std::path::Path, wakes: &Receiver<()>, failed: &AtomicBool) {
    let mut connection = None;
    while wakes.recv().is_ok() {
        if let Err(error) = passive(&mut connection, path) {
            connection = None;
            if Fault::from(error) != Fault::Full {
                failed.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn passive(connection: &mut Option<Connection>, path: &std::path::Path) -> rusqlite::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(file::connect_checkpointer(path)?),
    };
    connection
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row([], |_| Ok(()))
}
