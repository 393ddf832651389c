//! Rows from values and values from rows. JSON is versioned by the row's `version`.

use jiff::Timestamp;
use rusqlite::{Error, Row, types::Type};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::names::Names;
use crate::{
    event::{
        Attributes, Change, ChangeId, ConnectionName, Delivery, DeliveryId, DeliveryNo,
        DestinationName, FailurePolicy, Message, ModuleName, NewDelivery, NotificationId,
        Operation, Origin, RecordId, RecordKey, RouteName, SendName, SourceName,
    },
    store::types::NotificationNo,
};

/// How the JSON of a row written now is to be read.
pub(super) const VERSION: i64 = 1;

/// Columns of [`change`], from `open_change AS c JOIN notification AS n`.
pub(super) const CHANGE_COLUMNS: &str = "c.no, c.notification_no, n.id, c.id, c.source, c.connection, c.module, \
     c.record, c.operation, c.server_time, c.accepted_at, c.origin, c.detail";

/// Columns of [`delivery`].
pub(super) const DELIVERY_COLUMNS: &str = "no, destination, key, id, attempts, accepted_at, route, send, on_failure, \
     content_type, routing_key, attributes, data, planned_at";

/// What of a change is not in columns of its own; absent when there is nothing.
#[derive(Serialize, Deserialize)]
struct Detail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    affected_fields: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Map<String, Value>>,
}

/// The same, borrowed.
#[derive(Serialize)]
struct DetailRef<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_fields: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<&'a Map<String, Value>>,
}

/// The column `detail` of a change.
pub(super) fn detail(change: &Change) -> rusqlite::Result<Option<String>> {
    let detail = DetailRef {
        event_type: change.event_type.as_deref(),
        affected_fields: change.affected_fields.as_deref(),
        values: change.values.as_ref(),
    };
    if detail.event_type.is_none() && detail.affected_fields.is_none() && detail.values.is_none() {
        return Ok(None);
    }
    to_json(&detail).map(Some)
}

/// A change from [`CHANGE_COLUMNS`].
pub(super) fn change(
    row: &Row<'_>,
    names: &Names,
) -> rusqlite::Result<(i64, NotificationNo, Change)> {
    let connection: Option<i64> = row.get(5)?;
    let detail: Option<String> = row.get(12)?;
    let detail: Option<Detail> = detail.map(|it| from_json(12, &it)).transpose()?;
    let (event_type, affected_fields, values) = detail.map_or((None, None, None), |it| {
        (it.event_type, it.affected_fields, it.values)
    });
    let change = Change {
        id: ChangeId::from_uuid(uuid(row, 3)?),
        notification: NotificationId::from_uuid(uuid(row, 2)?),
        source: SourceName::new(names.text(row.get(4)?)?),
        connection: connection
            .map(|no| names.text(no).map(ConnectionName::new))
            .transpose()?,
        module: ModuleName::new(row.get::<_, String>(6)?),
        record: row.get::<_, Option<String>>(7)?.map(RecordId::new),
        operation: Operation::parse(row.get_ref(8)?.as_str()?),
        event_type,
        server_time: time(row, 9)?,
        accepted_at: time(row, 10)?,
        origin: origin(row.get_ref(11)?.as_str()?),
        affected_fields,
        values,
    };
    Ok((row.get(0)?, NotificationNo(row.get(1)?), change))
}

/// A delivery from [`DELIVERY_COLUMNS`].
pub(super) fn delivery(row: &Row<'_>, names: &Names) -> rusqlite::Result<Delivery> {
    let attributes: Attributes = from_json(11, row.get_ref(11)?.as_str()?)?;
    Ok(Delivery {
        no: DeliveryNo(row.get(0)?),
        key: RecordKey::from_i64(row.get(2)?),
        attempts: row.get(4)?,
        accepted_at: time(row, 5)?,
        planned_at: time(row, 13)?,
        planned: NewDelivery {
            id: DeliveryId::from_uuid(uuid(row, 3)?),
            destination: DestinationName::new(names.text(row.get(1)?)?),
            route: RouteName::new(names.text(row.get(6)?)?),
            send: SendName::new(names.text(row.get(7)?)?),
            on_failure: failure_policy(row.get_ref(8)?.as_str()?),
            message: Message {
                attributes,
                content_type: names.text(row.get(9)?)?.to_string(),
                data: row.get::<_, Vec<u8>>(12)?.into(),
                routing_key: row.get(10)?,
            },
        },
    })
}

/// The column `on_failure`.
pub(super) const fn failure_word(policy: FailurePolicy) -> &'static str {
    match policy {
        FailurePolicy::Quarantine => "quarantine",
        FailurePolicy::Block => "block",
    }
}

fn failure_policy(word: &str) -> FailurePolicy {
    if word == failure_word(FailurePolicy::Block) {
        FailurePolicy::Block
    } else {
        FailurePolicy::Quarantine
    }
}

fn origin(word: &str) -> Origin {
    [Origin::Repair, Origin::Replay]
        .into_iter()
        .find(|it| it.as_str() == word)
        .unwrap_or(Origin::Notification)
}

/// A time from its column.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    timestamp(row.get(column)?)
}

/// A time from microseconds.
pub(super) fn timestamp(us: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(us)
        .map_err(|error| Error::FromSqlConversionFailure(0, Type::Integer, error.into()))
}

/// An id from its column.
pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Uuid::from_slice(row.get_ref(column)?.as_blob()?)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Blob, error.into()))
}

pub(super) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn from_json<T: DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}
