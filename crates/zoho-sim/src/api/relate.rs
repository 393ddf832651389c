//! Relations made, changed and taken away in related lists.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    read::{self, No},
    write,
};
use crate::{
    answer::{Answer, Refusal, per_item},
    call::Call,
    faults::CallTrouble,
    query_call::Related,
    world::{
        World,
        relations::{self, Member},
    },
};

/// Relations per call. Zoho: "Delink related records", v8.
const RELATIONS_MAX: usize = 100;
/// Characters of the status of a campaign's member.
const STATUS_MAX: usize = 120;

/// The record that has the list, and the module whose records are in it.
#[derive(Clone, Copy, Debug)]
struct Sides<'a> {
    one: Member,
    module: &'a str,
    list: &'a str,
}

/// Zoho: "Update related records" and "Delink related records", v8.
pub(super) fn answer(
    world: &mut World,
    call: &Call,
    related: &Related,
    trouble: &CallTrouble,
) -> Answer {
    let sides = match sides(world, related, trouble) {
        Ok(sides) => sides,
        Err(no) => return no.answer(),
    };
    let items = if call.method == Method::DELETE {
        unrelate(world, call, related, sides)
    } else {
        relate(world, call, related, sides)
    };
    match items {
        Ok(items) => per_item("data", items, StatusCode::OK),
        Err(refusal) => refusal.bad_request(),
    }
}

fn sides<'a>(world: &World, related: &'a Related, trouble: &CallTrouble) -> Result<Sides<'a>, No> {
    let Related {
        module, id, list, ..
    } = related;
    let (table, record) = read::find(world, module, id, trouble)?;
    if !relations::partners(module).any(|it| it == list) {
        return Err(unknown_list().into());
    }
    Ok(Sides {
        one: (table.module.id, record.id),
        module,
        list,
    })
}

/// No list of this name, or none whose records can be related this way.
pub(super) fn unknown_list() -> Refusal {
    Refusal::new(
        "INVALID_DATA",
        "the relation name given seems to be invalid",
        json!({"resource_path_index": 2}),
    )
}

fn relate(
    world: &mut World,
    call: &Call,
    related: &Related,
    sides: Sides<'_>,
) -> Result<Vec<Result<Value, Refusal>>, Refusal> {
    let mut data = write::read_data(world, call, sides.module)?;
    if let (Some(id), Some(Value::Object(first))) = (&related.member, data.first_mut()) {
        first.insert("id".into(), json!(id));
        data.truncate(1);
    }
    let sent = data.iter().enumerate();
    let items = sent.map(|(at, sent)| {
        let path = format!("$.data[{at}].id");
        let id = match sent.get("id") {
            None | Some(Value::Null) => return Err(Refusal::mandatory("id", &path)),
            Some(Value::String(id)) => id.parse().ok(),
            Some(other) => other.as_u64(),
        };
        let table = world.tables.get(sides.list);
        let record = table.and_then(|table| Some((table.module.id, table.get(id?)?.id)));
        let details = json!({"api_name": "id", "json_path": path});
        let other = record.ok_or_else(|| unknown_id(details))?;
        let values = read_values(sides, sent, at)?;
        if !world.relations.relate(sides.one, other, &values) {
            let message = "the limit of relations is exceeded";
            return Err(Refusal::new("LIMIT_EXCEEDED", message, json!({})));
        }
        Ok(success(other.1, "relation updated"))
    });
    Ok(items.collect())
}

fn unrelate(
    world: &mut World,
    call: &Call,
    related: &Related,
    sides: Sides<'_>,
) -> Result<Vec<Result<Value, Refusal>>, Refusal> {
    let ids = match &related.member {
        Some(id) => vec![id.as_str()],
        None => call.ids().unwrap_or_default(),
    };
    if ids.is_empty() {
        return Err(Refusal::parameter_missing("ids"));
    }
    if ids.len() > RELATIONS_MAX {
        return Err(Refusal::limit("ids", RELATIONS_MAX));
    }
    let items = ids.into_iter().map(|id| {
        let number = id.parse().ok();
        let other = number.and_then(|number| world.member(sides.list, number));
        match other {
            Some(other) if world.relations.unrelate(sides.one, other) => {
                Ok(success(other.1, "relation removed"))
            }
            _ => Err(unknown_id(json!({"id": id}))),
        }
    });
    Ok(items.collect())
}

/// What a relation says: how a member stands to a campaign, what a product costs in a price book.
/// Other keys are ignored.
fn read_values(sides: Sides<'_>, sent: &Value, at: usize) -> Result<Map<String, Value>, Refusal> {
    let between = |module| sides.module == module || sides.list == module;
    let mut values = Map::new();
    let mut read = |name: &str, expected: &str, fits: &dyn Fn(&Value) -> bool| match sent.get(name)
    {
        None | Some(Value::Null) => Ok(()),
        Some(value) if fits(value) => {
            values.insert(name.to_owned(), value.clone());
            Ok(())
        }
        Some(_) => Err(Refusal::invalid_data(json!({
            "api_name": name,
            "json_path": format!("$.data[{at}].{name}"),
            "expected_data_type": expected,
        }))),
    };
    if between("Campaigns") {
        let status = |it: &Value| {
            it.as_str()
                .is_some_and(|it| it.chars().count() <= STATUS_MAX)
        };
        read("Member_Status", "picklist", &status)?;
    }
    if between("Price_Books") {
        read("list_price", "double", &Value::is_number)?;
    }
    Ok(values)
}

fn unknown_id(details: Value) -> Refusal {
    let message = "the related id given seems to be invalid";
    Refusal::new("INVALID_DATA", message, details)
}

fn success(id: u64, message: &str) -> Value {
    json!({
        "code": "SUCCESS",
        "details": {"id": id.to_string()},
        "message": message,
        "status": "success",
    })
}
