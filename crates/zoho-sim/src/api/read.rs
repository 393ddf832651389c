//! Reads of single records, of long texts in full, and of counts.

use http::StatusCode;
use serde_json::{Value, json};

use super::params::{self, Converted};
use crate::{
    answer::{Answer, Refusal},
    call::Call,
    faults::CallTrouble,
    world::{World, record::Record, table::Table},
};

pub(super) fn one(
    world: &mut World,
    call: &Call,
    (module, id): (&str, &str),
    trouble: &CallTrouble,
) -> Answer {
    let record = match find(world, module, id, trouble) {
        Ok(record) => record,
        Err(no) => return no.answer(),
    };
    let reading = world.reading(trouble);
    match (Converted::read(call), params::since(call)) {
        (Err(refusal), _) => return refusal.bad_request(),
        (Ok(converted), _) if !converted.takes(record.1) => return Answer::nothing(),
        (_, Some(since)) if record.1.version(reading).modified <= since => {
            return Answer::empty(StatusCode::NOT_MODIFIED);
        }
        _ => {}
    }
    let fields = call.parameter("fields").map(params::names);
    let (table, record) = record;
    let shown = record.alone(&table.module, fields.as_deref(), reading);
    world.counters.records_read += 1;
    Answer::ok(json!({"data": [shown]}))
}

/// Why there is nothing to show.
#[derive(Debug)]
pub(super) enum No {
    /// 204.
    Nothing,
    Refused(Refusal),
}

impl No {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Nothing => Answer::nothing(),
            Self::Refused(refusal) => refusal.bad_request(),
        }
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A record and its module's table.
pub(super) fn find<'w>(
    world: &'w World,
    module: &str,
    id: &str,
    trouble: &CallTrouble,
) -> Result<(&'w Table, &'w Record), No> {
    let table = world.tables.get(module);
    let table = table.ok_or_else(Refusal::invalid_module)?;
    let invalid_id = || No::from(Refusal::invalid_id(json!({"resource_path_index": 1})));
    let number: u64 = id.parse().map_err(|_no_number| invalid_id())?;
    let hidden = params::is_missing(number, trouble);
    match table.get(number).filter(|_| !hidden) {
        Some(record) => Ok((table, record)),
        None if hidden || table.deleted.has(number) => Err(No::Nothing),
        None => Err(invalid_id()),
    }
}

pub(super) fn full_data(
    world: &mut World,
    call: &Call,
    (module, id): (&str, Option<&str>),
    trouble: &CallTrouble,
) -> Answer {
    match read_full(world, call, (module, id), trouble) {
        Ok(data) if data.is_empty() => Answer::nothing(),
        Ok(data) => {
            world.counters.records_read += u64::try_from(data.len()).unwrap_or_default();
            Answer::ok(json!({"data": data}))
        }
        Err(no) => no.answer(),
    }
}

fn read_full(
    world: &World,
    call: &Call,
    (module, id): (&str, Option<&str>),
    trouble: &CallTrouble,
) -> Result<Vec<Value>, No> {
    let reading = world.reading(trouble);
    if let Some(id) = id {
        // Optional for one record: without it all its long texts are given.
        let fields = call.parameter("fields").map(|_| params::fields(call));
        let fields = fields.transpose()?;
        let (table, record) = find(world, module, id, trouble)?;
        return Ok(vec![record.alone(
            &table.module,
            fields.as_deref(),
            reading,
        )]);
    }
    let fields = params::fields(call)?;
    let table = world.tables.get(module);
    let table = table.ok_or_else(Refusal::invalid_module)?;
    let ids = params::ids(call)?;
    let ids = ids.ok_or_else(|| Refusal::parameter_missing("ids"))?;
    Ok(ids
        .iter()
        .filter(|it| !params::is_missing(**it, trouble))
        .filter_map(|it| table.get(*it))
        .map(|it| it.alone(&table.module, Some(&fields), reading))
        .collect())
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
