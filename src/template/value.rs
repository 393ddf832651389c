//! The values an expression works on: read in place from JSON, converted one by one and only when used.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeSet, io, rc::Rc};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::{EvalError, node::Literal, number};
use crate::event::{Body, Record};

/// Longest text, and most list items, an expression may build.
const BUILT_MAX: usize = 1 << 20;

/// Largest result, in bytes of JSON or text: a callback of the default `limits.body` can be handed on whole.
const RESULT_MAX: usize = 4 << 20;

/// Refuses what is longer than an expression may build, in bytes or items.
pub(super) fn bounded(size: usize) -> Result<(), Fault> {
    if size > BUILT_MAX {
        return Err(over(BUILT_MAX));
    }
    Ok(())
}

fn over(max: usize) -> Fault {
    Fault::new(format!("builds more than {max} bytes or items"))
}

/// What a result may still grow by, in bytes of JSON or text.
pub(super) struct Budget {
    left: usize,
    max: usize,
}

impl Budget {
    /// As much as an expression may build on its way.
    pub(super) const fn of_built() -> Self {
        Self::of(BUILT_MAX)
    }

    /// As much as a template may give.
    pub(super) const fn of_result() -> Self {
        Self::of(RESULT_MAX)
    }

    const fn of(max: usize) -> Self {
        Self { left: max, max }
    }

    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| over(self.max))?;
        Ok(())
    }

    /// What a value that came in takes as JSON, counted before it is copied.
    fn spend_on(&mut self, value: &impl Serialize) -> Result<(), Fault> {
        serde_json::to_writer(&mut *self, value).map_err(|_over| over(self.max))
    }
}

/// Counts, and keeps nothing.
impl io::Write for Budget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.spend(bytes.len()) {
            Ok(()) => Ok(bytes.len()),
            Err(_over) => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why an expression has no value. Never holds record content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A null was compared by order.
    NullOrdered,
    /// Anything else.
    Other(Cow<'static, str>),
}

impl Fault {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Other(message.into())
    }
}

impl From<Fault> for EvalError {
    fn from(fault: Fault) -> Self {
        let message = match fault {
            Fault::NullOrdered => "null has no order".to_owned(),
            Fault::Other(message) => message.into_owned(),
        };
        Self { message }
    }
}

