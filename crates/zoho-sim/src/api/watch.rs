//! `/actions/watch`: the channels of the Notification API.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::paging::Page;
use crate::{
    answer::{Answer, Refusal, per_item},
    call::Call,
    world::{
        World,
        channel::{self, Channel},
    },
};

/// Objects per `watch` body. Zoho's `OpenAPI` description.
const WATCH_MAX: usize = 50;
/// Channels kept; Zoho tells no limit.
const CHANNELS_MAX: usize = 10_000;
/// Modules the documentation names beyond those with records here.
const MORE_MODULES: &[&str] = &["users", "Users", "Services", "Appointments__s"];

pub(super) fn answer(world: &mut World, call: &Call) -> Answer {
    forget_expired(world);
    match call.method {
        Method::GET => list(world, call),
        Method::DELETE => disable(world, call),
        _ => write(world, call),
    }
}

/// Carries out a `watch` body sent by any method, for a program that holds the simulator.
pub(crate) fn write(world: &mut World, call: &Call) -> Answer {
    let items = match read_items(call) {
        Ok(items) => items,
        Err(refusal) => return refusal.bad_request(),
    };
    let results = items
        .iter()
        .enumerate()
        .map(|(at, item)| match call.method {
            Method::POST => enable(world, item, at),
            Method::PUT => replace(world, item, at),
            _ => patch(world, item, at),
        })
        .collect();
    let done = if call.method == Method::POST {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    per_item("watch", results, done)
}

fn enable(world: &mut World, item: &Value, at: usize) -> Result<Value, Refusal> {
    let channel = Channel::read(
        item,
        at,
        &|it: &str| watchable(world, it),
        world.clock.now(),
    )?;
    Ok(keep(
        world,
        channel,
        "Successfully subscribed for actions-watch of the given module",
    ))
}

/// What is not sent again is dropped.
fn replace(world: &mut World, item: &Value, at: usize) -> Result<Value, Refusal> {
    existing(world, item, at)?;
    let channel = Channel::read(
        item,
        at,
        &|it: &str| watchable(world, it),
        world.clock.now(),
    )?;
    Ok(keep(
        world,
        channel,
        "Successfully updated the subscribe details",
    ))
}

fn patch(world: &mut World, item: &Value, at: usize) -> Result<Value, Refusal> {
    let channel = existing(world, item, at)?;
    let watchable = |it: &str| watchable(world, it);
    if item.get("_delete_events") == Some(&Value::Bool(true)) {
        let left = channel.clone().without(item, at, &watchable)?;
        let message = "Successfully removed the subscribe details";
        if left.events.is_empty() {
            world.channels.remove(&left.id);
            return Ok(success(world, &channel, message));
        }
        return Ok(keep(world, left, message));
    }
    let channel = channel.patched(item, at, &watchable, world.clock.now())?;
    Ok(keep(
        world,
        channel,
        "Successfully updated the subscribe details",
    ))
}

fn disable(world: &mut World, call: &Call) -> Answer {
    let Some(ids) = call.parameter("channel_ids").filter(|it| !it.is_empty()) else {
        return Refusal::new(
            "REQUIRED_PARAM_MISSING",
            "One of the expected parameter is missing",
            json!({"param_name": "channel_ids"}),
        )
        .bad_request();
    };
    let mut results = vec![];
    for id in ids.split(',').map(str::trim) {
        let Some(channel) = world.channels.remove(id) else {
            results.push(Err(not_subscribed(id)));
            continue;
        };
        for mut receipt in channel.receipts(&world.base_url, |it| world.module_id(it)) {
            if let Some(receipt) = receipt.as_object_mut() {
                receipt.remove("channel_expiry");
            }
            results.push(Ok(json!({
                "code": "SUCCESS",
                "details": receipt,
                "message": "Successfully un-subscribed from actions-watch",
                "status": "success",
            })));
        }
    }
    per_item("watch", results, StatusCode::OK)
}

fn list(world: &World, call: &Call) -> Answer {
    let page = match Page::read(call, "watch", world.clock.now()) {
        Ok(page) => page,
        Err(refusal) => return refusal.bad_request(),
    };
    let entries: Vec<Value> = world
        .channels
        .values()
        .filter(|it| call.parameter("channel_id").is_none_or(|id| id == it.id))
        .flat_map(|it| it.entries(&world.base_url, |module| world.module_id(module)))
        .filter(|(module, _)| call.parameter("module").is_none_or(|name| name == module))
        .map(|(_, entry)| entry)
        .collect();
    let more = entries.len() > page.skip + page.rows;
    let watch: Vec<Value> = entries
        .into_iter()
        .skip(page.skip)
        .take(page.rows)
        .collect();
    if watch.is_empty() {
        return Answer::nothing();
    }
    let info = json!({
        "per_page": page.rows,
        "count": watch.len(),
        "page": page.skip / page.rows.max(1) + 1,
        "more_records": more,
    });
    Answer::ok(json!({"watch": watch, "info": info}))
}

fn keep(world: &mut World, channel: Channel, message: &str) -> Value {
    let receipt = success(world, &channel, message);
    if world.channels.len() >= CHANNELS_MAX {
        let now = world.clock.now();
        world.channels.retain(|_, it| it.expires > now);
        if world.channels.len() >= CHANNELS_MAX {
            world.channels.pop_first();
        }
    }
    world.channels.insert(channel.id.clone(), channel);
    receipt
}

fn success(world: &World, channel: &Channel, message: &str) -> Value {
    let events = channel.receipts(&world.base_url, |it| world.module_id(it));
    json!({
        "code": "SUCCESS",
        "details": {"events": events},
        "message": message,
        "status": "success",
    })
}

fn existing(world: &World, item: &Value, at: usize) -> Result<Channel, Refusal> {
    let id = channel::read_id(item, at)?;
    let found = world.channels.get(&id).cloned();
    found.ok_or_else(|| not_subscribed(&id))
}

fn not_subscribed(id: &str) -> Refusal {
    Refusal::new(
        "NOT_SUBSCRIBED",
        "the channel is not subscribed",
        json!({"channel_id": id}),
    )
}

fn read_items(call: &Call) -> Result<Vec<Value>, Refusal> {
    let body = call.json().ok_or_else(|| {
        Refusal::new(
            "JSON_PARSE_ERROR",
            "unable to parse the JSON of the body",
            json!({}),
        )
    })?;
    match body.get("watch") {
        Some(Value::Array(items)) if items.len() > WATCH_MAX => {
            Err(Refusal::limit("watch", WATCH_MAX))
        }
        Some(Value::Array(items)) if !items.is_empty() => Ok(items.clone()),
        None | Some(_) => Err(Refusal::new(
            "MANDATORY_NOT_FOUND",
            "required field not found",
            json!({"api_name": "watch", "json_path": "$.watch"}),
        )),
    }
}

fn watchable(world: &World, module: &str) -> bool {
    match world.tables.get(module) {
        Some(table) => table.module.watchable,
        None => MORE_MODULES.contains(&module),
    }
}

fn forget_expired(world: &mut World) {
    let now = world.clock.now();
    world.channels.retain(|_, it| it.expires > now);
}
