//! `((Last_Name:starts_with:Ma)and(Amount:between:1,9))`, with `( ) , \` escaped in values.

use std::cmp::Ordering;

use serde_json::json;

use super::TEXT_MIN;
use crate::{
    answer::Refusal,
    world::{
        module::{Field, Module},
        record::{Record, Version},
        typed::{Class, Typed},
    },
};

/// Zoho: "Search records", v8; so is the next.
const CRITERIA_MAX: usize = 10;
const IN_MAX: usize = 100;
/// Brackets within brackets.
const DEPTH_MAX: usize = 30;

/// Conditions on a record.
#[derive(Clone, Debug)]
pub(crate) enum Criteria {
    And(Box<(Self, Self)>),
    Or(Box<(Self, Self)>),
    Test(Test),
}

/// A field against a value, or several.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    field: Field,
    operator: Operator,
    values: Vec<Typed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    NotEqual,
    StartsWith,
    EndsWith,
    Contains,
    In,
    NotIn,
    Between,
    GreaterThan,
    GreaterEqual,
    LessThan,
    LessEqual,
}

impl Criteria {
    pub(crate) fn read(text: &str, module: &Module) -> Result<Self, Refusal> {
        let mut reader = Reader {
            letters: text.chars().collect(),
            at: 0,
            module,
            tests: 0,
        };
        reader.skip_spaces();
        let criteria = if reader.peek() == Some('(') {
            reader.expression(DEPTH_MAX)?
        } else {
            reader.test()?
        };
        reader.skip_spaces();
        match reader.peek() {
            None => Ok(criteria),
            Some(_) => Err(malformed()),
        }
    }

    pub(crate) fn hold(&self, record: &Record, version: &Version, org: u64) -> bool {
        match self {
            Self::And(pair) => {
                pair.0.hold(record, version, org) && pair.1.hold(record, version, org)
            }
            Self::Or(pair) => {
                pair.0.hold(record, version, org) || pair.1.hold(record, version, org)
            }
            Self::Test(test) => test.holds(&Typed::of(record, version, &test.field, org)),
        }
    }
}

impl Test {
    fn holds(&self, value: &Typed) -> bool {
        let first = self.values.first().unwrap_or(&Typed::Null);
        if *first == Typed::Null {
            // `${EMPTY}`
            return (*value == Typed::Null) == (self.operator == Operator::Equals);
        }
        let has = |part: fn(&str, &str) -> bool| {
            value.any_text(|text| first.any_text(|wanted| part(text, wanted)))
        };
        let is = |it: &Typed| match Class::of(self.field.data_type) {
            // For texts, to equal is to contain.
            Class::Text => value.any_text(|text| it.any_text(|wanted| text.contains(wanted))),
            Class::Choice
            | Class::Number
            | Class::Id
            | Class::Date
            | Class::Time
            | Class::Bool
            | Class::Lookup
            | Class::Several
            | Class::Opaque => value.equals(it),
        };
        let order = |it: &Typed| value.order(it);
        match self.operator {
            Operator::Equals => is(first),
            Operator::NotEqual => !is(first),
            Operator::StartsWith => has(|text, wanted| text.starts_with(wanted)),
            Operator::EndsWith => has(|text, wanted| text.ends_with(wanted)),
            Operator::Contains => has(|text, wanted| text.contains(wanted)),
            Operator::In => self.values.iter().any(is),
            Operator::NotIn => !self.values.iter().any(is),
            Operator::Between => {
                let high = self.values.get(1).and_then(order);
                matches!(order(first), Some(Ordering::Greater | Ordering::Equal))
                    && matches!(high, Some(Ordering::Less | Ordering::Equal))
            }
            Operator::GreaterThan => order(first) == Some(Ordering::Greater),
            Operator::GreaterEqual => {
                matches!(order(first), Some(Ordering::Greater | Ordering::Equal))
            }
            Operator::LessThan => order(first) == Some(Ordering::Less),
            Operator::LessEqual => {
                matches!(order(first), Some(Ordering::Less | Ordering::Equal))
            }
        }
    }
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "equals" => Self::Equals,
            "not_equal" => Self::NotEqual,
            "starts_with" => Self::StartsWith,
            "ends_with" => Self::EndsWith,
            "contains" => Self::Contains,
            "in" => Self::In,
            "not_in" => Self::NotIn,
            "between" => Self::Between,
            "greater_than" => Self::GreaterThan,
            "greater_equal" => Self::GreaterEqual,
            "less_than" => Self::LessThan,
            "less_equal" => Self::LessEqual,
            _ => return None,
        })
    }

    fn suits(self, class: Class) -> bool {
        match self {
            Self::Equals | Self::NotEqual | Self::In | Self::NotIn => class != Class::Opaque,
            Self::StartsWith | Self::EndsWith | Self::Contains => class.is_text(),
            Self::Between
            | Self::GreaterThan
            | Self::GreaterEqual
            | Self::LessThan
            | Self::LessEqual => class.is_ordered(),
        }
    }
}

