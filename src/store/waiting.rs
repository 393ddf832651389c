//! What may go out next, in memory: the inbox's claims and each destination's due deliveries.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::{
    own_writes::OwnWrites,
    queue::Queue,
    row::{Row, Taken},
    types::{ChangeNo, Claim, NotificationNo},
};
use crate::event::{Change, Delivery, DestinationName, RecordKey, Sequence, map_bytes};

/// Records of the inbox that are in memory at once, half of them of one org; about 150 bytes each.
const INBOX_HEADS_MAX: usize = 200_000;
/// Records of one destination that are in memory at once; about 150 bytes each.
const DESTINATION_HEADS_MAX: usize = 20_000;
/// Changes kept in memory from their commit to their claim, so that they need not be read back.
const INBOX_BYTES_MAX: usize = 16 << 20;
/// Messages of one destination kept in memory from their commit until they go out.
const DESTINATION_BYTES_MAX: usize = 8 << 20;

/// A change as the inbox holds it.
pub(super) type Open = (NotificationNo, Change);
/// A row of the inbox.
pub(super) type OpenRow = Row<Open>;
/// A row of the backlog.
pub(super) type DeliveryRow = Row<Delivery>;

/// The two queues of the pipeline.
#[derive(Debug)]
pub(super) struct Waiting {
    inbox: Mutex<Inbox>,
    /// Something may have come to be claimed.
    pub(super) inbox_news: Notify,
    backlog: Mutex<HashMap<DestinationName, Lane>>,
    /// What callbacks are held against.
    own_writes: Mutex<OwnWrites>,
    /// The store is closed: nothing waits any more.
    closed: AtomicBool,
}

/// The queue of changes and the sequence of each partition.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) queue: Queue<Open>,
    last_sequence: Vec<i64>,
}

/// The queue of one destination.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) queue: Queue<Delivery>,
    news: Arc<Notify>,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            inbox: Mutex::new(Inbox {
                queue: Queue::new(INBOX_HEADS_MAX, INBOX_BYTES_MAX, false),
                last_sequence: vec![0; 256],
            }),
            inbox_news: Notify::new(),
            backlog: Mutex::default(),
            own_writes: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Wakes everyone who waits, for good.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.inbox_news.notify_waiters();
        for lane in self.lanes().values() {
            lane.news.notify_waiters();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, HashMap<DestinationName, Lane>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn own_writes(&self) -> MutexGuard<'_, OwnWrites> {
        self.own_writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on a destination's queue, which is made if the table has none of its rows.
    pub(super) fn lane<R>(
        &self,
        destination: &DestinationName,
        f: impl FnOnce(&mut Lane) -> R,
    ) -> R {
        let mut lanes = self.lanes();
        if let Some(lane) = lanes.get_mut(destination) {
            return f(lane);
        }
        f(lanes
            .entry(destination.clone())
            .or_insert_with(|| Lane::new(true)))
    }

    /// The bell of a destination.
    pub(super) fn lane_news(&self, destination: &DestinationName) -> Arc<Notify> {
        self.lane(destination, |it| Arc::clone(&it.news))
    }

    /// Takes changes that may be claimed.
    pub(super) fn claim(&self, now: Timestamp, max: usize) -> Taken<Claim> {
        let now = now.as_microsecond();
        let mut inbox = self.inbox();
        match inbox.queue.take(now, max) {
            Taken::Out(out) => Taken::Out(
                out.into_iter()
                    .map(|(key, no, (notification_no, change))| {
                        let claim = Claim {
                            no: ChangeNo(no),
                            notification_no,
                            key,
                            change,
                            sequence: inbox.next_sequence(key, now),
                        };
                        (key, no, claim)
                    })
                    .collect(),
            ),
            Taken::Load(rows) => Taken::Load(rows),
            Taken::Nothing(wake_at) => Taken::Nothing(wake_at),
        }
    }
}

impl Inbox {
    /// No sequence at or below this is given again.
    pub(super) fn raise_sequences(&mut self, to: i64) {
        for last in &mut self.last_sequence {
            *last = to.max(*last);
        }
    }

    fn next_sequence(&mut self, key: RecordKey, now: i64) -> Sequence {
        match self.last_sequence.get_mut(usize::from(key.partition())) {
            Some(last) => {
                *last = now.max(last.saturating_add(1));
                Sequence::new(*last)
            }
            None => Sequence::new(now),
        }
    }
}

impl Lane {
    /// `complete` when the table is known to have no row of it.
    pub(super) fn new(complete: bool) -> Self {
        Self {
            queue: Queue::new(DESTINATION_HEADS_MAX, DESTINATION_BYTES_MAX, complete),
            news: Arc::new(Notify::new()),
        }
    }

    /// Something may be due.
    pub(super) fn ring(&self) {
        self.news.notify_waiters();
    }
}

/// Roughly what a change takes in memory.
pub(super) fn change_bytes(change: &Change) -> usize {
    const FIXED: usize = 400;
    let affected = change
        .affected_fields
        .as_ref()
        .map_or(0, |it| it.len() * 40);
    let values = change.values.as_ref().map_or(0, map_bytes);
    FIXED + affected + values
}

/// Roughly what a delivery takes in memory.
pub(super) fn delivery_bytes(delivery: &Delivery) -> usize {
    const FIXED: usize = 900;
    FIXED + delivery.planned.message.data.len()
}
