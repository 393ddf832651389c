//! A notification and its changes become rows, or are recognised as a repeat.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    encode::{self, VERSION},
    file::Fault,
    finish::org,
    names::Names,
    statements::Statements,
    totals::Totals,
};
use crate::{
    event::{
        Change, ChangeOutcome, DestinationName, NotificationId, Operation, OwnWrite,
        QuarantineReason, RecordId, RecordKey,
    },
    store::{
        dedup::Dedup,
        types::{Accept, Accepted, Content, DedupKey, NotificationNo, QuarantinedKind},
        waiting::{DeliveryRow, OpenRow, change_bytes},
    },
};

/// One group's transaction, begun and not yet committed.
pub(super) struct Transaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) statements: Statements<'a>,
    pub(super) names: &'a Names,
    pub(super) totals: &'a mut Totals,
    pub(super) dedup: &'a mut Dedup,
    /// What memory must learn once it is committed, in order.
    pub(super) effects: &'a mut Vec<Effect>,
    pub(super) now: Timestamp,
}

/// What memory must learn of a commit.
#[derive(Debug)]
pub(super) enum Effect {
    /// A change waits.
    Opened(OpenRow),
    /// A change was closed, so many rows; its record's next.
    ChangeClosed(RecordKey, i64, Option<OpenRow>, u64),
    /// A delivery waits.
    Queued(DestinationName, DeliveryRow),
    /// A delivery was settled.
    DeliveryClosed(DestinationName, DeliveryClosed),
    /// A delivery was dropped that was not out when looked at.
    DeliveryDropped(DestinationName, DeliveryClosed),
    /// A delivery waits until then.
    Again(DestinationName, RecordKey, i64, i64),
    /// A write of ours is to be remembered.
    Wrote(OwnWrite, Timestamp),
    /// Rows of a destination went to quarantine; true when none is left.
    Removed(DestinationName, u64, bool),
}

/// A delivery that left its queue.
#[derive(Debug)]
pub(super) struct DeliveryClosed {
    pub(super) key: RecordKey,
    pub(super) no: i64,
    pub(super) next: Option<DeliveryRow>,
    pub(super) rows: u64,
}

