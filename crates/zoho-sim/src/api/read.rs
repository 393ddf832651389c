//! Reads of records: lists, by ids, one, the deleted ones, the count.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::paging::Page;
use crate::{
    answer::{Answer, Refusal},
    call::Call,
    faults::CallTrouble,
    time,
    world::{
        World,
        record::{Columns, Reading, Record},
        table::Table,
    },
};

/// Fields per list read. Zoho: "Get records", v8.
const FIELDS_MAX: usize = 50;
/// Ids per list read; not stated by Zoho, the norm of its API.
const IDS_MAX: usize = 100;

/// What a list can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortBy {
    Id,
    CreatedTime,
    ModifiedTime,
}

/// Which converted leads a list gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Converted {
    No,
    Only,
    Both,
}

/// A list read, understood.
struct Wanted<'a> {
    fields: Vec<&'a str>,
    ids: Option<Vec<u64>>,
    sort_by: SortBy,
    ascending: bool,
    converted: Converted,
    since: Option<Timestamp>,
    page: Page,
}

pub(super) fn list(world: &mut World, call: &Call, module: &str, trouble: &CallTrouble) -> Answer {
    let now = world.clock.now();
    let Some(table) = world.tables.get(module) else {
        return Refusal::invalid_module().bad_request();
    };
    let wanted = match Wanted::read(call, module, now) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.bad_request(),
    };
    let reading = world.reading(trouble);
    let (rows, more, matching) = wanted.rows(table, reading, trouble);
    let columns = Columns::of(&table.module, &wanted.fields);
    let data: Vec<Value> = rows
        .iter()
        .map(|it| it.in_list(&columns, reading))
        .collect();
    let asked = call.ids().map(|it| it.len()).unwrap_or_default();
    let asked = u64::try_from(asked).unwrap_or(u64::MAX);
    let counters = &mut world.counters;
    counters.ids_asked += asked;
    counters.ids_asked_max = counters.ids_asked_max.max(asked);
    counters.records_read += u64::try_from(data.len()).unwrap_or_default();
    if data.is_empty() {
        return if matching && wanted.since.is_some() {
            Answer::empty(StatusCode::NOT_MODIFIED)
        } else {
            Answer::nothing()
        };
    }
    let mut info = wanted.page.info(data.len(), more, now);
    if let Some(info) = info.as_object_mut() {
        info.insert("sort_by".into(), json!(wanted.sort_by.name()));
        let order = if wanted.ascending { "asc" } else { "desc" };
        info.insert("sort_order".into(), json!(order));
        info.insert("call".into(), json!(false));
        info.insert("email".into(), json!(false));
    }
    Answer::ok(json!({"data": data, "info": info}))
}

pub(super) fn one(
    world: &mut World,
    call: &Call,
    (module, id): (&str, &str),
    trouble: &CallTrouble,
) -> Answer {
    let Some(table) = world.tables.get(module) else {
        return Refusal::invalid_module().bad_request();
    };
    let invalid_id = || Refusal::invalid_id(json!({"resource_path_index": 1})).bad_request();
    let Ok(number) = id.parse::<u64>() else {
        return invalid_id();
    };
    let hidden = is_missing(id, trouble);
    let Some(record) = table.get(number).filter(|_| !hidden) else {
        return if hidden || table.was_deleted(number) {
            Answer::nothing()
        } else {
            invalid_id()
        };
    };
    let reading = world.reading(trouble);
    match (read_converted(call), read_since(call)) {
        (Err(refusal), _) => return refusal.bad_request(),
        (Ok(converted), _) if !converted.takes(record) => return Answer::nothing(),
        (_, Some(since)) if record.version(reading).modified <= since => {
            return Answer::empty(StatusCode::NOT_MODIFIED);
        }
        _ => {}
    }
    let fields: Option<Vec<&str>> = call.parameter("fields").map(|it| it.split(',').collect());
    let shown = record.alone(&table.module, fields.as_deref(), reading);
    world.counters.records_read += 1;
    Answer::ok(json!({"data": [shown]}))
}

