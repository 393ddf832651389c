//! What the writer does between two groups: heads, log, size and age.

use std::time::Duration;

use super::{
    file::Fault,
    retention::{self, Keep},
    scan,
    upkeep::HEARTBEAT,
    writer::Writer,
};

/// Gaps that are open are lengthened so often at most.
const GAP_WAIT: Duration = Duration::from_secs(1);

/// The file's size is looked at after so many groups: each look prepares its statements anew. While the file is nearly
/// full, after each.
const ROUNDS_PER_LOOK: u32 = 16;

impl Writer {
    /// Whether the next group writes gaps and the heartbeat.
    pub(super) fn chores_due(&self, now: Duration) -> bool {
        let since = |at: Option<Duration>, wait| at.is_none_or(|it| now.saturating_sub(it) >= wait);
        let gaps = !self.gaps.is_empty() && since(self.gaps_at, GAP_WAIT);
        gaps || since(self.beat_at, HEARTBEAT) || (self.disk_full && self.retry_due())
    }

    /// All of it, as far as it is due.
    pub(super) fn look_after(&mut self) {
        self.look_at_clock();
        if self.checkpointer.failed() {
            self.undo(&Fault::Disk("a checkpoint failed".to_owned()));
        }
        let result = self
            .restart_log()
            .and_then(|()| self.retain())
            .and_then(|()| self.scan());
        if let Err(fault) = result {
            self.undo(&fault);
        }
        let metrics = &self.parts.metrics;
        let gauge = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        metrics.wal_bytes.set(gauge(self.checkpointer.wal_bytes()));
        metrics.used_bytes.set(gauge(self.used_bytes));
        let window = self.dedup.window(self.parts.clock.now().as_microsecond());
        metrics.dedup_window_seconds.set(window.as_secs_f64());
    }

    fn look_at_clock(&mut self) {
        if let Some(jump) = self.wall.set_back(&self.parts.clock) {
            self.parts.metrics.clock_set_back.inc();
            let seconds = jump.as_secs();
            tracing::warn!(
                seconds,
                "the machine's clock was set back: times of events and ages are wrong by as much until it is right"
            );
        }
    }

    fn restart_log(&mut self) -> Result<(), Fault> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        if self.checkpointer.after_commit() || self.restart_wanted {
            self.restart_wanted = false;
            let began = self.parts.clock.monotonic();
            let restarted = match self.checkpointer.restart(connection) {
                Err(Fault::Full) => false,
                other => other?,
            };
            let took = self.parts.clock.monotonic().saturating_sub(began);
            let pause = &self.parts.metrics.checkpoint_pause_seconds;
            pause.observe(took.as_secs_f64());
            tracing::debug!(restarted, ?took, "stood still to restart the log");
        }
        Ok(())
    }

    fn retain(&mut self) -> Result<(), Fault> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let settings = &self.parts.settings;
        let size_max = settings.size_bytes_max;
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(ROUNDS_PER_LOOK)
            || retention::nearly_full(self.used_bytes, size_max)
        {
            self.used_bytes = retention::used_bytes(connection)?;
        }
        let nearly_full = retention::nearly_full(self.used_bytes, size_max);
        let monotonic = self.parts.clock.monotonic();
        if self.disk_full || !self.retention.due(monotonic, nearly_full) {
            return Ok(());
        }
        let keep = Keep::new(settings, self.parts.clock.now(), nearly_full);
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let slice = self.retention.slice(connection, keep, monotonic);
        let committed = slice.and_then(|()| {
            connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        });
        if let Err(fault) = committed {
            self.undo(&fault);
        }
        Ok(())
    }

    fn scan(&mut self) -> Result<(), Fault> {
        if let Some(connection) = &self.connection {
            self.scanning = scan::page(connection, &self.names, &self.parts.waiting)?;
        }
        Ok(())
    }
}