impl Transaction<'_> {
    /// Stores a notification and its changes.
    pub(super) fn accept(&mut self, accept: Accept) -> Result<Accepted, Fault> {
        self.totals.notifications_accepted += 1;
        if let Some(dedup) = accept.dedup
            && let Some(first) = self.find_repeat(&dedup, accept.received_at)?
        {
            self.totals.notifications_duplicate += 1;
            return Ok(Accepted::Duplicate(first));
        }
        self.totals.notification_no += 1;
        let no = self.totals.notification_no;
        if let Some(dedup) = accept.dedup {
            let at = accept.received_at.as_microsecond();
            self.statements.get("INSERT INTO repeat (notification_no, received_at, id, hash) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![no, at, accept.id.uuid().as_bytes(), dedup.hash])?;
            self.dedup.insert(&dedup.hash, no, at);
        }
        self.insert_notification(no, &accept)?;
        match accept.content {
            Content::Changes(changes) => {
                self.totals.notifications_split += 1;
                for change in changes {
                    // A delete is closed in the order of its record, since it makes older changes superseded.
                    if accept.unwanted && change.operation != Operation::Delete {
                        self.close_unwanted(no, &change)?;
                    } else {
                        self.open_change(NotificationNo(no), change)?;
                    }
                }
            }
            Content::Unreadable { detail } => {
                self.totals.notifications_quarantined += 1;
                self.statements.get(
                        "INSERT INTO quarantine (kind, reason, detail, at, id, notification_no, version, data)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(params![
                        QuarantinedKind::Notification.as_str(),
                        QuarantineReason::Unreadable.as_str(),
                        detail,
                        self.now.as_microsecond(),
                        accept.id.uuid().as_bytes(),
                        no,
                        VERSION,
                        &accept.body[..],
                    ])?;
            }
        }
        Ok(Accepted::New(accept.id))
    }

    fn insert_notification(&mut self, no: i64, accept: &Accept) -> Result<(), Fault> {
        let changes = match &accept.content {
            Content::Changes(changes) => changes.len(),
            Content::Unreadable { .. } => 0,
        };
        self.statements.get(
                "INSERT INTO notification (no, id, source, received_at, change_first, changes, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                no,
                accept.id.uuid().as_bytes(),
                self.names.no(self.connection, accept.source.as_str())?,
                accept.received_at.as_microsecond(),
                self.totals.change_no + 1,
                i64::try_from(changes).unwrap_or(i64::MAX),
                &accept.body[..],
            ])?;
        Ok(())
    }

    fn open_change(
        &mut self,
        notification_no: NotificationNo,
        change: Change,
    ) -> Result<(), Fault> {
        self.totals.change_no += 1;
        self.totals.changes_created += 1;
        let no = self.totals.change_no;
        let key = change.key();
        let connection = match &change.connection {
            Some(name) => Some(self.names.no(self.connection, name.as_str())?),
            None => None,
        };
        self.statements.get(
                "INSERT INTO open_change (no, notification_no, key, id, source, connection, module, record, operation,
                 server_time, accepted_at, origin, version, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute(params![
                no,
                notification_no.0,
                key.as_i64(),
                change.id.uuid().as_bytes(),
                self.names.no(self.connection, change.source.as_str())?,
                connection,
                change.module.as_str(),
                change.record.as_ref().map(RecordId::as_str),
                change.operation.as_str(),
                change.server_time.as_microsecond(),
                change.accepted_at.as_microsecond(),
                change.origin.as_str(),
                VERSION,
                encode::detail(&change)?,
            ])?;
        let bytes = change_bytes(&change);
        self.effects.push(Effect::Opened(OpenRow {
            key,
            no,
            group: Some(org(connection)),
            rank: change.server_time.as_microsecond(),
            since: change.accepted_at.as_microsecond(),
            due: 0,
            content: Some(((notification_no, change), bytes)),
        }));
        Ok(())
    }

    /// What [`Self::open_change`] and closing it as unwanted come to. Its sequence is never sent.
    fn close_unwanted(&mut self, notification_no: i64, change: &Change) -> Result<(), Fault> {
        self.totals.change_no += 1;
        self.totals.changes_created += 1;
        self.totals.changes_unwanted += 1;
        let connection = match &change.connection {
            Some(name) => Some(self.names.no(self.connection, name.as_str())?),
            None => None,
        };
        let now = self.now.as_microsecond();
        self.statements.get(
                "INSERT INTO event (no, notification_no, key, id, source, connection, module, record, operation,
                 server_time, accepted_at, origin, version, detail, outcome, sequence, closed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16)",
            )?
            .execute(params![
                self.totals.change_no,
                notification_no,
                change.key().as_i64(),
                change.id.uuid().as_bytes(),
                self.names.no(self.connection, change.source.as_str())?,
                connection,
                change.module.as_str(),
                change.record.as_ref().map(RecordId::as_str),
                change.operation.as_str(),
                change.server_time.as_microsecond(),
                change.accepted_at.as_microsecond(),
                change.origin.as_str(),
                VERSION,
                encode::detail(change)?,
                ChangeOutcome::Unwanted.as_str(),
                now,
            ])?;
        Ok(())
    }

    /// The first notification with this hash within its window; seen in this very transaction, too.
    fn find_repeat(
        &mut self,
        key: &DedupKey,
        at: Timestamp,
    ) -> Result<Option<NotificationId>, Fault> {
        let window = i64::try_from(key.window.as_micros()).unwrap_or(i64::MAX);
        let earliest = at.as_microsecond().saturating_sub(window);
        for no in self.dedup.candidates(&key.hash) {
            let id = self.statements.get(
                    "SELECT id FROM repeat WHERE notification_no = ?1 AND hash = ?2 AND received_at >= ?3",
                )?
                .query_row(params![no, key.hash, earliest], |row| encode::uuid(row, 0))
                .optional()?;
            if let Some(id) = id {
                return Ok(Some(NotificationId::from_uuid(id)));
            }
        }
        Ok(None)
    }
}
