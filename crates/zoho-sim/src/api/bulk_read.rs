//! `/crm/bulk/v8/read`: jobs that export records.

use http::StatusCode;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    answer::{Answer, File, Refusal, put},
    call::Call,
    faults::JobTrouble,
    world::{
        World,
        bulk::READ_RESULT_LIFE,
        criteria::Criteria,
        export::{Column, Export},
        jobs::{Order, ReadJob},
        people::Who,
    },
};

/// Entries of a calendar file. Zoho: "Create bulk read job", v8.
const CALENDAR_ROWS: usize = 20_000;
/// Modules that are not exported. Same source.
const NOT_EXPORTED: &[&str] = &["Notes", "Attachments", "Emails"];

/// Zoho: "Create bulk read job", v8.
pub(super) fn create(
    world: &mut World,
    call: &Call,
    fault: Option<JobTrouble>,
) -> Result<Answer, Refusal> {
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let callback = callback(&body)?;
    let query = body.get("query").cloned().unwrap_or_default();
    let calendar = calendar(&body, &query)?;
    let job = match query.get("page_token").and_then(Value::as_str) {
        Some(token) => next_page(world, &query, token)?,
        None => first_page(world, query, calendar)?,
    };
    let id = world.next_id();
    let order = order(world, id, callback, fault);
    let created = crate::time::zoho(order.created);
    let by = order.by.without_email(world.org);
    let (export, query, page) = job;
    world.jobs.add_read(ReadJob {
        order,
        query,
        page,
        export,
        done: None,
    });
    let item = json!({
        "status": "success",
        "code": "ADDED_SUCCESSFULLY",
        "message": "Added successfully.",
        "details": {
            "id": id.to_string(),
            "operation": "read",
            "state": "ADDED",
            "created_by": by,
            "created_time": created,
        },
    });
    let body = json!({"data": [item], "info": {}});
    Ok(Answer::json(StatusCode::CREATED, body))
}

/// Zoho: "Get bulk read job details", v8.
pub(super) fn details(world: &World, id: &str) -> Result<Answer, Refusal> {
    let job = id.parse().ok().and_then(|id| world.read_job(id));
    job.map(Answer::ok).ok_or_else(not_there)
}

/// Zoho: "Download bulk read result", v8: a zip of one file.
pub(super) fn result(world: &World, id: &str) -> Result<Answer, Refusal> {
    let job = id
        .parse()
        .ok()
        .and_then(|id: u64| world.jobs.reads.get(&id));
    let age = |job: &ReadJob| world.clock.monotonic().saturating_sub(job.order.begun);
    let job = job.filter(|it| age(it) < READ_RESULT_LIFE);
    let result = job.and_then(|it| it.done.as_ref()?.as_ref().ok());
    let file = result.and_then(|it| world.papers.file(&it.file));
    let file = file.ok_or_else(not_there)?;
    Ok(Answer::file(File {
        name: file.name.clone(),
        content_type: super::files::DOWNLOAD,
        bytes: file.bytes.clone(),
    }))
}

/// What every bulk job has.
pub(super) fn order(
    world: &World,
    id: u64,
    callback: Option<Url>,
    fault: Option<JobTrouble>,
) -> Order {
    Order {
        id,
        created: world.clock.now(),
        begun: world.clock.monotonic(),
        by: Who::Integration,
        callback,
        fails: fault == Some(JobTrouble::Fails),
    }
}

/// The URL that is told of the end of a job.
pub(super) fn callback(body: &Value) -> Result<Option<Url>, Refusal> {
    let Some(callback) = body.get("callback").filter(|it| !it.is_null()) else {
        return Ok(None);
    };
    let method = callback.get("method").and_then(Value::as_str);
    if !method.is_some_and(|it| it.eq_ignore_ascii_case("post")) {
        return Err(refused("INVALID_CALLBACK_METHOD", "method"));
    }
    let url = callback.get("url").and_then(Value::as_str);
    let url = url.and_then(|it| Url::parse(it).ok());
    match url.filter(|it| matches!(it.scheme(), "http" | "https")) {
        Some(url) => Ok(Some(url)),
        None => Err(refused("INVALID_CALLBACK_URL", "url")),
    }
}

/// There is no such job, or no such result.
pub(super) fn not_there() -> Refusal {
    Refusal::new(
        "RESOURCE_NOT_FOUND",
        "The requested resource doesn't exist.",
        json!({}),
    )
}

