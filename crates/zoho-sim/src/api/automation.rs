//! What is told of webhooks: failures, use, and the modules that have some.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::paging::Page;
use crate::{
    answer::{Answer, Refusal, put},
    call::Call,
    time,
    world::{
        World,
        webhooks::{Failure, Webhook},
    },
};

/// Without dates, failures of so many days are told; with dates, of at most so many.
/// Zoho: "Get webhook failures", v8.
const DAYS: u64 = 30;
const SPAN_MAX: Duration = Duration::from_hours(24 * 90);
/// Calls of webhooks a day. Zoho's numbers per edition are not known.
const DAY_LIMIT: u64 = 10_000;

/// Zoho: "Get action failures - webhooks", v8; 204 when there is none.
pub(super) fn failures(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let now = world.clock.now();
    let page = Page::read(call, "webhook_failures", now)?;
    let from = date(call, "from")?;
    let to = date(call, "to")?;
    let earliest = now.checked_sub(Duration::from_hours(24 * DAYS));
    let from = from.unwrap_or(earliest.unwrap_or(Timestamp::MIN));
    let until = match to {
        // The day that `to` names belongs to the span.
        Some(to) => to
            .checked_add(Duration::from_hours(24))
            .unwrap_or(Timestamp::MAX),
        None => Timestamp::MAX,
    };
    if to.unwrap_or(now).duration_since(from)
        > jiff::SignedDuration::try_from(SPAN_MAX).unwrap_or_default()
    {
        return Err(Refusal::new(
            "INVALID_DATA",
            "the span between from and to is too long",
            json!({"param_name": "from", "maximum_days": 90}),
        ));
    }
    let webhook = call.parameter("webhook_id");
    let module = call.parameter("module");
    let wanted = |it: &&Failure| {
        it.at >= from
            && it.at < until
            && webhook.is_none_or(|id| it.webhook.to_string() == id)
            && module.is_none_or(|name| it.module == name)
    };
    let all: Vec<Value> = world
        .automation
        .failures
        .iter()
        .rev()
        .filter(wanted)
        .map(|it| it.to_json(world))
        .collect();
    Ok(list_answer("webhook_failures", all, page, json!({})))
}

/// Zoho: "Get usage reports - webhooks", v8.
pub(super) fn usage(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let page = Page::read(call, "usage_reports", world.clock.now())?;
    let group = call.parameter("group_by");
    let group = group.ok_or_else(|| Refusal::parameter_missing("group_by"))?;
    let (by_webhook, by_type) = match group {
        "date" => (false, false),
        "date,resource" => (true, false),
        "date,resource,type" => (true, true),
        _ => {
            return Err(Refusal::invalid_data(json!({
                "param_name": "group_by",
                "supported_values": ["date", "date,resource", "date,resource,type"],
            })));
        }
    };
    let mut counts: BTreeMap<(String, Option<u64>), u64> = BTreeMap::new();
    for ((day, webhook), count) in &world.automation.usage {
        let key = (day.clone(), by_webhook.then_some(*webhook));
        *counts.entry(key).or_default() += count;
    }
    let all: Vec<Value> = counts
        .into_iter()
        .rev()
        .map(|((day, webhook), count)| {
            let mut row = json!({"date": day, "count": count});
            if let Some(webhook) = webhook {
                put(&mut row, "resource", world.automation.named(webhook));
            }
            if by_type {
                put(&mut row, "type", json!("webhooks"));
            }
            row
        })
        .collect();
    Ok(list_answer(
        "data_usage",
        all,
        page,
        json!({"max_limit": DAY_LIMIT}),
    ))
}

/// Zoho: "Get associated modules - webhooks", v8.
pub(super) fn modules(world: &World) -> Answer {
    let mut names: Vec<&str> = world
        .automation
        .webhooks
        .values()
        .map(Webhook::module)
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Answer::nothing();
    }
    let modules: Vec<Value> = names
        .into_iter()
        .map(|it| json!({"api_name": it, "id": world.module_id(it)}))
        .collect();
    Answer::ok(json!({"associated_modules": modules}))
}

/// A page of a list with its info; 204 for an empty one.
pub(super) fn list_answer(key: &str, all: Vec<Value>, page: Page, more_info: Value) -> Answer {
    let more = all.len() > page.skip + page.rows;
    let shown: Vec<Value> = all.into_iter().skip(page.skip).take(page.rows).collect();
    if shown.is_empty() {
        return Answer::nothing();
    }
    let mut info = json!({
        "per_page": page.rows,
        "count": shown.len(),
        "page": page.skip / page.rows.max(1) + 1,
        "more_records": more,
    });
    if let (Some(info), Value::Object(more)) = (info.as_object_mut(), more_info) {
        info.extend(more);
    }
    Answer::ok(json!({key: shown, "info": info}))
}

/// A day as `from` and `to` name it, in the org's time zone.
fn date(call: &Call, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = call.parameter(name) else {
        return Ok(None);
    };
    let day = text.parse::<Date>().ok();
    let zone = TimeZone::fixed(time::org_offset());
    let at = day.and_then(|it| it.to_zoned(zone).ok());
    match at {
        Some(at) => Ok(Some(at.timestamp())),
        None => Err(Refusal::invalid_data(
            json!({"param_name": name, "expected_data_type": "date"}),
        )),
    }
}
