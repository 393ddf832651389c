//! Due deliveries: the oldest unsettled one of each destination and record.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, timeout, timeout_at};

use super::{READ_AGAIN, Store, StoreError, mailbox::Work, row::Taken, sqlite::Found};
use crate::event::{Delivery, DestinationName, RecordKey};

/// Longest time for reading rows in [`Store::due_within`].
const LOAD_MAX: Duration = Duration::from_secs(10);

impl Store {
    /// Waits until something is due for `destination`, then takes up to `max` heads, oldest first, each of another
    /// record. Cancel-safe. A head is out until [`Self::settle`] or [`Self::put_back`]. Empty once the store is closed.
    pub async fn due(&self, destination: &DestinationName, max: usize) -> Vec<Delivery> {
        self.due_until(destination, max, None).await
    }

    /// As [`Self::due`], but waits no longer than `wait` for something to be due, and gives nothing then. What is due
    /// may take up to 10 seconds more to be loaded.
    pub async fn due_within(
        &self,
        destination: &DestinationName,
        max: usize,
        wait: Duration,
    ) -> Vec<Delivery> {
        let until = Instant::now().checked_add(wait);
        let due = self.due_until(destination, max, until);
        let due = timeout(wait.saturating_add(LOAD_MAX), due).await;
        due.unwrap_or_default()
    }

    async fn due_until(
        &self,
        destination: &DestinationName,
        max: usize,
        until: Option<Instant>,
    ) -> Vec<Delivery> {
        let waiting = &self.shared.waiting;
        let bell = waiting.lane_news(destination);
        loop {
            let mut news = pin!(bell.notified());
            news.as_mut().enable();
            if waiting.is_closed() || max == 0 {
                return vec![];
            }
            let now = self.shared.clock.now().as_microsecond();
            match waiting.lane(destination, |it| it.queue.take(now, max)) {
                Taken::Out(due) => return due.into_iter().map(|(_, _, it)| it).collect(),
                Taken::Load(rows) => self.load_deliveries(destination, rows).await,
                Taken::Nothing(wake_at) => {
                    let heard = self.wait(news, wake_at);
                    match until {
                        None => heard.await,
                        Some(until) if timeout_at(until, heard).await.is_err() => return vec![],
                        Some(_) => {}
                    }
                }
            }
        }
    }

    /// Puts a delivery back without a write: due again at `at`, attempts as they were.
    pub fn put_back(&self, delivery: &Delivery, at: Timestamp) {
        let (key, no, at) = (delivery.key, delivery.no.0, at.as_microsecond());
        self.shared
            .waiting
            .lane(&delivery.planned.destination, |lane| {
                lane.queue.back(key, no, at, true);
                lane.ring();
            });
    }

    /// The destination is well again: whatever waits after [`Self::put_back`] is due now, oldest first.
    pub fn due_now(&self, destination: &DestinationName) {
        self.shared.waiting.lane(destination, |lane| {
            lane.queue.due_now();
            lane.ring();
        });
    }

    /// The same, of these records only.
    pub fn due_now_of(&self, destination: &DestinationName, keys: &[RecordKey]) {
        self.shared.waiting.lane(destination, |lane| {
            lane.queue.due_now_of(keys);
            lane.ring();
        });
    }

    /// Drops the `count` oldest deliveries of a destination that are not out (`backlog.on_full: drop_oldest`); gives
    /// how many were dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the last slice was not written; earlier slices stay dropped.
    pub async fn drop_oldest(
        &self,
        destination: &DestinationName,
        count: u64,
    ) -> Result<u64, StoreError> {
        let destination = destination.clone();
        self.work(|answer| Work::DropOldest {
            destination,
            left: count,
            dropped: 0,
            answer,
        })
        .await
    }

    /// Moves all that waits for destinations not in `present` to quarantine (`destination_removed`), slice by slice;
    /// gives their names and counts. Dropped before the end, it moves one slice more at most.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the last slice was not written; call again.
    pub async fn keep_destinations(
        &self,
        present: Vec<DestinationName>,
    ) -> Result<Vec<(DestinationName, u64)>, StoreError> {
        self.work(|answer| Work::KeepDestinations {
            present,
            moved: BTreeMap::new(),
            answer,
        })
        .await
    }

    async fn load_deliveries(&self, destination: &DestinationName, rows: Vec<(RecordKey, i64)>) {
        let nos = rows.iter().map(|(_, no)| *no).collect();
        match self.shared.readers.deliveries(nos).await {
            Ok(found) => {
                let later = self.undecodable_until();
                self.shared.waiting.lane(destination, |lane| {
                    for ((key, no), found) in rows.into_iter().zip(found) {
                        match found {
                            Found::Row(delivery, bytes) => {
                                lane.queue.fill(key, no, delivery, bytes);
                            }
                            Found::Undecodable => lane.queue.back(key, no, later, false),
                            Found::Gone => lane.queue.vanished(key, no),
                        }
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "due deliveries could not be read");
                self.shared.clock.sleep(READ_AGAIN).await;
            }
        }
    }
}
