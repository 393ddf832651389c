//! Custom views, so that a `cvid` can be looked up.

use serde_json::{Value, json};

use super::params;
use crate::{
    answer::{Answer, Refusal},
    call::Call,
    world::{World, view::View},
};

pub(super) fn list(world: &World, call: &Call) -> Answer {
    let table = match params::required(call, "module") {
        Ok(name) => world.tables.get(name),
        Err(refusal) => return refusal.bad_request(),
    };
    let Some(table) = table else {
        return Refusal::invalid_module().bad_request();
    };
    let shown = |it: View| it.to_json(world.org, &table.module);
    let views: Vec<Value> = View::ALL.into_iter().map(shown).collect();
    let info = json!({
        "per_page": 200,
        "count": views.len(),
        "page": 1,
        "more_records": false,
        "default": View::All.id(world.org, &table.module),
    });
    Answer::ok(json!({"custom_views": views, "info": info}))
}

pub(super) fn one(world: &World, call: &Call, id: &str) -> Answer {
    let table = match params::required(call, "module") {
        Ok(name) => world.tables.get(name),
        Err(refusal) => return refusal.bad_request(),
    };
    let Some(table) = table else {
        return Refusal::invalid_module().bad_request();
    };
    match View::of_id(id, world.org, &table.module) {
        Some(view) => Answer::ok(json!({"custom_views": [view.to_json(world.org, &table.module)]})),
        None => Refusal::invalid_id(json!({"resource_path_index": 2})).bad_request(),
    }
}