struct Reader<'m> {
    letters: Vec<char>,
    at: usize,
    module: &'m Module,
    tests: usize,
}

impl Reader<'_> {
    /// Groups with `and` or `or` between them.
    fn expression(&mut self, depth: usize) -> Result<Criteria, Refusal> {
        let mut left = self.group(depth)?;
        loop {
            self.skip_spaces();
            let and = if self.take_word("and") {
                true
            } else if self.take_word("or") {
                false
            } else {
                return Ok(left);
            };
            let pair = Box::new((left, self.group(depth)?));
            left = if and {
                Criteria::And(pair)
            } else {
                Criteria::Or(pair)
            };
        }
    }

    /// A comparison or more groups, in brackets.
    fn group(&mut self, depth: usize) -> Result<Criteria, Refusal> {
        let depth = depth.checked_sub(1).ok_or_else(malformed)?;
        self.skip_spaces();
        if self.next() != Some('(') {
            return Err(malformed());
        }
        self.skip_spaces();
        let inner = if self.peek() == Some('(') {
            self.expression(depth)?
        } else {
            self.test()?
        };
        self.skip_spaces();
        if self.next() == Some(')') {
            Ok(inner)
        } else {
            Err(malformed())
        }
    }

    fn test(&mut self) -> Result<Criteria, Refusal> {
        self.tests += 1;
        if self.tests > CRITERIA_MAX {
            return Err(Refusal::limit("criteria", CRITERIA_MAX));
        }
        let name = self.until_colon()?;
        let operator = self.until_colon()?;
        let field = self.module.field(&name);
        let field = field.ok_or_else(|| invalid("invalid field found", &name, &operator))?;
        let class = Class::of(field.data_type);
        let found = Operator::named(&operator).filter(|it| it.suits(class));
        let found = found.ok_or_else(|| invalid("invalid operator found", &name, &operator))?;
        let several = matches!(found, Operator::In | Operator::NotIn | Operator::Between);
        let texts = self.values(several);
        let count_fits = if found == Operator::Between {
            texts.len() == 2
        } else {
            texts.len() <= IN_MAX
        };
        if !count_fits {
            return Err(invalid("invalid number of values", &name, &operator));
        }
        let mut values = vec![];
        for text in texts {
            if text == "${EMPTY}" {
                values.push(Typed::Null);
                continue;
            }
            if class == Class::Text && text.chars().count() < TEXT_MIN {
                return Err(invalid("value is too short", &name, &operator));
            }
            let read = Typed::read(field.data_type, &text);
            values.push(read.ok_or_else(|| invalid("invalid value found", &name, &operator))?);
        }
        Ok(Criteria::Test(Test {
            field: field.clone(),
            operator: found,
            values,
        }))
    }

    fn until_colon(&mut self) -> Result<String, Refusal> {
        let mut word = String::new();
        loop {
            match self.next() {
                Some(':') => return Ok(word.trim().to_owned()),
                Some('(' | ')') | None => return Err(malformed()),
                Some(letter) => word.push(letter),
            }
        }
    }

    /// The values up to the closing bracket: commas separate several.
    fn values(&mut self, several: bool) -> Vec<String> {
        let mut values = vec![];
        let mut value = String::new();
        while let Some(letter) = self.peek() {
            match letter {
                ')' => break,
                '\\' => {
                    self.at += 1;
                    value.extend(self.peek());
                }
                ',' if several => values.push(std::mem::take(&mut value)),
                letter => value.push(letter),
            }
            self.at += 1;
        }
        values.push(value);
        values.iter().map(|it| it.trim().to_owned()).collect()
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += 1;
        next
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let mut letters = word.chars().enumerate();
        let found = letters.all(|(ahead, letter)| {
            let there = self.letters.get(self.at + ahead);
            there.is_some_and(|it| it.eq_ignore_ascii_case(&letter))
        });
        self.at += if found { word.len() } else { 0 };
        found
    }
}

fn malformed() -> Refusal {
    Refusal::new("INVALID_QUERY", "Invalid query formed", json!({}))
}

fn invalid(reason: &str, name: &str, operator: &str) -> Refusal {
    Refusal::new(
        "INVALID_QUERY",
        "Invalid query formed",
        json!({"reason": reason, "api_name": name, "operator": operator}),
    )
}
