//! Conversion of leads: one at once, many in the background, and what one could become.

mod carry_out;
mod wish;

use http::StatusCode;
use serde_json::{Value, json};

pub(crate) use self::carry_out::carry_out;
use self::{carry_out::ready, wish::Wish};
use super::notes::fields;
use crate::{
    answer::{Answer, Refusal, per_item},
    call::Call,
    faults::JobTrouble,
    world::{World, jobs::Conversion, record::Record},
};

/// Leads per mass conversion. Zoho: "Mass convert leads", v8.
const LEADS_MAX: usize = 50;
/// Matching records told as options, per module.
const OPTIONS_MAX: usize = 10;

/// Zoho: "Convert lead", v8. When Zoho does it in the background is not known; a scripted fault
/// says so here.
pub(super) fn convert(
    world: &mut World,
    call: &Call,
    id: &str,
    job: Option<JobTrouble>,
) -> Result<Answer, Refusal> {
    let lead = id.parse::<u64>().unwrap_or_default();
    let sent = if call.body.is_empty() {
        json!({})
    } else {
        let body = call.json().ok_or_else(Refusal::unreadable_json)?;
        body.pointer("/data/0")
            .cloned()
            .unwrap_or_else(|| json!({}))
    };
    ready(world, lead)?;
    if job == Some(JobTrouble::Scheduled) {
        Wish::read(world, &sent)?;
        let job = schedule(world, vec![lead], sent);
        let item = json!({
            "code": "SCHEDULED",
            "details": {"job_id": job},
            "message": "The conversion has been scheduled",
            "status": "success",
        });
        return Ok(Answer::json(StatusCode::ACCEPTED, json!({"data": [item]})));
    }
    let item = carry_out(world, lead, &sent).map(|details| {
        json!({
            "code": "SUCCESS",
            "details": details,
            "message": "The record has been converted successfully",
            "status": "success",
        })
    });
    Ok(per_item("data", vec![item], StatusCode::OK))
}

/// Zoho: "Mass convert leads", v8.
pub(super) fn mass(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let ids = body.get("ids").and_then(Value::as_array);
    let ids = ids.filter(|it| !it.is_empty());
    let ids = ids.ok_or_else(|| Refusal::mandatory("ids", "$.ids"))?;
    if ids.len() > LEADS_MAX {
        return Err(Refusal::new(
            "LIMIT_EXCEEDED",
            "Limit exceeded for mass convert",
            json!({"limit": LEADS_MAX, "limit_due_to": [{"api_name": "ids", "json_path": "$.ids"}]}),
        ));
    }
    let mut leads = vec![];
    for (at, id) in ids.iter().enumerate() {
        let id = id.as_str().and_then(|it| it.parse().ok()).or(id.as_u64());
        let there = |id: &u64| {
            world
                .tables
                .get("Leads")
                .is_some_and(|it| it.get(*id).is_some())
        };
        let id = id.filter(there);
        leads.push(id.ok_or_else(|| Refusal::invalid_key("ids", &format!("$.ids[{at}]")))?);
    }
    let deal = body.get("Deals").filter(|it| !it.is_null());
    if deal.is_some_and(|it| it.get("Deal_Name").is_none()) {
        return Err(Refusal::mandatory("Deal_Name", "$.Deals.Deal_Name"));
    }
    Wish::read(world, &body)?;
    let job = schedule(world, leads, body);
    Ok(Answer::json(
        StatusCode::ACCEPTED,
        json!({
            "code": "SCHEDULED",
            "details": {"job_id": job},
            "message": "Mass Convert scheduled successfully",
            "status": "success",
        }),
    ))
}

/// Zoho: "Mass convert lead status", v8.
pub(super) fn status(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let id = call.parameter("job_id");
    let id = id.ok_or_else(|| Refusal::parameter_missing("job_id"))?;
    let job = id
        .trim()
        .parse()
        .ok()
        .and_then(|id: u64| world.jobs.conversions.get(&id));
    let job = job.ok_or_else(|| {
        Refusal::new(
            "INVALID_DATA",
            "The jobid given seems to be invalid",
            json!({"param_name": "job_id"}),
        )
    })?;
    let now = world.clock.monotonic();
    Ok(Answer::ok(json!({"data": [job.to_json(&world.jobs, now)]})))
}

/// Zoho: "Lead conversion options", v8: the accounts and contacts that a lead could be merged into.
pub(super) fn options(world: &World, call: &Call, id: &str) -> Result<Answer, Refusal> {
    let lead = id.parse::<u64>().unwrap_or_default();
    ready(world, lead)?;
    let lead = world.tables.get("Leads").and_then(|it| it.get(lead));
    let value = |name: &str| lead.and_then(|it| it.current.values.get(name));
    let asked = fields(call).unwrap_or_default();
    let matching = |module: &str, field: &str, wanted: Option<&Value>| -> Value {
        let (Some(table), Some(wanted)) = (world.tables.get(module), wanted) else {
            return Value::Null;
        };
        let same = |it: &&Record| {
            let found = it.current.values.get(field).and_then(Value::as_str);
            let wanted = wanted.as_str();
            found.is_some() && found.map(str::to_lowercase) == wanted.map(str::to_lowercase)
        };
        let shown = |it: &Record| {
            let mut shown = json!({"id": it.id.to_string(), table.module.name_field.clone(): it.name(&table.module)});
            for name in &asked {
                if let (Some(value), Some(shown)) =
                    (it.current.values.get(*name), shown.as_object_mut())
                {
                    shown.insert((*name).to_owned(), value.clone());
                }
            }
            shown
        };
        let found: Vec<Value> = table
            .rows()
            .filter(same)
            .take(OPTIONS_MAX)
            .map(shown)
            .collect();
        if found.is_empty() {
            Value::Null
        } else {
            json!(found)
        }
    };
    Ok(Answer::ok(json!({"__conversion_options": {
        "module_preference": {"api_name": "Contacts", "id": world.module_id("Contacts")},
        "Contacts": matching("Contacts", "Email", value("Email")),
        "Accounts": matching("Accounts", "Account_Name", value("Company")),
        "Deals": null,
        "preference_field_matched_value": {"Contacts": null, "Accounts": null, "Deals": null},
        "modules_with_multiple_layouts": [],
    }})))
}

fn schedule(world: &mut World, leads: Vec<u64>, wish: Value) -> String {
    let id = world.next_id();
    let begun = world.clock.monotonic();
    world.jobs.add_conversion(Conversion {
        id,
        leads,
        wish,
        begun,
        converted: 0,
        failed: 0,
    });
    id.to_string()
}
