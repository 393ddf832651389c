//! Users, org, modules and fields.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Refusal},
    call::Call,
    world::{World, people::Who},
};

const USER_TYPES: &[&str] = &[
    "AllUsers",
    "ActiveUsers",
    "AdminUsers",
    "CurrentUser",
    "ActiveConfirmedUsers",
    "ConfirmedUsers",
    "DeactiveUsers",
    "NotConfirmedUsers",
];

pub(super) fn users(world: &World, call: &Call) -> Answer {
    let people: &[Who] = match call.parameter("type") {
        Some("CurrentUser") => &[Who::Integration],
        Some("DeactiveUsers" | "NotConfirmedUsers") => return Answer::nothing(),
        Some(other) if !USER_TYPES.contains(&other) => {
            return Refusal::invalid_data(
                json!({"param_name": "type", "supported_values": USER_TYPES}),
            )
            .bad_request();
        }
        _ => &Who::ALL,
    };
    let users: Vec<Value> = people.iter().map(|it| it.to_json(world.org)).collect();
    let info = json!({
        "per_page": 200, "count": users.len(), "page": 1, "more_records": false,
    });
    Answer::ok(json!({"users": users, "info": info}))
}

pub(super) fn user(world: &World, id: &str) -> Answer {
    match Who::ALL.into_iter().find(|it| it.id(world.org) == id) {
        Some(who) => Answer::ok(json!({"users": [who.to_json(world.org)]})),
        None => Refusal::invalid_id(json!({"resource_path_index": 1})).bad_request(),
    }
}

pub(super) fn org(world: &World) -> Answer {
    Answer::ok(json!({"org": [{
        "id": (world.org + 1).to_string(),
        "zgid": world.zgid(),
        "company_name": "Simulated Ltd",
        "domain_name": format!("org{}", world.org / 1_000_000_000_000),
        "primary_email": "rosa.lark@example.com",
        "country": "India",
        "country_code": "IN",
        "time_zone": "Asia/Kolkata",
        "currency": "Indian Rupee - INR",
        "currency_symbol": "₹",
        "currency_locale": "en_IN",
        "iso_code": "INR",
        "mc_status": false,
        "gapps_enabled": false,
        "privacy_settings": false,
        "translation_enabled": false,
        "type": "production",
        "license_details": {
            "paid": world.edition.paid_type() != "free",
            "paid_type": world.edition.paid_type(),
            "paid_expiry": null,
            "trial_type": null,
            "trial_expiry": null,
            "trial_action": null,
            "users_license_purchased": 2,
        },
    }]}))
}

pub(super) fn modules(world: &World) -> Answer {
    let modules: Vec<Value> = world
        .tables
        .values()
        .map(|it| it.module.to_json())
        .collect();
    Answer::ok(json!({"modules": modules}))
}

pub(super) fn module(world: &World, name: &str) -> Answer {
    match world.tables.get(name) {
        Some(table) => Answer::ok(json!({"modules": [table.module.to_json()]})),
        None => Refusal::invalid_module().bad_request(),
    }
}

pub(super) fn fields(world: &World, call: &Call) -> Answer {
    let Some(name) = call.parameter("module") else {
        return Refusal::new(
            "REQUIRED_PARAM_MISSING",
            "One of the expected parameter is missing",
            json!({"param_name": "module"}),
        )
        .answer(StatusCode::BAD_REQUEST);
    };
    match world.tables.get(name) {
        Some(table) => {
            let fields: Vec<Value> = table
                .module
                .fields
                .iter()
                .map(super::super::world::module::Field::to_json)
                .collect();
            Answer::ok(json!({"fields": fields}))
        }
        None => Refusal::invalid_module().bad_request(),
    }
}
