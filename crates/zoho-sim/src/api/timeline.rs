//! A record's timeline: what happened to it, the newest first unless told otherwise.

use serde_json::{Value, json};

use super::{paging::Page, params, read, timeline_filter::Filter};
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
    let now = world.clock.now();
    let path = format!("{module}/{id}/__timeline");
    let wish = Filter::of(call).and_then(|filter| {
        let oldest_first = oldest_first(call)?;
        Ok((filter, oldest_first, Page::read(call, &path, now)?))
    });
    let (filter, oldest_first, page) = match wish {
        Ok(wish) => wish,
        Err(refusal) => return refusal.bad_request(),
    };
    let inner = call.parameter("include_inner_details").unwrap_or_default();
    let changes = table.history.of(record.id);
    let mut all: Vec<Value> = [creation(world, (table, record))]
        .into_iter()
        .chain(changes.map(|it| change(world, (table, record), it, inner)))
        .filter(|it| filter.as_ref().is_none_or(|filter| filter.holds(it)))
        .collect();
    if !oldest_first {
        all.reverse();
    }
    let mut all = all.into_iter().skip(page.skip);
    let entries: Vec<Value> = all.by_ref().take(page.rows).collect();
    if entries.is_empty() {
        return Answer::nothing();
    }
    let info = page.info(entries.len(), all.next().is_some(), now);
    Answer::ok(json!({"__timeline": entries, "info": info}))
}

fn oldest_first(call: &Call) -> Result<bool, Refusal> {
    match call.parameter("sort_by") {
        None | Some("audited_time") => params::ascending(call),
        Some(_) => Err(Refusal::invalid_data(
            json!({"param_name": "sort_by", "supported_values": ["audited_time"]}),
        )),
    }
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
