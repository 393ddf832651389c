//! Tags put on records, and taken off.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{guard, tags, write};
use crate::{
    answer::{Answer, Refusal, per_item, put},
    call::Call,
    query_call::Tagging,
    world::{World, notify::Change, people::Who},
};

/// Records per call. Zoho: "Add tags to multiple records", v8.
const RECORDS_MAX: usize = 500;

pub(super) fn answer(world: &mut World, call: &Call, asked: &Tagging) -> Answer {
    tag(world, call, asked).unwrap_or_else(|it| it.bad_request())
}

fn tag(world: &mut World, call: &Call, asked: &Tagging) -> Result<Answer, Refusal> {
    if !world.tables.contains_key(&asked.module) {
        return Err(Refusal::invalid_module());
    }
    let mut names = vec![];
    let mut sent = vec![];
    for (at, tag) in tags::sent(call)?.iter().enumerate() {
        let read = tags::read(tag, at)?;
        sent.push(json!({"name": read.name, "color_code": read.color}));
        names.push(read.name.to_lowercase());
    }
    let body = call.json().unwrap_or_default();
    let ids = match &asked.id {
        Some(id) => vec![id.clone()],
        None => read_ids(&body)?,
    };
    let over_write = match body.get("over_write") {
        Some(Value::String(text)) => text == "true",
        other => other.and_then(Value::as_bool).unwrap_or_default(),
    };
    let (mut items, mut changes, mut locked) = (vec![], vec![], 0);
    for id in &ids {
        let before = current(world, &asked.module, id);
        let written = before.and_then(|(number, before)| {
            let is_named = |it: &Value| {
                let name = it.get("name").and_then(Value::as_str).unwrap_or_default();
                names.contains(&name.to_lowercase())
            };
            let kept = before.into_iter().filter(|it| !is_named(it));
            let after: Vec<Value> = match (asked.add, over_write) {
                (true, true) => sent.clone(),
                (true, false) => kept.chain(sent.clone()).collect(),
                (false, _) => kept.collect(),
            };
            write_tags(world, &asked.module, number, after)
        });
        locked += usize::from(matches!(&written, Err(it) if it.code == "RECORD_LOCKED"));
        items.push(written.map(|change| {
            let item = success(world, &asked.module, &change);
            changes.push(change);
            item
        }));
    }
    write::finish_edits(world, &asked.module, changes);
    let mut answer = per_item("data", items, StatusCode::OK);
    if let (None, Some(body)) = (&asked.id, &mut answer.body) {
        put(body, "locked_count", json!(locked));
    }
    Ok(answer)
}

/// A record's number and tags, if it may be changed.
fn current(world: &World, module: &str, id: &str) -> Result<(u64, Vec<Value>), Refusal> {
    let number: Option<u64> = id.parse().ok();
    let table = world.tables.get(module);
    let record = number.and_then(|number| table?.get(number));
    let record = record.ok_or_else(|| Refusal::invalid_id(json!({"id": id})))?;
    let details = json!({"action": "record_locking", "id": id});
    guard::check_unlocked(world, module, record.id, details)?;
    let tags = record.current.values.get("Tag").and_then(Value::as_array);
    Ok((record.id, tags.cloned().unwrap_or_default()))
}

fn write_tags(
    world: &mut World,
    module: &str,
    id: u64,
    tags: Vec<Value>,
) -> Result<Change, Refusal> {
    let values = Map::from_iter([("Tag".to_owned(), Value::Array(tags))]);
    let changed = world.update(module, id, values, Who::Integration);
    changed.ok_or_else(|| Refusal::invalid_id(json!({"id": id.to_string()})))
}

fn success(world: &World, module: &str, change: &Change) -> Value {
    let record = world.tables.get(module).and_then(|it| it.get(change.id));
    let tags = record.and_then(|it| it.current.values.get("Tag"));
    json!({
        "code": "SUCCESS",
        "details": {"id": change.id.to_string(), "tags": tags},
        "message": "tags updated successfully",
        "status": "success",
    })
}

/// The ids: a list, or the JSON of one in a string, as the service's own examples have it.
pub(super) fn ids_sent(body: &Value) -> Option<Vec<String>> {
    let sent = body.get("ids")?;
    let ids = match sent.as_str() {
        Some(text) => serde_json::from_str(text).ok()?,
        None => sent.clone(),
    };
    let text = |it: &Value| {
        it.as_str()
            .map_or_else(|| it.to_string(), ToOwned::to_owned)
    };
    Some(ids.as_array()?.iter().map(text).collect())
}

fn read_ids(body: &Value) -> Result<Vec<String>, Refusal> {
    let named = json!({"api_name": "ids", "json_path": "$.ids"});
    match ids_sent(body) {
        Some(ids) if ids.len() > RECORDS_MAX => {
            let mut details = named;
            put(&mut details, "maximum_length", json!(RECORDS_MAX));
            Err(Refusal::invalid_data(details))
        }
        Some(ids) if !ids.is_empty() => Ok(ids),
        _ => Err(Refusal::new(
            "MANDATORY_NOT_FOUND",
            "required field not found",
            named,
        )),
    }
}
