//! CloudEvents attributes, and the default message.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::needs::Needs;
use crate::event::{Attributes, Body, DeliveryId, EnrichedEvent, Record, RecordId, RecordState};

/// RFC 3339 with milliseconds.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The CloudEvents type; a record that left what a route's condition describes has a suffix of its own.
fn event_type(event: &EnrichedEvent, left: bool) -> String {
    let mut kind = event.change.event_type();
    if left {
        kind.push_str(".left");
    }
    kind
}

/// The variable `event` of conditions and templates.
pub(super) fn event_variable(event: &EnrichedEvent, left: Option<bool>) -> Map<String, Value> {
    let change = &event.change;
    let text = |text: &str| Value::String(text.to_owned());
    let values = [
        ("module", text(change.module.as_str())),
        ("operation", text(change.operation.as_str())),
        (
            "id",
            change
                .record
                .as_ref()
                .map_or(Value::Null, |it| text(it.as_str())),
        ),
        ("type", Value::String(event_type(event, left == Some(true)))),
        ("time", Value::String(time(change.server_time))),
        ("origin", text(change.origin.as_str())),
        ("source", Value::String(change.event_source())),
        (
            "connection",
            change
                .connection
                .as_ref()
                .map_or(Value::Null, |it| text(it.as_str())),
        ),
        (
            "changed",
            change.affected().map_or(Value::Null, Value::from),
        ),
        (
            "sequence",
            event
                .sequence
                .map_or(Value::Null, |it| Value::String(it.to_string())),
        ),
        (
            "recordstate",
            event.state.attribute().map_or(Value::Null, text),
        ),
    ];
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(super) fn attributes(
    event: &EnrichedEvent,
    id: DeliveryId,
    needs: &Needs,
    left: bool,
) -> Attributes {
    let change = &event.change;
    let subject = change.record.as_ref().map(ToString::to_string);
    // A route that asks for no record says nothing of it, but that it was deleted is known without asking.
    let tells = needs.tells_state() || event.state == RecordState::Deleted;
    Attributes {
        id: id.to_string(),
        source: change.event_source(),
        event_type: event_type(event, left),
        time: time(change.server_time),
        sequence: event
            .sequence
            .filter(|_| subject.is_some())
            .map(|it| it.to_string()),
        partitionkey: subject.clone(),
        subject,
        origin: change.origin.as_str().to_owned(),
        changedfields: change.affected().map(|it| it.join(",")),
        recordreadat: event.read_at.filter(|_| tells).map(time),
        recordstate: event.state.attribute().filter(|_| tells).map(str::to_owned),
        replayof: None,
    }
}

/// The data of a send without a `body`.
#[derive(Serialize)]
pub(super) struct DefaultData<'a> {
    module: &'a str,
    operation: &'a str,
    id: Option<&'a str>,
    record: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl<'a> DefaultData<'a> {
    pub(super) fn of(event: &'a EnrichedEvent, needs: &Needs) -> Self {
        let change = &event.change;
        let generic = change.connection.is_none();
        let carried = |record: &Record| {
            let mut values = needs.message(record)?.values;
            if let (Some(id), false) = (&change.record, generic) {
                values
                    .entry("id")
                    .or_insert_with(|| Value::String(id.to_string()));
            }
            Some(values)
        };
        Self {
            module: change.module.as_str(),
            operation: change.operation.as_str(),
            id: change.record.as_ref().map(RecordId::as_str),
            record: event.record.as_ref().and_then(carried),
            before: event.before.as_ref().and_then(carried),
            changed: change.affected(),
            body: generic
                .then(|| event.body.as_ref().map(Body::to_value))
                .flatten(),
        }
    }
}
