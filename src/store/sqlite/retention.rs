//! Deletes finished rows by age and size, a slice at a time. Unfinished rows are never touched.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::file::Fault;
use crate::store::{own_writes, types::Settings};

/// What is kept per record lives at least so long.
const RECORDS_KEPT: Duration = Duration::from_hours(35 * 24);
/// Hashes are needed for the longest dedup window only.
const HASHES_KEPT: Duration = Duration::from_hours(24);
/// Writes of ours come back within seconds, or never.
const OWN_WRITES_KEPT: Duration = own_writes::KEPT;
/// Rows looked at in one slice.
const SLICE_ROWS: i64 = 1_000;
/// A pass over the tables begins so often.
const PASS: Duration = Duration::from_hours(1);
/// And so often while the file is nearly full.
const PASS_WHEN_FULL: Duration = Duration::from_secs(5);
/// Slices come no closer than this, so that other work goes on.
pub(super) const SLICE_PAUSE: Duration = Duration::from_millis(20);
/// From this share of the size on, finished rows go before their age.
const NEARLY_FULL_PERCENT: u64 = 90;

/// When what a receipt is of was accepted, if that is still known: it was settled later, perhaps by days.
const RECEIPT_BEGAN: &str =
    "coalesce((SELECT accepted_at FROM event WHERE event.no = receipt.change_no), 0)";

/// Where the pass is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Resting,
    Hashes(i64),
    OwnWrites(i64),
    Receipts(i64),
    Events(i64),
    Notifications(i64),
}

/// The pass over the tables.
#[derive(Debug)]
pub(super) struct Retention {
    stage: Stage,
    /// Monotonic time of the last pass's begin and of the last slice.
    pass_at: Option<Duration>,
    slice_at: Option<Duration>,
}

impl Retention {
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Resting,
            pass_at: None,
            slice_at: None,
        }
    }

    /// Whether a pass is under way.
    pub(super) const fn is_active(&self) -> bool {
        !matches!(self.stage, Stage::Resting)
    }

    /// Whether a slice is due.
    pub(super) fn due(&mut self, monotonic: Duration, nearly_full: bool) -> bool {
        let since = |at: Option<Duration>| at.map(|it| monotonic.saturating_sub(it));
        if matches!(self.stage, Stage::Resting) {
            let pause = if nearly_full { PASS_WHEN_FULL } else { PASS };
            if since(self.pass_at).is_some_and(|it| it < pause) {
                return false;
            }
            self.stage = Stage::Hashes(0);
            self.pass_at = Some(monotonic);
        }
        nearly_full || since(self.slice_at).is_none_or(|it| it >= SLICE_PAUSE)
    }

    /// Deletes one slice; in a transaction of the caller's.
    pub(super) fn slice(
        &mut self,
        connection: &Connection,
        keep: Keep,
        monotonic: Duration,
    ) -> Result<(), Fault> {
        self.slice_at = Some(monotonic);
        self.stage = match self.stage {
            Stage::Resting => Stage::Resting,
            Stage::Hashes(after) => {
                let sql = "DELETE FROM repeat WHERE notification_no > ?1 AND notification_no <= ?2 AND received_at < ?3";
                let next = delete(
                    connection,
                    ("repeat", "notification_no", "received_at"),
                    (sql, keep.hashes),
                    after,
                )?;
                next.map_or(Stage::OwnWrites(0), Stage::Hashes)
            }
            Stage::OwnWrites(after) => {
                let sql = "DELETE FROM own_write WHERE no > ?1 AND no <= ?2 AND at < ?3";
                let next = delete(
                    connection,
                    ("own_write", "no", "at"),
                    (sql, keep.own_writes),
                    after,
                )?;
                next.map_or(Stage::Receipts(0), Stage::OwnWrites)
            }
            Stage::Receipts(after) => {
                let sql = "DELETE FROM receipt WHERE no > ?1 AND no <= ?2 AND at < ?3";
                let next = delete(
                    connection,
                    ("receipt", "no", RECEIPT_BEGAN),
                    (sql, keep.events),
                    after,
                )?;
                next.map_or(Stage::Events(0), Stage::Receipts)
            }
            Stage::Events(after) => {
                let next = delete_events(connection, keep, after)?;
                next.map_or(Stage::Notifications(0), Stage::Events)
            }
            Stage::Notifications(after) => {
                let sql = "DELETE FROM notification WHERE no > ?1 AND no <= ?2 AND received_at < ?3
                     AND NOT EXISTS (SELECT 1 FROM open_change AS c WHERE c.no >= notification.change_first
                         AND c.no < notification.change_first + notification.changes)";
                let next = delete(
                    connection,
                    ("notification", "no", "received_at"),
                    (sql, keep.events),
                    after,
                )?;
                next.map_or(Stage::Resting, Stage::Notifications)
            }
        };
        Ok(())
    }
}

