//! The criteria of a bulk read: nested groups of comparisons, evaluated on records.

use std::cmp::Ordering;

use jiff::{Timestamp, civil::Date};
use serde_json::Value;

use super::{
    export::Column,
    module::{DataType, Module},
    record::{Reading, Record},
};
use crate::{time, world::World};

/// Comparisons per query. Zoho: "Create bulk read job", v8.
const COMPARISONS_MAX: usize = 25;
/// Groups within groups.
const DEPTH_MAX: usize = 8;

/// A condition on a record.
#[derive(Clone, Debug)]
pub(crate) enum Criteria {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Box<Comparison>),
}

/// A field against a value or several.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    column: Column,
    comparator: Comparator,
    values: Vec<Operand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparator {
    Equal,
    NotEqual,
    In,
    NotIn,
    LessThan,
    LessEqual,
    GreaterThan,
    GreaterEqual,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    Between,
    NotBetween,
}

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Empty,
    Number(f64),
    Time(Timestamp),
    Date(Date),
    /// In lower case.
    Text(String),
}

/// Why criteria cannot be used: Zoho's code for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) &'static str);

impl Criteria {
    /// Reads `{"group_operator", "group": [...]}` or `{"field", "comparator", "value"}`.
    pub(crate) fn read(world: &World, module: &Module, sent: &Value) -> Result<Self, Unusable> {
        let mut left = COMPARISONS_MAX;
        read(world, module, sent, (&mut left, DEPTH_MAX))
    }

    pub(crate) fn holds(&self, world: &World, record: &Record, reading: Reading) -> bool {
        match self {
            Self::All(members) => members.iter().all(|it| it.holds(world, record, reading)),
            Self::Any(members) => members.iter().any(|it| it.holds(world, record, reading)),
            Self::Compare(comparison) => comparison.holds(world, record, reading),
        }
    }
}

fn read(
    world: &World,
    module: &Module,
    sent: &Value,
    (left, depth): (&mut usize, usize),
) -> Result<Criteria, Unusable> {
    if let Some(group) = sent.get("group").filter(|it| !it.is_null()) {
        let group = group.as_array().ok_or(Unusable("INVALID_CRITERIA"))?;
        let depth = depth
            .checked_sub(1)
            .ok_or(Unusable("CRITERIA_NOT_SUPPORTED"))?;
        let mut members = vec![];
        for member in group {
            members.push(read(world, module, member, (&mut *left, depth))?);
        }
        let operator = sent.get("group_operator").and_then(Value::as_str);
        return match operator.unwrap_or("and").to_ascii_lowercase().as_str() {
            "and" => Ok(Criteria::All(members)),
            "or" => Ok(Criteria::Any(members)),
            _ => Err(Unusable("GROUP_OPERATOR_NOT_SUPPORTED")),
        };
    }
    *left = left
        .checked_sub(1)
        .ok_or(Unusable("CRITERIA_LIMIT_EXCEEDED"))?;
    // The field is an object since v3; a bare name was its form before.
    let name = sent
        .pointer("/field/api_name")
        .or_else(|| sent.get("api_name"));
    let name = name
        .and_then(Value::as_str)
        .ok_or(Unusable("INVALID_CRITERIA"))?;
    let column = Column::read(world, module, name);
    let column = column.ok_or(Unusable("FIELD_IN_CRITERIA_NOT_AVAILABLE"))?;
    let comparator = sent.get("comparator").and_then(Value::as_str);
    let comparator = comparator.and_then(Comparator::read);
    let comparator = comparator.ok_or(Unusable("FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED"))?;
    let value = sent.get("value").unwrap_or(&Value::Null);
    let values = value
        .as_array()
        .map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    if !comparator.takes(values.len()) {
        return Err(Unusable("COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"));
    }
    let operands = values
        .iter()
        .map(|it| Operand::read(column.data_type(), it));
    let values = operands.collect::<Option<Vec<_>>>();
    let values = values.ok_or(Unusable("FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"))?;
    Ok(Criteria::Compare(Box::new(Comparison {
        column,
        comparator,
        values,
    })))
}

