//! Gaps, the heartbeat and tokens: small rows beside the line.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{accept::Transaction, file::Fault};
use crate::{event::ConnectionName, store::mailbox::HeldGaps};

/// How often the store writes down that it works.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);
/// A downtime of which only the end is known is taken to be so long.
const UNKNOWN_DOWNTIME: Duration = Duration::from_hours(24);
/// The reason of the gap between the last heartbeat and a start.
const DOWNTIME: &str = "downtime";

impl Transaction<'_> {
    /// Opens gaps, or lengthens those that are open.
    pub(super) fn write_gaps(&mut self, gaps: &HeldGaps) -> Result<(), Fault> {
        for ((connection, reason), (from, until)) in gaps {
            let lengthened = self
                .statements
                .get(
                    "UPDATE gap SET until_at = max(until_at, ?3)
                     WHERE closed_at IS NULL AND connection = ?1 AND reason = ?2",
                )?
                .execute(params![connection.as_str(), reason, until.as_microsecond()])?;
            if lengthened == 0 {
                insert_gap(
                    self.connection,
                    Some(connection.as_str()),
                    reason,
                    (*from, *until),
                )?;
            }
        }
        Ok(())
    }

    /// Keeps a sealed token.
    pub(super) fn put_token(&mut self, name: &ConnectionName, sealed: &[u8]) -> Result<(), Fault> {
        self.statements
            .get(
                "INSERT INTO token (connection, sealed) VALUES (?1, ?2)
                 ON CONFLICT (connection) DO UPDATE SET sealed = excluded.sealed",
            )?
            .execute(params![name.as_str(), sealed])?;
        Ok(())
    }

    /// Keeps when tokens were asked for.
    pub(super) fn put_token_requests(
        &mut self,
        name: &ConnectionName,
        sent: &[Timestamp],
    ) -> Result<(), Fault> {
        self.statements
            .get(
                "INSERT INTO token_request (connection, sent) VALUES (?1, ?2)
                 ON CONFLICT (connection) DO UPDATE SET sent = excluded.sent",
            )?
            .execute(params![name.as_str(), super::encode::to_json(&sent)?])?;
        Ok(())
    }

    /// A gap was repaired.
    pub(super) fn close_gap(&mut self, no: i64) -> Result<(), Fault> {
        self.statements
            .get("UPDATE gap SET closed_at = ?2 WHERE no = ?1 AND closed_at IS NULL")?
            .execute(params![no, self.now.as_microsecond()])?;
        Ok(())
    }

    /// The first transaction of a start: a gap from the last heartbeat, if there ever was one. One that nobody has
    /// closed yet is lengthened, so that a loop of crashes makes one row.
    pub(super) fn open_downtime_gap(&mut self) -> Result<(), Fault> {
        if self.totals.heartbeat != 0 {
            let until = self.now;
            let beat = super::encode::timestamp(self.totals.heartbeat)?;
            let from = if beat <= until {
                beat
            } else {
                // The clock was set back, so nobody knows how long.
                until.checked_sub(UNKNOWN_DOWNTIME).unwrap_or(until)
            };
            let lengthened = self
                .statements
                .get(
                    "UPDATE gap SET until_at = max(until_at, ?2), from_at = min(from_at, ?3)
                     WHERE closed_at IS NULL AND connection IS NULL AND reason = ?1",
                )?
                .execute(params![
                    DOWNTIME,
                    until.as_microsecond(),
                    from.as_microsecond()
                ])?;
            if lengthened == 0 {
                insert_gap(self.connection, None, DOWNTIME, (from, until))?;
            }
        }
        Ok(())
    }

    /// The store works.
    pub(super) fn beat(&mut self) {
        // Not the highest so far: a clock that once ran ahead would hide every later downtime.
        self.totals.heartbeat = self.now.as_microsecond();
    }
}

fn insert_gap(
    connection: &Connection,
    name: Option<&str>,
    reason: &str,
    (from, until): (Timestamp, Timestamp),
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO gap (connection, reason, from_at, until_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            name,
            reason,
            from.as_microsecond(),
            until.as_microsecond()
        ])?;
    Ok(())
}
