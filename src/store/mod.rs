//! Durable memory: the only place that knows SQL.

mod error;
mod types;

use std::collections::HashMap;

use bytes::Bytes;
use clock::Clock;
use jiff::Timestamp;

use crate::event::{
    ConnectionName, Delivery, DestinationName, ModuleName, RecordId, RecordKey, Settlement,
};

pub use self::{
    error::StoreError,
    types::{
        Accept, Accepted, BacklogState, ChangeNo, Claim, Content, DedupKey, Finish, InboxState,
        Ledger, NotificationNo, Seen, Settings, Snapshot,
    },
};

/// The open store. Cheap to clone; clones share one writer.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens or creates the file, takes its lock, migrates it, loads what is open.
    ///
    /// # Errors
    /// When another process holds it, it is of a newer format, or the disk refuses.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, StoreError> {
        let _ = (settings, clock);
        todo!("store helper")
    }

    /// Commits a notification and its changes, fsynced, or recognises a repeat.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nothing was stored: answer 503.
    pub async fn accept(&self, accept: Accept) -> Result<Accepted, StoreError> {
        let _ = accept;
        todo!("store helper")
    }

    /// Waits until there is work, then takes the oldest open change of up to `max` records, in memory only.
    /// Cancel-safe. A claim is out until [`Self::finish`] or [`Self::give_back`].
    pub async fn claim(&self, max: usize) -> Vec<Claim> {
        let _ = max;
        todo!("store helper")
    }

    /// Gives a claim back; it is claimed again at `due` at the earliest, later changes of its record wait behind it.
    pub fn give_back(&self, claim: &Claim, due: Timestamp) {
        let _ = (claim, due);
        todo!("store helper")
    }

    /// Closes changes and queues their deliveries, all in one transaction. A change that is no longer open is skipped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nothing was written: the claims are still out; call again.
    pub async fn finish(&self, finish: Vec<Finish>) -> Result<(), StoreError> {
        let _ = finish;
        todo!("store helper")
    }

    /// Waits until something is due for `destination`, then takes up to `max` heads, oldest first, each of another
    /// record. Cancel-safe. A head is out until [`Self::settle`].
    pub async fn due(&self, destination: &DestinationName, max: usize) -> Vec<Delivery> {
        let _ = (destination, max);
        todo!("store helper")
    }

    /// Writes what became of deliveries, in one transaction, and lets the next of each record go.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nothing was written: the deliveries are still out; call again.
    pub async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), StoreError> {
        let _ = settlements;
        todo!("store helper")
    }

    /// Puts a delivery back without a write: due again at `at`, attempts as they were.
    pub fn put_back(&self, delivery: &Delivery, at: Timestamp) {
        let _ = (delivery, at);
        todo!("store helper")
    }

    /// The destination is well again: whatever waits after [`Self::put_back`] is due now, oldest first.
    pub fn due_now(&self, destination: &DestinationName) {
        let _ = destination;
        todo!("store helper")
    }

    /// The records as last seen; absent where never seen.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn snapshots(
        &self,
        records: Vec<(RecordKey, ModuleName, RecordId)>,
    ) -> Result<HashMap<RecordKey, Snapshot>, StoreError> {
        let _ = records;
        todo!("store helper")
    }

    /// Whether a delete of this record was accepted after the change `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deleted_meanwhile(
        &self,
        key: RecordKey,
        after: ChangeNo,
    ) -> Result<bool, StoreError> {
        let _ = (key, after);
        todo!("store helper")
    }

    /// The stored body (secrets masked) of a notification.
    ///
    /// # Errors
    /// When the store cannot be read, or retention has deleted it.
    pub async fn body(&self, no: NotificationNo) -> Result<Bytes, StoreError> {
        let _ = no;
        todo!("store helper")
    }

    /// Moves all that waits for destinations not in `present` to quarantine (`destination_removed`); gives their names
    /// and counts.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn keep_destinations(
        &self,
        present: Vec<DestinationName>,
    ) -> Result<Vec<(DestinationName, u64)>, StoreError> {
        let _ = present;
        todo!("store helper")
    }

    /// Open changes, and the oldest one's age.
    pub fn inbox(&self) -> InboxState {
        todo!("store helper")
    }

    /// What waits for a destination.
    pub fn backlog(&self, destination: &DestinationName) -> BacklogState {
        let _ = destination;
        todo!("store helper")
    }

    /// Durable totals, and counts of rows for the states that are not final.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ledger(&self) -> Result<Ledger, StoreError> {
        todo!("store helper")
    }

    /// A connection's sealed access token, as put.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token(&self, connection: &ConnectionName) -> Result<Option<Vec<u8>>, StoreError> {
        let _ = connection;
        todo!("store helper")
    }

    /// Keeps a connection's sealed access token.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn put_token(
        &self,
        connection: &ConnectionName,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let _ = (connection, sealed);
        todo!("store helper")
    }

    /// False while nothing can be accepted (disk or store full, reopening after an fsync error).
    pub fn ready(&self) -> bool {
        todo!("store helper")
    }

    /// Commits what waits, checkpoints, closes. Later calls answer [`StoreError::Unavailable`].
    pub async fn close(&self) {
        todo!("store helper")
    }
}