impl Comparison {
    fn holds(&self, world: &World, record: &Record, reading: Reading) -> bool {
        let value = self.column.value(world, record, reading);
        let (items, data_type) = match value.as_array() {
            Some(items) if !items.is_empty() => (items.as_slice(), DataType::Text),
            _ => (std::slice::from_ref(&value), self.column.data_type()),
        };
        let found: Vec<Operand> = items
            .iter()
            .filter_map(|it| Operand::read(data_type, it))
            .collect();
        let any = |test: &dyn Fn(&Operand, &Operand) -> bool| {
            found
                .iter()
                .any(|it| self.values.iter().any(|value| test(it, value)))
        };
        let order = |wanted: &[Ordering]| {
            any(&|it, value| it.order(value).is_some_and(|it| wanted.contains(&it)))
        };
        let text = |test: fn(&str, &str) -> bool| {
            any(&|it, value| match (it, value) {
                (Operand::Text(it), Operand::Text(value)) => test(it, value),
                _ => false,
            })
        };
        match self.comparator {
            Comparator::Equal | Comparator::In => any(&|it, value| it == value),
            Comparator::NotEqual | Comparator::NotIn => !any(&|it, value| it == value),
            Comparator::LessThan => order(&[Ordering::Less]),
            Comparator::LessEqual => order(&[Ordering::Less, Ordering::Equal]),
            Comparator::GreaterThan => order(&[Ordering::Greater]),
            Comparator::GreaterEqual => order(&[Ordering::Greater, Ordering::Equal]),
            Comparator::Contains => text(|it, value| it.contains(value)),
            Comparator::NotContains => !text(|it, value| it.contains(value)),
            Comparator::StartsWith => text(|it, value| it.starts_with(value)),
            Comparator::EndsWith => text(|it, value| it.ends_with(value)),
            Comparator::Between => self.between(&found),
            Comparator::NotBetween => !self.between(&found),
        }
    }

    fn between(&self, found: &[Operand]) -> bool {
        let [low, high] = self.values.as_slice() else {
            return false;
        };
        found.iter().any(|it| {
            it.order(low).is_some_and(Ordering::is_ge)
                && it.order(high).is_some_and(Ordering::is_le)
        })
    }
}

impl Comparator {
    /// Whether it compares with this many values.
    fn takes(self, values: usize) -> bool {
        if matches!(self, Self::Between | Self::NotBetween) {
            values == 2
        } else if matches!(self, Self::In | Self::NotIn) {
            values > 0
        } else {
            values == 1
        }
    }

    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "equal" => Self::Equal,
            "not_equal" => Self::NotEqual,
            "in" => Self::In,
            "not_in" => Self::NotIn,
            "less_than" => Self::LessThan,
            "less_equal" => Self::LessEqual,
            "greater_than" => Self::GreaterThan,
            "greater_equal" => Self::GreaterEqual,
            "contains" => Self::Contains,
            "not_contains" => Self::NotContains,
            "starts_with" => Self::StartsWith,
            "ends_with" => Self::EndsWith,
            "between" => Self::Between,
            "not_between" => Self::NotBetween,
            _ => return None,
        })
    }
}

impl Operand {
    /// A value of a field of this type; nothing if it cannot be one.
    fn read(data_type: DataType, value: &Value) -> Option<Self> {
        let text = match value {
            Value::Null => return Some(Self::Empty),
            Value::String(text) if text.is_empty() || text == "${EMPTY}" => {
                return Some(Self::Empty);
            }
            Value::String(text) => text.clone(),
            Value::Object(object) => object.get("id")?.as_str()?.to_owned(),
            Value::Array(_) => return None,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
        };
        Some(match data_type {
            DataType::Integer | DataType::Double | DataType::Currency | DataType::Percent => {
                Self::Number(text.parse().ok()?)
            }
            DataType::DateTime => Self::Time(time::parse(&text)?),
            DataType::Date => Self::Date(text.parse().ok()?),
            DataType::Text
            | DataType::Email
            | DataType::Phone
            | DataType::Website
            | DataType::TextArea
            | DataType::RichText
            | DataType::Picklist
            | DataType::MultiPicklist
            | DataType::BigInt
            | DataType::Boolean
            | DataType::Lookup
            | DataType::Owner
            | DataType::Subform
            | DataType::AutoNumber
            | DataType::Tags => Self::Text(text.to_lowercase()),
        })
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.partial_cmp(other),
            (Self::Time(one), Self::Time(other)) => Some(one.cmp(other)),
            (Self::Date(one), Self::Date(other)) => Some(one.cmp(other)),
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}
