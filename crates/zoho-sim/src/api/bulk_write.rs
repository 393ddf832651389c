//! `/crm/v8/upload` and `/crm/bulk/v8/write`: jobs that write the rows of CSV files.

use std::{borrow::Cow, io::Cursor};

use http::StatusCode;
use serde_json::{Value, json};

use super::{bulk_read, files};
use crate::{
    answer::{Answer, File, Refusal},
    call::Call,
    faults::JobTrouble,
    time,
    world::{
        World,
        bulk_write::{Counts, Part, WRITE_RESULT_LIFE, WriteJob},
        import::{Import, Mapping, Mode},
        module::Module,
    },
};

/// Bytes of an uploaded zip. Zoho: "Bulk write limitations", v8.
const UPLOAD_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Columns of a file. Same source.
const COLUMNS_MAX: usize = 200;
/// Files of one job, together.
const FILES_MAX: usize = 25;

/// Zoho: "Upload file", v8, for bulk writes.
pub(super) fn upload(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let header = |name: &str, expected: &str| {
        if call.header(name) == Some(expected) {
            return Ok(());
        }
        let details = json!({"header_name": name, "expected_value": expected});
        Err(Refusal::new(
            "INVALID_REQUEST",
            "a header is missing or wrong",
            details,
        ))
    };
    header("feature", "bulk-write")?;
    header("X-CRM-ORG", &world.zgid())?;
    let part = files::one_file(call, UPLOAD_BYTES_MAX)?;
    let name = part.file_name.unwrap_or_default();
    if zip::ZipArchive::new(Cursor::new(part.bytes.clone())).is_err() {
        let details = json!({"api_name": "file", "supported_values": ["zip"]});
        return Err(Refusal::new(
            "INVALID_FILE_FORMAT",
            "the file is no zip",
            details,
        ));
    }
    let file = files::keep(world, &name, part.bytes)?;
    let id = world.next_id();
    if let Some(oldest) = world.jobs.keep_upload(id, file) {
        world.papers.drop_file(&oldest);
    }
    Ok(Answer::ok(json!({
        "status": "success",
        "code": "FILE_UPLOAD_SUCCESS",
        "message": "file uploaded.",
        "details": {
            "file_id": id.to_string(),
            "created_time": time::zoho(time::whole_seconds(world.clock.now())),
        },
    })))
}

/// Zoho: "Create bulk write job", v8.
pub(super) fn create(
    world: &mut World,
    call: &Call,
    fault: Option<JobTrouble>,
) -> Result<Answer, Refusal> {
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let callback = bulk_read::callback(&body)?;
    let mode = body.get("operation").and_then(Value::as_str);
    let mode = mode.ok_or_else(|| Refusal::mandatory("operation", "$.operation"))?;
    let mode = Mode::read(mode).ok_or_else(|| {
        Refusal::invalid_data(json!({
            "api_name": "operation", "json_path": "$.operation",
            "supported_values": ["insert", "update", "upsert"],
        }))
    })?;
    let resources = match body.get("resource") {
        Some(Value::Array(resources)) if !resources.is_empty() => resources,
        _ => return Err(Refusal::mandatory("resource", "$.resource")),
    };
    let ignore_empty = body.get("ignore_empty").and_then(Value::as_bool);
    let mut parts = vec![];
    for (at, sent) in resources.iter().enumerate() {
        let resource = Resource { sent, at };
        let ignore = sent.get("ignore_empty").and_then(Value::as_bool);
        let ignore = ignore.or(ignore_empty).unwrap_or(false);
        parts.extend(resource.parts(world, mode, ignore)?);
    }
    if parts.len() > FILES_MAX {
        return Err(Refusal::limit("file_names", FILES_MAX));
    }
    let id = world.next_id();
    let order = bulk_read::order(world, id, callback, fault);
    let created_by = order.by.without_email(world.org);
    world.jobs.add_write(WriteJob {
        order,
        callback: body.get("callback").cloned().unwrap_or_default(),
        encoding: body
            .get("character_encoding")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned),
        parts,
        done: None,
    });
    let body = json!({
        "status": "success",
        "code": "SUCCESS",
        "message": "success",
        "details": {"id": id.to_string(), "created_by": created_by},
    });
    Ok(Answer::json(StatusCode::CREATED, body))
}

