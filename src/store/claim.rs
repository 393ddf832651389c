//! Claims: the oldest open change of each record, in memory only.

use std::pin::pin;

use jiff::Timestamp;

use super::{READ_AGAIN, Store, row::Taken, sqlite::Found, types::Claim, waiting::change_bytes};
use crate::event::{ConnectionName, RecordKey};

impl Store {
    /// Waits until there is work, then takes the oldest open change of up to `max` records, in memory only.
    /// Cancel-safe. A claim is out until [`Self::finish`] or [`Self::give_back`]. Empty once the store is closed.
    pub async fn claim(&self, max: usize) -> Vec<Claim> {
        let waiting = &self.shared.waiting;
        loop {
            let mut news = pin!(waiting.inbox_news.notified());
            news.as_mut().enable();
            if waiting.is_closed() || max == 0 {
                return vec![];
            }
            match waiting.claim(self.shared.clock.now(), max) {
                Taken::Out(claims) => return claims.into_iter().map(|(_, _, it)| it).collect(),
                Taken::Load(rows) => self.load_changes(rows).await,
                Taken::Nothing(wake_at) => self.wait(news, wake_at).await,
            }
        }
    }

    /// Gives a claim back; it is claimed again at `due` at the earliest, later changes of its record wait behind it.
    pub fn give_back(&self, claim: &Claim, due: Timestamp) {
        let waiting = &self.shared.waiting;
        let due = due.as_microsecond();
        waiting.inbox().queue.back(claim.key, claim.no.0, due, true);
        waiting.inbox_news.notify_waiters();
    }

    /// Sets a claim aside that was not begun, so that those of others are reached: it is claimed again only after
    /// [`Self::release`] for this connection, before what came later and before all others of its record.
    pub fn hold(&self, claim: Claim, connection: ConnectionName) {
        let head = (claim.key, claim.no.0);
        let bytes = change_bytes(&claim.change);
        let content = ((claim.notification_no, claim.change), bytes);
        let mut inbox = self.shared.waiting.inbox();
        inbox.queue.hold(head, connection, content);
    }

    /// Lets the oldest `count` claims that are held for a connection be claimed again; gives how many there were.
    pub fn release(&self, connection: &ConnectionName, count: usize) -> usize {
        let waiting = &self.shared.waiting;
        let released = waiting.inbox().queue.release(connection, count);
        if released > 0 {
            waiting.inbox_news.notify_waiters();
        }
        released
    }

    /// What was given back or is held may be claimed at once, whatever was to be waited for.
    pub fn claimable_now(&self) {
        let waiting = &self.shared.waiting;
        waiting.inbox().queue.due_now();
        waiting.inbox_news.notify_waiters();
    }

    async fn load_changes(&self, rows: Vec<(RecordKey, i64)>) {
        let nos = rows.iter().map(|(_, no)| *no).collect();
        match self.shared.readers.changes(nos).await {
            Ok(found) => {
                let later = self.undecodable_until();
                let mut inbox = self.shared.waiting.inbox();
                for ((key, no), found) in rows.into_iter().zip(found) {
                    match found {
                        Found::Row(open, bytes) => inbox.queue.fill(key, no, open, bytes),
                        Found::Undecodable => inbox.queue.back(key, no, later, false),
                        Found::Gone => inbox.queue.vanished(key, no),
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "open changes could not be read");
                self.shared.clock.sleep(READ_AGAIN).await;
            }
        }
    }
}
