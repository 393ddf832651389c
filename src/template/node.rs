//! A compiled expression: names resolved, patterns compiled, nothing left to look up.

use regex::Regex;

/// The variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Var {
    Event,
    Record,
    Before,
    Source,
    Body,
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Math {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// CEL's standard functions, `matches` aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Timestamp,
    Duration,
    Type,
    Dyn,
    Part(Part),
}

/// What the functions `getFullYear`, `getHours`, … take out of a timestamp or duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Type(&'static str),
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Literal(Literal),
    Var(Var),
    /// `record.F`, `event.F`, …: read without building the whole.
    Field(Var, String),
    /// `has(record.F)`.
    HasField(Var, String),
    /// A variable of a comprehension, by its place on the stack.
    Local(usize),
    Select(Box<Node>, String),
    Has(Box<Node>, String),
    Index(Box<[Node; 2]>),
    List(Vec<Node>),
    Map(Vec<[Node; 2]>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Not(Box<Node>),
    /// CEL's `@not_strictly_false`: true unless the value is false; an error is true.
    NotFalse(Box<Node>),
    If(Box<[Node; 3]>),
    Negate(Box<Node>),
    Math(Math, Box<[Node; 2]>),
    Equal(Box<[Node; 2]>),
    Differ(Box<[Node; 2]>),
    Order(Order, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    /// With the target, if any, as the first argument.
    Call(Function, Vec<Node>),
    /// `matches` with a literal pattern.
    Matches(Box<Node>, Regex),
    /// `matches` with a computed pattern.
    MatchesComputed(Box<[Node; 2]>),
    Changed(String),
    Left,
    Fold(Box<Fold>),
    /// `@result + [item]` of `map` and `filter`: appends in place.
    Append(usize, Box<Node>),
}

/// What the macros `all`, `exists`, `exists_one`, `map` and `filter` become.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    pub(super) range: Node,
    pub(super) start: Node,
    pub(super) go_on: Node,
    pub(super) step: Node,
    pub(super) result: Node,
    /// Place of the item on the stack; the result so far is at the next one.
    pub(super) slot: usize,
}
