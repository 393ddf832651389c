//! Reads the hashes by which repeats are recognised.

use jiff::Timestamp;
use rusqlite::Connection;

use super::file::Fault;
use crate::store::dedup::{Dedup, WINDOW_MAX};

/// Hashes of the longest window, oldest first.
pub(super) fn load(connection: &Connection, now: Timestamp) -> Result<Dedup, Fault> {
    let earliest = now.checked_sub(WINDOW_MAX).unwrap_or(Timestamp::MIN);
    let mut dedup = Dedup::default();
    let mut statement = connection.prepare(
        "SELECT notification_no, received_at, hash FROM repeat ORDER BY notification_no",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(1)?;
        if at >= earliest.as_microsecond() {
            dedup.insert(&row.get(2)?, row.get(0)?, at);
        }
    }
    Ok(dedup)
}
