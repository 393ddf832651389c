//! From decisions to deliveries: keys and bodies rendered once, so that every repeat is the same.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::Value;

use super::{
    decide::{Decision, Facts, Outcome, last_known},
    message::{self, DefaultData},
    table::{BodyTemplate, Plan, Prepared, Send},
};
use crate::{
    event::{DeliveryId, EnrichedEvent, Message, NewDelivery, QuarantineReason},
    template::{EvalError, Scope, Template},
};

/// Longest routing key, in bytes. AMQP 0-9-1 counts its length in one byte.
const KEY_BYTES_MAX: usize = 255;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Why a send cannot be planned.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error("{0}")]
    Template(#[from] EvalError),
    #[error("the routing key is {0}")]
    Key(&'static str),
    #[error("the body is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl PlanError {
    const fn reason(&self) -> QuarantineReason {
        match self {
            Self::Template(_) => QuarantineReason::ConditionError,
            Self::Key(_) | Self::Json(_) => QuarantineReason::Unrenderable,
        }
    }
}

/// All or nothing: one route that cannot be computed sets the whole change aside.
pub(super) fn plan(decisions: &[Decision<'_>], event: &EnrichedEvent, now: Timestamp) -> Plan {
    let facts = Facts::of(event, now);
    let mut deliveries = vec![];
    for decision in decisions {
        let left = match &decision.outcome {
            Outcome::Matched { left } => *left,
            Outcome::Unmatched | Outcome::NullOrdered => continue,
            Outcome::Failed(message) => {
                return Plan::Quarantine {
                    reason: QuarantineReason::ConditionError,
                    detail: format!("route `{}`: when: {message}", decision.route().name),
                };
            }
        };
        for send in &decision.route().sends {
            match deliver(decision.prepared, send, &facts, left) {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => {
                    return Plan::Quarantine {
                        reason: error.reason(),
                        detail: format!(
                            "route `{}`, send `{}`: {error}",
                            decision.route().name,
                            send.name
                        ),
                    };
                }
            }
        }
    }
    if deliveries.is_empty() {
        Plan::Unmatched
    } else {
        Plan::Deliver(deliveries)
    }
}

fn deliver(
    prepared: &Prepared,
    send: &Send,
    facts: &Facts<'_>,
    left: bool,
) -> Result<NewDelivery, PlanError> {
    let event = facts.event;
    let (route, needs) = (&prepared.route, &prepared.needs);
    let id = DeliveryId::derive(event.change.id, &route.name, &send.name);
    let with_left;
    let variable = if left {
        with_left = message::event_variable(event, Some(true));
        &with_left
    } else {
        &facts.variable
    };
    let own = event.record.as_ref().and_then(|it| needs.sent(it));
    let own_before = event.before.as_ref().and_then(|it| needs.sent(it));
    let changed = |field: &str| super::decide::changed(event, field).unwrap_or(true);
    let scope = |record| Scope {
        event: Some(variable),
        changed: Some(&changed),
        left,
        ..facts.scope(record)
    };
    let (content_type, data) = match &send.body {
        None => (JSON, serde_json::to_vec(&DefaultData::of(event, needs))?),
        Some(body) => {
            let scope = Scope {
                before: own_before.as_ref().or(event.before.as_ref()),
                ..scope(own.as_ref().or(event.record.as_ref()))
            };
            encode(&render(body, &scope)?)?
        }
    };
    Ok(NewDelivery {
        id,
        destination: send.to.clone(),
        route: route.name.clone(),
        send: send.name.clone(),
        on_failure: send.on_failure,
        message: Message {
            attributes: message::attributes(event, id, needs, left),
            content_type: content_type.to_owned(),
            data: Bytes::from(data),
            routing_key: Some(match &send.key {
                None => format!("{}.{}", event.change.module, event.change.operation),
                Some(key) => routing_key(key, &scope(last_known(event)))?,
            }),
        },
    })
}

fn routing_key(key: &Template, scope: &Scope<'_>) -> Result<String, PlanError> {
    let key = match key.render(scope)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(it) => it.to_string(),
        Value::Null => return Err(PlanError::Key("null")),
        Value::Array(_) | Value::Object(_) => return Err(PlanError::Key("not a text")),
    };
    if key.len() > KEY_BYTES_MAX {
        return Err(PlanError::Key("longer than 255 bytes"));
    }
    Ok(key)
}

/// A body with its templates computed; mappings keep the file's order.
enum Rendered<'a> {
    Literal(&'a Value),
    Computed(Value),
    List(Vec<Rendered<'a>>),
    Map(Vec<(&'a str, Rendered<'a>)>),
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Literal(value) => value.serialize(serializer),
            Self::Computed(value) => value.serialize(serializer),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

fn render<'a>(body: &'a BodyTemplate, scope: &Scope<'_>) -> Result<Rendered<'a>, EvalError> {
    Ok(match body {
        BodyTemplate::Literal(value) => Rendered::Literal(value),
        BodyTemplate::Template(template) => Rendered::Computed(template.render(scope)?),
        BodyTemplate::List(items) => Rendered::List(
            items
                .iter()
                .map(|it| render(it, scope))
                .collect::<Result<_, _>>()?,
        ),
        BodyTemplate::Map(entries) => Rendered::Map(
            entries
                .iter()
                .map(|(name, it)| Ok((name.as_str(), render(it, scope)?)))
                .collect::<Result<_, EvalError>>()?,
        ),
    })
}

/// A body that is a text is sent as it is, everything else as JSON.
fn encode(body: &Rendered<'_>) -> Result<(&'static str, Vec<u8>), PlanError> {
    let text = match body {
        Rendered::Literal(value) => value.as_str(),
        Rendered::Computed(value) => value.as_str(),
        Rendered::List(_) | Rendered::Map(_) => None,
    };
    Ok(match text {
        Some(text) => (TEXT, text.as_bytes().to_vec()),
        None => (JSON, serde_json::to_vec(body)?),
    })
}
