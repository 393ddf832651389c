//! How many changes of one org are read for at once: an org that does not answer fills its share, and no other's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    event::ConnectionName,
    store::{Claim, Store},
};

/// The shares of all orgs, equally large.
#[derive(Debug)]
pub(super) struct Shares {
    store: Store,
    each: usize,
    /// Places taken.
    taken: Mutex<HashMap<ConnectionName, usize>>,
}

/// A place in an org's share, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    shares: Arc<Shares>,
    connection: ConnectionName,
}

impl Shares {
    pub(super) fn new(store: Store, each: usize) -> Arc<Self> {
        Arc::new(Self {
            store,
            each,
            taken: Mutex::default(),
        })
    }

    /// A place for a claim; where its org has none left, the claim is held in the store until there is one.
    pub(super) fn take(
        self: &Arc<Self>,
        claim: Claim,
        connection: &ConnectionName,
    ) -> Option<(Claim, Place)> {
        let mut taken = self.taken();
        let count = taken.entry(connection.clone()).or_default();
        if *count >= self.each {
            // Under the lock: a place that is free from now on lets it go.
            self.store.hold(claim, connection.clone());
            return None;
        }
        *count += 1;
        let place = Place {
            shares: Arc::clone(self),
            connection: connection.clone(),
        };
        Some((claim, place))
    }

    /// A claim of this org needed no place: if it was let go for one, another may have it.
    pub(super) fn pass_on(&self, connection: &ConnectionName) {
        self.let_go(connection, &self.taken());
    }

    fn let_go(&self, connection: &ConnectionName, taken: &HashMap<ConnectionName, usize>) {
        let count = taken.get(connection).copied().unwrap_or_default();
        let free = self.each.saturating_sub(count);
        self.store.release(connection, free);
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<ConnectionName, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        if let Some(count) = taken.get_mut(&self.connection) {
            *count = count.saturating_sub(1);
        }
        self.shares.let_go(&self.connection, &taken);
    }
}
