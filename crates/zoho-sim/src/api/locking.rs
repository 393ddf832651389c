//! Locks of records.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{params, read};
use crate::{
    answer::{Answer, Refusal, per_item, put},
    call::Call,
    faults::CallTrouble,
    query_call::RecordLock,
    time,
    world::{World, lock::Lock, people::Who, record::Record, table::Table},
};

/// The longest reason, in characters.
const REASON_MAX: usize = 250;

/// What a lock's entry can show.
const FIELDS: &[&str] = &[
    "Locked_For__s",
    "Locked_Reason__s",
    "Lock_Source__s",
    "Locked_Time__s",
    "Locked_By__s",
    "Record_Locking_Rule_Id__s",
    "Record_Locking_Configuration_Id__s",
    "Feature_Type__s",
];

pub(super) fn answer(
    world: &mut World,
    call: &Call,
    asked: &RecordLock,
    trouble: &CallTrouble,
) -> Answer {
    let (table, record) = match read::find(world, &asked.module, &asked.id, trouble) {
        Ok(found) => found,
        Err(no) => return no.answer(),
    };
    let lock = record.lock.as_deref();
    let id = record.id;
    match (&call.method, &asked.lock) {
        (&Method::POST, _) => create(world, call, asked, id),
        (&Method::GET, None) => match (params::fields(call), lock) {
            (Err(refusal), _) => refusal.bad_request(),
            (Ok(_), None) => Answer::nothing(),
            (Ok(fields), Some(lock)) => {
                let shown = to_json(world, (table, record), lock, &fields);
                let info = json!({
                    "per_page": 200, "count": 1, "page": 1, "more_records": false,
                });
                Answer::ok(json!({"data": [shown], "info": info}))
            }
        },
        (method, Some(number)) => match lock.filter(|it| &it.id.to_string() == number) {
            None => Refusal::invalid_id(json!({"resource_path_index": 3})).bad_request(),
            Some(lock) if method == Method::GET => {
                let shown = to_json(world, (table, record), lock, FIELDS);
                Answer::ok(json!({"data": [shown]}))
            }
            Some(_) if method == Method::PUT => update(world, call, asked, id),
            Some(_) => remove(world, asked, id),
        },
        (_, None) => Refusal::parameter_missing("id").bad_request(),
    }
}

fn create(world: &mut World, call: &Call, asked: &RecordLock, id: u64) -> Answer {
    let table = world.tables.get(&asked.module);
    let record = table.and_then(|it| it.get(id));
    if record.is_some_and(|it| it.lock.is_some()) {
        return Refusal::new(
            "NOT_ALLOWED",
            "record is already locked",
            json!({"resource_path_index": 1}),
        )
        .answer(StatusCode::FORBIDDEN);
    }
    let reason = match read_reason(call) {
        Ok(reason) => reason,
        Err(refusal) => return per_item("data", vec![Err(refusal)], StatusCode::OK),
    };
    let lock = Lock {
        id: world.next_id(),
        reason,
        at: time::whole_seconds(world.clock.now()),
        by: Who::Integration,
    };
    let (user, at) = (lock.by.without_email(world.org), time::zoho(lock.at));
    let item = json!({
        "code": "SUCCESS",
        "details": {
            "id": lock.id.to_string(),
            "Created_Time": at,
            "Created_By": user,
            "Modified_Time": at,
            "Modified_By": user,
        },
        "message": "record added",
        "status": "success",
    });
    set(world, asked, id, Some(lock));
    per_item("data", vec![Ok(item)], StatusCode::CREATED)
}

fn update(world: &mut World, call: &Call, asked: &RecordLock, id: u64) -> Answer {
    let reason = match read_reason(call) {
        Ok(reason) => reason,
        Err(refusal) => return per_item("data", vec![Err(refusal)], StatusCode::OK),
    };
    if let Some(table) = world.tables.get_mut(&asked.module)
        && let Some(record) = table.get_mut(id)
        && let Some(lock) = &mut record.lock
    {
        lock.reason = reason;
    }
    done(asked, "relation updated")
}

fn remove(world: &mut World, asked: &RecordLock, id: u64) -> Answer {
    set(world, asked, id, None);
    done(asked, "relation removed")
}

fn done(asked: &RecordLock, message: &str) -> Answer {
    let item = json!({
        "code": "SUCCESS",
        "details": {"id": asked.lock},
        "message": message,
        "status": "success",
    });
    per_item("data", vec![Ok(item)], StatusCode::OK)
}

fn set(world: &mut World, asked: &RecordLock, id: u64, lock: Option<Lock>) {
    if let Some(table) = world.tables.get_mut(&asked.module)
        && let Some(record) = table.get_mut(id)
    {
        record.lock = lock.map(Box::new);
    }
}

fn read_reason(call: &Call) -> Result<String, Refusal> {
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let details = |key: &str, value: Value| {
        let mut details = json!({
            "api_name": "Locked_Reason__s", "json_path": "$.data[0].Locked_Reason__s",
        });
        if !key.is_empty() {
            put(&mut details, key, value);
        }
        details
    };
    match body.pointer("/data/0/Locked_Reason__s") {
        Some(Value::String(reason)) if reason.chars().count() > REASON_MAX => Err(
            Refusal::invalid_data(details("maximum_length", json!(REASON_MAX))),
        ),
        Some(Value::String(reason)) if !reason.is_empty() => Ok(reason.clone()),
        Some(Value::String(_) | Value::Null) | None => Err(Refusal::new(
            "MANDATORY_NOT_FOUND",
            "required field not found",
            details("", Value::Null),
        )),
        Some(_) => Err(Refusal::invalid_data(details(
            "expected_data_type",
            json!("text"),
        ))),
    }
}

fn to_json(
    world: &World,
    (table, record): (&Table, &Record),
    lock: &Lock,
    fields: &[&str],
) -> Value {
    let all = json!({
        "Locked_For__s": {
            "module": {"api_name": table.module.name, "id": table.module.id.to_string()},
            "name": record.name(&table.module),
            "id": record.id.to_string(),
        },
        "Locked_Reason__s": lock.reason,
        "Lock_Source__s": "Manual",
        "Locked_Time__s": time::zoho(lock.at),
        "Locked_By__s": lock.by.without_email(world.org),
        "Record_Locking_Rule_Id__s": null,
        "Record_Locking_Configuration_Id__s": (table.module.id + 40_000).to_string(),
        "Feature_Type__s": "record_locking",
    });
    let shown = fields
        .iter()
        .filter_map(|it| Some(((*it).to_owned(), all.get(it)?.clone())))
        .chain([("id".to_owned(), json!(lock.id.to_string()))]);
    shown.collect()
}
