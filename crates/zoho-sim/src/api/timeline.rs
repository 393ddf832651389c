//! A record's timeline: what happened to it, the newest first.

use serde_json::{Value, json};

use super::{paging::Page, read};
use crate::{
    answer::{Answer, Refusal, put},
    call::Call,
    faults::CallTrouble,
    time,
    world::{
        World,
        history::{Entry, FieldChange},
        people::Who,
        record::Record,
        table::Table,
    },
};

/// Where the ids of entries begin within the org's ids: those of changes, and of creations.
const CHANGE_IDS: u64 = 800_000_000_000;
const CREATION_IDS: u64 = 900_000_000_000;
/// Room for the entries of one module.
const IDS_EACH: u64 = 100_000_000;

pub(super) fn of_record(
    world: &World,
    call: &Call,
    (module, id): (&str, &str),
    trouble: &CallTrouble,
) -> Answer {
    let (table, record) = match read::find(world, module, id, trouble) {
        Ok(found) => found,
        Err(no) => return no.answer(),
    };
    if call.parameter("filters").is_some() {
        // Better than to answer what was not asked for.
        return Refusal::invalid_data(json!({"param_name": "filters"})).bad_request();
    }
    let now = world.clock.now();
    let page = match Page::read(call, &format!("{module}/{id}/__timeline"), now) {
        Ok(page) => page,
        Err(refusal) => return refusal.bad_request(),
    };
    let inner = call.parameter("include_inner_details").unwrap_or_default();
    let changes = table.history.of(record.id).rev();
    let mut all = changes
        .map(|it| change(world, (table, record), it, inner))
        .chain([creation(world, (table, record))])
        .skip(page.skip);
    let entries: Vec<Value> = all.by_ref().take(page.rows).collect();
    if entries.is_empty() {
        return Answer::nothing();
    }
    let info = page.info(entries.len(), all.next().is_some(), now);
    Answer::ok(json!({"__timeline": entries, "info": info}))
}

fn change(world: &World, (table, record): (&Table, &Record), entry: &Entry, inner: &str) -> Value {
    let ids = world.org + CHANGE_IDS + table.module.number(world.org) * IDS_EACH;
    let fields = entry.fields.iter();
    let history: Vec<Value> = fields.map(|it| field(table, it, inner)).collect();
    let mut shown = common(world, (table, record), entry.by);
    put(&mut shown, "id", json!((ids + entry.number).to_string()));
    put(&mut shown, "action", json!("updated"));
    put(&mut shown, "audited_time", json!(time::zoho(entry.at)));
    put(&mut shown, "field_history", json!(history));
    shown
}

fn creation(world: &World, (table, record): (&Table, &Record)) -> Value {
    let id = world.org + CREATION_IDS + record.id % CHANGE_IDS % IDS_EACH;
    let mut shown = common(world, (table, record), record.created_by);
    put(&mut shown, "id", json!(id.to_string()));
    put(&mut shown, "action", json!("added"));
    put(
        &mut shown,
        "audited_time",
        json!(time::zoho(record.created)),
    );
    put(&mut shown, "field_history", Value::Null);
    shown
}

fn common(world: &World, (table, record): (&Table, &Record), by: Who) -> Value {
    let module = &table.module;
    json!({
        "source": match by {
            Who::Integration => "crm_api",
            Who::Person => "crm_ui",
        },
        "type": "timeline",
        "done_by": by.without_email(world.org),
        "record": {
            "id": record.id.to_string(),
            "name": record.name(module),
            "module": {"api_name": module.name, "id": module.id.to_string()},
        },
        "related_record": null,
        "automation_details": null,
        "extension": null,
    })
}

fn field(table: &Table, change: &FieldChange, inner: &str) -> Value {
    let field = table.module.field(&change.name);
    let mut shown = json!({
        "api_name": change.name,
        "id": field.map(|it| it.id.to_string()),
        "_value": {"old": text(&change.old), "new": text(&change.new)},
    });
    if let Some(field) = field {
        if inner.contains("field_history.data_type") {
            put(&mut shown, "data_type", json!(field.data_type.name()));
        }
        if inner.contains("field_history.field_label") {
            let label = field.name.replace('_', " ");
            put(&mut shown, "field_label", json!(label));
        }
    }
    shown
}

/// A value as a person reads it; nothing for none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => text(object.get("name")?),
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().filter_map(text).collect();
            Some(texts.join(", "))
        }
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
    }
}
