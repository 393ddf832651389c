//! The names an expression may use, and the nearest one to a name that is not known.

use super::{
    Place,
    node::{Function, Part, Var},
};

/// What `event` has. All are texts but `changed`, a list.
pub const EVENT_FIELDS: [&str; 11] = [
    "module",
    "operation",
    "id",
    "type",
    "time",
    "origin",
    "source",
    "connection",
    "changed",
    "sequence",
    "recordstate",
];

const VARIABLES: [(&str, Var); 6] = [
    ("event", Var::Event),
    ("record", Var::Record),
    ("before", Var::Before),
    ("source", Var::Source),
    ("body", Var::Body),
    ("now", Var::Now),
];

/// The variable of that name, where it may be used.
pub(super) fn variable(name: &str, place: Place) -> Option<Var> {
    let (_, var) = VARIABLES.iter().find(|(it, _)| *it == name)?;
    allowed(*var, place).then_some(*var)
}

const fn allowed(var: Var, place: Place) -> bool {
    match place {
        Place::Route => true,
        Place::Read => matches!(var, Var::Source | Var::Body | Var::Now),
    }
}

/// CEL's names of types, as `type()` compares them.
pub(super) fn type_named(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 10] = [
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "type",
        "uint",
    ];
    NAMES.into_iter().find(|it| *it == name)
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `f(x)`.
    Plain,
    /// `x.f()`.
    Method,
    /// Both.
    Either,
}

/// Name, what it is, how it is called, fewest and most arguments (the target counts).
pub(super) type Known = (&'static str, Function, Form, usize, usize);

const FUNCTIONS: [Known; 24] = [
    ("size", Function::Size, Form::Either, 1, 1),
    ("contains", Function::Contains, Form::Method, 2, 2),
    ("startsWith", Function::StartsWith, Form::Method, 2, 2),
    ("endsWith", Function::EndsWith, Form::Method, 2, 2),
    ("bool", Function::Bool, Form::Plain, 1, 1),
    ("int", Function::Int, Form::Plain, 1, 1),
    ("uint", Function::Uint, Form::Plain, 1, 1),
    ("double", Function::Double, Form::Plain, 1, 1),
    ("string", Function::Text, Form::Plain, 1, 1),
    ("bytes", Function::Bytes, Form::Plain, 1, 1),
    ("timestamp", Function::Timestamp, Form::Plain, 1, 1),
    ("duration", Function::Duration, Form::Plain, 1, 1),
    ("type", Function::Type, Form::Plain, 1, 1),
    ("dyn", Function::Dyn, Form::Plain, 1, 1),
    part("getFullYear", Part::FullYear),
    part("getMonth", Part::Month),
    part("getDate", Part::Date),
    part("getDayOfMonth", Part::DayOfMonth),
    part("getDayOfWeek", Part::DayOfWeek),
    part("getDayOfYear", Part::DayOfYear),
    part("getHours", Part::Hours),
    part("getMinutes", Part::Minutes),
    part("getSeconds", Part::Seconds),
    part("getMilliseconds", Part::Milliseconds),
];

const fn part(name: &'static str, part: Part) -> Known {
    (name, Function::Part(part), Form::Method, 1, 2)
}

pub(super) fn function(name: &str) -> Option<&'static Known> {
    FUNCTIONS.iter().find(|(it, ..)| *it == name)
}

pub(super) fn hint_variable(name: &str, place: Place) -> String {
    let known = VARIABLES
        .iter()
        .filter(|(_, var)| allowed(*var, place))
        .map(|(it, _)| *it);
    if let Some(near) = nearest(name, known) {
        return format!("did you mean `{near}`?");
    }
    match place {
        // Zoho spells its fields' API names with a capital.
        Place::Route if name.starts_with(char::is_uppercase) => {
            format!("a field is written `record.{name}`")
        }
        Place::Route => "variables are event, record, before, source, body and now".to_owned(),
        Place::Read => "variables here are body, source and now".to_owned(),
    }
}

pub(super) fn hint_function(name: &str, place: Place) -> Option<String> {
    let ours: &[&str] = match place {
        Place::Route => &["changed", "left"],
        Place::Read => &[],
    };
    let known = FUNCTIONS
        .iter()
        .map(|(it, ..)| *it)
        .chain([
            "matches",
            "has",
            "all",
            "exists",
            "exists_one",
            "map",
            "filter",
        ])
        .chain(ours.iter().copied());
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// The known name most like `name`, if any is near.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: usize = 3;
    let lower = name.to_lowercase();
    known
        .map(|it| (strsim::damerau_levenshtein(&lower, &it.to_lowercase()), it))
        .filter(|(distance, it)| *distance < NEAR && *distance * 2 <= it.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}
