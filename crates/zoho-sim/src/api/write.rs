//! Writes of records: insert, update, upsert, delete.

use http::StatusCode;
use serde_json::{Value, json};

use super::guard;
use crate::{
    answer::{Answer, Refusal, per_item, put},
    call::Call,
    time,
    world::{
        World,
        channel::Event,
        notify::Change,
        people::Who,
        write::{Place, Write},
    },
};

/// Records per write. Zoho: "Insert records", v8.
const RECORDS_MAX: usize = 100;

/// Writes over the API are the integration user's.
const BY: Who = Who::Integration;

pub(super) fn insert(world: &mut World, call: &Call, module: &str) -> Answer {
    let data = match read_data(world, call, module) {
        Ok(data) => data,
        Err(refusal) => return refusal.bad_request(),
    };
    let mut items = vec![];
    let mut changes = vec![];
    for (at, sent) in data.iter().enumerate() {
        let place = Place { module, at };
        items.push(insert_one(world, place, sent).map(|change| {
            let item = success(world, module, change.id, "record added");
            changes.push(change);
            item
        }));
    }
    run_workflows(world, call, (module, Event::Create), &changes);
    finish(world, module, changes, Event::Create);
    per_item("data", items, StatusCode::CREATED)
}

pub(super) fn update(world: &mut World, call: &Call, module: &str, id: Option<&str>) -> Answer {
    let read = read_data(world, call, module);
    let (mut data, unmodified_since) = match (read, guard::read_unmodified_since(call)) {
        (Ok(data), Ok(since)) => (data, since),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal.bad_request(),
    };
    if let (Some(id), Some(Value::Object(first))) = (id, data.first_mut()) {
        first.insert("id".into(), json!(id));
        data.truncate(1);
    }
    let mut items = vec![];
    let mut changes = vec![];
    for (at, sent) in data.iter().enumerate() {
        let place = Place { module, at };
        let written = read_id(world, place, sent).and_then(|id| {
            guard::check_unmodified(world, module, id, unmodified_since)?;
            update_one(world, place, sent, id)
        });
        items.push(written.map(|change| {
            let item = success(world, module, change.id, "record updated");
            changes.push(change);
            item
        }));
    }
    run_workflows(world, call, (module, Event::Edit), &changes);
    finish(world, module, changes, Event::Edit);
    let all_modified = items.iter().all(|it| match it {
        Err(refusal) => refusal.code == guard::RECORD_MODIFIED,
        Ok(_) => false,
    });
    let mut answer = per_item("data", items, StatusCode::OK);
    if all_modified {
        answer.status = StatusCode::PRECONDITION_FAILED;
    }
    answer
}

pub(super) fn upsert(world: &mut World, call: &Call, module: &str) -> Answer {
    let data = match read_data(world, call, module) {
        Ok(data) => data,
        Err(refusal) => return refusal.bad_request(),
    };
    let fields = duplicate_check(world, call, module);
    let mut items = vec![];
    let (mut inserted, mut updated) = (vec![], vec![]);
    for (at, sent) in data.iter().enumerate() {
        let place = Place { module, at };
        let existing = fields.iter().find_map(|field| {
            let value = sent.get(field).filter(|it| !it.is_null())?;
            let id = world.tables.get(module)?.find(field, value)?;
            Some((field, id))
        });
        items.push(match existing {
            Some((field, id)) => update_one(world, place, sent, id).map(|change| {
                let item = success(world, module, id, "record updated");
                updated.push(change);
                with_action(item, "update", Some(field))
            }),
            None => insert_one(world, place, sent).map(|change| {
                let item = success(world, module, change.id, "record added");
                inserted.push(change);
                with_action(item, "insert", None)
            }),
        });
    }
    let status = if updated.is_empty() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    run_workflows(world, call, (module, Event::Create), &inserted);
    run_workflows(world, call, (module, Event::Edit), &updated);
    finish(world, module, inserted, Event::Create);
    finish(world, module, updated, Event::Edit);
    per_item("data", items, status)
}

pub(super) fn delete(world: &mut World, call: &Call, module: &str, ids: &[&str]) -> Answer {
    if !world.tables.contains_key(module) {
        return Refusal::invalid_module().bad_request();
    }
    if !matches!(call.parameter("wf_trigger"), None | Some("true" | "false")) {
        return Refusal::invalid_data(
            json!({"param_name": "wf_trigger", "expected_data_type": "boolean"}),
        )
        .bad_request();
    }
    if ids.is_empty() {
        return Refusal::new(
            "REQUIRED_PARAM_MISSING",
            "One of the expected parameter is missing",
            json!({"param_name": "ids"}),
        )
        .bad_request();
    }
    if ids.len() > RECORDS_MAX {
        return Refusal::limit("ids", RECORDS_MAX).bad_request();
    }
    let mut items = vec![];
    let mut changes = vec![];
    for id in ids {
        let number = id.parse().ok();
        let invalid = || Refusal::invalid_id(json!({"id": id}));
        let deleted = number.ok_or_else(invalid);
        items.push(
            deleted
                .and_then(|it| delete_one(world, module, it))
                .map(|change| {
                    changes.push(change);
                    json!({
                        "code": "SUCCESS",
                        "details": {"id": id},
                        "message": "record deleted",
                        "status": "success",
                    })
                }),
        );
    }
    run_workflows(world, call, (module, Event::Delete), &changes);
    finish(world, module, changes, Event::Delete);
    per_item("data", items, StatusCode::OK)
}

/// Deletes a record that is not locked; the caller tells of it.
pub(super) fn delete_one(world: &mut World, module: &str, id: u64) -> Result<Change, Refusal> {
    let details = json!({"action": "record_locking", "id": id.to_string()});
    guard::check_unlocked(world, module, id, details)?;
    let invalid = || Refusal::invalid_id(json!({"id": id.to_string()}));
    world.delete(module, id, BY).ok_or_else(invalid)
}

