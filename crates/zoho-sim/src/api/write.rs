//! Writes of records: insert, update, upsert, delete, convert.

use http::StatusCode;
use serde_json::{Value, json};

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
    finish(world, module, changes, Event::Create);
    per_item("data", items, StatusCode::CREATED)
}

pub(super) fn update(world: &mut World, call: &Call, module: &str, id: Option<&str>) -> Answer {
    let mut data = match read_data(world, call, module) {
        Ok(data) => data,
        Err(refusal) => return refusal.bad_request(),
    };
    if let (Some(id), Some(Value::Object(first))) = (id, data.first_mut()) {
        first.insert("id".into(), json!(id));
        data.truncate(1);
    }
    let mut items = vec![];
    let mut changes = vec![];
    for (at, sent) in data.iter().enumerate() {
        let place = Place { module, at };
        let written = read_id(world, place, sent).and_then(|id| update_one(world, place, sent, id));
        items.push(written.map(|change| {
            let item = success(world, module, change.id, "record updated");
            changes.push(change);
            item
        }));
    }
    finish(world, module, changes, Event::Edit);
    per_item("data", items, StatusCode::OK)
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
    finish(world, module, inserted, Event::Create);
    finish(world, module, updated, Event::Edit);
    per_item("data", items, status)
}

pub(super) fn delete(world: &mut World, module: &str, ids: &[&str]) -> Answer {
    if !world.tables.contains_key(module) {
        return Refusal::invalid_module().bad_request();
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
        let deleted = id.parse().ok().and_then(|id| world.delete(module, id, BY));
        items.push(match deleted {
            Some(change) => {
                changes.push(change);
                Ok(json!({
                    "code": "SUCCESS",
                    "details": {"id": id},
                    "message": "record deleted",
                    "status": "success",
                }))
            }
            None => Err(Refusal::invalid_id(json!({"id": id}))),
        });
    }
    finish(world, module, changes, Event::Delete);
    per_item("data", items, StatusCode::OK)
}

/// Makes a contact, and an account, of a lead. Their inserts are told; what a callback about the
/// conversion itself would look like is not known, so there is none.
pub(super) fn convert(world: &mut World, id: &str) -> Answer {
    let invalid = || Refusal::invalid_id(json!({"resource_path_index": 1}));
    let lead = id.parse::<u64>().ok().and_then(|id| {
        let record = world.tables.get("Leads")?.get(id)?;
        Some((id, record.converted, record.current.values.clone()))
    });
    let Some((lead, converted, values)) = lead else {
        return invalid().bad_request();
    };
    if converted {
        return Refusal::new(
            "ID_ALREADY_CONVERTED",
            "id already converted",
            json!({"id": id}),
        )
        .bad_request();
    }
    let copied = |names: &[(&str, &str)]| -> Value {
        names
            .iter()
            .filter_map(|(from, to)| Some(((*to).to_owned(), values.get(*from)?.clone())))
            .collect()
    };
    let account = copied(&[("Company", "Account_Name"), ("Phone", "Phone")]);
    let mut contact = copied(&[
        ("First_Name", "First_Name"),
        ("Last_Name", "Last_Name"),
        ("Email", "Email"),
        ("Phone", "Phone"),
    ]);
    let account = match make(world, "Accounts", &account) {
        Ok(made) => made,
        Err(refusal) => return per_item("data", vec![Err(refusal)], StatusCode::OK),
    };
    put(&mut contact, "Account_Name", account.clone());
    let contact = match make(world, "Contacts", &contact) {
        Ok(made) => made,
        Err(refusal) => return per_item("data", vec![Err(refusal)], StatusCode::OK),
    };
    let stamp = world.stamp(BY);
    if let Some(record) = world
        .tables
        .get_mut("Leads")
        .and_then(|it| it.get_mut(lead))
    {
        record.converted = true;
        record.current.modified = stamp.at.max(record.current.modified);
        let values = &mut record.current.values;
        values.insert("Converted_Date_Time".into(), json!(time::zoho(stamp.at)));
        values.insert("Converted_Account".into(), account.clone());
        values.insert("Converted_Contact".into(), contact.clone());
    }
    let item = json!({
        "code": "SUCCESS",
        "details": {"Accounts": account, "Contacts": contact, "Deals": null},
        "message": "The record has been converted successfully",
        "status": "success",
    });
    per_item("data", vec![Ok(item)], StatusCode::OK)
}

/// Inserts a record that a conversion makes; gives it as a lookup.
fn make(world: &mut World, module: &str, sent: &Value) -> Result<Value, Refusal> {
    let change = insert_one(world, Place { module, at: 0 }, sent)?;
    let table = world.tables.get(module);
    let name = table.and_then(|it| it.get(change.id)?.name(&it.module));
    let made = json!({"name": name, "id": change.id.to_string()});
    finish(world, module, vec![change], Event::Create);
    Ok(made)
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
    let values = world.check(place, sent, Write::Update, Some(id))?;
    let changed = world.update(place.module, id, values, BY);
    changed.ok_or_else(|| unknown_id(place))
}

fn finish(world: &mut World, module: &str, changes: Vec<Change>, event: Event) {
    world.counters.records_written += u64::try_from(changes.len()).unwrap_or_default();
    match event {
        Event::Edit => world.notify_edits(module, changes),
        Event::Create | Event::Delete => world.notify(module, event, &changes),
    }
}

/// The records of the body.
fn read_data(world: &World, call: &Call, module: &str) -> Result<Vec<Value>, Refusal> {
    if !world.tables.contains_key(module) {
        return Err(Refusal::invalid_module());
    }
    let body = call.json().ok_or_else(|| {
        Refusal::new(
            "JSON_PARSE_ERROR",
            "unable to parse the JSON of the body",
            json!({}),
        )
    })?;
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
