//! `POST /__composite_requests`: up to five calls in one.

mod reference;
mod request;

use std::collections::BTreeMap;

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use self::request::{Composite, KEY, Sub};
use super::admit::{self, RESET_HEADER};
use crate::{
    answer::{Answer, Refusal},
    call::{Call, Kind, Operation},
    coql,
    family::Family,
    faults::CallTrouble,
    world::World,
};

/// Records that a sub-request may write, and that it may read. Zoho: "Composite API", v8.
const WRITTEN_MAX: usize = 1;
const READ_MAX: u64 = 25;

/// What became of a sub-request.
#[derive(Debug)]
enum Outcome {
    Answered(Answer),
    /// It was never made.
    Refused(Refusal),
}

type Outcomes = BTreeMap<usize, Outcome>;

/// Zoho: "Composite API", v8.
pub(super) fn answer(
    world: &mut World,
    call: &Call,
    trouble: &CallTrouble,
) -> Result<Answer, Refusal> {
    let composite = Composite::read(call)?;
    let before = composite.rollback.then(|| world.remember());
    let mut outcomes = Outcomes::new();
    let mut failed = None;
    while let Some(at) = next(&composite, &outcomes) {
        let outcome = match composite.subs.get(at) {
            Some(Ok(sub)) => {
                let token = call.headers.get(header::AUTHORIZATION);
                run(world, (&composite, sub), token, &outcomes, trouble)
            }
            Some(Err(refusal)) => Outcome::Refused(refusal.clone()),
            None => break,
        };
        let well = outcome.is_well();
        outcomes.insert(at, outcome);
        if !well && composite.rollback {
            failed = Some(at);
            break;
        }
    }
    let reset = admit::token_reset(world, call);
    let (status, items) = match (failed, before) {
        (Some(failed), Some(before)) => {
            world.take_back(before);
            let items = undone(&composite, &outcomes, failed, reset.as_deref());
            (StatusCode::BAD_REQUEST, items)
        }
        _ => done(&composite, &outcomes, reset.as_deref()),
    };
    Ok(Answer::json(status, json!({ KEY: items })))
}

/// What a composite call costs: one credit, and what its calls cost. Zoho: "API limits", v8.
pub(super) fn cost(call: &Call) -> u64 {
    let subs = Composite::read(call).map(|it| it.subs).unwrap_or_default();
    let costs = subs.iter().flatten().map(|sub| {
        let call = sub.to_call(None);
        // What is not carried out costs nothing.
        if is_supported(&call) {
            admit::cost(&call)
        } else {
            0
        }
    });
    1 + costs.sum::<u64>()
}

/// The next to be made: the first, or, in parallel, the first that waits for no other.
fn next(composite: &Composite, outcomes: &Outcomes) -> Option<usize> {
    let mut waiting = (0..composite.subs.len()).filter(|at| !outcomes.contains_key(at));
    let ready = |at: &usize| match composite.subs.get(*at) {
        Some(Ok(sub)) if composite.parallel => {
            referred(composite, sub).all(|other| other == *at || outcomes.contains_key(&other))
        }
        _ => true,
    };
    waiting.find(ready)
}

/// Places of the sub-requests that this one refers to; unknown ids have none.
fn referred<'a>(composite: &'a Composite, sub: &'a Sub) -> impl Iterator<Item = usize> + 'a {
    sub.refers_to().into_iter().filter_map(|id| {
        let mut others = composite.subs.iter().flatten();
        Some(others.find(|it| it.id.as_deref() == Some(id))?.at)
    })
}

fn run(
    world: &mut World,
    (composite, sub): (&Composite, &Sub),
    token: Option<&HeaderValue>,
    outcomes: &Outcomes,
    trouble: &CallTrouble,
) -> Outcome {
    let answered = |id: &str| {
        let mut others = composite.subs.iter().flatten();
        let other = others.find(|it| it.id.as_deref() == Some(id))?;
        match outcomes.get(&other.at)? {
            Outcome::Answered(answer) if answer.status.is_success() => answer.body.as_ref(),
            Outcome::Answered(_) | Outcome::Refused(_) => None,
        }
    };
    let mut made = match sub.resolved(answered) {
        Ok(resolved) => resolved.to_call(token),
        Err(refusal) => return Outcome::Refused(refusal),
    };
    if !is_supported(&made) {
        let path = format!("$.{KEY}[{}].uri", sub.at);
        return Outcome::Refused(Refusal::new(
            "NOT_SUPPORTED",
            "the API is not supported in a composite request",
            json!({"api_name": "uri", "json_path": path}),
        ));
    }
    let own = world.script.for_part(made.kind());
    if own != CallTrouble::default() {
        world.counters.faults += 1;
    }
    if let Some(status) = own.status {
        return Outcome::Answered(admit::scripted(status));
    }
    if let Err(refusal) = admit::authorize(world, &made) {
        return Outcome::Answered(refusal.answer(StatusCode::UNAUTHORIZED));
    }
    let trouble = own.within(trouble);
    Outcome::Answered(match limit(&mut made) {
        Ok(()) => super::answer(world, &made, &trouble),
        Err(refusal) => refusal.bad_request(),
    })
}

