//! Many records at once, made from the seed.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
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
const FIELDS_MAX: usize = 8;
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
        let mut dice = StdRng::seed_from_u64(self.seed ^ (number << 32) ^ self.last_id);
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
                table.insert(id, values, stamp);
                table.settle(id, at, at);
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

fn value(field: &Field, place: usize, parents: &[Value], dice: &mut StdRng) -> Option<Value> {
    let pick = |names: &[&str], dice: &mut StdRng| {
        names.choose(dice).copied().unwrap_or_default().to_owned()
    };
    Some(match field.data_type {
        DataType::Email => json!(format!("person{place}@example.com")),
        DataType::Picklist => json!(field.choices.choose(dice)?),
        DataType::Integer => json!(dice.random_range(1..5_000)),
        DataType::Currency => json!(f64::from(dice.random_range(100..10_000_000)) / 100.0),
        DataType::Boolean => json!(dice.random::<bool>()),
        DataType::Date => {
            let (month, day) = (dice.random_range(1..=12), dice.random_range(1..=28));
            json!(format!("2026-{month:02}-{day:02}"))
        }
        DataType::Lookup => parents.choose(dice)?.clone(),
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
        | DataType::Tags => json!(match field.name.as_str() {
            "First_Name" => pick(FIRST_NAMES, dice),
            "Last_Name" => pick(LAST_NAMES, dice),
            "City" => pick(CITIES, dice),
            _ => format!("{} {}", pick(NOUNS, dice), place + 1),
        }),
    })
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
