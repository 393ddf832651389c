//! CEL conditions and `{{ }}` templates: compiled at load, evaluated on values we convert ourselves. The only place that knows cel.

mod call;
mod eval;
mod function;
mod lower;
mod names;
mod node;
mod number;
mod parse;
mod text;
mod types;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use self::{
    eval::Evaluator,
    lower::Lowered,
    node::Node,
    text::Part,
    types::Type,
    value::{Budget, Fault, Val},
};
pub use self::{names::EVENT_FIELDS, number::is_rounded};
use crate::event::{Body, Record};

/// The variables an expression may read; what is `None` is null.
#[derive(Clone, Copy, Default)]
pub struct Scope<'a> {
    /// `event`: any of [`EVENT_FIELDS`]; what is not there is null.
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is read or not"
)]
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
    /// Reads `before` as a whole (or by an index that is not a literal).
    pub whole_before: bool,
    /// Reads `body`.
    pub body: bool,
    /// Calls `left()`.
    pub left: bool,
}

impl Reads {
    /// Adds what `other` reads.
    pub fn add(&mut self, other: &Self) {
        self.record_fields
            .extend(other.record_fields.iter().cloned());
        self.before_fields
            .extend(other.before_fields.iter().cloned());
        self.whole_record |= other.whole_record;
        self.before |= other.before;
        self.whole_before |= other.whole_before;
        self.body |= other.body;
        self.left |= other.left;
    }
}

/// Which of the variables an expression may name; others are a [`CompileError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `read` of a source: `body`, `source` and `now`.
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
pub struct Condition {
    node: Node,
    reads: Reads,
}

impl Condition {
    /// # Errors
    /// When the text is not CEL, names a variable or function that is not known in `place`, or can never be a bool.
    pub fn compile(text: &str, place: Place) -> Result<Self, CompileError> {
        let refused = |message: String, hint: Option<&str>| CompileError {
            message,
            at: Some(0..text.len()),
            hint: hint.map(str::to_owned),
        };
        if text.trim_start().starts_with("{{") {
            let hint = Some("`when: record.Amount > 5`, not `when: \"{{ record.Amount > 5 }}\"`");
            return Err(refused(
                "a condition is written without `{{ }}`".to_owned(),
                hint,
            ));
        }
        let Lowered { node, kind, reads } = parse::compile(text, place)?;
        if !types::may_be_bool(&node, kind) {
            let is = if kind == Type::Any {
                "a calculation"
            } else {
                kind.name()
            };
            return Err(refused(
                format!("a condition is a bool, this is {is}"),
                None,
            ));
        }
        Ok(Self { node, reads })
    }

    /// What it reads.
    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// # Errors
    /// On any error that reaches the result, an ordering comparison with null aside.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Verdict, EvalError> {
        match Evaluator::new(scope).eval(&self.node) {
            Ok(Val::Bool(true)) => Ok(Verdict::Holds),
            Ok(Val::Bool(false)) => Ok(Verdict::Fails),
            Ok(other) => Err(EvalError {
                message: format!("a condition is a bool, not {}", other.type_name()),
            }),
            Err(Fault::NullOrdered) => Ok(Verdict::NullOrdered),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// A compiled literal text with `{{ CEL }}` in it.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
    reads: Reads,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Expression(Node),
}

impl Template {
    /// # Errors
    /// When a `{{` is not closed; else as [`Condition::compile`], of whatever type.
    pub fn compile(text: &str, place: Place) -> Result<Self, CompileError> {
        if text.len() > parse::TEXT_MAX {
            return Err(parse::problem(format!(
                "longer than {} bytes",
                parse::TEXT_MAX
            )));
        }
        let mut template = Self {
            pieces: vec![],
            reads: Reads::default(),
        };
        for part in text::split(text)? {
            template.pieces.push(match part {
                Part::Literal(literal) => Piece::Literal(literal.to_owned()),
                Part::Expression(expression, range) => {
                    let lowered =
                        parse::compile(expression, place).map_err(|error| CompileError {
                            at: Some(error.at.map_or(range.clone(), |it| {
                                range.start + it.start..range.start + it.end
                            })),
                            ..error
                        })?;
                    template.reads.add(&lowered.reads);
                    Piece::Expression(lowered.node)
                }
            });
        }
        Ok(template)
    }

    /// What it reads.
    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// One whole `{{ }}` keeps its type; anything else is a text, in which null is empty and lists and objects are JSON.
    ///
    /// # Errors
    /// When an expression cannot be computed, or the result takes more than 4 MiB.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        self.compute(&mut Evaluator::new(scope))
    }

    /// As [`Self::render`], of what tells one thing from another.
    ///
    /// # Errors
    /// As [`Self::render`], and when a number beyond 2^53 was met that may not be the one that was sent: two things
    /// would become one.
    pub fn render_key(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        let mut evaluator = Evaluator::new(scope);
        let key = self.compute(&mut evaluator)?;
        if evaluator.is_rounded() {
            return Err(EvalError {
                message: "a number that is too large to be kept exactly".to_owned(),
            });
        }
        Ok(key)
    }

    fn compute<'a>(&'a self, evaluator: &mut Evaluator<'a>) -> Result<Value, EvalError> {
        let mut left = Budget::of_result();
        if let [Piece::Expression(node)] = self.pieces.as_slice() {
            return Ok(evaluator.eval(node)?.to_json(&mut left)?);
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => {
                    left.spend(literal.len())?;
                    text.push_str(literal);
                }
                Piece::Expression(node) => {
                    text.push_str(&evaluator.eval(node)?.to_text(&mut left)?);
                }
            }
        }
        Ok(Value::String(text))
    }
}
