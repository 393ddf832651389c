//! Durable totals and the next row numbers: kept in memory, changed in the transaction that changes the state.

use rusqlite::{Connection, params};

use crate::store::types::{ChangeTotals, DeliveryTotals, Ledger, NotificationTotals};

/// The table `total` as of the last commit, or of the transaction at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) notifications_accepted: i64,
    pub(super) notifications_split: i64,
    pub(super) notifications_duplicate: i64,
    pub(super) notifications_quarantined: i64,
    pub(super) changes_created: i64,
    pub(super) changes_unwanted: i64,
    pub(super) changes_unmatched: i64,
    pub(super) changes_superseded: i64,
    pub(super) changes_echo: i64,
    pub(super) changes_planned: i64,
    pub(super) changes_quarantined: i64,
    pub(super) deliveries_planned: i64,
    pub(super) deliveries_delivered: i64,
    pub(super) deliveries_dropped: i64,
    pub(super) deliveries_expired: i64,
    pub(super) deliveries_quarantined: i64,
    /// The last row numbers given; numbers are never given twice.
    pub(super) notification_no: i64,
    pub(super) change_no: i64,
    pub(super) delivery_no: i64,
    /// The highest sequence of a closed change.
    pub(super) sequence: i64,
    /// When the store was last known to work.
    pub(super) heartbeat: i64,
}

impl Totals {
    /// Names and places; the names are the table's.
    fn entries(&mut self) -> [(&'static str, &mut i64); 21] {
        [
            ("notifications.accepted", &mut self.notifications_accepted),
            ("notifications.split", &mut self.notifications_split),
            ("notifications.duplicate", &mut self.notifications_duplicate),
            (
                "notifications.quarantined",
                &mut self.notifications_quarantined,
            ),
            ("changes.created", &mut self.changes_created),
            ("changes.unwanted", &mut self.changes_unwanted),
            ("changes.unmatched", &mut self.changes_unmatched),
            ("changes.superseded", &mut self.changes_superseded),
            ("changes.echo", &mut self.changes_echo),
            ("changes.planned", &mut self.changes_planned),
            ("changes.quarantined", &mut self.changes_quarantined),
            ("deliveries.planned", &mut self.deliveries_planned),
            ("deliveries.delivered", &mut self.deliveries_delivered),
            ("deliveries.dropped", &mut self.deliveries_dropped),
            ("deliveries.expired", &mut self.deliveries_expired),
            ("deliveries.quarantined", &mut self.deliveries_quarantined),
            ("last.notification_no", &mut self.notification_no),
            ("last.change_no", &mut self.change_no),
            ("last.delivery_no", &mut self.delivery_no),
            ("last.sequence", &mut self.sequence),
            ("heartbeat", &mut self.heartbeat),
        ]
    }

    /// As stored; what is not stored is zero.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut this = Self::default();
        let mut statement = connection.prepare_cached("SELECT name, value FROM total")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            for (known, place) in this.entries() {
                if known == name {
                    *place = row.get(1)?;
                }
            }
        }
        Ok(this)
    }

    /// Writes what differs from `before`.
    pub(super) fn write(
        mut self,
        mut before: Self,
        connection: &Connection,
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO total (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?;
        for ((name, value), (_, old)) in self.entries().into_iter().zip(before.entries()) {
            if *value != *old {
                statement.execute(params![name, *value])?;
            }
        }
        Ok(())
    }

    /// As the ledger shows them, with what waits.
    pub(super) fn ledger(&self, changes_waiting: i64, deliveries_waiting: i64) -> Ledger {
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ledger {
            notifications: NotificationTotals {
                accepted: count(self.notifications_accepted),
                split: count(self.notifications_split),
                duplicate: count(self.notifications_duplicate),
                quarantined: count(self.notifications_quarantined),
            },
            changes: ChangeTotals {
                created: count(self.changes_created),
                waiting: count(changes_waiting),
                unwanted: count(self.changes_unwanted),
                unmatched: count(self.changes_unmatched),
                superseded: count(self.changes_superseded),
                echo: count(self.changes_echo),
                planned: count(self.changes_planned),
                quarantined: count(self.changes_quarantined),
            },
            deliveries: DeliveryTotals {
                planned: count(self.deliveries_planned),
                waiting: count(deliveries_waiting),
                delivered: count(self.deliveries_delivered),
                dropped: count(self.deliveries_dropped),
                expired: count(self.deliveries_expired),
                quarantined: count(self.deliveries_quarantined),
            },
        }
    }
}
