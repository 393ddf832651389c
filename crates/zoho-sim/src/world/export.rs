//! Records as rows of CSV, some at a time.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    World,
    criteria::Criteria,
    module::{DataType, Field, Module},
    record::{Reading, Record},
};

/// Records looked at in one go, so that calls are not kept waiting for long.
const LOOKED_AT_ONCE: usize = 2_000;
/// Keys of a user that `Owner.` and the like can name.
const USER_KEYS: &[&str] = &[
    "name",
    "id",
    "email",
    "first_name",
    "last_name",
    "full_name",
];

const CALENDAR_HEAD: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//simulated CRM//EN\r\n";
const CALENDAR_FOOT: &str = "END:VCALENDAR\r\n";

/// What is exported: which records, and which columns.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) module: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) criteria: Option<Criteria>,
    /// Calendar entries instead of CSV.
    pub(crate) calendar: bool,
    /// Only records with a higher id.
    pub(crate) after: u64,
    /// Matching records to pass over.
    pub(crate) skip: usize,
    /// Matching records to write.
    pub(crate) rows: usize,
}

/// A column: a field of the module, or of the record that a lookup names.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    field: Field,
    beyond: Option<Beyond>,
}

/// What follows the dot of `Account_Name.Phone`.
#[derive(Clone, Debug)]
enum Beyond {
    User(String),
    Record { module: String, field: Box<Field> },
}

/// How far an export has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) last: u64,
    pub(crate) skipped: usize,
    pub(crate) written: usize,
    /// All is written.
    pub(crate) ended: bool,
    /// There are more matching records than were to be written.
    pub(crate) more: bool,
}

impl Column {
    /// The column of this name; nothing if the module has no such field.
    pub(crate) fn read(world: &World, module: &Module, name: &str) -> Option<Self> {
        let (first, second) = match name.split_once('.') {
            Some((first, second)) => (first, Some(second)),
            None => (name, None),
        };
        let first = if first == "Id" { "id" } else { first };
        let field = module.field(first).filter(|it| it.in_lists())?.clone();
        let beyond = match second {
            None => None,
            Some(key) if field.data_type == DataType::Owner => USER_KEYS
                .contains(&key)
                .then(|| Beyond::User(key.to_owned()))?
                .into(),
            Some(key) => {
                let target = world.tables.get(field.target.as_ref()?)?;
                let found = target.module.field(key).filter(|it| it.in_lists())?;
                Some(Beyond::Record {
                    module: target.module.name.clone(),
                    field: Box::new(found.clone()),
                })
            }
        };
        Some(Self {
            name: if name == "id" {
                "Id".to_owned()
            } else {
                name.to_owned()
            },
            field,
            beyond,
        })
    }

    /// What its values are.
    pub(crate) fn data_type(&self) -> DataType {
        match &self.beyond {
            None => self.field.data_type,
            Some(Beyond::User(_)) => DataType::Text,
            Some(Beyond::Record { field, .. }) => field.data_type,
        }
    }

    pub(crate) fn value(&self, world: &World, record: &Record, reading: Reading) -> Value {
        let value = record.value(&self.field, reading).into_owned();
        match &self.beyond {
            None => value,
            Some(Beyond::User(key)) => user_key(&value, key),
            Some(Beyond::Record { module, field }) => {
                let id = value.get("id").and_then(Value::as_str);
                let id = id.and_then(|it| it.parse().ok());
                let record = id.and_then(|id| world.tables.get(module)?.get(id));
                record.map_or(Value::Null, |it| it.value(field, reading).into_owned())
            }
        }
    }
}

impl Export {
    /// All columns of a module: `Id` first, subforms left out.
    pub(crate) fn all_columns(world: &World, module: &Module) -> Vec<Column> {
        let names = module.fields.iter().map(|it| it.name.as_str());
        names
            .filter_map(|it| Column::read(world, module, it))
            .collect()
    }

