//! How much memory planning takes: changes that are out, and the bodies, records and messages of those being planned.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::event::{Change, EnrichedEvent, map_bytes};

/// A change with larger values takes several places: with [`super::plan`]'s 4,096 places, 64 MiB are out at once.
const BYTES_PER_PLACE: usize = 16 * 1024;

/// Bytes of bodies, records and messages of all changes that are being planned or wait for their commit, as estimated.
const PLANNED_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// A parsed body takes about so many times the memory of its text.
const PARSED: usize = 4;

/// What planning may hold at once. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        let bytes = usize::try_from(PLANNED_BYTES_MAX).unwrap_or(usize::MAX);
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Waits for room, until what is given is dropped. What is larger than all of it has all of it.
    pub(super) async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let bytes = bytes.min(PLANNED_BYTES_MAX);
        // An error means that it was closed, which nobody does.
        Arc::clone(&self.0).acquire_many_owned(bytes).await.ok()
    }
}

/// Places that a change takes while it is out.
pub(super) fn places(change: &Change) -> usize {
    let bytes = change.values.as_ref().map_or(0, map_bytes);
    1 + bytes / BYTES_PER_PLACE
}

/// Bytes that planning takes, about: the event, its body and a copy of all in each message.
pub(super) fn bytes_to_plan(event: &EnrichedEvent, body_bytes: usize, sends: usize) -> usize {
    let records = [&event.record, &event.before];
    let records: usize = records
        .into_iter()
        .flatten()
        .map(|it| map_bytes(&it.values))
        .sum();
    let values = event.change.values.as_ref().map_or(0, map_bytes);
    let carried = records.saturating_add(values).saturating_add(body_bytes);
    let messages = carried.saturating_mul(sends);
    let parsed = body_bytes.saturating_mul(PARSED);
    carried.saturating_add(messages).saturating_add(parsed)
}
