//! `POST /coql`.

use serde_json::{Map, Value, json};

use super::read::No;
use crate::{
    answer::{Answer, Refusal, put},
    call::Call,
    coql::{self, Plan},
    faults::CallTrouble,
    world::World,
};

pub(super) fn answer(world: &mut World, call: &Call, trouble: &CallTrouble) -> Answer {
    match query(world, call, trouble) {
        Ok((count, body)) => {
            world.counters.records_read += count;
            Answer::ok(body)
        }
        Err(no) => no.answer(),
    }
}

fn query(world: &World, call: &Call, trouble: &CallTrouble) -> Result<(u64, Value), No> {
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let text = match body.get("select_query") {
        Some(Value::String(text)) => text,
        None | Some(Value::Null) => {
            return Err(No::from(Refusal::new(
                "MANDATORY_NOT_FOUND",
                "mandatory key not found",
                json!({"api_name": "select_query"}),
            )));
        }
        Some(_) => {
            return Err(No::from(Refusal::invalid_data(json!({
                "expected_data_type": "text",
                "api_name": "select_query",
                "json_path": "$.select_query",
            }))));
        }
    };
    let with_fields = read_meta(&body)?;
    let query = coql::parse(text)?;
    let plan = Plan::of(world, &query)?;
    let rows = coql::run(world, &plan, world.reading(trouble));
    if rows.data.is_empty() {
        return Err(No::Nothing);
    }
    let count = u64::try_from(rows.data.len()).unwrap_or_default();
    let info = json!({"count": count, "more_records": rows.more});
    let mut body = json!({"data": rows.data, "info": info});
    if with_fields {
        let columns = plan.columns().into_iter();
        let fields: Map<String, Value> = columns
            .map(|it| (it.name.clone(), it.field().to_json()))
            .collect();
        put(&mut body, "fields", Value::Object(fields));
    }
    Ok((count, body))
}

/// Whether `include_meta` asks for the fields.
fn read_meta(body: &Value) -> Result<bool, Refusal> {
    match body.get("include_meta") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Array(names)) => match names.iter().find(|it| *it != "fields") {
            None => Ok(!names.is_empty()),
            Some(_) => Err(Refusal::invalid_data(json!({
                "api_name": "include_meta",
                "json_path": "$.include_meta[0]",
                "supported_values": ["fields"],
            }))),
        },
        Some(_) => Err(Refusal::invalid_data(json!({
            "expected_data_type": "jsonarray",
            "api_name": "include_meta",
            "json_path": "$.include_meta",
        }))),
    }
}

/// What a query costs: by its limit. Zoho: "API limits", v8.
pub(super) fn cost(call: &Call) -> u64 {
    let body = call.json();
    let text = body
        .as_ref()
        .and_then(|it| it.get("select_query")?.as_str());
    match text.map(coql::parse) {
        Some(Ok(query)) if query.limit > 1_000 => 3,
        Some(Ok(query)) if query.limit > 200 => 2,
        _ => 1,
    }
}
