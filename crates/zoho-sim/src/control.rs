//! The control plane under `/sim/`, for tests in other languages. The README documents it.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    api,
    call::Call,
    error::SimError,
    faults::Fault,
    hands,
    shared::Shared,
    world::{World, generate::read_counts, scopes::Scopes},
};

/// How long `/sim/settled` waits at most.
const SETTLED_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn answer(shared: &Arc<Shared>, call: &Call, path: &[String]) -> Answer {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if (&call.method, path.as_slice()) == (&Method::GET, &["settled"]) {
        let settled = tokio::time::timeout(SETTLED_TIMEOUT, shared.callbacks_settled()).await;
        return Answer::ok(json!({"settled": settled.is_ok()}));
    }
    act(shared, call, &path).unwrap_or_else(|error| refused(&error.to_string()))
}

fn act(shared: &Arc<Shared>, call: &Call, path: &[&str]) -> Result<Answer, SimError> {
    let body = || call.json().ok_or(SimError::Unreadable);
    shared.world(|world| match (&call.method, path) {
        (&Method::GET, ["counters"]) => Ok(Answer::ok(json!(world.counters))),
        (&Method::GET, ["faults"]) => Ok(Answer::ok(json!({"faults": world.script.faults()}))),
        (&Method::POST, ["faults"]) => {
            let fault: Fault = serde_json::from_value(body()?).map_err(SimError::Fault)?;
            if world.script.add(fault) {
                Ok(done())
            } else {
                Err(SimError::TooManyFaults)
            }
        }
        (&Method::DELETE, ["faults"]) => {
            world.script.clear();
            Ok(done())
        }
        (&Method::PUT, [what @ ("latency" | "bulk" | "webhooks")]) => set(world, what, &body()?),
        (&Method::POST, ["fire"]) => {
            let fired = hands::fire(world, &body()?)?;
            Ok(Answer::ok(json!({"callbacks": fired})))
        }
        (&Method::POST, ["load"]) => {
            let loaded = hands::load(world, &body()?)?;
            Ok(Answer::ok(json!({"records": loaded})))
        }
        (&Method::POST, ["generate"]) => {
            let mut made = 0;
            for (module, count) in read_counts(&body()?)? {
                made += world.generate(&module, count)?;
            }
            Ok(Answer::ok(json!({"records": made})))
        }
        (&Method::POST, ["code"]) => {
            let now = world.clock.monotonic();
            let code = world.tokens.issue_code(None, scopes(call), now);
            Ok(Answer::ok(json!({"code": code})))
        }
        (&Method::POST, ["tokens", "expire"]) => {
            world.tokens.expire_access();
            Ok(done())
        }
        (&Method::POST, ["workflow_rules"]) => workflow_rule(world, &body()?),
        (&Method::GET, ["mails"]) => Ok(Answer::ok(json!({"mails": hands::mails(world)}))),
        (&Method::GET, ["records", module]) => {
            Ok(Answer::ok(json!({"data": hands::records(world, module)})))
        }
        (&Method::POST, ["records", module]) => {
            let ids = hands::insert(world, module, rows(&body()?)?)?;
            Ok(Answer::ok(json!({"ids": ids})))
        }
        (&Method::PUT, ["records", module]) => {
            hands::update(world, module, rows(&body()?)?)?;
            Ok(done())
        }
        (&Method::DELETE, ["records", module]) => {
            hands::delete(world, module, &call.ids().unwrap_or_default())?;
            Ok(done())
        }
        _ => Ok(api::unknown_path()),
    })
}

/// Changes what the settings said: a time as `{"ms"}`, or `{"private_hosts"}`.
fn set(world: &mut World, what: &str, body: &Value) -> Result<Answer, SimError> {
    let ms = || {
        let ms = body.get("ms").and_then(Value::as_u64);
        ms.map(Duration::from_millis).ok_or(SimError::Unreadable)
    };
    match what {
        "latency" => world.latency = ms()?,
        "bulk" => world.jobs.takes = ms()?,
        _ => {
            let private = body.get("private_hosts").and_then(Value::as_bool);
            world.automation.private_hosts = private.ok_or(SimError::Unreadable)?;
        }
    }
    Ok(done())
}

/// `{"scopes": [...]}`; everything, if there are none.
fn scopes(call: &Call) -> Scopes {
    let body = call.json().unwrap_or_default();
    let asked = body.get("scopes").and_then(Value::as_array);
    let asked = asked.into_iter().flatten().filter_map(Value::as_str);
    Scopes::read(&asked.collect::<Vec<_>>().join(","))
}

fn workflow_rule(world: &mut World, body: &Value) -> Result<Answer, SimError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = (text("module"), text("operation"));
    let id = hands::workflow_rule(world, what, text("webhook"))?;
    Ok(Answer::ok(json!({"id": id})))
}

fn rows(body: &Value) -> Result<Vec<Value>, SimError> {
    body.get("data")
        .and_then(Value::as_array)
        .cloned()
        .ok_or(SimError::Unreadable)
}

fn done() -> Answer {
    Answer::ok(json!({"done": true}))
}

fn refused(message: &str) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, json!({"error": message}))
}
