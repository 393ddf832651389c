//! Many records at once, made from the seed.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    World,
    module::{DataType, Field},
    people::Who,
};
use crate::error::SimError;

/// Records made by one call, at most: they are all kept in memory.
const GENERATED_MAX: usize = 1_000_000;
/// Fields filled per record, at most.
const FIELDS_MAX: usize = 7;
/// Time between the creation of one and the next; the last is created now.
const APART: Duration = Duration::from_secs(1);

const FIRST_NAMES: &[&str] = &["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hedy"];
const LAST_NAMES: &[&str] = &[
    "Abbot", "Birch", "Crane", "Dale", "Elm", "Finch", "Grove", "Heath", "Lake", "Marsh", "Reed",
    "Stone",
];
const NOUNS: &[&str] = &[
    "Anchor", "Bridge", "Canal", "Dock", "Harbour", "Pier", "Quay",
];
const CITIES: &[&str] = &["Arles", "Bergen", "Cork", "Delft", "Evora", "Ghent"];

impl World {
    /// Makes `count` records of a module, as if they had always been there: no channel hears of
    /// them. The same seed, module and state make the same records.
    pub(crate) fn generate(&mut self, module: &str, count: usize) -> Result<usize, SimError> {
        if count > GENERATED_MAX {
            return Err(SimError::TooManyRecords(GENERATED_MAX));
        }
        let table = self.tables.get(module);
        let table = table.ok_or_else(|| SimError::UnknownModule(module.to_owned()))?;
        let number = table.module.number(self.org);
        let fields = filled(&table.module.fields);
        let parents = self.parents(&fields);
        let mut dice = Dice(self.seed ^ (number << 32) ^ self.last_id);
        let stamp = self.stamp(Who::Person);
        for place in 0..count {
            let id = self.next_id();
            let values = fields
                .iter()
                .filter_map(|it| Some((it.name.clone(), value(it, place, &parents, &mut dice)?)))
                .collect();
            let younger = u32::try_from(count - place - 1).unwrap_or(u32::MAX);
            let at = stamp.at - APART * younger;
            if let Some(table) = self.tables.get_mut(module) {
                table.insert_old(id, values, (at, at), stamp.by);
            }
        }
        Ok(count)
    }

    /// Records that the generated ones may look up, for the field `Account_Name`.
    fn parents(&self, fields: &[Field]) -> Vec<Value> {
        const PARENTS_MAX: usize = 1_000;
        let field = fields.iter().find(|it| it.data_type == DataType::Lookup);
        let table = field.and_then(|it| self.tables.get(it.target.as_ref()?));
        table.map_or_else(Vec::new, |table| {
            table
                .rows()
                .take(PARENTS_MAX)
                .map(|it| json!({"name": it.name(&table.module), "id": it.id.to_string()}))
                .collect()
        })
    }
}

/// The fields that generated records have a value for: what is mandatory, and some of each type.
fn filled(fields: &[Field]) -> Vec<Field> {
    let mut filled: Vec<Field> = vec![];
    let writable = fields.iter().filter(|it| !it.read_only && !it.unique);
    for field in writable {
        let wanted = field.mandatory
            || match field.data_type {
                DataType::Email
                | DataType::Picklist
                | DataType::Integer
                | DataType::Currency
                | DataType::Date
                | DataType::Boolean => !filled.iter().any(|it| it.data_type == field.data_type),
                DataType::Text => matches!(field.name.as_str(), "First_Name" | "City" | "Name"),
                DataType::Lookup => field.name == "Account_Name",
                DataType::Phone
                | DataType::Website
                | DataType::TextArea
                | DataType::RichText
                | DataType::MultiPicklist
                | DataType::BigInt
                | DataType::Double
                | DataType::Percent
                | DataType::DateTime
                | DataType::Owner
                | DataType::Subform
                | DataType::AutoNumber
                | DataType::Tags => false,
            };
        if wanted {
            filled.push(field.clone());
        }
    }
    filled.sort_by_key(|it| !it.mandatory);
    filled.truncate(FIELDS_MAX);
    filled
}

fn value(field: &Field, place: usize, parents: &[Value], dice: &mut Dice) -> Option<Value> {
    Some(match field.data_type {
        DataType::Email => json!(format!("person{place}@example.com")),
        DataType::Picklist => json!(dice.pick(field.choices)?),
        DataType::Integer => json!(1 + dice.below(5_000)),
        DataType::Currency => json!(100 + dice.below(100_000)),
        DataType::Boolean => json!(dice.below(2) == 1),
        DataType::Date => {
            let (month, day) = (1 + dice.below(12), 1 + dice.below(28));
            json!(format!("2026-{month:02}-{day:02}"))
        }
        DataType::Lookup => dice.pick(parents)?.clone(),
        DataType::Text
        | DataType::Phone
        | DataType::Website
        | DataType::TextArea
        | DataType::RichText
        | DataType::MultiPicklist
        | DataType::BigInt
        | DataType::Double
        | DataType::Percent
        | DataType::DateTime
        | DataType::Owner
        | DataType::Subform
        | DataType::AutoNumber
        | DataType::Tags => match field.name.as_str() {
            "First_Name" => json!(dice.pick(FIRST_NAMES)?),
            "Last_Name" => json!(dice.pick(LAST_NAMES)?),
            "City" => json!(dice.pick(CITIES)?),
            _ => json!(format!("{} {}", dice.pick(NOUNS)?, place + 1)),
        },
    })
}

/// Cheap dice (`SplitMix64`), as there is much to be rolled.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let end = u64::try_from(from.len()).ok()?;
        from.get(usize::try_from(self.below(end)).ok()?)
    }
}

/// The numbers of `{"Leads": 200000, ...}`.
pub(crate) fn read_counts(counts: &Value) -> Result<Vec<(String, usize)>, SimError> {
    let counts: &Map<String, Value> = counts.as_object().ok_or(SimError::Unreadable)?;
    let mut read = vec![];
    for (module, count) in counts {
        let count = count.as_u64().and_then(|it| usize::try_from(it).ok());
        read.push((module.clone(), count.ok_or(SimError::Unreadable)?));
    }
    Ok(read)
}