    /// The line above the rows, and what stands above a calendar's entries.
    pub(crate) fn head(&self) -> Result<Vec<u8>, csv::Error> {
        if self.calendar {
            return Ok(CALENDAR_HEAD.as_bytes().to_vec());
        }
        let mut out = csv::Writer::from_writer(vec![]);
        out.write_record(self.columns.iter().map(|it| it.name.as_str()))?;
        finished(out)
    }

    /// What stands below the rows.
    pub(crate) fn foot(&self) -> &'static str {
        if self.calendar { CALENDAR_FOOT } else { "" }
    }

    /// The next rows, of a limited number of records looked at.
    pub(crate) fn advance(
        &self,
        world: &World,
        progress: &mut Progress,
    ) -> Result<Vec<u8>, csv::Error> {
        let reading = Reading {
            org: world.org,
            now: world.clock.monotonic(),
            stale: None,
        };
        let found = self.find(world, progress, reading);
        if self.calendar {
            let now = world.clock.now();
            let entries: String = found.into_iter().map(|it| entry(it, now)).collect();
            return Ok(entries.into_bytes());
        }
        let mut out = csv::Writer::from_writer(vec![]);
        for record in found {
            let cells = self.columns.iter();
            out.write_record(cells.map(|it| text(&it.value(world, record, reading))))?;
        }
        finished(out)
    }

    fn find<'w>(
        &self,
        world: &'w World,
        progress: &mut Progress,
        reading: Reading,
    ) -> Vec<&'w Record> {
        let mut found = vec![];
        let after = progress.last.max(self.after);
        let records = world.tables.get(&self.module).into_iter();
        let records = records.flat_map(|it| it.after(after));
        for (looked_at, record) in records.enumerate() {
            if looked_at >= LOOKED_AT_ONCE {
                return found;
            }
            let holds = |it: &Criteria| it.holds(world, record, reading);
            if !record.converted && self.criteria.as_ref().is_none_or(holds) {
                if progress.written == self.rows {
                    progress.more = true;
                    progress.ended = true;
                    return found;
                }
                if progress.skipped < self.skip {
                    progress.skipped += 1;
                } else {
                    progress.written += 1;
                    found.push(record);
                }
            }
            progress.last = record.id;
        }
        progress.ended = true;
        found
    }
}

/// A value as a CSV cell has it: lookups as ids, several choices with semicolons.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Object(object) => {
            let shown = object.get("id").or_else(|| object.get("name"));
            shown.map(text).unwrap_or_default()
        }
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|it| text(it.get("name").unwrap_or(it)))
                .collect();
            items.join(";")
        }
    }
}

/// A meeting as a calendar entry.
fn entry(record: &Record, now: Timestamp) -> String {
    let value = |name: &str| {
        record
            .current
            .values
            .get(name)
            .map(text)
            .unwrap_or_default()
    };
    let time = |name: &str| {
        let at = crate::time::parse(&value(name)).unwrap_or(now);
        at.strftime("%Y%m%dT%H%M%SZ").to_string()
    };
    format!(
        "BEGIN:VEVENT\r\nUID:{}\r\nDTSTAMP:{}\r\nDTSTART:{}\r\nDTEND:{}\r\nSUMMARY:{}\r\nEND:VEVENT\r\n",
        record.id,
        now.strftime("%Y%m%dT%H%M%SZ"),
        time("Start_DateTime"),
        time("End_DateTime"),
        value("Event_Title").replace(['\r', '\n'], " "),
    )
}

fn user_key(user: &Value, key: &str) -> Value {
    let name = user.get("name").and_then(Value::as_str).unwrap_or_default();
    let (first, last) = name.split_once(' ').unwrap_or(("", name));
    match key {
        "first_name" => json!(first),
        "last_name" => json!(last),
        "full_name" => json!(name),
        key => user.get(key).cloned().unwrap_or_default(),
    }
}

fn finished(out: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    out.into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}
