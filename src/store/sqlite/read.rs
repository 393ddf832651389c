//! Reading, beside the writer: a few connections, each used by one caller at a time, snapshots of one query.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, Statement, params};

use super::{encode, file, names::Names, totals::Totals};
use crate::{
    event::{
        Change, ConnectionName, Delivery, DestinationName, ModuleName, QuarantineReason, Record,
        RecordId, RecordKey, SourceName,
    },
    store::{
        error::{Refusal, StoreError},
        types::{Claim, Gap, Ledger, NotificationNo, Quarantined, QuarantinedKind, Seen, Snapshot},
        waiting::{change_bytes, delivery_bytes},
    },
};

/// Connections for reading.
const READERS: usize = 2;

/// What is read back at once into memory; at least one row is.
const READ_BYTES_MAX: usize = 4 << 20;

/// What became of a row that was looked for.
#[derive(Debug)]
pub(in crate::store) enum Found<T> {
    /// It is there; and roughly what it takes in memory.
    Row(T, usize),
    /// It is there, and nobody can read it.
    Undecodable,
    /// It is not there.
    Gone,
}

/// The readers. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub(in crate::store) struct Readers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    names: Names,
    connections: Vec<Mutex<Option<Connection>>>,
    turn: AtomicUsize,
}

impl Readers {
    pub(super) fn new(path: PathBuf, names: Names) -> Self {
        Self {
            shared: Arc::new(Shared {
                path,
                names,
                connections: (0..READERS).map(|_| Mutex::new(None)).collect(),
                turn: AtomicUsize::new(0),
            }),
        }
    }

