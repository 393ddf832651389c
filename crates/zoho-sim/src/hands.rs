//! What the program holding the simulator does by hand, as a person in the CRM: no token, no
//! credits, no checks. Fields and modules that do not exist are added as custom ones.

use serde_json::{Map, Value};

use crate::{
    error::SimError,
    time,
    world::{
        World, channel::Event, generate::read_counts, module::Field, notify::Change, people::Who,
        record::Reading,
    },
};

/// The key of a snapshot that asks for generated records.
const GENERATE: &str = "$generate";
/// The key of a snapshot that brings tags.
const TAGS: &str = "$tags";

/// Inserts records with one call, so with one callback per channel; gives their ids.
pub(crate) fn insert(
    world: &mut World,
    module: &str,
    rows: Vec<Value>,
) -> Result<Vec<String>, SimError> {
    let mut changes = vec![];
    for row in rows {
        let values = learned(world, module, row)?;
        let change = world
            .insert(module, values, Who::Person)
            .map_err(|_no_table| SimError::UnknownModule(module.to_owned()))?;
        changes.push(change);
    }
    world.run_workflows(module, Event::Create, &changes);
    world.notify(module, Event::Create, &changes);
    Ok(changes.iter().map(|it| it.id.to_string()).collect())
}

/// Updates records, each with its `id`, with one call.
pub(crate) fn update(world: &mut World, module: &str, rows: Vec<Value>) -> Result<(), SimError> {
    let mut changes = vec![];
    for row in rows {
        let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
        let id = existing(world, module, id)?;
        let values = learned(world, module, row)?;
        changes.extend(world.update(module, id, values, Who::Person));
    }
    world.run_workflows(module, Event::Edit, &changes);
    world.notify_edits(module, changes);
    Ok(())
}

/// A workflow rule that calls a webhook; gives the rule's id.
pub(crate) fn workflow_rule(
    world: &mut World,
    (module, operation): (&str, &str),
    webhook: &str,
) -> Result<String, SimError> {
    let event = match operation {
        "insert" => Event::Create,
        "update" => Event::Edit,
        "delete" => Event::Delete,
        _ => return Err(SimError::Unreadable),
    };
    let unknown = || SimError::UnknownRecord(webhook.to_owned());
    let id = webhook.parse().map_err(|_no_number| unknown())?;
    let rule = world.add_rule(module, event, id).ok_or_else(unknown)?;
    Ok(rule.to_string())
}

/// Deletes records with one call.
pub(crate) fn delete(world: &mut World, module: &str, ids: &[&str]) -> Result<(), SimError> {
    let mut numbers = vec![];
    for id in ids {
        numbers.push(existing(world, module, id)?);
    }
    let changes: Vec<Change> = numbers
        .into_iter()
        .filter_map(|id| world.delete(module, id, Who::Person))
        .collect();
    world.run_workflows(module, Event::Delete, &changes);
    world.notify(module, Event::Delete, &changes);
    Ok(())
}

/// All records of a module in full, oldest id first; converted leads too.
pub(crate) fn records(world: &World, module: &str) -> Vec<Value> {
    let reading = Reading {
        org: world.org,
        now: world.clock.monotonic(),
        stale: None,
    };
    let table = world.tables.get(module);
    table.map_or_else(Vec::new, |table| {
        table
            .rows()
            .map(|it| it.alone(&table.module, None, reading))
            .collect()
    })
}

/// All mails, sent and scheduled.
pub(crate) fn mails(world: &World) -> Vec<Value> {
    let mails = world.papers.mails.iter();
    mails
        .map(|(id, mail)| crate::api::shown_mail(id, mail))
        .collect()
}

/// Loads `{"Leads": [{...}], ...}` without telling any channel; gives the number of records.
/// `"$generate": {"Contacts": 1000}` makes records from the seed, and
/// `"$tags": {"Leads": [{"name": "hot"}]}` brings tags.
pub(crate) fn load(world: &mut World, snapshot: &Value) -> Result<usize, SimError> {
    let modules = snapshot.as_object().ok_or(SimError::Unreadable)?;
    let mut loaded = 0;
    for (module, rows) in modules {
        if module == GENERATE {
            for (module, count) in read_counts(rows)? {
                loaded += world.generate(&module, count)?;
            }
            continue;
        }
        if module == TAGS {
            load_tags(world, rows)?;
            continue;
        }
        for row in rows.as_array().ok_or(SimError::Unreadable)? {
            let id = row
                .get("id")
                .and_then(Value::as_str)
                .and_then(|it| it.parse().ok());
            let values = learned(world, module, row.clone())?;
            let id = id.unwrap_or_else(|| world.next_id());
            world.insert_as(module, id, values, Who::Person);
            settle(world, module, id, row);
            loaded += 1;
        }
    }
    Ok(loaded)
}

