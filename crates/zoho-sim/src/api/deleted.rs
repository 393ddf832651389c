//! Deleted records: their list, the recycle bin, and deletions of many at once.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{paging::Page, params, write};
use crate::{
    answer::{Answer, Refusal, per_item},
    call::Call,
    time,
    world::{
        MassDeletion, World,
        deleted::{Deleted, Place},
        order::{Order, SortBy},
        view::View,
    },
};

/// Ids taken out of the recycle bin at once; the norm of the API.
const PURGED_MAX: usize = 100;
/// Records per mass deletion, by ids and by view. Zoho: "Mass delete records", v8.
const MASS_IDS_MAX: usize = 500;
const MASS_VIEW_MAX: usize = 50_000;
/// Mass deletions remembered; the oldest go first.
const MASS_DELETIONS_MAX: usize = 1_000;

pub(super) fn list(world: &World, call: &Call, module: &str) -> Answer {
    let now = world.clock.now();
    let Some(table) = world.tables.get(module) else {
        return Refusal::invalid_module().bad_request();
    };
    let page = match Page::read(call, module, now) {
        Ok(page) => page,
        Err(refusal) => return refusal.bad_request(),
    };
    let places: &[Place] = match call.parameter("type") {
        None | Some("all") => &[Place::Bin, Place::Gone],
        Some("recycle") => &[Place::Bin],
        Some("permanent") => &[Place::Gone],
        Some(_) => {
            return Refusal::new(
                "PATTERN_NOT_MATCHED",
                "Please check whether the input values are correct",
                json!({"param_name": "type"}),
            )
            .bad_request();
        }
    };
    let since = params::since(call);
    let listed = |it: &&Deleted| places.contains(&it.place(now));
    let mut rows = table
        .deleted
        .rows()
        .rev()
        .filter(listed)
        .filter(|it| since.is_none_or(|since| it.at > since))
        .skip(page.skip);
    let shown = rows.by_ref().take(page.rows);
    let data: Vec<Value> = shown.map(|it| row(it, it.place(now), world.org)).collect();
    if data.is_empty() {
        return if since.is_some() && table.deleted.rows().any(|it| listed(&it)) {
            Answer::empty(StatusCode::NOT_MODIFIED)
        } else {
            Answer::nothing()
        };
    }
    let info = json!({
        "per_page": page.rows,
        "count": data.len(),
        "page": page.skip / page.rows.max(1) + 1,
        "more_records": rows.next().is_some(),
    });
    Answer::ok(json!({"data": data, "info": info}))
}

fn row(deleted: &Deleted, place: Place, org: u64) -> Value {
    let in_bin = place == Place::Bin;
    json!({
        "id": deleted.id.to_string(),
        "display_name": deleted.name.as_ref().filter(|_| in_bin),
        "type": if in_bin { "recycle" } else { "permanent" },
        "deleted_time": time::zoho(deleted.at),
        "deleted_by": in_bin.then(|| deleted.by.without_email(org)),
        "created_by": in_bin.then(|| deleted.created_by.without_email(org)),
    })
}

/// Takes records out of the recycle bin for good.
pub(super) fn purge(world: &mut World, call: &Call, id: Option<&str>) -> Answer {
    let now = world.clock.now();
    let ids = match id {
        Some(id) => vec![id],
        None => call.ids().unwrap_or_default(),
    };
    if ids.is_empty() {
        return Refusal::parameter_missing("ids").bad_request();
    }
    if ids.len() > PURGED_MAX {
        return Refusal::limit("ids", PURGED_MAX).bad_request();
    }
    let message = if id.is_some() {
        "Deleted permanently"
    } else {
        "record deleted"
    };
    let mut items = vec![];
    for id in ids {
        let number = id.parse::<u64>().ok();
        let mut tables = world.tables.values_mut();
        let purged = number.is_some_and(|it| tables.any(|table| table.deleted.purge(it, now)));
        items.push(if purged {
            Ok(json!({
                "code": "SUCCESS",
                "details": {"id": id},
                "message": message,
                "status": "success",
            }))
        } else {
            Err(Refusal::invalid_id(json!({"id": id})))
        });
    }
    per_item("recycle_bin", items, StatusCode::OK)
}

pub(super) fn mass(world: &mut World, call: &Call, module: &str) -> Answer {
    if call.method == Method::POST {
        return mass_delete(world, call, module).unwrap_or_else(|it| it.bad_request());
    }
    let id = match params::required(call, "job_id") {
        Ok(id) => id.parse::<u64>().ok(),
        Err(refusal) => return refusal.bad_request(),
    };
    match world.mass_deletions.iter().find(|it| Some(it.id) == id) {
        Some(job) => Answer::ok(json!({"data": [{
            "Status": "COMPLETED",
            "Failed_Count": job.failed,
            "Deleted_Count": job.deleted,
            "Total_Count": job.deleted + job.failed,
        }]})),
        None => Refusal::invalid_data(json!({"param_name": "job_id"})).bad_request(),
    }
}

/// Done at once, told as scheduled.
fn mass_delete(world: &mut World, call: &Call, module: &str) -> Result<Answer, Refusal> {
    let ids = mass_ids(world, call, module)?;
    let (mut deleted, mut failed) = (vec![], 0);
    for id in ids {
        match id.and_then(|id| write::delete_one(world, module, id).ok()) {
            Some(change) => deleted.push(change),
            None => failed += 1,
        }
    }
    let job = MassDeletion {
        id: world.next_id(),
        deleted: deleted.len(),
        failed,
    };
    write::finish_deletes(world, module, deleted);
    if world.mass_deletions.len() >= MASS_DELETIONS_MAX {
        world.mass_deletions.pop_front();
    }
    world.mass_deletions.push_back(job);
    let item = json!({
        "code": "SCHEDULED",
        "details": {"job_id": job.id.to_string()},
        "message": "mass delete scheduled successfully",
        "status": "success",
    });
    Ok(Answer::json(StatusCode::ACCEPTED, json!({"data": [item]})))
}

/// The ids asked for; nothing for what is no number.
fn mass_ids(world: &World, call: &Call, module: &str) -> Result<Vec<Option<u64>>, Refusal> {
    let table = world
        .tables
        .get(module)
        .ok_or_else(Refusal::invalid_module)?;
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    if let Some(ids) = body.get("ids").and_then(Value::as_array) {
        if ids.len() > MASS_IDS_MAX {
            return Err(Refusal::invalid_data(json!({
                "api_name": "ids", "json_path": "$.ids", "maximum_length": MASS_IDS_MAX,
            })));
        }
        let number = |it: &Value| it.as_str()?.parse().ok();
        return Ok(ids.iter().map(number).collect());
    }
    let Some(id) = body.get("cvid").and_then(Value::as_str) else {
        return Err(Refusal::new(
            "MANDATORY_NOT_FOUND",
            "required field not found",
            json!({"api_name": "ids", "json_path": "$.ids"}),
        ));
    };
    let view = View::of_id(id, world.org, &table.module)
        .ok_or_else(|| Refusal::invalid_data(json!({"api_name": "cvid", "json_path": "$.cvid"})))?;
    let reading = world.reading(&crate::faults::CallTrouble::default());
    let now = world.clock.now();
    let order = Order {
        by: SortBy::Id,
        ascending: true,
    };
    let records = table.walk(order, None);
    let wanted = records.filter(|it| view.takes(it, reading, now));
    Ok(wanted.take(MASS_VIEW_MAX).map(|it| Some(it.id)).collect())
}