    /// Closes the connections; a later read opens one again.
    pub(in crate::store) fn close(&self) {
        for connection in &self.shared.connections {
            *connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Open changes, one for each of `nos`; fewer where they would be too large.
    pub(in crate::store) async fn changes(
        &self,
        nos: Vec<i64>,
    ) -> Result<Vec<Found<(NotificationNo, Change)>>, StoreError> {
        self.run(move |connection, names| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {} FROM open_change AS c JOIN notification AS n ON n.no = c.notification_no WHERE c.no = ?1",
                encode::CHANGE_COLUMNS
            ))?;
            find_all(&mut statement, &nos, |row| {
                let (_, notification_no, change) = encode::change(row, names)?;
                let bytes = change_bytes(&change);
                Ok(((notification_no, change), bytes))
            })
        })
        .await
    }

    /// Deliveries, one for each of `nos`; fewer where they would be too large.
    pub(in crate::store) async fn deliveries(
        &self,
        nos: Vec<i64>,
    ) -> Result<Vec<Found<Delivery>>, StoreError> {
        self.run(move |connection, names| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {} FROM delivery WHERE no = ?1",
                encode::DELIVERY_COLUMNS
            ))?;
            find_all(&mut statement, &nos, |row| {
                let delivery = encode::delivery(row, names)?;
                let bytes = delivery_bytes(&delivery);
                Ok((delivery, bytes))
            })
        })
        .await
    }

    /// See [`crate::store::Store::snapshots`].
    pub(in crate::store) async fn snapshots(
        &self,
        records: Vec<(RecordKey, ModuleName, RecordId)>,
    ) -> Result<HashMap<RecordKey, Snapshot>, StoreError> {
        self.run(move |connection, _| {
            let mut statement = connection.prepare_cached(
                "SELECT e.seen_fields, e.seen_values, e.modified_at, e.read_at, s.server_time_max
                 FROM snapshot AS s JOIN event AS e ON e.no = s.event_no
                 WHERE s.key = ?1 AND e.module = ?2 AND e.record = ?3 AND e.seen_values IS NOT NULL",
            )?;
            let mut found = HashMap::with_capacity(records.len());
            for (key, module, record) in records {
                let given = params![key.as_i64(), module.as_str(), record.as_str()];
                if let Found::Row(snapshot, _) = find(&mut statement, given, snapshot)? {
                    found.insert(key, snapshot);
                }
            }
            Ok(found)
        })
        .await
    }

    /// See [`crate::store::Store::deleted_meanwhile`].
    pub(in crate::store) async fn deleted_meanwhile(
        &self,
        claim: &Claim,
    ) -> Result<bool, StoreError> {
        let (key, no) = (claim.key.as_i64(), claim.no.0);
        let at = claim.change.server_time.as_microsecond();
        self.run(move |connection, _| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM open_change WHERE key = ?1 AND operation = 'delete'
                     AND (no > ?2 OR server_time >= ?3))
                     OR EXISTS (SELECT 1 FROM snapshot WHERE key = ?1 AND (deleted_no > ?2 OR deleted_at >= ?3))",
                )?
                .query_row(params![key, no, at], |row| row.get(0))
        })
        .await
    }

    /// See [`crate::store::Store::body`].
    pub(in crate::store) async fn body(
        &self,
        no: NotificationNo,
    ) -> Result<Option<Bytes>, StoreError> {
        self.run(move |connection, _| {
            connection
                .prepare_cached("SELECT body FROM notification WHERE no = ?1")?
                .query_row(params![no.0], |row| {
                    row.get::<_, Vec<u8>>(0).map(Bytes::from)
                })
                .optional()
        })
        .await
    }

    /// See [`crate::store::Store::body_bytes`].
    pub(in crate::store) async fn body_bytes(
        &self,
        no: NotificationNo,
    ) -> Result<usize, StoreError> {
        self.run(move |connection, _| {
            let bytes: Option<i64> = connection
                .prepare_cached("SELECT length(body) FROM notification WHERE no = ?1")?
                .query_row(params![no.0], |row| row.get(0))
                .optional()?;
            Ok(bytes.map_or(0, |it| usize::try_from(it).unwrap_or(usize::MAX)))
        })
        .await
    }

    /// Totals and counts as of one commit.
    pub(in crate::store) async fn ledger(&self) -> Result<Ledger, StoreError> {
        self.run(|connection, _| {
            let transaction = connection.unchecked_transaction()?;
            let totals = Totals::load(&transaction)?;
            let changes =
                transaction.query_row("SELECT count(*) FROM open_change", [], |row| row.get(0))?;
            let deliveries =
                transaction.query_row("SELECT count(*) FROM delivery", [], |row| row.get(0))?;
            Ok(totals.ledger(changes, deliveries))
        })
        .await
    }

    /// See [`crate::store::Store::token`].
    pub(in crate::store) async fn token(
        &self,
        name: ConnectionName,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(move |connection, _| {
            connection
                .prepare_cached("SELECT sealed FROM token WHERE connection = ?1")?
                .query_row(params![name.as_str()], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// See [`crate::store::Store::token_requests`].
    pub(in crate::store) async fn token_requests(
        &self,
        name: ConnectionName,
    ) -> Result<Vec<Timestamp>, StoreError> {
        self.run(move |connection, _| {
            let sent: Option<String> = connection
                .prepare_cached("SELECT sent FROM token_request WHERE connection = ?1")?
                .query_row(params![name.as_str()], |row| row.get(0))
                .optional()?;
            sent.map_or_else(|| Ok(vec![]), |it| encode::from_json(0, &it))
        })
        .await
    }

    /// Gaps that are not closed, oldest first.
    pub(in crate::store) async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError> {
        self.run(move |connection, _| {
            connection
                .prepare_cached(
                    "SELECT no, connection, reason, from_at, until_at FROM gap WHERE closed_at IS NULL
                     ORDER BY no LIMIT ?1",
                )?
                .query_map(params![limit], |row| {
                    Ok(Gap {
                        no: row.get(0)?,
                        connection: row.get::<_, Option<String>>(1)?.map(ConnectionName::new),
                        reason: row.get(2)?,
                        from: encode::time(row, 3)?,
                        until: encode::time(row, 4)?,
                    })
                })?
                .collect()
        })
        .await
    }

    /// What was set aside, newest first.
    pub(in crate::store) async fn quarantined(
        &self,
        limit: u32,
    ) -> Result<Vec<Quarantined>, StoreError> {
        self.run(move |connection, names| {
            connection
                .prepare_cached(
                    "SELECT q.no, q.kind, q.id, q.reason, q.detail, q.at, q.destination,
                     coalesce(e.source, n.source), e.module, e.record
                     FROM quarantine AS q
                     LEFT JOIN event AS e ON e.no = q.change_no
                     LEFT JOIN notification AS n ON n.no = q.notification_no
                     ORDER BY q.no DESC LIMIT ?1",
                )?
                .query_map(params![limit], |row| {
                    let kind = QuarantinedKind::parse(row.get_ref(1)?.as_str()?);
                    let reason = QuarantineReason::parse(row.get_ref(3)?.as_str()?);
                    let name = |no: Option<i64>| no.map(|it| names.text(it)).transpose();
                    Ok(Quarantined {
                        no: row.get(0)?,
                        kind: kind.ok_or(rusqlite::Error::InvalidQuery)?,
                        id: encode::uuid(row, 2)?,
                        reason: reason.ok_or(rusqlite::Error::InvalidQuery)?,
                        detail: row.get(4)?,
                        at: encode::time(row, 5)?,
                        destination: name(row.get(6)?)?.map(DestinationName::new),
                        source: name(row.get(7)?)?.map(SourceName::new),
                        module: row.get::<_, Option<String>>(8)?.map(ModuleName::new),
                        record: row.get::<_, Option<String>>(9)?.map(RecordId::new),
                    })
                })?
                .collect()
        })
        .await
    }

    /// Runs a query on a blocking thread; a connection that failed is opened anew by the next query.
    async fn run<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Names) -> rusqlite::Result<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || shared.query(query));
        match task.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Refusal::Io(error.to_string()).into()),
            Err(error) => Err(Refusal::Io(error.to_string()).into()),
        }
    }
}

