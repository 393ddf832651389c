//! `/settings/tags`: the tags of a module.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::params;
use crate::{
    answer::{Answer, Refusal, per_item, put},
    call::Call,
    time,
    world::{
        World,
        people::Who,
        tags::{COLOR_MAX, NAME_MAX, TAGS_MAX, Tag, is_tagged},
    },
};

/// Tags per call; the norm of the API.
const SENT_MAX: usize = 100;

/// A tag as it was sent.
pub(super) struct Sent {
    pub(super) id: Option<u64>,
    pub(super) name: String,
    pub(super) color: Option<String>,
}

pub(super) fn answer(world: &mut World, call: &Call) -> Answer {
    let done = module(world, call).and_then(|module| match call.method {
        Method::POST => create(world, call, &module),
        Method::PUT => update(world, call, &module, None),
        _ => Ok(list(world, &module)),
    });
    done.unwrap_or_else(|it| it.bad_request())
}

pub(super) fn one(world: &mut World, call: &Call, id: &str) -> Answer {
    if call.method == Method::PUT {
        let done = module(world, call).and_then(|it| update(world, call, &it, Some(id)));
        return done.unwrap_or_else(|it| it.bad_request());
    }
    let removed = id.parse().is_ok_and(|it| world.remove_tag(it));
    if !removed {
        return Refusal::new("INVALID_DATA", "tags not found", json!({"id": id})).bad_request();
    }
    let item = json!({
        "code": "SUCCESS",
        "details": {"id": id},
        "message": "tags deleted successfully",
        "status": "success",
    });
    per_item("tags", vec![Ok(item)], StatusCode::OK)
}

pub(super) fn count(world: &World, call: &Call, id: &str) -> Answer {
    let module = match module(world, call) {
        Ok(module) => module,
        Err(refusal) => return refusal.bad_request(),
    };
    let tag = id.parse().ok().and_then(|it| world.tag(it));
    let table = world.tables.get(&module);
    match (tag.filter(|(of, _)| **of == module), table) {
        (Some((_, tag)), Some(table)) => {
            let tagged = table
                .rows()
                .filter(|it| is_tagged(&it.current.values, tag.id));
            Answer::ok(json!({"count": tagged.count().to_string()}))
        }
        _ => Refusal::new("INVALID_DATA", "tags not found", json!({"api_name": "id"}))
            .answer(StatusCode::NOT_FOUND),
    }
}

fn list(world: &World, module: &str) -> Answer {
    let tags = world
        .tags
        .get(module)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if tags.is_empty() {
        return Answer::nothing();
    }
    let shown: Vec<Value> = tags.iter().map(|it| it.to_json(world.org)).collect();
    let info = json!({"count": shown.len(), "allowed_count": TAGS_MAX});
    Answer::ok(json!({"tags": shown, "info": info}))
}

fn create(world: &mut World, call: &Call, module: &str) -> Result<Answer, Refusal> {
    let mut items = vec![];
    for (at, sent) in sent(call)?.iter().enumerate() {
        items.push(read(sent, at).and_then(|sent| {
            check_free(world, module, &sent.name, at, None)?;
            let made = world.add_tag(module, &sent.name, sent.color, Who::Integration);
            let tag = made.ok_or_else(|| {
                Refusal::new(
                    "LICENSE_LIMIT_EXCEEDED",
                    "tags edition limit exceeded",
                    json!({}),
                )
            })?;
            Ok(success(world, &tag, "tags created successfully"))
        }));
    }
    Ok(per_item("tags", items, StatusCode::CREATED))
}

fn update(
    world: &mut World,
    call: &Call,
    module: &str,
    id: Option<&str>,
) -> Result<Answer, Refusal> {
    let mut items = vec![];
    for (at, sent) in sent(call)?.iter().enumerate() {
        items.push(read(sent, at).and_then(|sent| {
            let id = id.map_or(sent.id, |it| it.parse().ok());
            let tag = id
                .and_then(|it| world.tag(it))
                .filter(|(of, _)| *of == module);
            let tag = tag.map(|it| it.1.clone()).ok_or_else(|| {
                let details = json!({"api_name": "id", "json_path": format!("$.tags[{at}].id")});
                Refusal::invalid_id(details)
            })?;
            check_free(world, module, &sent.name, at, Some(tag.id))?;
            let changed = Tag {
                name: sent.name,
                color: sent.color.or(tag.color),
                modified: time::whole_seconds(world.clock.now()),
                modified_by: Who::Integration,
                ..tag
            };
            world.change_tag(changed.clone());
            Ok(success(world, &changed, "tags updated successfully"))
        }));
    }
    Ok(per_item("tags", items, StatusCode::OK))
}

fn success(world: &World, tag: &Tag, message: &str) -> Value {
    json!({
        "code": "SUCCESS",
        "details": tag.to_json(world.org),
        "message": message,
        "status": "success",
    })
}

/// The module, which must be there.
fn module(world: &World, call: &Call) -> Result<String, Refusal> {
    let name = params::required(call, "module")?;
    if world.tables.contains_key(name) {
        Ok(name.to_owned())
    } else {
        Err(Refusal::invalid_module())
    }
}

/// The tags in the body.
pub(super) fn sent(call: &Call) -> Result<Vec<Value>, Refusal> {
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let named = json!({"api_name": "tags", "json_path": "$.tags"});
    match body.get("tags") {
        Some(Value::Array(tags)) if !tags.is_empty() => {
            if tags.len() > SENT_MAX {
                let mut details = named;
                put(&mut details, "maximum_length", json!(SENT_MAX));
                return Err(Refusal::invalid_data(details));
            }
            Ok(tags.clone())
        }
        None | Some(Value::Null) => Err(Refusal::new(
            "MANDATORY_NOT_FOUND",
            "required field not found",
            named,
        )),
        Some(_) => Err(Refusal::invalid_data(named)),
    }
}

/// One of the tags in the body.
pub(super) fn read(sent: &Value, at: usize) -> Result<Sent, Refusal> {
    let details = |name: &str, key: &str, value: Value| {
        let mut details = json!({"api_name": name, "json_path": format!("$.tags[{at}].{name}")});
        if !key.is_empty() {
            put(&mut details, key, value);
        }
        details
    };
    let text = |name: &str, max: usize| match sent.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() > max => Err(Refusal::invalid_data(
            details(name, "maximum_length", json!(max)),
        )),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::invalid_data(details(
            name,
            "expected_data_type",
            json!("text"),
        ))),
    };
    let name = text("name", NAME_MAX)?.filter(|it| !it.trim().is_empty());
    Ok(Sent {
        id: sent.get("id").and_then(|it| it.as_str()?.parse().ok()),
        color: text("color_code", COLOR_MAX)?,
        name: name.ok_or_else(|| {
            Refusal::new(
                "MANDATORY_NOT_FOUND",
                "required field not found",
                details("name", "", Value::Null),
            )
        })?,
    })
}

fn check_free(
    world: &World,
    module: &str,
    name: &str,
    at: usize,
    except: Option<u64>,
) -> Result<(), Refusal> {
    match world.tag_named(module, name) {
        Some(tag) if Some(tag.id) != except => Err(Refusal::new(
            "DUPLICATE_DATA",
            "duplicate data",
            json!({
                "api_name": "name",
                "json_path": format!("$.tags[{at}].name"),
                "id": tag.id.to_string(),
            }),
        )),
        _ => Ok(()),
    }
}
