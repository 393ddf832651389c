//! The conditions of a query on records.

use std::cmp::Ordering;

use serde_json::json;

use super::query::{Comparison, Criteria, Operator};
use crate::{
    answer::Refusal,
    world::{
        World,
        column::Column,
        module::Module,
        record::{Reading, Record},
        typed::{Class, Typed},
    },
};

/// Conditions whose names have been looked up.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    And(Box<(Self, Self)>),
    Or(Box<(Self, Self)>),
    Test(Test),
}

/// One comparison.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) column: Column,
    pub(crate) operator: Operator,
    pub(crate) values: Vec<Typed>,
}

impl Filter {
    pub(crate) fn read(
        world: &World,
        module: &Module,
        criteria: &Criteria,
    ) -> Result<Self, Refusal> {
        let pair = |pair: &(Criteria, Criteria)| {
            let first = Self::read(world, module, &pair.0)?;
            Ok::<_, Refusal>(Box::new((first, Self::read(world, module, &pair.1)?)))
        };
        Ok(match criteria {
            Criteria::And(both) => Self::And(pair(both)?),
            Criteria::Or(both) => Self::Or(pair(both)?),
            Criteria::Compare(comparison) => Self::Test(Test::read(world, module, comparison)?),
        })
    }

    pub(crate) fn holds(&self, world: &World, record: &Record, reading: Reading) -> bool {
        match self {
            Self::And(pair) => {
                pair.0.holds(world, record, reading) && pair.1.holds(world, record, reading)
            }
            Self::Or(pair) => {
                pair.0.holds(world, record, reading) || pair.1.holds(world, record, reading)
            }
            Self::Test(test) => test.holds(&test.column.typed(world, record, reading)),
        }
    }

    /// The comparisons that all must hold.
    pub(crate) fn musts(&self) -> Vec<&Test> {
        match self {
            Self::And(pair) => {
                let mut musts = pair.0.musts();
                musts.extend(pair.1.musts());
                musts
            }
            Self::Or(_) => vec![],
            Self::Test(test) => vec![test],
        }
    }

    /// All columns compared.
    pub(crate) fn columns(&self) -> Vec<&Column> {
        match self {
            Self::And(pair) | Self::Or(pair) => {
                let mut columns = pair.0.columns();
                columns.extend(pair.1.columns());
                columns
            }
            Self::Test(test) => vec![&test.column],
        }
    }
}

impl Test {
    fn read(world: &World, module: &Module, sent: &Comparison) -> Result<Self, Refusal> {
        let column = Column::find(world, module, &sent.column);
        let column = column.ok_or_else(|| unknown_column(&sent.column, "where"))?;
        let class = Class::of(column.data_type());
        if class == Class::Opaque {
            return Err(Refusal::new(
                "INVALID_QUERY",
                "unsupported column in criteria",
                json!({
                    "cv_criteria": false,
                    "column_name": sent.column,
                    "operator": sent.operator.name(),
                    "value": sent.values.first(),
                }),
            ));
        }
        let invalid = |reason: &str| {
            Refusal::new(
                "INVALID_QUERY",
                "Invalid query formed",
                json!({
                    "reason": reason,
                    "column_name": sent.column,
                    "operator": sent.operator.name(),
                }),
            )
        };
        if !allows(class, sent.operator) {
            return Err(invalid("invalid operator found"));
        }
        let read = |text: &String| {
            Typed::read(column.data_type(), text).ok_or_else(|| invalid("invalid value found"))
        };
        let values = sent.values.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self {
            column,
            operator: sent.operator,
            values,
        })
    }

    fn holds(&self, value: &Typed) -> bool {
        let null = *value == Typed::Null;
        let first = || self.values.first().unwrap_or(&Typed::Null);
        let order = || value.order(first());
        let within = || {
            let low = value.order(first());
            let high = self.values.get(1).and_then(|it| value.order(it));
            (low != Some(Ordering::Less) && low.is_some())
                && (high != Some(Ordering::Greater) && high.is_some())
        };
        let like = || {
            let pattern = first();
            value.any_text(|text| pattern.any_text(|pattern| matches(text, pattern)))
        };
        match self.operator {
            Operator::IsNull => null,
            Operator::IsNotNull => !null,
            // As in SQL, nothing else holds for null.
            _ if null => false,
            Operator::Equal => value.equals(first()),
            Operator::NotEqual => !value.equals(first()),
            Operator::Less => order() == Some(Ordering::Less),
            Operator::LessEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
            Operator::Greater => order() == Some(Ordering::Greater),
            Operator::GreaterEqual => {
                matches!(order(), Some(Ordering::Greater | Ordering::Equal))
            }
            Operator::Like => like(),
            Operator::NotLike => !like(),
            Operator::In => self.values.iter().any(|it| value.equals(it)),
            Operator::NotIn => !self.values.iter().any(|it| value.equals(it)),
            Operator::Between => within(),
            Operator::NotBetween => !within(),
        }
    }
}

/// Which operators a field's class knows.
fn allows(class: Class, operator: Operator) -> bool {
    match operator {
        Operator::Equal | Operator::NotEqual => true,
        Operator::IsNull | Operator::IsNotNull | Operator::In | Operator::NotIn => {
            class != Class::Bool
        }
        Operator::Like | Operator::NotLike => class.is_text(),
        Operator::Less
        | Operator::LessEqual
        | Operator::Greater
        | Operator::GreaterEqual
        | Operator::Between
        | Operator::NotBetween => class.is_ordered(),
    }
}

pub(crate) fn unknown_column(name: &str, clause: &str) -> Refusal {
    Refusal::new(
        "INVALID_QUERY",
        "the column name given seems to be invalid",
        json!({"column_name": name, "clause": clause}),
    )
}

/// Whether a text is like a pattern, in which `%` stands for anything. Both in lower case.
fn matches(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('%');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_stands_for_anything() {
        for (text, pattern, expected) in [
            ("reed ltd", "reed ltd", true),
            ("reed ltd", "reed", false),
            ("reed ltd", "reed%", true),
            ("reed ltd", "%ltd", true),
            ("reed ltd", "%ee%lt%", true),
            ("reed ltd", "%lt%ee%", false),
            ("reed", "re%ed%d", false),
            ("aa", "a%a%a", false),
            ("reed", "%", true),
            ("", "%%", true),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} like {pattern}");
        }
    }
}
