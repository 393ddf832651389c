//! What keeps a write from being done: locks, conditions, unknown triggers.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    answer::{Refusal, put},
    call::Call,
    time,
    world::World,
};

/// What `trigger` may name. Zoho: "Insert records", v8.
const TRIGGERS: &[&str] = &[
    "workflow",
    "approval",
    "blueprint",
    "pathfinder",
    "orchestration",
];
/// The code for a record that `If-Unmodified-Since` protects.
pub(super) const RECORD_MODIFIED: &str = "RECORD_MODIFIED";

/// `trigger` names what of the automation runs; nothing of it does here but workflows.
pub(super) fn check_trigger(body: &Value) -> Result<(), Refusal> {
    let wrong = |more: Value| {
        let mut details = json!({"api_name": "trigger", "json_path": "$.trigger"});
        put(&mut details, "expected_data_type", json!("jsonarray"));
        put(&mut details, "supported_values", more);
        Refusal::invalid_data(details)
    };
    match body.get("trigger") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(names)) => {
            let known = |it: &Value| it.as_str().is_some_and(|it| TRIGGERS.contains(&it));
            if names.iter().all(known) {
                Ok(())
            } else {
                Err(wrong(json!(TRIGGERS)))
            }
        }
        Some(_) => Err(wrong(json!(TRIGGERS))),
    }
}

/// The time after which a record must not have been modified.
pub(super) fn read_unmodified_since(call: &Call) -> Result<Option<Timestamp>, Refusal> {
    match call.header("if-unmodified-since") {
        None => Ok(None),
        Some(text) => match time::parse(text) {
            Some(since) => Ok(Some(since)),
            None => Err(Refusal::invalid_data(
                json!({"header_name": "If-Unmodified-Since", "expected_data_type": "datetime"}),
            )),
        },
    }
}

pub(super) fn check_unmodified(
    world: &World,
    module: &str,
    id: u64,
    since: Option<Timestamp>,
) -> Result<(), Refusal> {
    let record = world.tables.get(module).and_then(|it| it.get(id));
    match (record, since) {
        (Some(record), Some(since)) if record.current.modified > since => Err(Refusal::new(
            RECORD_MODIFIED,
            "record updated time has already passed if-unmodified-since time",
            json!({
                "id": id.to_string(),
                "Created_Time": time::zoho(record.created),
                "Created_By": record.created_by.without_email(world.org),
                "Modified_Time": time::zoho(record.current.modified),
                "Modified_By": record.current.modified_by.without_email(world.org),
            }),
        )),
        _ => Ok(()),
    }
}

/// Refuses what would change a locked record.
pub(super) fn check_unlocked(
    world: &World,
    module: &str,
    id: u64,
    details: Value,
) -> Result<(), Refusal> {
    let record = world.tables.get(module).and_then(|it| it.get(id));
    if record.is_some_and(|it| it.lock.is_some()) {
        return Err(Refusal::new(
            "RECORD_LOCKED",
            "Sorry, you cannot perform this operation as the record is locked.",
            details,
        ));
    }
    Ok(())
}