pub(super) fn finish_edits(world: &mut World, module: &str, changes: Vec<Change>) {
    finish(world, module, changes, Event::Edit);
}

pub(super) fn finish_deletes(world: &mut World, module: &str, changes: Vec<Change>) {
    finish(world, module, changes, Event::Delete);
}

fn insert_one(world: &mut World, place: Place<'_>, sent: &Value) -> Result<Change, Refusal> {
    let values = world.check(place, sent, Write::Insert, None)?;
    world.insert(place.module, values, BY)
}

fn update_one(
    world: &mut World,
    place: Place<'_>,
    sent: &Value,
    id: u64,
) -> Result<Change, Refusal> {
    let path = format!("$.data[{}].id", place.at);
    let details = json!({"api_name": "id", "json_path": path, "action": "record_locking"});
    guard::check_unlocked(world, place.module, id, details)?;
    let values = world.check(place, sent, Write::Update, Some(id))?;
    let changed = world.update(place.module, id, values, BY);
    changed.ok_or_else(|| unknown_id(place))
}

/// Workflow rules hear of a call's changes unless it says no: by a `trigger` without `workflow`,
/// or, when it deletes, by `wf_trigger=false`.
fn run_workflows(
    world: &mut World,
    call: &Call,
    (module, event): (&str, Event),
    changes: &[Change],
) {
    if world.automation.rules.is_empty() {
        return;
    }
    let body = call.json();
    let triggers = body.as_ref().and_then(|it| it.get("trigger")?.as_array());
    let wanted = triggers.is_none_or(|it| it.iter().any(|it| it == "workflow"));
    if wanted && call.parameter("wf_trigger") != Some("false") {
        world.run_workflows(module, event, changes);
    }
}

pub(super) fn finish(world: &mut World, module: &str, changes: Vec<Change>, event: Event) {
    world.counters.records_written += u64::try_from(changes.len()).unwrap_or_default();
    match event {
        Event::Edit => world.notify_edits(module, changes),
        Event::Create | Event::Delete => world.notify(module, event, &changes),
    }
}

/// The records of the body.
pub(super) fn read_data(world: &World, call: &Call, module: &str) -> Result<Vec<Value>, Refusal> {
    if !world.tables.contains_key(module) {
        return Err(Refusal::invalid_module());
    }
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    guard::check_trigger(&body)?;
    let data = match body.get("data") {
        None | Some(Value::Null) => Err(Refusal::new(
            "MANDATORY_NOT_FOUND",
            "required field not found",
            json!({"api_name": "data", "json_path": "$.data"}),
        )),
        Some(Value::Array(data)) if !data.is_empty() => Ok(data.clone()),
        Some(_) => Err(Refusal::invalid_data(json!({
            "api_name": "data", "json_path": "$.data", "expected_data_type": "jsonarray",
        }))),
    }?;
    if data.len() > RECORDS_MAX {
        return Err(Refusal::invalid_data(json!({
            "api_name": "data", "json_path": "$.data", "maximum_length": RECORDS_MAX,
        })));
    }
    Ok(data)
}

fn read_id(world: &World, place: Place<'_>, sent: &Value) -> Result<u64, Refusal> {
    let id = match sent.get("id") {
        None | Some(Value::Null) => {
            let at = place.at;
            return Err(Refusal::new(
                "MANDATORY_NOT_FOUND",
                "required field not found",
                json!({"api_name": "id", "json_path": format!("$.data[{at}].id")}),
            ));
        }
        Some(Value::String(id)) => id.parse().ok(),
        Some(other) => other.as_u64(),
    };
    let table = world.tables.get(place.module);
    id.filter(|id| table.is_some_and(|it| it.get(*id).is_some()))
        .ok_or_else(|| unknown_id(place))
}

fn unknown_id(place: Place<'_>) -> Refusal {
    let path = format!("$.data[{}].id", place.at);
    Refusal::invalid_id(json!({"api_name": "id", "json_path": path}))
}

/// The fields an upsert looks existing records up by.
fn duplicate_check(world: &World, call: &Call, module: &str) -> Vec<String> {
    let asked: Vec<String> = call
        .json()
        .and_then(|it| {
            let names = it.get("duplicate_check_fields")?.as_array()?;
            Some(
                names
                    .iter()
                    .filter_map(|it| it.as_str().map(ToOwned::to_owned))
                    .collect(),
            )
        })
        .unwrap_or_default();
    match world.tables.get(module) {
        Some(table) if asked.is_empty() => {
            let module = &table.module;
            let unique = module.fields.iter().filter(|it| it.unique);
            unique
                .map(|it| it.name.clone())
                .chain([module.duplicate_check.clone()])
                .filter(|it| !it.is_empty())
                .collect()
        }
        _ => asked,
    }
}

fn success(world: &World, module: &str, id: u64, message: &str) -> Value {
    let record = world.tables.get(module).and_then(|it| it.get(id));
    json!({
        "code": "SUCCESS",
        "details": {
            "id": id.to_string(),
            "Created_Time": record.map(|it| time::zoho(it.created)),
            "Created_By": record.map(|it| it.created_by.without_email(world.org)),
            "Modified_Time": record.map(|it| time::zoho(it.current.modified)),
            "Modified_By": record.map(|it| it.current.modified_by.without_email(world.org)),
            "$approval_state": "approved",
        },
        "message": message,
        "status": "success",
    })
}

fn with_action(mut item: Value, action: &str, duplicate_field: Option<&String>) -> Value {
    put(&mut item, "action", json!(action));
    put(&mut item, "duplicate_field", json!(duplicate_field));
    item
}
