//! The `filters` of a timeline: nested groups of comparisons, evaluated on its entries.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{answer::Refusal, call::Call, time};

/// Comparisons, and groups within groups.
const COMPARISONS_MAX: usize = 25;
const DEPTH_MAX: usize = 8;
/// Values of one comparison.
const VALUES_MAX: usize = 100;

/// A condition on an entry as it is shown.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare(Comparison),
}

/// A part of an entry against a value or several.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    part: Part,
    comparator: Comparator,
    values: Vec<Operand>,
}

/// What of an entry is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    AuditedTime,
    Source,
    Action,
    DoneBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparator {
    In,
    NotIn,
    Between,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Operand {
    Time(Timestamp),
    Text(String),
}

impl Filter {
    /// Reads `filters`, if it is there: `{"group_operator", "group": [...]}` or
    /// `{"field": {"api_name"}, "comparator", "value"}`.
    pub(super) fn of(call: &Call) -> Result<Option<Self>, Refusal> {
        let Some(text) = call.parameter("filters") else {
            return Ok(None);
        };
        let sent = serde_json::from_str(text).ok();
        let mut left = COMPARISONS_MAX;
        let read = sent.and_then(|it| read(&it, (&mut left, DEPTH_MAX)));
        let invalid = || Refusal::invalid_data(json!({"param_name": "filters"}));
        read.map(Some).ok_or_else(invalid)
    }

    pub(super) fn holds(&self, entry: &Value) -> bool {
        match self {
            Self::All(members) => members.iter().all(|it| it.holds(entry)),
            Self::Any(members) => members.iter().any(|it| it.holds(entry)),
            Self::Compare(comparison) => comparison.holds(entry),
        }
    }
}

fn read(sent: &Value, (left, depth): (&mut usize, usize)) -> Option<Filter> {
    if let Some(group) = sent.get("group") {
        let depth = depth.checked_sub(1)?;
        let mut members = vec![];
        for member in group.as_array()? {
            members.push(read(member, (&mut *left, depth))?);
        }
        let operator = sent
            .get("group_operator")
            .map_or(Some("and"), Value::as_str)?;
        return match operator.to_ascii_lowercase().as_str() {
            "and" => Some(Filter::All(members)),
            "or" => Some(Filter::Any(members)),
            _ => None,
        };
    }
    *left = left.checked_sub(1)?;
    let part = Part::read(sent.pointer("/field/api_name")?.as_str()?)?;
    let comparator = Comparator::read(sent.get("comparator")?.as_str()?)?;
    let value = sent.get("value")?;
    let several = value.as_array().map(Vec::as_slice);
    let several = several.unwrap_or(std::slice::from_ref(value)).iter();
    let values: Vec<Operand> = several.map(|it| part.operand(it)).collect::<Option<_>>()?;
    let fits = match comparator {
        Comparator::In | Comparator::NotIn => (1..=VALUES_MAX).contains(&values.len()),
        Comparator::Between => part == Part::AuditedTime && values.len() == 2,
        Comparator::Less
        | Comparator::LessEqual
        | Comparator::Greater
        | Comparator::GreaterEqual => part == Part::AuditedTime && values.len() == 1,
    };
    fits.then_some(Filter::Compare(Comparison {
        part,
        comparator,
        values,
    }))
}

impl Part {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "audited_time" => Self::AuditedTime,
            "source" => Self::Source,
            "action" => Self::Action,
            "done_by" => Self::DoneBy,
            _ => return None,
        })
    }

    /// A value as it is compared; users by their ids.
    fn operand(self, value: &Value) -> Option<Operand> {
        if self == Self::DoneBy {
            return Self::operand(Self::Source, value.get("id").unwrap_or(value));
        }
        let text = value.as_str()?;
        if self == Self::AuditedTime {
            return time::parse(text).map(Operand::Time);
        }
        Some(Operand::Text(text.to_owned()))
    }

    fn of(self, entry: &Value) -> Option<Operand> {
        let key = match self {
            Self::AuditedTime => "audited_time",
            Self::Source => "source",
            Self::Action => "action",
            Self::DoneBy => "done_by",
        };
        self.operand(entry.get(key)?)
    }
}

impl Comparator {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "equal" | "in" => Self::In,
            "not_equal" | "not_in" => Self::NotIn,
            "between" => Self::Between,
            "less_than" => Self::Less,
            "less_equal" => Self::LessEqual,
            "greater_than" => Self::Greater,
            "greater_equal" => Self::GreaterEqual,
            _ => return None,
        })
    }
}

impl Comparison {
    fn holds(&self, entry: &Value) -> bool {
        let Some(value) = self.part.of(entry) else {
            return false;
        };
        let first = || self.values.first();
        match self.comparator {
            Comparator::In => self.values.contains(&value),
            Comparator::NotIn => !self.values.contains(&value),
            Comparator::Between => {
                first().is_some_and(|it| value >= *it)
                    && self.values.get(1).is_some_and(|it| value <= *it)
            }
            Comparator::Less => first().is_some_and(|it| value < *it),
            Comparator::LessEqual => first().is_some_and(|it| value <= *it),
            Comparator::Greater => first().is_some_and(|it| value > *it),
            Comparator::GreaterEqual => first().is_some_and(|it| value >= *it),
        }
    }
}
