//! Writes of ours to Zoho, as rows and in memory.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{
    accept::{Effect, Transaction},
    encode,
    file::Fault,
    names::Names,
};
use crate::{
    event::{ConnectionName, ModuleName, OwnWrite, RecordId, SourceName},
    store::{
        own_writes::{COUNT_MAX, OwnWrites},
        waiting::Waiting,
    },
};

impl Transaction<'_> {
    /// Remembers a write, or what it has explained since; the oldest goes where there are too many.
    pub(super) fn remember_write(&mut self, write: OwnWrite) -> Result<(), Fault> {
        let explained: Vec<&str> = write.explained.iter().map(SourceName::as_str).collect();
        self.statements.get(
                "INSERT INTO own_write (at, connection, module, record, modified_at, created, fields, explained)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.now.as_microsecond(),
                self.names.no(self.connection, write.connection.as_str())?,
                write.module.as_str(),
                write.record.as_str(),
                write.modified_at.as_microsecond(),
                write.created,
                encode::to_json(&write.fields)?,
                encode::to_json(&explained)?,
            ])?;
        let count_max = i64::try_from(COUNT_MAX).unwrap_or(i64::MAX);
        let last = self.connection.last_insert_rowid();
        self.statements
            .get("DELETE FROM own_write WHERE no <= ?1")?
            .execute(params![last.saturating_sub(count_max)])?;
        self.effects.push(Effect::Wrote(write, self.now));
        Ok(())
    }
}

/// Reads all of them into memory.
pub(super) fn load(
    connection: &Connection,
    names: &Names,
    waiting: &Waiting,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut loaded = OwnWrites::default();
    let mut statement = connection.prepare(
        "SELECT at, connection, module, record, modified_at, created, fields, explained FROM own_write ORDER BY no",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let explained: Vec<String> =
            encode::from_json(7, row.get_ref(7)?.as_str().map_err(rusqlite::Error::from)?)?;
        let write = OwnWrite {
            connection: ConnectionName::new(names.text(row.get(1)?)?),
            module: ModuleName::new(row.get::<_, String>(2)?),
            record: RecordId::new(row.get::<_, String>(3)?),
            modified_at: encode::time(row, 4)?,
            created: row.get(5)?,
            fields: encode::from_json(6, row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?)?,
            explained: explained.into_iter().map(SourceName::new).collect(),
        };
        loaded.remember(write, encode::time(row, 0)?);
    }
    loaded.forget_old(now);
    *waiting.own_writes() = loaded;
    Ok(())
}