fn calendar(body: &Value, query: &Value) -> Result<bool, Refusal> {
    // Its place is the body; the official SDKs can also put it into the query.
    let file_type = body.get("file_type").or_else(|| query.get("file_type"));
    match file_type.and_then(Value::as_str) {
        None | Some("csv") => Ok(false),
        Some("ics") if module_name(query) == Some("Events") => Ok(true),
        Some(_) => Err(refused("NOT_SUPPORTED_FEATURE", "file_type")),
    }
}

fn module_name(query: &Value) -> Option<&str> {
    let module = query.get("module")?;
    module.get("api_name").unwrap_or(module).as_str()
}

type Wanted = (Export, Value, usize);

fn first_page(world: &World, query: Value, calendar: bool) -> Result<Wanted, Refusal> {
    let name = module_name(&query).ok_or_else(|| refused("MANDATORY_NOT_FOUND", "module"))?;
    let table = world.tables.get(name);
    let table = table.ok_or_else(|| refused("MODULE_NOT_AVAILABLE", "module"))?;
    if NOT_EXPORTED.contains(&name) {
        return Err(refused("MODULE_NOT_SUPPORTED", "module"));
    }
    let columns = columns(world, &query, table)?;
    let criteria = match query.get("criteria") {
        None | Some(Value::Null) => None,
        Some(sent) => Some(
            Criteria::read(world, &table.module, sent)
                .map_err(|unusable| refused(unusable.0, "criteria"))?,
        ),
    };
    let page = query.get("page").and_then(Value::as_u64).unwrap_or(1);
    let page = usize::try_from(page).unwrap_or(usize::MAX).max(1);
    let rows = if calendar {
        CALENDAR_ROWS.min(world.jobs.page_rows)
    } else {
        world.jobs.page_rows
    };
    let export = Export {
        module: name.to_owned(),
        columns,
        criteria,
        calendar,
        after: 0,
        skip: rows.saturating_mul(page - 1),
        rows,
    };
    let mut query = query;
    put(
        &mut query,
        "module",
        json!({"id": table.module.id.to_string(), "api_name": export.module}),
    );
    put(&mut query, "page", json!(page));
    Ok((export, query, page))
}

/// What a page token stands for; what is sent beside it must be what it was given for.
fn next_page(world: &World, query: &Value, token: &str) -> Result<Wanted, Refusal> {
    let known = world.jobs.tokens.get(token);
    let known = known.ok_or_else(|| refused("INVALID_DATA", "page_token"))?;
    if known.expires <= world.clock.now() {
        return Err(refused("EXPIRED_VALUE", "page_token"));
    }
    let none = Map::new();
    let same = query
        .as_object()
        .unwrap_or(&none)
        .iter()
        .all(|(key, value)| match key.as_str() {
            "page_token" => true,
            "page" => false,
            "module" => module_name(query) == Some(known.export.module.as_str()),
            key => known.query.get(key) == Some(value),
        });
    if !same {
        return Err(refused("TOKEN_BOUND_DATA_MISMATCH", "page_token"));
    }
    let mut told = known.query.clone();
    if let Some(told) = told.as_object_mut() {
        told.remove("page");
        told.insert("page_token".to_owned(), json!(token));
    }
    Ok((known.export.clone(), told, known.page))
}

fn columns(
    world: &World,
    query: &Value,
    table: &crate::world::table::Table,
) -> Result<Vec<Column>, Refusal> {
    let asked = query.get("fields").and_then(Value::as_array);
    let Some(asked) = asked.filter(|it| !it.is_empty()) else {
        return Ok(Export::all_columns(world, &table.module));
    };
    let mut columns: Vec<Column> = Column::read(world, &table.module, "id")
        .into_iter()
        .collect();
    for name in asked {
        let name = name
            .as_str()
            .ok_or_else(|| refused("INVALID_DATA", "fields"))?;
        if matches!(name, "id" | "Id") {
            continue;
        }
        let column = Column::read(world, &table.module, name);
        columns.push(column.ok_or_else(|| {
            Refusal::new(
                "FIELD_NOT_AVAILABLE",
                "the field is not available in the module",
                json!({"api_name": name}),
            )
        })?);
    }
    Ok(columns)
}

fn refused(code: &'static str, key: &str) -> Refusal {
    Refusal::new(code, "the request is not valid", json!({"api_name": key}))
}
