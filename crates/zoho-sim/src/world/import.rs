//! Rows of CSV written as records.

use serde_json::{Map, Value, json};

use super::{
    World,
    channel::Event,
    module::{DataType, Field, Module},
    notify::Change,
    people::Who,
    write::{Place, Write},
};

/// Rows written in one go, so that calls are not kept waiting; a channel hears of each go once.
/// How many records Zoho tells of with one callback is not known.
pub(crate) const ROWS_AT_ONCE: usize = 100;

/// Which records rows become, and how.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) mode: Mode,
    /// The field that finds the record of a row; `id` for its id.
    pub(crate) find_by: Option<String>,
    /// Empty cells change nothing; else they empty the field.
    pub(crate) ignore_empty: bool,
    pub(crate) columns: Vec<Mapping>,
}

/// What is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Insert,
    Update,
    Upsert,
}

/// Which field a column is.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) field: String,
    pub(crate) index: usize,
    /// The field that finds the record which a lookup names; its id, if there is none.
    pub(crate) find_by: Option<String>,
    /// For empty cells.
    pub(crate) default: Option<Value>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Added(u64),
    Updated(u64),
    /// The code, and the field it is about.
    Skipped(&'static str, String),
}

impl Mode {
    pub(crate) fn read(name: &str) -> Option<Self> {
        Some(match name {
            "insert" => Self::Insert,
            "update" => Self::Update,
            "upsert" => Self::Upsert,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
        }
    }
}

impl Mapping {
    /// A column for each field that the head names.
    pub(crate) fn by_head(module: &Module, head: &[String]) -> Vec<Self> {
        let known = |name: &str| name == "id" || module.field(name).is_some();
        head.iter()
            .enumerate()
            .filter(|(_, name)| known(name))
            .map(|(index, name)| Self {
                field: name.clone(),
                index,
                find_by: None,
                default: None,
            })
            .collect()
    }
}

impl World {
    /// Writes rows, and tells the channels of it.
    pub(crate) fn import(&mut self, import: &Import, rows: &[Vec<String>]) -> Vec<Row> {
        let mut done = vec![];
        let (mut added, mut updated) = (vec![], vec![]);
        for row in rows {
            done.push(match self.import_row(import, row) {
                Ok((change, true)) => {
                    let id = change.id;
                    added.push(change);
                    Row::Added(id)
                }
                Ok((change, false)) => {
                    let id = change.id;
                    updated.push(change);
                    Row::Updated(id)
                }
                Err(skipped) => skipped,
            });
        }
        let written = u64::try_from(added.len() + updated.len()).unwrap_or_default();
        self.counters.records_written += written;
        self.notify(&import.module, Event::Create, &added);
        self.notify_edits(&import.module, updated);
        done
    }

    /// The change, and whether the record is new.
    fn import_row(&mut self, import: &Import, row: &[String]) -> Result<(Change, bool), Row> {
        let skipped = |code, field: &str| Row::Skipped(code, field.to_owned());
        let name = import.module.as_str();
        let table = self.tables.get(name);
        let table = table.ok_or_else(|| skipped("RESOURCE_NOT_FOUND", "module"))?;
        let existing = match (&import.find_by, import.mode) {
            (Some(find_by), Mode::Update | Mode::Upsert) => {
                let cell = import.cell(find_by, row).unwrap_or_default();
                let found = if find_by == "id" {
                    let id = cell.parse().ok();
                    id.filter(|it| table.get(*it).is_some())
                } else if cell.is_empty() {
                    return Err(skipped("MANDATORY_NOT_FOUND", find_by));
                } else {
                    table.find(find_by, &json!(cell))
                };
                let is_lost = import.mode == Mode::Update || find_by == "id";
                if found.is_none() && is_lost {
                    return Err(skipped("RESOURCE_NOT_FOUND", find_by));
                }
                found
            }
            _ => None,
        };
        if existing.is_some_and(|id| table.get(id).is_some_and(|it| it.lock.is_some())) {
            return Err(skipped("CANNOT_PROCESS", "id"));
        }
        let values = Value::Object(self.cells(import, row));
        let place = Place {
            module: name,
            at: 0,
        };
        let write = if existing.is_some() {
            Write::Update
        } else {
            Write::Insert
        };
        let values = self.check(place, &values, write, existing).map_err(|it| {
            let field = it.details.get("api_name").and_then(Value::as_str);
            skipped(it.code, field.unwrap_or_default())
        })?;
        match existing {
            Some(id) => {
                let change = self.update(name, id, values, Who::Integration);
                let change = change.ok_or_else(|| skipped("RESOURCE_NOT_FOUND", "id"))?;
                Ok((change, false))
            }
            None => match self.insert(name, values, Who::Integration) {
                Ok(change) => Ok((change, true)),
                Err(refusal) => Err(skipped(refusal.code, "module")),
            },
        }
    }

    /// The values of a row as a call would send them.
    fn cells(&self, import: &Import, row: &[String]) -> Map<String, Value> {
        let table = self.tables.get(&import.module);
        let fields = import.columns.iter().filter_map(|column| {
            let field = table?.module.field(&column.field)?;
            let cell = row.get(column.index).map_or("", |it| it.trim());
            let value = match (&column.default, cell) {
                (Some(default), "") => default.clone(),
                (None, "") if import.ignore_empty => return None,
                (None, "") => Value::Null,
                (_, cell) => self.cell_value(field, column, cell),
            };
            Some((column.field.clone(), value))
        });
        fields.collect()
    }

    fn cell_value(&self, field: &Field, column: &Mapping, cell: &str) -> Value {
        let text = || json!(cell);
        let list = |separator| {
            let items = cell.split(separator).map(str::trim);
            json!(items.filter(|it| !it.is_empty()).collect::<Vec<_>>())
        };
        match field.data_type {
            DataType::Integer => cell.parse::<i64>().map_or_else(|_| text(), |it| json!(it)),
            DataType::Double | DataType::Currency | DataType::Percent => {
                cell.parse::<f64>().map_or_else(|_| text(), |it| json!(it))
            }
            DataType::Boolean => match cell.to_lowercase().as_str() {
                "true" | "1" => json!(true),
                "false" | "0" => json!(false),
                _ => text(),
            },
            DataType::MultiPicklist => list(';'),
            DataType::Tags => list(','),
            DataType::Lookup => match column.find_by.as_deref() {
                None | Some("id") => json!({ "id": cell }),
                Some(find_by) => {
                    let table = field.target.as_ref().and_then(|it| self.tables.get(it));
                    let found = table.and_then(|it| it.find(find_by, &json!(cell)));
                    json!({"id": found.unwrap_or_default().to_string()})
                }
            },
            DataType::Owner => json!({ "id": cell }),
            DataType::Text
            | DataType::Email
            | DataType::Phone
            | DataType::Website
            | DataType::TextArea
            | DataType::RichText
            | DataType::Picklist
            | DataType::BigInt
            | DataType::Date
            | DataType::DateTime
            | DataType::Subform
            | DataType::AutoNumber => text(),
        }
    }
}

impl Import {
    /// What a row says of a field.
    fn cell<'a>(&self, field: &str, row: &'a [String]) -> Option<&'a str> {
        let column = self.columns.iter().find(|it| it.field == field)?;
        row.get(column.index).map(|it| it.trim())
    }
}