/// `{"Leads": [{"name", "color_code"?}], ...}`; tags that are there already stay.
fn load_tags(world: &mut World, tags: &Value) -> Result<(), SimError> {
    for (module, tags) in tags.as_object().ok_or(SimError::Unreadable)? {
        for tag in tags.as_array().ok_or(SimError::Unreadable)? {
            let text = |key| tag.get(key).and_then(Value::as_str);
            let name = text("name").ok_or(SimError::Unreadable)?;
            if world.tag_named(module, name).is_none() {
                let color = text("color_code").map(ToOwned::to_owned);
                let made = world.add_tag(module, name, color, Who::Person);
                made.ok_or(SimError::TooManyTags)?;
            }
        }
    }
    Ok(())
}

/// A loaded record has always been there, since the times that it may bring.
fn settle(world: &mut World, module: &str, id: u64, row: &Value) {
    let now = world.clock.now();
    let at = |name| row.get(name)?.as_str().and_then(time::parse);
    let created = at("Created_Time").unwrap_or(now);
    let modified = at("Modified_Time").unwrap_or(created);
    if let Some(table) = world.tables.get_mut(module) {
        table.settle(id, created, modified);
    }
}

/// Sends callbacks about records without changing any, to every channel that hears of such
/// changes; gives their number. `{"module", "operation": insert|update|delete, "ids", "values"?}`
pub(crate) fn fire(world: &mut World, what: &Value) -> Result<u64, SimError> {
    let module = what.get("module").and_then(Value::as_str);
    let module = module.ok_or(SimError::Unreadable)?;
    let event = match what.get("operation").and_then(Value::as_str) {
        Some("insert") => Event::Create,
        Some("update") => Event::Edit,
        Some("delete") => Event::Delete,
        _ => return Err(SimError::Unreadable),
    };
    let ids = what.get("ids").and_then(Value::as_array);
    let values = match what.get("values") {
        Some(Value::Object(values)) => values.clone(),
        _ => Map::new(),
    };
    let mut changes = vec![];
    for id in ids.ok_or(SimError::Unreadable)? {
        let id = id.as_str().and_then(|it| it.parse().ok());
        let id = id.ok_or(SimError::Unreadable)?;
        let record = world.tables.get(module).and_then(|it| it.get(id));
        changes.push(Change {
            id,
            values: values.clone(),
            notified_ms: record.map_or(0, |it| it.notified_ms),
            by: Who::Person,
        });
    }
    let before = world.counters.callbacks.made;
    world.notify(module, event, &changes);
    Ok(world.counters.callbacks.made - before)
}

fn existing(world: &World, module: &str, id: &str) -> Result<u64, SimError> {
    let table = world.tables.get(module);
    let table = table.ok_or_else(|| SimError::UnknownModule(module.to_owned()))?;
    id.parse()
        .ok()
        .filter(|id| table.get(*id).is_some())
        .ok_or_else(|| SimError::UnknownRecord(id.to_owned()))
}

/// The values of a row, their fields known to the module from now on.
fn learned(world: &mut World, module: &str, row: Value) -> Result<Map<String, Value>, SimError> {
    let Value::Object(row) = row else {
        return Err(SimError::Unreadable);
    };
    let module = &mut world.table_or_new(module).module;
    let mut fields = vec![];
    for (name, value) in row {
        module.learn(&name, &value);
        let field = module.field(&name).filter(|it| !it.read_only);
        fields.extend(field.cloned().map(|it| (it, value)));
    }
    let normal = |(field, value): (Field, Value)| {
        // As a call would store it (lookups with names, times in the org's zone), else as it is.
        let value = world.normal(&field, &value).unwrap_or(value);
        (field.name, value)
    };
    Ok(fields.into_iter().map(normal).collect())
}
