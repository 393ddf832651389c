//! Texts from the configuration, each stored once and known by a small number.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use rusqlite::{Connection, params};

/// The table `name`, in memory; shared by the writer and the readers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    inner: Arc<RwLock<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    by_text: HashMap<Arc<str>, i64>,
    by_no: HashMap<i64, Arc<str>>,
}

impl Names {
    /// Reads the table anew; also after a rollback, which may have taken names back.
    pub(super) fn load(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut fresh = Inner::default();
        let mut statement = connection.prepare_cached("SELECT no, text FROM name")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            fresh.insert(row.get(0)?, row.get::<_, String>(1)?.into());
        }
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<i64> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.by_text.get(text).copied()
    }

    /// The number of a text, given now if need be. Only the writer calls this.
    pub(super) fn no(&self, connection: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(no) = self.find(text) {
            return Ok(no);
        }
        connection
            .prepare_cached("INSERT INTO name (text) VALUES (?1)")?
            .execute(params![text])?;
        let no = connection.last_insert_rowid();
        self.inner
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(no, text.into());
        Ok(no)
    }

    /// The text of a number.
    pub(super) fn text(&self, no: i64) -> rusqlite::Result<Arc<str>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner
            .by_no
            .get(&no)
            .cloned()
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

impl Inner {
    fn insert(&mut self, no: i64, text: Arc<str>) {
        self.by_text.insert(Arc::clone(&text), no);
        self.by_no.insert(no, text);
    }
}
