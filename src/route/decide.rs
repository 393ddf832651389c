//! Whether one route takes an event, and why not.

use std::cell::Cell;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    message,
    needs::MODIFIED_BY,
    table::{MissingPolicy, Prepared, Route},
};
use crate::{
    event::{EnrichedEvent, Operation, Record, RecordState, Unread},
    template::{Condition, EvalError, Scope, Verdict},
};

/// How one route decided on one event.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    pub(super) prepared: &'a Prepared,
    /// Whether it matched.
    pub outcome: Outcome,
    /// `changed()` was asked for a field of which it is not known, and said true.
    pub changed_unknown: bool,
}

impl Decision<'_> {
    /// Whose decision it is.
    pub const fn route(&self) -> &Route {
        &self.prepared.route
    }
}

/// The ways a route decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It takes the event.
    Matched {
        /// Because the record left what the condition describes.
        left: bool,
    },
    /// Its condition does not hold.
    Unmatched,
    /// Its condition compared null by order, which counts as not holding.
    NullOrdered,
    /// Its condition cannot be computed; holds no record content.
    Failed(String),
    /// It takes the event, or its condition cannot tell, but it does not go without the record, which is not to be had.
    Unread,
}

/// What all routes share of an event.
pub(super) struct Facts<'a> {
    pub(super) event: &'a EnrichedEvent,
    /// The variable `event`.
    pub(super) variable: Map<String, Value>,
    pub(super) now: Timestamp,
}

impl<'a> Facts<'a> {
    pub(super) fn of(event: &'a EnrichedEvent, now: Timestamp) -> Self {
        Self {
            event,
            variable: message::event_variable(event, None),
            now,
        }
    }

    pub(super) fn scope<'s>(&'s self, record: Option<&'s Record>) -> Scope<'s> {
        Scope {
            event: Some(&self.variable),
            record,
            before: self.event.before.as_ref(),
            source: Some(self.event.change.source.as_str()),
            body: self.event.body.as_ref(),
            now: Some(self.now),
            changed: None,
            left: false,
        }
    }
}

/// The record as conditions see it: on a delete as last seen.
pub(super) const fn last_known(event: &EnrichedEvent) -> Option<&Record> {
    match (&event.record, &event.change.operation) {
        (Some(record), _) => Some(record),
        (None, Operation::Delete) => event.before.as_ref(),
        (None, Operation::Insert | Operation::Update | Operation::Other(_)) => None,
    }
}

/// Whether a field changed: as the callback says, else as a comparison with the record last seen says.
/// `None`: not known.
pub(super) fn changed(event: &EnrichedEvent, field: &str) -> Option<bool> {
    if let Some(affected) = event.change.affected() {
        return Some(affected.iter().any(|it| it == field));
    }
    let has = |record: &Record| record.fields.contains(field) || record.values.contains_key(field);
    let before = event.before.as_ref().filter(|it| has(it))?;
    let record = last_known(event).filter(|it| has(it))?;
    let value = |record: &Record| record.values.get(field).cloned().unwrap_or_default();
    Some(value(before) != value(record))
}

pub(super) fn decide<'a>(prepared: &'a Prepared, facts: &Facts<'_>) -> Decision<'a> {
    let unknown = Cell::new(false);
    let route = &prepared.route;
    let lacks = lacks_record(prepared, facts.event);
    let outcome = match &route.when {
        _ if is_by_any(&route.ignore_changes_by, facts.event) => Ok(Outcome::Unmatched),
        _ if lacks && asks_record(route) => Ok(Outcome::Unread),
        None => Ok(Outcome::Matched { left: false }),
        Some(when) => holds(prepared, when, facts, &unknown),
    };
    let outcome = match outcome {
        Ok(Outcome::Matched { .. }) if lacks => Outcome::Unread,
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(error.to_string()),
    };
    Decision {
        prepared,
        outcome,
        changed_unknown: unknown.get(),
    }
}

/// Whether a route needs the record and does not go without it.
fn lacks_record(prepared: &Prepared, event: &EnrichedEvent) -> bool {
    let RecordState::Unreadable(why) = &event.state else {
        return false;
    };
    let goes = match why {
        Unread::Missing => prepared.route.on_missing == MissingPolicy::Send,
        Unread::Deleted | Unread::Refused { .. } => false,
    };
    !goes && prepared.needs.record()
}

/// Whether a route looks at the record to decide.
fn asks_record(route: &Route) -> bool {
    let reads = |it: &Condition| it.reads().whole_record || !it.reads().record_fields.is_empty();
    !route.ignore_changes_by.is_empty() || route.when.as_ref().is_some_and(reads)
}

/// Whether a change was made by one of these users: as the callback says, else as the record read for it does. On a
/// delete only the callback can tell.
fn is_by_any(users: &[String], event: &EnrichedEvent) -> bool {
    let id = |values: &Map<String, Value>| {
        let by = values.get(MODIFIED_BY)?.get("id")?;
        by.as_str().map(str::to_owned)
    };
    let told = event.change.values.as_ref().and_then(id);
    let read = || event.record.as_ref().and_then(|it| id(&it.values));
    !users.is_empty() && told.or_else(read).is_some_and(|it| users.contains(&it))
}

fn holds(
    prepared: &Prepared,
    when: &Condition,
    facts: &Facts<'_>,
    unknown: &Cell<bool>,
) -> Result<Outcome, EvalError> {
    let event = facts.event;
    let changed = |field: &str| {
        changed(event, field).unwrap_or_else(|| {
            unknown.set(true);
            true
        })
    };
    let full = last_known(event);
    let own = full.and_then(|it| prepared.needs.seen(it));
    let own_before = event.before.as_ref().and_then(|it| prepared.needs.seen(it));
    let before = own_before.as_ref().or(event.before.as_ref());
    let scope = Scope {
        before,
        changed: Some(&changed),
        ..facts.scope(own.as_ref().or(full))
    };
    let stays = when.eval(&scope)?;
    let outcome = match stays {
        Verdict::Holds => return Ok(Outcome::Matched { left: false }),
        Verdict::Fails => Outcome::Unmatched,
        Verdict::NullOrdered => Outcome::NullOrdered,
    };
    if !when.reads().left || before.is_none() {
        return Ok(outcome);
    }
    // It held on the record as it was: then `left()` is true, and the condition is asked once more.
    let was = Scope {
        record: before,
        before: None,
        ..scope
    };
    if when.eval(&was)? != Verdict::Holds {
        return Ok(outcome);
    }
    let gone = Scope {
        left: true,
        ..scope
    };
    Ok(match when.eval(&gone)? {
        Verdict::Holds => Outcome::Matched { left: true },
        Verdict::Fails => Outcome::Unmatched,
        Verdict::NullOrdered => Outcome::NullOrdered,
    })
}
