//! `/settings/automation/webhooks`: what workflow rules can call.

use http::StatusCode;
use serde_json::{Value, json};

use super::{automation::list_answer, paging::Page};
use crate::{
    answer::{Answer, Refusal, per_item},
    call::Call,
    world::{
        World,
        people::Who,
        webhooks::{self, Webhook},
    },
};

/// Webhooks per delete. Zoho's `OpenAPI` description.
const DELETED_MAX: usize = 10;

/// Zoho: "Create webhook", v8: exactly one.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let sent = only_one(call)?;
    let made = webhooks::check(world, &sent, None).map(|shape| {
        let id = world.next_id();
        let now = world.clock.now();
        let webhook = Webhook {
            id,
            shape,
            created: now,
            modified: now,
            by: Who::Integration,
        };
        world.automation.webhooks.insert(id, webhook);
        success(id, "webhook created successfully")
    });
    Ok(per_item("webhooks", vec![made], StatusCode::CREATED))
}

/// Zoho: "Get webhooks", v8; 204 when there is none.
pub(super) fn list(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let page = Page::read(call, "webhooks", world.clock.now())?;
    let ids = call.ids();
    let module = call.parameter("module");
    let wanted = |it: &&Webhook| {
        ids.as_ref()
            .is_none_or(|ids| ids.contains(&it.id.to_string().as_str()))
            && module.is_none_or(|name| it.module() == name)
    };
    let all: Vec<Value> = world
        .automation
        .webhooks
        .values()
        .filter(wanted)
        .map(|it| it.to_json(world))
        .collect();
    Ok(list_answer("webhooks", all, page, json!({})))
}

pub(super) fn one(world: &World, id: &str) -> Result<Answer, Refusal> {
    let webhook = find(world, id)?;
    Ok(Answer::ok(json!({"webhooks": [webhook.to_json(world)]})))
}

/// Zoho: "Update webhook", v8: what is not sent stays; the module cannot change.
pub(super) fn update(world: &mut World, call: &Call, id: Option<&str>) -> Result<Answer, Refusal> {
    let sent = only_one(call)?;
    let id = id.or_else(|| sent.get("id")?.as_str());
    let id = id.ok_or_else(|| Refusal::mandatory("id", "$.webhooks[0].id"))?;
    let webhook = find(world, id)?.clone();
    let done = webhooks::check(world, &sent, Some(&webhook)).map(|shape| {
        let modified = world.clock.now();
        let id = webhook.id;
        let webhook = Webhook {
            shape,
            modified,
            ..webhook
        };
        world.automation.webhooks.insert(id, webhook);
        success(id, "webhook updated successfully")
    });
    Ok(per_item("webhooks", vec![done], StatusCode::OK))
}

/// Zoho: "Delete webhooks", v8. Rules that used one have nothing to call any more.
pub(super) fn delete(world: &mut World, ids: &[&str]) -> Result<Answer, Refusal> {
    if ids.is_empty() {
        return Err(Refusal::parameter_missing("ids"));
    }
    if ids.len() > DELETED_MAX {
        return Err(Refusal::limit("ids", DELETED_MAX));
    }
    let done = ids
        .iter()
        .map(|id| {
            let id = find(world, id)?.id;
            world.automation.webhooks.remove(&id);
            world.automation.rules.retain(|it| it.webhook != id);
            Ok(success(id, "webhook deleted successfully"))
        })
        .collect();
    Ok(per_item("webhooks", done, StatusCode::OK))
}

fn find<'a>(world: &'a World, id: &str) -> Result<&'a Webhook, Refusal> {
    let found = id
        .parse()
        .ok()
        .and_then(|id: u64| world.automation.webhooks.get(&id));
    found.ok_or_else(|| Refusal::invalid_id(json!({"resource_path_index": 3})))
}

fn only_one(call: &Call) -> Result<Value, Refusal> {
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let webhooks = body.get("webhooks").and_then(Value::as_array);
    match webhooks.map(Vec::as_slice) {
        None | Some([]) => Err(Refusal::mandatory("webhooks", "$.webhooks")),
        Some([one]) => Ok(one.clone()),
        Some(_) => Err(Refusal::invalid_data(json!({
            "api_name": "webhooks", "json_path": "$.webhooks", "maximum_length": 1,
        }))),
    }
}

fn success(id: u64, message: &str) -> Value {
    json!({
        "code": "SUCCESS",
        "details": {"id": id.to_string()},
        "message": message,
        "status": "success",
    })
}