/// Zoho: "Bulk write job details", v8.
pub(super) fn details(world: &World, id: &str) -> Result<Answer, Refusal> {
    let job = id.parse().ok().and_then(|id| world.write_job(id));
    job.map(Answer::ok).ok_or_else(bulk_read::not_there)
}

/// Zoho: "Download bulk write result", v8: a zip of a CSV for each file.
pub(super) fn result(world: &World, id: &str) -> Result<Answer, Refusal> {
    let id = id.parse::<u64>().ok();
    let job = id.and_then(|id| world.jobs.writes.get(&id));
    let age = |job: &WriteJob| world.clock.monotonic().saturating_sub(job.order.begun);
    let job = job.filter(|it| age(it) < WRITE_RESULT_LIFE);
    let result = job.and_then(|it| it.done.as_ref()?.as_ref().ok());
    let file = result.and_then(|it| world.papers.file(it));
    let file = file.ok_or_else(bulk_read::not_there)?;
    Ok(Answer::file(File {
        name: file.name.clone(),
        content_type: files::DOWNLOAD,
        bytes: file.bytes.clone(),
    }))
}

/// One element of `resource`.
struct Resource<'a> {
    sent: &'a Value,
    at: usize,
}

impl Resource<'_> {
    fn path(&self, key: &str) -> String {
        format!("$.resource[{}].{key}", self.at)
    }

    fn invalid(&self, code: &'static str, key: &str) -> Refusal {
        let details = json!({"api_name": key, "json_path": self.path(key)});
        Refusal::new(code, "the request is not valid", details)
    }

    fn missing(&self, key: &str) -> Refusal {
        Refusal::mandatory(key, &self.path(key))
    }

    /// A part for each file that is named; one for the only file, if none is.
    fn parts(&self, world: &World, mode: Mode, ignore_empty: bool) -> Result<Vec<Part>, Refusal> {
        if self.sent.get("type").and_then(Value::as_str) != Some("data") {
            return Err(self.invalid("INVALID_DATA", "type"));
        }
        let module = self
            .sent
            .get("module")
            .ok_or_else(|| self.missing("module"))?;
        let module = module.get("api_name").unwrap_or(module).as_str();
        let table = module.and_then(|it| world.tables.get(it));
        let table = table.ok_or_else(|| self.invalid("MODULE_NOT_AVAILABLE", "module"))?;
        let upload = self.upload(world)?;
        let mappings = self.sent.get("field_mappings").filter(|it| !it.is_null());
        let columns = match mappings {
            Some(sent) => self.columns(sent, &table.module)?,
            None => vec![],
        };
        let import = Import {
            module: table.module.name.clone(),
            mode,
            find_by: self.find_by(mode, &table.module, &columns)?,
            ignore_empty,
            columns,
        };
        let names = self.file_names(world, upload)?;
        let part = |file_name| Part {
            import: import.clone(),
            mappings: mappings.cloned(),
            upload,
            file_name,
            counts: Counts::default(),
            refused: None,
        };
        Ok(names.into_iter().map(part).collect())
    }

    fn upload(&self, world: &World) -> Result<u64, Refusal> {
        let id = match self.sent.get("file_id") {
            None | Some(Value::Null) => return Err(self.missing("file_id")),
            Some(Value::String(id)) => id.parse().ok(),
            Some(other) => other.as_u64(),
        };
        let id = id.filter(|it| world.jobs.upload(*it).is_some());
        id.ok_or_else(|| self.invalid("INVALID_DATA", "file_id"))
    }

    fn find_by(
        &self,
        mode: Mode,
        module: &Module,
        columns: &[Mapping],
    ) -> Result<Option<String>, Refusal> {
        match self.sent.get("find_by") {
            None | Some(Value::Null) if mode == Mode::Insert => Ok(None),
            None | Some(Value::Null) => Err(self.missing("find_by")),
            Some(Value::String(name)) => {
                let known = name == "id" || module.field(name).is_some();
                let mapped = columns.is_empty() || columns.iter().any(|it| it.field == *name);
                let usable = (known && mapped) || mode == Mode::Insert;
                usable
                    .then(|| Some(name.clone()))
                    .ok_or_else(|| self.invalid("INVALID_DATA", "find_by"))
            }
            Some(_) => Err(self.invalid("INVALID_DATA", "find_by")),
        }
    }

    fn columns(&self, sent: &Value, module: &Module) -> Result<Vec<Mapping>, Refusal> {
        let invalid = || self.invalid("INVALID_DATA", "field_mappings");
        let sent = sent
            .as_array()
            .filter(|it| !it.is_empty())
            .ok_or_else(invalid)?;
        let mut columns: Vec<Mapping> = vec![];
        for mapping in sent {
            let name = mapping.get("api_name").and_then(Value::as_str);
            let name = name.ok_or_else(|| self.missing("field_mappings"))?;
            if name != "id" && module.field(name).is_none() {
                return Err(self.invalid("FIELD_NOT_AVAILABLE", "field_mappings"));
            }
            let default = mapping.pointer("/default_value/value").cloned();
            let index = mapping.get("index").and_then(Value::as_u64);
            let index = index.and_then(|it| usize::try_from(it).ok());
            // A field may have nothing but a default.
            let index = match index {
                Some(index) if index < COLUMNS_MAX => index,
                None if default.is_some() => COLUMNS_MAX,
                _ => return Err(invalid()),
            };
            let twice = |it: &Mapping| it.field == name;
            if columns.iter().any(twice) {
                return Err(self.invalid("DUPLICATE_DATA", "field_mappings"));
            }
            let find_by = mapping.get("find_by").and_then(Value::as_str);
            columns.push(Mapping {
                field: name.to_owned(),
                index,
                find_by: find_by.map(ToOwned::to_owned),
                default,
            });
        }
        Ok(columns)
    }

    fn file_names(&self, world: &World, upload: u64) -> Result<Vec<Option<String>>, Refusal> {
        let wanted = match self.sent.get("file_names") {
            None | Some(Value::Null) => vec![],
            Some(Value::Array(names)) => names.iter().map(|it| it.as_str()).collect(),
            Some(_) => return Err(self.invalid("INVALID_DATA", "file_names")),
        };
        let file = world
            .jobs
            .upload(upload)
            .and_then(|it| world.papers.file(it));
        let bytes = file.map(|it| it.bytes.clone()).unwrap_or_default();
        let zip = zip::ZipArchive::new(Cursor::new(bytes));
        let zip = zip.map_err(|_no_zip| self.invalid("INVALID_DATA", "file_id"))?;
        let in_zip = zip.file_names().filter_map(Result::ok);
        let mut in_zip: Vec<String> = in_zip
            .filter(|it| !it.ends_with('/'))
            .map(Cow::into_owned)
            .collect();
        if wanted.is_empty() {
            return match (in_zip.pop(), in_zip.is_empty()) {
                (Some(only), true) => Ok(vec![Some(only)]),
                _ => Err(self.missing("file_names")),
            };
        }
        let known = |name: &str| in_zip.iter().any(|it| it == name);
        if !wanted.iter().all(|it| it.is_some_and(known)) {
            return Err(self.invalid("INVALID_DATA", "file_names"));
        }
        Ok(wanted
            .into_iter()
            .map(|it| it.map(ToOwned::to_owned))
            .collect())
    }
}
