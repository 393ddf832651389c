//! Values as queries and searches compare them: by the type of their field.

use std::cmp::Ordering;

use jiff::{Timestamp, civil::Date};
use serde_json::Value;

use super::{
    module::{DataType, Field},
    record::{Record, Version},
};
use crate::time;

/// A value that can be compared with others of its field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Typed {
    Null,
    Bool(bool),
    Int(i64),
    Number(f64),
    Time(Timestamp),
    Date(Date),
    /// In lower case.
    Text(String),
    /// Each in lower case.
    Several(Vec<String>),
}

/// Fields of the same class are compared in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Text,
    /// Choices, which are equal or are not.
    Choice,
    Number,
    Id,
    Date,
    Time,
    Bool,
    /// By the id of what is looked up.
    Lookup,
    /// Several choices, or tags by their names.
    Several,
    /// Cannot be compared.
    Opaque,
}

impl Class {
    pub(crate) fn of(data_type: DataType) -> Self {
        match data_type {
            DataType::Text
            | DataType::Email
            | DataType::Phone
            | DataType::Website
            | DataType::TextArea
            | DataType::AutoNumber => Self::Text,
            DataType::Picklist => Self::Choice,
            DataType::Integer | DataType::Double | DataType::Currency | DataType::Percent => {
                Self::Number
            }
            DataType::BigInt => Self::Id,
            DataType::Date => Self::Date,
            DataType::DateTime => Self::Time,
            DataType::Boolean => Self::Bool,
            DataType::Lookup | DataType::Owner => Self::Lookup,
            DataType::MultiPicklist | DataType::Tags => Self::Several,
            DataType::RichText | DataType::Subform => Self::Opaque,
        }
    }

    /// Whether its values have an order that may be asked for.
    pub(crate) fn is_ordered(self) -> bool {
        match self {
            Self::Number | Self::Id | Self::Date | Self::Time => true,
            Self::Text
            | Self::Choice
            | Self::Bool
            | Self::Lookup
            | Self::Several
            | Self::Opaque => false,
        }
    }

    /// Whether its values are texts of which parts may be asked for.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Choice | Self::Several)
    }
}

impl Typed {
    /// A record's value of a field.
    pub(crate) fn of(record: &Record, version: &Version, field: &Field, org: u64) -> Self {
        match field.name.as_str() {
            // Without the way over their JSON: these are asked for most.
            "id" => i64::try_from(record.id).map_or(Self::Null, Self::Int),
            "Created_Time" => Self::Time(record.created),
            "Modified_Time" => Self::Time(version.modified),
            _ => Self::from_json(field.data_type, &record.value_in(version, field, org)),
        }
    }

    pub(crate) fn from_json(data_type: DataType, value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::String(text) if text.is_empty() => Self::Null,
            Value::String(text) => Self::read(data_type, text).unwrap_or(Self::Null),
            Value::Bool(it) => Self::Bool(*it),
            Value::Number(it) => it.as_f64().map_or(Self::Null, Self::Number),
            Value::Object(object) => match object.get("id").and_then(Value::as_str) {
                Some(id) => Self::Text(id.to_owned()),
                None => Self::Null,
            },
            Value::Array(items) if items.is_empty() => Self::Null,
            Value::Array(items) => {
                let names = items.iter().map(|it| it.get("name").unwrap_or(it));
                let names = names.filter_map(Value::as_str).map(str::to_lowercase);
                Self::Several(names.collect())
            }
        }
    }

    /// What is written in a query as a value of a field of this type; nothing if it cannot be one.
    pub(crate) fn read(data_type: DataType, text: &str) -> Option<Self> {
        Some(match Class::of(data_type) {
            Class::Number => Self::Number(text.parse().ok()?),
            Class::Id => Self::Int(text.parse().ok()?),
            Class::Date => Self::Date(text.parse().ok()?),
            Class::Time => Self::Time(time::parse(text).or_else(|| day(text))?),
            Class::Bool => Self::Bool(match text.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => return None,
            }),
            Class::Text | Class::Choice | Class::Lookup | Class::Several => {
                Self::Text(text.to_lowercase())
            }
            Class::Opaque => return None,
        })
    }

    /// Nothing for what cannot be compared, as null.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => Some(one.cmp(other)),
            (Self::Int(one), Self::Int(other)) => Some(one.cmp(other)),
            (Self::Number(one), Self::Number(other)) => one.partial_cmp(other),
            (Self::Time(one), Self::Time(other)) => Some(one.cmp(other)),
            (Self::Date(one), Self::Date(other)) => Some(one.cmp(other)),
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }

    /// Like [`Self::order`]; of several choices, any may be equal.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Several(names), Self::Text(name)) => names.contains(name),
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// An order of all values, for sorting: null comes first.
    pub(crate) fn rank(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Several(one), Self::Several(other)) => one.cmp(other),
            _ => self.order(other).unwrap_or(Ordering::Equal),
        }
    }

    /// Whether it is a text, or has one, for which `holds` does.
    pub(crate) fn any_text(&self, holds: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Text(text) => holds(text),
            Self::Several(names) => names.iter().any(|it| holds(it)),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Number(_)
            | Self::Time(_)
            | Self::Date(_) => false,
        }
    }
}

/// A day where a time is wanted: its beginning in UTC.
fn day(text: &str) -> Option<Timestamp> {
    let day: Date = text.parse().ok()?;
    let midnight = day.to_datetime(jiff::civil::Time::midnight());
    jiff::tz::Offset::UTC.to_timestamp(midnight).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_with_other_offsets_are_the_same_instant() {
        let read = |text| Typed::read(DataType::DateTime, text).unwrap();
        assert!(read("2026-01-01T05:30:00+05:30").equals(&read("2026-01-01T00:00:00Z")));
        let earlier = read("2026-01-01T05:30:00+05:30").order(&read("2026-01-01T01:00:00+00:00"));
        assert_eq!(earlier, Some(Ordering::Less));
    }

    #[test]
    fn values_are_compared_by_the_type_of_their_field() {
        let json = |data_type, value| Typed::from_json(data_type, &value);
        let read = |data_type, text| Typed::read(data_type, text);
        let amount = json(DataType::Currency, json!(9));
        assert_eq!(
            amount.order(&read(DataType::Currency, "10.5").unwrap()),
            Some(Ordering::Less)
        );
        assert_eq!(read(DataType::Currency, "ten"), None);
        let owner = json(DataType::Owner, json!({"id": "7", "name": "A"}));
        assert!(owner.equals(&read(DataType::Owner, "7").unwrap()));
        let tags = json(DataType::Tags, json!([{"name": "Hot"}, {"name": "new"}]));
        assert!(tags.equals(&read(DataType::Tags, "HOT").unwrap()));
        assert!(!json(DataType::Text, json!("")).equals(&Typed::Text(String::new())));
    }
}