/// Holds a call to what it may write and read as a part of another one.
fn limit(call: &mut Call) -> Result<(), Refusal> {
    let exceeded = |by: &str, limit: u64| {
        let details = json!({"by": by, "limit": limit});
        Err(Refusal::new("LIMIT_EXCEEDED", "limit exceeded", details))
    };
    let kind = call.kind();
    if matches!(
        kind,
        Kind::Insert | Kind::Update | Kind::Upsert | Kind::Relate
    ) && call.records_sent() > WRITTEN_MAX
    {
        return exceeded("data", 1);
    }
    if kind == Kind::Coql && coql_limit(call).is_some_and(|it| it > READ_MAX) {
        return exceeded("limit", READ_MAX);
    }
    if matches!(
        kind,
        Kind::ReadList | Kind::ReadIds | Kind::ReadDeleted | Kind::Search | Kind::Related
    ) {
        match call.parameter("per_page") {
            None => call.query.push(("per_page".into(), READ_MAX.to_string())),
            Some(rows) if rows.parse::<u64>().is_ok_and(|it| it > READ_MAX) => {
                return exceeded("per_page", READ_MAX);
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The limit that a query names.
fn coql_limit(call: &Call) -> Option<u64> {
    let body = call.json()?;
    let text = body.get("select_query")?.as_str()?;
    let named = text
        .to_lowercase()
        .split_whitespace()
        .any(|it| it == "limit");
    let limit = coql::parse(text).ok()?.limit;
    u64::try_from(limit).ok().filter(|_| named)
}

/// Whether a call may be part of another one. Zoho: "Composite API", v8, as far as it is told.
fn is_supported(call: &Call) -> bool {
    match call.kind() {
        Kind::Delete => !matches!(call.operation, Operation::Records(_)),
        Kind::Files => matches!(
            (&call.operation, &call.method),
            (Operation::Family(Family::Attachments(_)), &Method::GET)
                | (Operation::Family(Family::Photo(_)), &Method::DELETE)
        ),
        Kind::Token
        | Kind::Accounts
        | Kind::MassDelete
        | Kind::RecycleBin
        | Kind::Mail
        | Kind::BulkRead
        | Kind::BulkWrite
        | Kind::BulkJob
        | Kind::Composite
        | Kind::Automation => false,
        Kind::Metadata
        | Kind::ReadIds
        | Kind::ReadList
        | Kind::ReadOne
        | Kind::ReadDeleted
        | Kind::Count
        | Kind::Coql
        | Kind::Search
        | Kind::FullData
        | Kind::Related
        | Kind::Relate
        | Kind::Tags
        | Kind::TagRecords
        | Kind::Timeline
        | Kind::Lock
        | Kind::Insert
        | Kind::Update
        | Kind::Upsert
        | Kind::Convert
        | Kind::Notes
        | Kind::Watch
        | Kind::Unknown => true,
    }
}

/// The items when nothing was taken back, and their status: it says whether calls were made, not
/// what came of them.
fn done(
    composite: &Composite,
    outcomes: &Outcomes,
    reset: Option<&str>,
) -> (StatusCode, Vec<Value>) {
    let made = outcomes
        .values()
        .filter(|it| matches!(it, Outcome::Answered(_)));
    let status = match made.count() {
        0 => StatusCode::BAD_REQUEST,
        made if made == composite.subs.len() => StatusCode::OK,
        _ => StatusCode::MULTI_STATUS,
    };
    let left: Vec<usize> = (0..composite.subs.len())
        .filter(|at| !outcomes.contains_key(at))
        .collect();
    let items = (0..composite.subs.len()).map(|at| match outcomes.get(&at) {
        Some(outcome) => outcome.to_json(reset),
        // Each of them waits for another one.
        None => Refusal::new(
            "LOOPING_FOUND",
            "the sub requests refer to each other",
            json!({"api_name": KEY, "json_path": format!("$.{KEY}[{at}]"), "sub_request_indexes": left}),
        )
        .to_json(),
    });
    (status, items.collect())
}

/// The items when one failed and the others were taken back or never made.
fn undone(
    composite: &Composite,
    outcomes: &Outcomes,
    failed: usize,
    reset: Option<&str>,
) -> Vec<Value> {
    let message =
        "the transaction was rolled back since another sub request in the same transaction failed.";
    let details = json!({"rollbacked_by_sub_request_index": failed});
    let items = (0..composite.subs.len()).map(|at| match outcomes.get(&at) {
        Some(outcome) if at == failed => outcome.to_json(reset),
        Some(_) => Refusal::new("ROLLBACK_PERFORMED", message, details.clone()).to_json(),
        None => Refusal::new("PROCESSING_STOPPED", message, details.clone()).to_json(),
    });
    items.collect()
}

impl Outcome {
    fn is_well(&self) -> bool {
        matches!(self, Self::Answered(answer) if answer.status.as_u16() < 400)
    }

    fn to_json(&self, reset: Option<&str>) -> Value {
        let answer = match self {
            Self::Refused(refusal) => return refusal.to_json(),
            Self::Answered(answer) => answer,
        };
        let response = json!({
            "headers": {
                RESET_HEADER: reset,
                "Content-Disposition": "attachment; filename=response.json",
                "content-type": "application/json;charset=utf-8",
            },
            "status_code": answer.status.as_u16(),
            "body": answer.body,
        });
        json!({
            "code": "SUCCESS",
            "details": {"response": response},
            "message": "composite sub request executed successfully",
            "status": "success",
        })
    }
}
