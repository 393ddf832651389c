//! Changes are closed and their deliveries queued, in one transaction.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::{
    accept::{Effect, Transaction},
    encode::{self, VERSION},
    file::Fault,
};
use crate::{
    event::{
        ChangeOutcome, Delivery, DeliveryNo, NewDelivery, Operation, QuarantineReason, RecordKey,
    },
    store::{
        queue::Group,
        types::{Claim, Finish, QuarantinedKind, Seen},
        waiting::{DeliveryRow, OpenRow, delivery_bytes},
    },
};

impl Transaction<'_> {
    /// Closes a change; one that is no longer open is skipped.
    pub(super) fn finish(&mut self, finish: &Finish) -> Result<(), Fault> {
        let Finish {
            claim,
            outcome,
            deliveries,
            seen,
        } = finish;
        let mut rows = 0;
        if self.close_change(claim, outcome, seen.as_ref())? {
            rows = 1;
            let planned = matches!(outcome, ChangeOutcome::Planned) || !deliveries.is_empty();
            self.update_snapshot(claim, planned, seen.is_some())?;
            self.totals.sequence = self.totals.sequence.max(claim.sequence.as_i64());
            for delivery in deliveries {
                self.queue_delivery(claim, delivery.clone())?;
            }
            self.count(outcome);
            if let ChangeOutcome::Echo {
                explained: Some(write),
            } = outcome
            {
                self.remember_write((**write).clone())?;
            }
        }
        let next = self.next_change(claim.key)?;
        self.effects
            .push(Effect::ChangeClosed(claim.key, claim.no.0, next, rows));
        Ok(())
    }

    fn count(&mut self, outcome: &ChangeOutcome) {
        let total = match outcome {
            ChangeOutcome::Unwanted => &mut self.totals.changes_unwanted,
            ChangeOutcome::Unmatched => &mut self.totals.changes_unmatched,
            ChangeOutcome::Superseded => &mut self.totals.changes_superseded,
            ChangeOutcome::Echo { .. } => &mut self.totals.changes_echo,
            ChangeOutcome::Planned => &mut self.totals.changes_planned,
            ChangeOutcome::Quarantined { .. } => &mut self.totals.changes_quarantined,
        };
        *total += 1;
    }

    /// False when it was not open.
    fn close_change(
        &mut self,
        claim: &Claim,
        outcome: &ChangeOutcome,
        seen: Option<&Seen>,
    ) -> Result<bool, Fault> {
        let no = claim.no.0;
        let values = seen
            .map(|it| encode::to_json(&it.record.values))
            .transpose()?;
        let fields = seen
            .map(|it| encode::to_json(&it.record.fields))
            .transpose()?;
        let inserted = self.statements.get(
                "INSERT INTO event (no, notification_no, key, id, source, connection, module, record, operation,
                 server_time, accepted_at, origin, version, detail, outcome, sequence, closed_at, modified_at, read_at,
                 seen_fields, seen_values)
                 SELECT no, notification_no, key, id, source, connection, module, record, operation, server_time,
                 accepted_at, origin, version, detail, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM open_change WHERE no = ?1",
            )?
            .execute(params![
                no,
                outcome.as_str(),
                claim.sequence.as_i64(),
                self.now.as_microsecond(),
                seen.and_then(|it| it.modified_at).map(Timestamp::as_microsecond),
                seen.and_then(|it| it.read_at).map(Timestamp::as_microsecond),
                fields,
                values,
            ])?;
        if inserted == 0 {
            return Ok(false);
        }
        if let ChangeOutcome::Quarantined { reason, detail } = outcome {
            self.quarantine_change(no, *reason, detail)?;
        }
        self.statements
            .get("DELETE FROM open_change WHERE no = ?1")?
            .execute(params![no])?;
        Ok(true)
    }

    fn quarantine_change(
        &mut self,
        no: i64,
        reason: QuarantineReason,
        detail: &str,
    ) -> Result<(), Fault> {
        self.statements.get(
                "INSERT INTO quarantine (kind, reason, detail, at, id, notification_no, change_no, version, content)
                 SELECT ?2, ?3, ?4, ?5, id, notification_no, no, ?6, json_object('source', source, 'connection',
                 connection, 'module', module, 'record', record, 'operation', operation, 'server_time', server_time,
                 'accepted_at', accepted_at, 'origin', origin, 'detail', json(detail)) FROM open_change WHERE no = ?1",
            )?
            .execute(params![
                no,
                QuarantinedKind::Change.as_str(),
                reason.as_str(),
                detail,
                self.now.as_microsecond(),
                VERSION,
            ])?;
        Ok(())
    }

    /// Keeps what `before`, skipped fetches and deletes need to know of the record.
    fn update_snapshot(&mut self, claim: &Claim, planned: bool, seen: bool) -> Result<(), Fault> {
        if claim.change.record.is_none() {
            return Ok(());
        }
        let server_time = claim.change.server_time.as_microsecond();
        let deleted = claim.change.operation == Operation::Delete;
        let deleted = deleted.then_some((claim.no.0, server_time)).unzip();
        if seen || deleted.0.is_some() {
            self.statements.get(
                    "INSERT INTO snapshot (key, event_no, server_time_max, deleted_no, deleted_at)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (key) DO UPDATE SET
                     event_no = iif(?6, excluded.event_no, event_no),
                     server_time_max = max(server_time_max, excluded.server_time_max),
                     deleted_no = coalesce(excluded.deleted_no, deleted_no),
                     deleted_at = nullif(max(coalesce(excluded.deleted_at, -1), coalesce(deleted_at, -1)), -1)",
                )?
                .execute(params![
                    claim.key.as_i64(),
                    claim.no.0,
                    server_time,
                    deleted.0,
                    deleted.1,
                    seen
                ])?;
        } else if planned {
            self.statements.get(
                    "UPDATE snapshot SET server_time_max = ?2 WHERE key = ?1 AND server_time_max < ?2",
                )?
                .execute(params![claim.key.as_i64(), server_time])?;
        }
        Ok(())
    }

    fn queue_delivery(&mut self, claim: &Claim, planned: NewDelivery) -> Result<(), Fault> {
        self.totals.delivery_no += 1;
        self.totals.deliveries_planned += 1;
        let no = self.totals.delivery_no;
        let connection = self.connection;
        let now = self.now.as_microsecond();
        connection
            .prepare_cached(
                "INSERT INTO delivery (no, destination, key, id, change_no, attempts, next_at, planned_at, accepted_at,
                 route, send, on_failure, content_type, routing_key, version, attributes, data)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                no,
                self.names.no(connection, planned.destination.as_str())?,
                claim.key.as_i64(),
                planned.id.uuid().as_bytes(),
                claim.no.0,
                now,
                claim.change.accepted_at.as_microsecond(),
                self.names.no(connection, planned.route.as_str())?,
                self.names.no(connection, planned.send.as_str())?,
                encode::failure_word(planned.on_failure),
                self.names.no(connection, &planned.message.content_type)?,
                planned.message.routing_key,
                VERSION,
                encode::to_json(&planned.message.attributes)?,
                &planned.message.data[..],
            ])?;
        let destination = planned.destination.clone();
        let delivery = Delivery {
            no: DeliveryNo(no),
            key: claim.key,
            attempts: 0,
            accepted_at: claim.change.accepted_at,
            // As it will be read back.
            planned_at: encode::timestamp(now)?,
            planned,
        };
        let bytes = delivery_bytes(&delivery);
        self.effects.push(Effect::Queued(
            destination,
            DeliveryRow {
                key: claim.key,
                no,
                group: None,
                rank: 0,
                since: now,
                due: 0,
                content: Some((delivery, bytes)),
            },
        ));
        Ok(())
    }

    fn next_change(&mut self, key: RecordKey) -> Result<Option<OpenRow>, Fault> {
        let next = self
            .statements
            .get(
                "SELECT no, key, server_time, accepted_at, connection FROM open_change
                 WHERE key = ?1 ORDER BY server_time, no LIMIT 1",
            )?
            .query_row(params![key.as_i64()], open_row)
            .optional()?;
        Ok(next)
    }
}

/// From the columns `no`, `key`, `server_time`, `accepted_at`, `connection`.
pub(super) fn open_row(row: &Row<'_>) -> rusqlite::Result<OpenRow> {
    Ok(OpenRow {
        no: row.get(0)?,
        key: RecordKey::from_i64(row.get(1)?),
        group: Some(org(row.get(4)?)),
        rank: row.get(2)?,
        since: row.get(3)?,
        due: 0,
        content: None,
    })
}

/// The group of an org's rows, from the column `connection`. What is of no org shares as one does.
pub(super) fn org(connection: Option<i64>) -> Group {
    connection.unwrap_or(0)
}
