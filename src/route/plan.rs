//! From decisions to deliveries: keys and bodies rendered once, so that every repeat is the same.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    body::{JSON, encode, render},
    command::command,
    decide::{Decision, Facts, Outcome, last_known},
    message::{self, DefaultData},
    table::{Plan, Prepared, Send},
};
use crate::{
    event::{
        DeliveryId, EnrichedEvent, Message, NewDelivery, QuarantineReason, RecordState, Unread,
    },
    template::{EvalError, Scope, Template},
};

/// Longest routing key, in bytes. AMQP 0-9-1 counts its length in one byte.
const KEY_BYTES_MAX: usize = 255;

const MISSING: &str = "zoho does not return the record: converted, not shared with our user, waiting for approval, or \
                       deleted";

/// Why a send cannot be planned.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error("{0}")]
    Template(#[from] EvalError),
    #[error("{0} is {1}")]
    Text(&'static str, &'static str),
    #[error("the body is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl PlanError {
    const fn reason(&self) -> QuarantineReason {
        match self {
            Self::Template(_) => QuarantineReason::ConditionError,
            Self::Text(..) | Self::Json(_) => QuarantineReason::Unrenderable,
        }
    }
}

/// All or nothing: one route that cannot be computed sets the whole change aside. One that lacks the record sets it aside
/// for itself alone.
pub(super) fn plan(decisions: &[Decision<'_>], event: &EnrichedEvent, now: Timestamp) -> Plan {
    let facts = Facts::of(event, now);
    let mut deliveries = vec![];
    let mut lacking = vec![];
    for decision in decisions {
        let left = match &decision.outcome {
            Outcome::Matched { left } => *left,
            Outcome::Unmatched | Outcome::NullOrdered => continue,
            Outcome::Unread => {
                lacking.push(decision.route().name.as_str());
                continue;
            }
            Outcome::Failed(message) => {
                return Plan::Quarantine {
                    reason: QuarantineReason::ConditionError,
                    detail: format!("route `{}`: when: {message}", decision.route().name),
                    deliveries: vec![],
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
                        deliveries: vec![],
                    };
                }
            }
        }
    }
    match (&event.state, deliveries.is_empty()) {
        (RecordState::Unreadable(why), _) if !lacking.is_empty() => {
            unread(why, &lacking, deliveries)
        }
        (_, true) => Plan::Unmatched,
        (_, false) => Plan::Deliver(deliveries),
    }
}

/// Some routes lack the record; the deliveries are of those that do not.
fn unread(why: &Unread, lacking: &[&str], deliveries: Vec<NewDelivery>) -> Plan {
    let (reason, detail) = match why {
        Unread::Deleted if deliveries.is_empty() => return Plan::Superseded,
        Unread::Deleted => return Plan::Deliver(deliveries),
        Unread::Missing => (QuarantineReason::RecordMissing, MISSING),
        Unread::Refused { reason, detail } => (*reason, detail.as_str()),
    };
    Plan::Quarantine {
        reason,
        detail: format!("{detail}; for `{}`", lacking.join("`, `")),
        deliveries,
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
    let full = last_known(event);
    let seen = full.and_then(|it| needs.seen(it));
    let seen_before = event.before.as_ref().and_then(|it| needs.seen(it));
    let key_scope = Scope {
        before: seen_before.as_ref().or(event.before.as_ref()),
        ..scope(seen.as_ref().or(full))
    };
    let body_scope = Scope {
        before: own_before.as_ref().or(event.before.as_ref()),
        ..scope(own.as_ref().or(event.record.as_ref()))
    };
    let body = send.body.as_ref();
    let body = body.map(|it| render(it, &body_scope)).transpose()?;
    let (content_type, data) = match (&send.write, body) {
        (Some(write), values) => {
            let record = write.id.as_ref();
            let record = record.map(|it| text(it, &key_scope, "the id"));
            (JSON, command(write, record.transpose()?, values, id)?)
        }
        (None, Some(body)) => encode(&body)?,
        (None, None) => (JSON, serde_json::to_vec(&DefaultData::of(event, needs))?),
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
                Some(key) => routing_key(key, &key_scope)?,
            }),
        },
    })
}

fn routing_key(key: &Template, scope: &Scope<'_>) -> Result<String, PlanError> {
    const WHAT: &str = "the routing key";
    let key = text(key, scope, WHAT)?;
    if key.len() > KEY_BYTES_MAX {
        return Err(PlanError::Text(WHAT, "longer than 255 bytes"));
    }
    Ok(key)
}

fn text(template: &Template, scope: &Scope<'_>, what: &'static str) -> Result<String, PlanError> {
    match template.render(scope)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(it) => Ok(it.to_string()),
        Value::Null => Err(PlanError::Text(what, "null")),
        Value::Array(_) | Value::Object(_) => Err(PlanError::Text(what, "not a text")),
    }
}
