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
    of: Mutex<HashMap<ConnectionName, Share>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    /// Places taken.
    taken: usize,
    /// By so many claims.
    claims: usize,
    /// Claims that were let go for a place and have not come for it yet.
    coming: usize,
}

/// Places in an org's share, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    shares: Arc<Shares>,
    connection: ConnectionName,
    places: usize,
}

impl Shares {
    pub(super) fn new(store: Store, each: usize) -> Arc<Self> {
        Arc::new(Self {
            store,
            each,
            of: Mutex::default(),
        })
    }

    /// Places for a claim; where its org has none left, the claim is held in the store until there are.
    pub(super) fn take(
        self: &Arc<Self>,
        claim: Claim,
        connection: &ConnectionName,
        places: usize,
    ) -> Option<(Claim, Place)> {
        let mut of = self.of();
        let share = of.entry(connection.clone()).or_default();
        share.coming = share.coming.saturating_sub(1);
        if share.taken >= self.each {
            // Under the lock: a place that is free from now on lets it go.
            self.store.hold(claim, connection.clone());
            return None;
        }
        share.taken += places;
        share.claims += 1;
        let place = Place {
            shares: Arc::clone(self),
            connection: connection.clone(),
            places,
        };
        Some((claim, place))
    }

    /// A claim of this org needed no place: if it was let go for one, another may have it.
    pub(super) fn pass_on(&self, connection: &ConnectionName) {
        if let Some(share) = self.of().get_mut(connection) {
            share.coming = share.coming.saturating_sub(1);
            self.let_go(connection, share);
        }
    }

    /// As many as there are places for, if they are as large as those that have one.
    fn let_go(&self, connection: &ConnectionName, share: &mut Share) {
        // Where none has any nobody else would ever let one go, should those that are coming not come.
        let least = usize::from(share.claims == 0);
        let size = share.taken.checked_div(share.claims).unwrap_or(1).max(1);
        let coming = share.coming.saturating_mul(size);
        let free = self.each.saturating_sub(share.taken.saturating_add(coming));
        let count = (free / size).max(least);
        share.coming += self.store.release(connection, count);
    }

    fn of(&self) -> MutexGuard<'_, HashMap<ConnectionName, Share>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of = self.shares.of();
        if let Some(share) = of.get_mut(&self.connection) {
            share.taken = share.taken.saturating_sub(self.places);
            share.claims = share.claims.saturating_sub(1);
            self.shares.let_go(&self.connection, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;
    use jiff::Timestamp;

    use super::*;
    use crate::{
        event::{Change, ChangeId, NotificationId, SourceName, sample},
        store::{Accept, Content, Metrics, Settings},
    };

    #[tokio::test]
    async fn as_many_are_let_go_as_there_are_places() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(20, folder.path()).await;
        let acme = ConnectionName::new("acme");
        let shares = Shares::new(store.clone(), 8);
        let claims = store.claim(20).await;
        let taken = claims.into_iter();
        let places: Vec<_> = taken.filter_map(|it| shares.take(it, &acme, 1)).collect();
        assert_eq!(places.len(), 8);
        drop(places);
        let claims = store.claim(20).await;
        assert_eq!(claims.len(), 8);
        // They needed none.
        for _ in claims {
            shares.pass_on(&acme);
        }
        assert_eq!(store.claim(20).await.len(), 4);
    }

    #[tokio::test]
    async fn large_claims_take_several_places() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(20, folder.path()).await;
        let acme = ConnectionName::new("acme");
        let shares = Shares::new(store.clone(), 8);
        let claims = store.claim(20).await.into_iter();
        let mut places: Vec<_> = claims.filter_map(|it| shares.take(it, &acme, 3)).collect();
        assert_eq!(places.len(), 3, "as long as any place is left");
        // Two places are too few for one like these, five are not.
        places.truncate(1);
        assert_eq!(store.claim(20).await.len(), 1);
    }

    /// With one open change of each of so many records.
    async fn store_with(records: usize, folder: &std::path::Path) -> Store {
        let settings = Settings {
            path: folder.join("zohook.db"),
            keep_events: std::time::Duration::from_hours(24),
            size_bytes_max: 1 << 30,
        };
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let store = Store::open(settings, Clock::real(), metrics).await.unwrap();
        let id = NotificationId::random();
        let changes = (0..records).map(|index| {
            let change = sample::change("Leads", &index.to_string());
            let id = ChangeId::derive(id, &change.module, change.record.as_ref(), index);
            Change { id, ..change }
        });
        let accept = Accept {
            id,
            source: SourceName::new("crm"),
            connection: Some(ConnectionName::new("acme")),
            received_at: Timestamp::UNIX_EPOCH,
            body: "{}".into(),
            content: Content::Changes(changes.collect()),
            dedup: None,
            unwanted: false,
        };
        store.accept(accept).await.unwrap();
        store
    }
}