impl Shared {
    fn query<T>(
        &self,
        query: impl FnOnce(&Connection, &Names) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let Some(place) = self.connections.get(turn) else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match place.take() {
            Some(connection) => connection,
            None => file::connect_reader(&self.path)?,
        };
        let value = query(&connection, &self.names)?;
        *place = Some(connection);
        Ok(value)
    }
}

/// Each of `nos` in turn, until [`READ_BYTES_MAX`] are read.
fn find_all<T>(
    statement: &mut Statement<'_>,
    nos: &[i64],
    decode: impl Fn(&Row<'_>) -> rusqlite::Result<(T, usize)>,
) -> rusqlite::Result<Vec<Found<T>>> {
    let mut found = Vec::with_capacity(nos.len());
    let mut read = 0_usize;
    for no in nos {
        let next = find(statement, params![no], &decode)?;
        match &next {
            Found::Row(_, bytes) => read = read.saturating_add(*bytes),
            Found::Undecodable => tracing::error!(no, "a stored row cannot be decoded"),
            Found::Gone => {}
        }
        found.push(next);
        if read >= READ_BYTES_MAX {
            break;
        }
    }
    Ok(found)
}

/// One row: that it cannot be decoded is no failure of the query.
fn find<T>(
    statement: &mut Statement<'_>,
    params: impl Params,
    decode: impl Fn(&Row<'_>) -> rusqlite::Result<(T, usize)>,
) -> rusqlite::Result<Found<T>> {
    let mut rows = statement.query(params)?;
    let Some(row) = rows.next()? else {
        return Ok(Found::Gone);
    };
    match decode(row) {
        Ok((row, bytes)) => Ok(Found::Row(row, bytes)),
        Err(error @ rusqlite::Error::SqliteFailure(..)) => Err(error),
        Err(_undecodable) => Ok(Found::Undecodable),
    }
}

/// From the columns `seen_fields`, `seen_values`, `modified_at`, `read_at`, `server_time_max`.
fn snapshot(row: &Row<'_>) -> rusqlite::Result<(Snapshot, usize)> {
    let optional = |us: Option<i64>| us.map(encode::timestamp).transpose();
    let snapshot = Snapshot {
        seen: Seen {
            record: Record {
                fields: encode::from_json(0, row.get_ref(0)?.as_str()?)?,
                values: encode::from_json(1, row.get_ref(1)?.as_str()?)?,
            },
            modified_at: optional(row.get(2)?)?,
            read_at: optional(row.get(3)?)?,
        },
        server_time_max: encode::time(row, 4)?,
    };
    Ok((snapshot, 0))
}