/// What is older than these may go. Microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    hashes: i64,
    own_writes: i64,
    events: i64,
    records: i64,
}

impl Keep {
    pub(super) fn new(settings: &Settings, now: Timestamp, nearly_full: bool) -> Self {
        let before = |age: Duration| {
            let us = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            now.as_microsecond().saturating_sub(us)
        };
        Self {
            hashes: before(HASHES_KEPT),
            own_writes: before(OWN_WRITES_KEPT),
            events: if nearly_full {
                now.as_microsecond()
            } else {
                before(settings.keep_events)
            },
            records: before(RECORDS_KEPT.max(settings.keep_events)),
        }
    }
}

/// Bytes of the file that hold something.
pub(super) fn used_bytes(connection: &Connection) -> Result<u64, Fault> {
    let pages: i64 = connection
        .prepare_cached("PRAGMA page_count")?
        .query_row([], |row| row.get(0))?;
    let free: i64 = connection
        .prepare_cached("PRAGMA freelist_count")?
        .query_row([], |row| row.get(0))?;
    let page_bytes: i64 = connection
        .prepare_cached("PRAGMA page_size")?
        .query_row([], |row| row.get(0))?;
    Ok(pages
        .saturating_sub(free)
        .saturating_mul(page_bytes)
        .unsigned_abs())
}

/// Whether finished rows must go before their age.
pub(super) const fn nearly_full(used_bytes: u64, size_bytes_max: u64) -> bool {
    used_bytes / 100 >= size_bytes_max / 10_000 * NEARLY_FULL_PERCENT
}

/// Runs `sql` (from, to, cutoff) on a slice of a table; gives where the next slice begins, if there may be one.
fn delete(
    connection: &Connection,
    (table, no, began): (&str, &str, &str),
    (sql, cutoff): (&str, i64),
    after: i64,
) -> Result<Option<i64>, Fault> {
    let Some((to, oldest)) = slice_end(connection, (table, no, began), after)? else {
        return Ok(None);
    };
    // Rows come in the order in which they began.
    if oldest >= cutoff {
        return Ok(None);
    }
    connection
        .prepare_cached(sql)?
        .execute(params![after, to, cutoff])?;
    Ok(Some(to))
}

/// Events that a snapshot points at stay until it is old itself.
fn delete_events(connection: &Connection, keep: Keep, after: i64) -> Result<Option<i64>, Fault> {
    let Some((to, oldest)) = slice_end(connection, ("event", "no", "accepted_at"), after)? else {
        return Ok(None);
    };
    if oldest >= keep.events {
        return Ok(None);
    }
    if oldest < keep.records {
        connection
            .prepare_cached(
                "DELETE FROM snapshot WHERE event_no > ?1 AND event_no <= ?2
                 AND EXISTS (SELECT 1 FROM event AS e WHERE e.no = snapshot.event_no AND e.closed_at < ?3)",
            )?
            .execute(params![after, to, keep.records])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM event WHERE no > ?1 AND no <= ?2 AND closed_at < ?3
             AND NOT EXISTS (SELECT 1 FROM snapshot AS s WHERE s.key = event.key AND s.event_no = event.no)",
        )?
        .execute(params![after, to, keep.events])?;
    Ok(Some(to))
}

/// The last row of the slice after `after`, and when its oldest began; `None` when no row follows.
fn slice_end(
    connection: &Connection,
    (table, no, began): (&str, &str, &str),
    after: i64,
) -> Result<Option<(i64, i64)>, Fault> {
    let sql = format!(
        "SELECT max(no), min(began) FROM (SELECT {no} AS no, {began} AS began FROM {table} WHERE {no} > ?1 ORDER BY {no} LIMIT ?2)"
    );
    let (to, oldest): (Option<i64>, Option<i64>) = connection
        .prepare_cached(&sql)?
        .query_row(params![after, SLICE_ROWS], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(to.zip(oldest))
}
