//! What became of deliveries.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Params, Row, params};

use super::{
    accept::{DeliveryClosed, Effect, Transaction},
    encode::VERSION,
    file::Fault,
};
use crate::{
    event::{DestinationName, QuarantineReason, RecordKey, Settled, Settlement},
    store::{
        types::QuarantinedKind,
        waiting::{DeliveryRow, Waiting},
    },
};

/// Rows moved or dropped in one transaction at most, so that accepts need not wait for all of them.
const ROWS_PER_SLICE: u32 = 500;

impl Transaction<'_> {
    /// Writes one outcome; a delivery that is no longer there is skipped.
    pub(super) fn settle(&mut self, settlement: &Settlement) -> Result<(), Fault> {
        let Settlement {
            no,
            key,
            destination,
            settled,
        } = settlement;
        let rows = match settled {
            Settled::Again {
                at,
                attempts,
                error,
            } => {
                let at = at.as_microsecond();
                let updated = self.statements.get(
                        "UPDATE delivery SET next_at = ?2, attempts = ?3, last_error = ?4 WHERE no = ?1",
                    )?
                    .execute(params![no.0, at, attempts, error])?;
                if updated == 1 {
                    self.effects
                        .push(Effect::Again(destination.clone(), *key, no.0, at));
                    return Ok(());
                }
                0
            }
            Settled::Delivered => {
                let rows = self.close_delivery(no.0, "delivered")?;
                self.totals.deliveries_delivered += rows;
                rows
            }
            Settled::Written(write) => {
                let rows = self.close_delivery(no.0, "delivered")?;
                self.totals.deliveries_delivered += rows;
                // It was made, whatever has become of the delivery meanwhile.
                self.remember_write(write.clone())?;
                rows
            }
            Settled::Expired => {
                let rows = self.close_delivery(no.0, "expired")?;
                self.totals.deliveries_expired += rows;
                rows
            }
            Settled::Quarantined { reason, detail } => {
                self.quarantine_delivery(no.0, *reason, detail)?;
                let rows = self.close_delivery(no.0, "quarantined")?;
                self.totals.deliveries_quarantined += rows;
                rows
            }
        };
        let closed = self.closed(destination, *key, no.0, rows)?;
        self.effects
            .push(Effect::DeliveryClosed(destination.clone(), closed));
        Ok(())
    }

    /// Moves up to a slice of what waits for destinations not in `present` to quarantine. True when none is left.
    pub(super) fn keep_destinations(
        &mut self,
        present: &[DestinationName],
        moved: &mut BTreeMap<DestinationName, u64>,
    ) -> Result<bool, Fault> {
        let mut last = 0;
        loop {
            let next: Option<i64> = self
                .statements
                .get("SELECT min(destination) FROM delivery WHERE destination > ?1")?
                .query_row(params![last], |row| row.get(0))?;
            let Some(no) = next else {
                return Ok(true);
            };
            last = no;
            let name = DestinationName::new(self.names.text(no)?);
            if present.contains(&name) {
                continue;
            }
            let nos = self.slice_of(no)?;
            for (row, _) in &nos {
                self.quarantine_delivery(
                    *row,
                    QuarantineReason::DestinationRemoved,
                    "the destination was removed",
                )?;
                self.totals.deliveries_quarantined += self.close_delivery(*row, "quarantined")?;
            }
            let count = u64::try_from(nos.len()).unwrap_or(u64::MAX);
            *moved.entry(name.clone()).or_default() += count;
            let all = nos.len() < usize::try_from(ROWS_PER_SLICE).unwrap_or(usize::MAX);
            self.effects.push(Effect::Removed(name, count, all));
            if !all {
                return Ok(false);
            }
        }
    }

    /// Drops up to a slice of the oldest that are not out; gives how many, and whether more could follow.
    pub(super) fn drop_oldest(
        &mut self,
        destination: &DestinationName,
        left: u64,
        waiting: &Waiting,
    ) -> Result<(u64, bool), Fault> {
        let Some(destination_no) = self.names.find(destination.as_str()) else {
            return Ok((0, false));
        };
        let wanted = left.min(u64::from(ROWS_PER_SLICE));
        let count = usize::try_from(wanted).unwrap_or(usize::MAX);
        let (heads, beyond) = waiting.lane(destination, |it| it.queue.oldest(count));
        let is_out = |key, no| waiting.lane(destination, |it| it.queue.is_out(key, no));
        // What waits of each record, oldest first: the next of a record takes the place of the one before it.
        let mut oldest: BTreeMap<i64, RecordKey> = BTreeMap::new();
        oldest.extend(heads.into_iter().map(|(key, no)| (no, key)));
        let mut dropped = 0;
        while dropped < wanted
            && let Some((no, key)) = oldest.pop_first()
        {
            if let Some(next) = self.row_after(destination_no, key, no)? {
                oldest.insert(next, key);
            }
            if !is_out(key, no) {
                dropped += self.drop_delivery(destination, key, no)?;
            }
        }
        if let Some(beyond) = beyond
            && dropped < wanted
        {
            for (no, key) in self.rows_beyond(destination_no, beyond)? {
                if dropped < wanted && !is_out(key, no) {
                    dropped += self.drop_delivery(destination, key, no)?;
                }
            }
        }
        Ok((dropped, dropped == wanted && dropped < left))
    }

    /// Gives the number of rows, 0 or 1.
    fn drop_delivery(
        &mut self,
        destination: &DestinationName,
        key: RecordKey,
        no: i64,
    ) -> Result<u64, Fault> {
        let rows = self.close_delivery(no, "dropped")?;
        self.totals.deliveries_dropped += rows;
        let closed = self.closed(destination, key, no, rows)?;
        let rows = closed.rows;
        let effect = Effect::DeliveryDropped(destination.clone(), closed);
        self.effects.push(effect);
        Ok(rows)
    }

    /// The next of a record.
    fn row_after(
        &mut self,
        destination_no: i64,
        key: RecordKey,
        no: i64,
    ) -> Result<Option<i64>, Fault> {
        let next = self.statements.get(
                "SELECT no FROM delivery WHERE destination = ?1 AND key = ?2 AND no > ?3 ORDER BY no LIMIT 1",
            )?
            .query_row(params![destination_no, key.as_i64(), no], |row| row.get(0))
            .optional()?;
        Ok(next)
    }

    /// What memory does not know yet, in the order of rows; the plus keeps the planner from sorting a whole index.
    fn rows_beyond(
        &mut self,
        destination_no: i64,
        no: i64,
    ) -> Result<Vec<(i64, RecordKey)>, Fault> {
        self.rows(
            "SELECT no, key FROM delivery WHERE +destination = ?1 AND no > ?2 ORDER BY no LIMIT ?3",
            params![destination_no, no, ROWS_PER_SLICE],
        )
    }

    /// A slice of a destination's, the oldest of each record first.
    fn slice_of(&mut self, destination_no: i64) -> Result<Vec<(i64, RecordKey)>, Fault> {
        self.rows(
            "SELECT no, key FROM delivery WHERE destination = ?1 ORDER BY key, no LIMIT ?2",
            params![destination_no, ROWS_PER_SLICE],
        )
    }

    fn rows(
        &mut self,
        sql: &'static str,
        given: impl Params,
    ) -> Result<Vec<(i64, RecordKey)>, Fault> {
        let statement = self.statements.get(sql)?;
        let rows = statement.query_map(given, |row| {
            Ok((row.get(0)?, RecordKey::from_i64(row.get(1)?)))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn closed(
        &mut self,
        destination: &DestinationName,
        key: RecordKey,
        no: i64,
        rows: i64,
    ) -> Result<DeliveryClosed, Fault> {
        let next = match self.names.find(destination.as_str()) {
            Some(destination_no) => self.next_delivery(destination_no, key)?,
            None => None,
        };
        Ok(DeliveryClosed {
            key,
            no,
            next,
            rows: rows.unsigned_abs(),
        })
    }

    /// Deletes the row and writes its receipt; gives the number of rows, 0 or 1.
    fn close_delivery(&mut self, no: i64, outcome: &str) -> Result<i64, Fault> {
        self.statements
            .get(
                "INSERT INTO receipt (no, id, change_no, destination, outcome, at)
                 SELECT no, id, change_no, destination, ?2, ?3 FROM delivery WHERE no = ?1",
            )?
            .execute(params![no, outcome, self.now.as_microsecond()])?;
        let rows = self
            .statements
            .get("DELETE FROM delivery WHERE no = ?1")?
            .execute(params![no])?;
        Ok(i64::try_from(rows).unwrap_or(0))
    }

    fn quarantine_delivery(
        &mut self,
        no: i64,
        reason: QuarantineReason,
        detail: &str,
    ) -> Result<(), Fault> {
        self.statements.get(
                "INSERT INTO quarantine (kind, reason, detail, at, id, change_no, destination, version, content, data)
                 SELECT ?2, ?3, ?4, ?5, id, change_no, destination, ?6, json_object('key', key, 'attempts', attempts,
                 'planned_at', planned_at, 'accepted_at', accepted_at, 'route', route, 'send', send, 'on_failure',
                 on_failure, 'content_type', content_type, 'routing_key', routing_key, 'last_error', last_error,
                 'attributes', json(attributes)), data FROM delivery WHERE no = ?1",
            )?
            .execute(params![
                no,
                QuarantinedKind::Delivery.as_str(),
                reason.as_str(),
                detail,
                self.now.as_microsecond(),
                VERSION,
            ])?;
        Ok(())
    }

    fn next_delivery(
        &mut self,
        destination_no: i64,
        key: RecordKey,
    ) -> Result<Option<DeliveryRow>, Fault> {
        let next = self
            .statements
            .get(
                "SELECT no, key, next_at, planned_at FROM delivery
                 WHERE destination = ?1 AND key = ?2 ORDER BY no LIMIT 1",
            )?
            .query_row(params![destination_no, key.as_i64()], delivery_row)
            .optional()?;
        Ok(next)
    }
}

/// From the columns `no`, `key`, `next_at`, `planned_at`.
pub(super) fn delivery_row(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        no: row.get(0)?,
        key: RecordKey::from_i64(row.get(1)?),
        group: None,
        rank: 0,
        due: row.get(2)?,
        since: row.get(3)?,
        content: None,
    })
}
