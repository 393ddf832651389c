//! The statements of one transaction: each is looked up once, however often it runs.

use std::collections::{BTreeMap, btree_map::Entry};

use rusqlite::{CachedStatement, Connection};

/// What one transaction has looked up.
pub(super) struct Statements<'a> {
    connection: &'a Connection,
    held: BTreeMap<&'static str, CachedStatement<'a>>,
}

impl<'a> Statements<'a> {
    pub(super) const fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            held: BTreeMap::new(),
        }
    }

    /// The statement with this text.
    pub(super) fn get(&mut self, sql: &'static str) -> rusqlite::Result<&mut CachedStatement<'a>> {
        match self.held.entry(sql) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(self.connection.prepare_cached(sql)?)),
        }
    }
}
