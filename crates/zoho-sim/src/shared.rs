//! What all tasks of one simulator share.

use std::sync::{Mutex, PoisonError};

use clock::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{callbacks::Lanes, world::World};

/// One simulator's insides.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Held shortly, never across an await.
    world: Mutex<World>,
    lanes: Lanes,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
    /// Told whenever a callback has come to its end.
    pub(crate) settled: Notify,
}

impl Shared {
    pub(crate) fn new(world: World, lanes: Lanes, stop: CancellationToken) -> Self {
        Self {
            clock: world.clock.clone(),
            world: Mutex::new(world),
            lanes,
            stop,
            settled: Notify::new(),
        }
    }

    /// Reads or changes the org; the callbacks that makes are on their way when this returns.
    pub(crate) fn world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut world);
        if !world.outbox.is_empty() {
            self.lanes.take(&mut world);
        }
        result
    }

    /// Returns when no callback waits or is being sent.
    pub(crate) async fn callbacks_settled(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.world(|world| world.counters.callbacks.waiting) == 0 {
                return;
            }
            settled.await;
        }
    }
}
