//! CEL conditions and `{{ }}` templates: compiled at load, evaluated on values we convert ourselves. The only place that knows cel.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::event::{Body, Record};

/// The variables an expression may read; what is `None` is null.
#[derive(Clone, Copy, Default)]
pub struct Scope<'a> {
    /// `event`: module, operation, id, type, time, origin, … as `route` or `receive` sets it.
    pub event: Option<&'a Map<String, Value>>,
    /// `record`: requested but absent fields are null.
    pub record: Option<&'a Record>,
    /// `before`: the record as last seen before this change.
    pub before: Option<&'a Record>,
    /// `source`: the source's name.
    pub source: Option<&'a str>,
    /// `body`: the callback's body.
    pub body: Option<&'a Body>,
    /// `now`.
    pub now: Option<Timestamp>,
    /// `changed("Field")`.
    pub changed: Option<&'a dyn Fn(&str) -> bool>,
    /// `left()`.
    pub left: bool,
}

/// What an expression reads, found at compile time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Fields read as `record.F` or named in `changed("F")`.
    pub record_fields: BTreeSet<String>,
    /// Reads `record` as a whole (or by an index that is not a literal).
    pub whole_record: bool,
    /// Reads `before`, or calls `changed` or `left`.
    pub before: bool,
    /// Fields read as `before.F`.
    pub before_fields: BTreeSet<String>,
    /// Reads `body`.
    pub body: bool,
    /// Calls `left()`.
    pub left: bool,
}

/// Which of the variables an expression may name; others are a [`CompileError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `read` of a source: `body`, `source`, `now` and `event.method`, `event.query`, `event.headers` are not there yet, so only the first three.
    Read,
    /// `when`, keys and bodies of a route: all.
    Route,
}

/// An expression that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// What is wrong, for a person.
    pub message: String,
    /// Byte range in the text given, where known.
    pub at: Option<std::ops::Range<usize>>,
    /// What to do, where we can tell (`did you mean …`).
    pub hint: Option<String>,
}

/// An expression that cannot be computed on these values. Holds no record content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// What is wrong, for a person.
    pub message: String,
}

/// What a condition came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It compared a null by order, which counts as false and is counted.
    NullOrdered,
}

/// A compiled bare CEL expression of type bool.
#[derive(Clone, Debug)]
pub struct Condition {}

impl Condition {
    /// # Errors
    /// When the text is not CEL, or names a variable or function that is not known in `place`.
    pub fn compile(text: &str, place: Place) -> Result<Self, CompileError> {
        let _ = (text, place);
        todo!("template helper")
    }

    /// What it reads.
    pub fn reads(&self) -> &Reads {
        todo!("template helper")
    }

    /// # Errors
    /// On any error that reaches the result, an ordering comparison with null aside.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Verdict, EvalError> {
        let _ = scope;
        todo!("template helper")
    }
}

/// A compiled literal text with `{{ CEL }}` in it.
#[derive(Clone, Debug)]
pub struct Template {}

impl Template {
    /// # Errors
    /// As [`Condition::compile`].
    pub fn compile(text: &str, place: Place) -> Result<Self, CompileError> {
        let _ = (text, place);
        todo!("template helper")
    }

    /// What it reads.
    pub fn reads(&self) -> &Reads {
        todo!("template helper")
    }

    /// One whole `{{ }}` keeps its type; anything else is a text.
    ///
    /// # Errors
    /// When an expression cannot be computed.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        let _ = scope;
        todo!("template helper")
    }
}