pub(super) fn deleted(world: &World, call: &Call, module: &str) -> Answer {
    let now = world.clock.now();
    let Some(table) = world.tables.get(module) else {
        return Refusal::invalid_module().bad_request();
    };
    let page = match Page::read(call, module, now) {
        Ok(page) => page,
        Err(refusal) => return refusal.bad_request(),
    };
    match call.parameter("type") {
        None | Some("all" | "recycle") => {}
        // Nothing here empties the recycle bin.
        Some("permanent") => return Answer::nothing(),
        Some(_) => {
            return Refusal::invalid_data(json!({
                "param_name": "type",
                "supported_values": ["all", "recycle", "permanent"],
            }))
            .bad_request();
        }
    }
    let since = read_since(call);
    let mut rows = table
        .deleted()
        .rev()
        .filter(|it| since.is_none_or(|since| it.at > since))
        .skip(page.skip);
    let data: Vec<Value> = rows
        .by_ref()
        .take(page.rows)
        .map(|it| {
            json!({
                "id": it.id.to_string(),
                "display_name": it.name,
                "type": "recycle",
                "deleted_time": time::zoho(it.at),
                "deleted_by": it.by.without_email(world.org),
                "created_by": it.created_by.without_email(world.org),
            })
        })
        .collect();
    if data.is_empty() {
        return if since.is_some() && table.deleted().next().is_some() {
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

pub(super) fn count(world: &World, module: &str) -> Answer {
    match world.tables.get(module) {
        Some(table) => {
            let count = table.rows().filter(|it| Converted::No.takes(it)).count();
            Answer::ok(json!({"count": count}))
        }
        None => Refusal::invalid_module().bad_request(),
    }
}

impl<'a> Wanted<'a> {
    fn read(call: &'a Call, module: &str, now: Timestamp) -> Result<Self, Refusal> {
        let fields: Vec<&str> = call
            .parameter("fields")
            .map(|it| {
                it.split(',')
                    .map(str::trim)
                    .filter(|it| !it.is_empty())
                    .collect()
            })
            .unwrap_or_default();
        if fields.is_empty() {
            return Err(Refusal::new(
                "REQUIRED_PARAM_MISSING",
                "One of the expected parameter is missing",
                json!({"param_name": "fields"}),
            ));
        }
        if fields.len() > FIELDS_MAX {
            return Err(Refusal::limit("fields", FIELDS_MAX));
        }
        let ids = call.ids();
        if ids.as_ref().is_some_and(|it| it.len() > IDS_MAX) {
            return Err(Refusal::limit("ids", IDS_MAX));
        }
        if call.parameter("cvid").is_some() && call.parameter("sort_by").is_some() {
            return Err(Refusal::new(
                "AMBIGUITY_DURING_PROCESSING",
                "cvid and sort_by cannot be given together",
                json!({"ambiguity_due_to": [{"param_name": "cvid"}, {"param_name": "sort_by"}]}),
            ));
        }
        Ok(Self {
            fields,
            ids: ids.map(|it| it.iter().filter_map(|id| id.parse().ok()).collect()),
            sort_by: SortBy::read(call)?,
            ascending: read_ascending(call)?,
            converted: read_converted(call)?,
            since: read_since(call),
            page: Page::read(call, module, now)?,
        })
    }

    /// The page's rows, whether there are more, and whether any row matched but for its age.
    fn rows<'t>(
        &self,
        table: &'t Table,
        reading: Reading,
        trouble: &CallTrouble,
    ) -> (Vec<&'t Record>, bool, bool) {
        let mut matching = false;
        let mut fits = |record: &Record| {
            let found = self.converted.takes(record)
                && !(trouble.missing.is_some() && is_missing(&record.id.to_string(), trouble));
            matching |= found;
            let modified = record.version(reading).modified;
            found && self.since.is_none_or(|since| modified > since)
        };
        let mut rows: Vec<&Record> = if let Some(ids) = &self.ids {
            let mut ids = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            let found = ids.iter().filter_map(|id| table.get(*id));
            found.filter(|it| fits(it)).collect()
        } else if self.sort_by == SortBy::Id && !self.ascending {
            // The newest first needs no sort of the whole table.
            let last = self.page.skip + self.page.rows + 1;
            let mut rows: Vec<_> = table
                .rows()
                .rev()
                .filter(|it| fits(it))
                .take(last)
                .collect();
            rows.reverse();
            rows
        } else {
            table.rows().filter(|it| fits(it)).collect()
        };
        match self.sort_by {
            SortBy::Id => {}
            SortBy::CreatedTime => rows.sort_by_key(|it| (it.created, it.id)),
            SortBy::ModifiedTime => rows.sort_by_key(|it| (it.current.modified, it.id)),
        }
        if !self.ascending {
            rows.reverse();
        }
        let more = rows.len() > self.page.skip + self.page.rows;
        let rows = rows.into_iter().skip(self.page.skip).take(self.page.rows);
        (rows.collect(), more, matching)
    }
}

impl SortBy {
    fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::CreatedTime => "Created_Time",
            Self::ModifiedTime => "Modified_Time",
        }
    }

    fn read(call: &Call) -> Result<Self, Refusal> {
        let all = [Self::Id, Self::CreatedTime, Self::ModifiedTime];
        let Some(name) = call.parameter("sort_by") else {
            return Ok(Self::Id);
        };
        all.into_iter().find(|it| it.name() == name).ok_or_else(|| {
            Refusal::invalid_data(json!({
                "param_name": "sort_by",
                "supported_values": all.map(Self::name),
            }))
        })
    }
}

impl Converted {
    fn takes(self, record: &Record) -> bool {
        match self {
            Self::No => !record.converted,
            Self::Only => record.converted,
            Self::Both => true,
        }
    }
}

fn read_converted(call: &Call) -> Result<Converted, Refusal> {
    match call.parameter("converted") {
        None | Some("false") => Ok(Converted::No),
        Some("true") => Ok(Converted::Only),
        Some("both") => Ok(Converted::Both),
        Some(_) => Err(Refusal::invalid_data(
            json!({"param_name": "converted", "supported_values": ["true", "false", "both"]}),
        )),
    }
}

fn read_ascending(call: &Call) -> Result<bool, Refusal> {
    match call.parameter("sort_order") {
        None | Some("desc") => Ok(false),
        Some("asc") => Ok(true),
        Some(_) => Err(Refusal::invalid_data(
            json!({"param_name": "sort_order", "supported_values": ["asc", "desc"]}),
        )),
    }
}

fn read_since(call: &Call) -> Option<Timestamp> {
    call.header("if-modified-since").and_then(time::parse)
}

/// Whether a scripted fault hides this id.
fn is_missing(id: &str, trouble: &CallTrouble) -> bool {
    trouble
        .missing
        .as_ref()
        .is_some_and(|ids| ids.is_empty() || ids.iter().any(|it| it == id))
}