/// One value. Lists and objects that came in stay where they are.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'a, str>),
    Bytes(Rc<Vec<u8>>),
    /// Made by the expression.
    List(Rc<Vec<Val<'a>>>),
    /// Made by the expression, or a form.
    Map(Rc<Vec<(Val<'a>, Val<'a>)>>),
    Array(&'a [Value]),
    Object(&'a Map<String, Value>),
    Time(Timestamp),
    Span(SignedDuration),
    Type(&'static str),
}

impl<'a> Val<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(it) => Self::Bool(*it),
            Value::Number(it) => Self::of_number(it),
            Value::String(it) => Self::text(it),
            Value::Array(it) => Self::Array(it),
            Value::Object(it) => Self::Object(it),
        }
    }

    fn of_number(number: &Number) -> Self {
        if let Some(int) = number.as_i64() {
            Self::Int(int)
        } else if let Some(uint) = number.as_u64() {
            Self::Uint(uint)
        } else {
            Self::Double(number.as_f64().unwrap_or(f64::NAN))
        }
    }

    pub(super) const fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(super) fn of_literal(literal: &'a Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(it) => Self::Bool(*it),
            Literal::Int(it) => Self::Int(*it),
            Literal::Uint(it) => Self::Uint(*it),
            Literal::Double(it) => Self::Double(*it),
            Literal::Text(it) => Self::text(it),
            Literal::Bytes(it) => Self::Bytes(Rc::new(it.clone())),
            Literal::Type(it) => Self::Type(it),
        }
    }

    /// As [`Body::to_value`] has it, without a copy of its texts.
    pub(super) fn of_body(body: &'a Body) -> Self {
        match body {
            Body::Empty => Self::Null,
            Body::Json(value) => Self::of(value),
            Body::Text(text) => Self::text(text),
            Body::Form(pairs) => {
                let mut seen = BTreeSet::new();
                let firsts = pairs.iter().filter(|(name, _)| seen.insert(name));
                let map = firsts.map(|(name, value)| (Self::text(name), Self::text(value)));
                Self::Map(Rc::new(map.collect()))
            }
        }
    }

    /// A record as a whole is an object of the values it has.
    pub(super) const fn of_record(record: &'a Record) -> Self {
        Self::Object(&record.values)
    }

    /// CEL's name of its type, for messages and `type()`.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::Array(_) => "list",
            Self::Map(_) | Self::Object(_) => "map",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Span(_) => "google.protobuf.Duration",
            Self::Type(_) => "type",
        }
    }

    /// Items of a list, keys of a map; what a comprehension goes through, one by one. `None` for anything else.
    pub(super) fn items<'v>(&'v self) -> Option<Box<dyn Iterator<Item = Self> + 'v>> {
        match self {
            Self::List(list) => Some(Box::new(list.iter().cloned())),
            Self::Array(array) => Some(Box::new(array.iter().map(Self::of))),
            Self::Map(map) => Some(Box::new(map.iter().map(|(key, _)| key.clone()))),
            Self::Object(object) => Some(Box::new(object.keys().map(|key| Self::text(key)))),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Uint(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Time(_)
            | Self::Span(_)
            | Self::Type(_) => None,
        }
    }

    /// Bytes of a text, items of a list or map; 0 for anything else.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(it) => it.len(),
            Self::Bytes(it) => it.len(),
            Self::List(it) => it.len(),
            Self::Map(it) => it.len(),
            Self::Array(it) => it.len(),
            Self::Object(it) => it.len(),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Uint(_)
            | Self::Double(_)
            | Self::Time(_)
            | Self::Span(_)
            | Self::Type(_) => 0,
        }
    }

    /// What stands under a key; `Err` for what has no keys.
    pub(super) fn get(&self, key: &Self) -> Result<Option<Self>, Fault> {
        let found = match (self, key) {
            (Self::Object(object), Self::Text(key)) => object.get(key.as_ref()).map(Self::of),
            (Self::Object(_), _) => None,
            (Self::Map(map), _) => map
                .iter()
                .find(|(it, _)| it.equals(key))
                .map(|(_, value)| value.clone()),
            (Self::Array(array), _) => position(key)?.and_then(|at| array.get(at)).map(Self::of),
            (Self::List(list), _) => position(key)?.and_then(|at| list.get(at)).cloned(),
            _ => {
                return Err(Fault::new(format!(
                    "{} has no fields or items",
                    self.type_name()
                )));
            }
        };
        Ok(found)
    }

    /// CEL's `==`: values of different types differ, numbers of different types compare by value.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Span(a), Self::Span(b)) => a == b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::List(_) | Self::Array(_), Self::List(_) | Self::Array(_)) => {
                let items = self.items().into_iter().flatten();
                let others = other.items().into_iter().flatten();
                self.size() == other.size() && items.zip(others).all(|(a, b)| a.equals(&b))
            }
            (Self::Map(_) | Self::Object(_), Self::Map(_) | Self::Object(_)) => {
                let mut keys = self.items().into_iter().flatten();
                self.size() == other.size()
                    && keys.all(|key| match (self.get(&key), other.get(&key)) {
                        (Ok(Some(a)), Ok(Some(b))) => a.equals(&b),
                        _ => false,
                    })
            }
            _ => matches!(number::compare(self, other), Ok(Some(Ordering::Equal))),
        }
    }

    /// CEL's order. `Ok(None)`: one is not a number (NaN), so no order holds.
    pub(super) fn order(&self, other: &Self) -> Result<Option<Ordering>, Fault> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => Err(Fault::NullOrdered),
            (Self::Bool(a), Self::Bool(b)) => Ok(Some(a.cmp(b))),
            (Self::Text(a), Self::Text(b)) => Ok(Some(a.cmp(b))),
            (Self::Bytes(a), Self::Bytes(b)) => Ok(Some(a.cmp(b))),
            (Self::Time(a), Self::Time(b)) => Ok(Some(a.cmp(b))),
            (Self::Span(a), Self::Span(b)) => Ok(Some(a.cmp(b))),
            _ => number::compare(self, other).map_err(|number::NotNumbers| {
                Fault::new(format!(
                    "no order between {} and {}",
                    self.type_name(),
                    other.type_name()
                ))
            }),
        }
    }

    /// As JSON, within what is left: bytes as base64, times as RFC 3339, durations as seconds with an `s`.
    pub(super) fn to_json(&self, left: &mut Budget) -> Result<Value, Fault> {
        // A number, a comma or a bracket: no value takes less.
        left.spend(1)?;
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(it) => Value::Bool(*it),
            Self::Int(it) => Value::from(*it),
            Self::Uint(it) => Value::from(*it),
            Self::Double(it) => Number::from_f64(*it)
                .map(Value::Number)
                .ok_or_else(|| Fault::new("a double that is not finite has no JSON"))?,
            Self::Array(it) => {
                left.spend_on(it)?;
                Value::Array(it.to_vec())
            }
            Self::Object(it) => {
                left.spend_on(it)?;
                Value::Object((*it).clone())
            }
            Self::List(it) => {
                let items = it.iter().map(|it| it.to_json(left));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Map(it) => {
                let entries = it.iter();
                let entries = entries.map(|(key, it)| Ok((key.to_text(left)?, it.to_json(left)?)));
                Value::Object(entries.collect::<Result<_, Fault>>()?)
            }
            Self::Text(_) | Self::Bytes(_) | Self::Time(_) | Self::Span(_) | Self::Type(_) => {
                Value::String(self.to_text(left)?)
            }
        })
    }

    /// As part of a text, within what is left: null is empty, lists and maps are JSON.
    pub(super) fn to_text(&self, left: &mut Budget) -> Result<String, Fault> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        Ok(match self {
            Self::Null => String::new(),
            Self::Bool(it) => it.to_string(),
            Self::Int(it) => it.to_string(),
            Self::Uint(it) => it.to_string(),
            Self::Double(it) => it.to_string(),
            Self::Text(it) => {
                left.spend(it.len())?;
                it.to_string()
            }
            Self::Bytes(it) => {
                left.spend(it.len())?;
                STANDARD.encode(it.as_slice())
            }
            Self::Time(it) => it.to_string(),
            Self::Span(it) => format!("{}s", it.as_secs_f64()),
            Self::Type(it) => (*it).to_owned(),
            Self::List(_) | Self::Map(_) | Self::Array(_) | Self::Object(_) => {
                self.to_json(left)?.to_string()
            }
        })
    }
}

/// A list's index: an int, or any number that is one.
fn position(key: &Val<'_>) -> Result<Option<usize>, Fault> {
    number::integer(key)
        .map(|at| usize::try_from(at).ok())
        .ok_or_else(|| Fault::new(format!("a list has no index of type {}", key.type_name())))
}
