//! CEL's standard functions on values.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "values have their type at run time: every other one is refused"
)]
#![expect(
    clippy::map_err_ignore,
    reason = "causes quote the value, which is record content"
)]

use std::{borrow::Cow, rc::Rc};

use jiff::{
    SignedDuration, Timestamp,
    tz::{Offset, TimeZone},
};

use super::{
    node::{Function, Math, Part},
    number,
    value::{Budget, Fault, Val},
};

type Outcome<'a> = Result<Val<'a>, Fault>;

pub(super) fn text<'v>(value: &'v Val<'_>) -> Result<&'v str, Fault> {
    match value {
        Val::Text(it) => Ok(it),
        other => Err(Fault::new(format!(
            "a string is needed, not {}",
            other.type_name()
        ))),
    }
}

/// `args` holds the target first.
pub(super) fn call<'a>(function: Function, args: &[Val<'a>]) -> Outcome<'a> {
    let Some(first) = args.first() else {
        return Err(Fault::new("an argument is missing"));
    };
    let second = args.get(1);
    let pair = |test: fn(&str, &str) -> bool| {
        let second = text(second.unwrap_or(&Val::Null))?;
        Ok(Val::Bool(test(text(first)?, second)))
    };
    match function {
        Function::Size => size(first),
        Function::Contains => pair(|a, b| a.contains(b)),
        Function::StartsWith => pair(|a, b| a.starts_with(b)),
        Function::EndsWith => pair(|a, b| a.ends_with(b)),
        Function::Bool => to_bool(first),
        Function::Int => to_whole(first, false),
        Function::Uint => to_whole(first, true),
        Function::Double => to_double(first),
        Function::Text => to_string(first),
        Function::Bytes => match first {
            Val::Text(it) => Ok(Val::Bytes(Rc::new(it.as_bytes().to_vec()))),
            Val::Bytes(_) => Ok(first.clone()),
            other => refuse("bytes", other),
        },
        Function::Timestamp => timestamp(first),
        Function::Duration => duration(first),
        Function::Type => Ok(Val::Type(first.type_name())),
        Function::Dyn => Ok(first.clone()),
        Function::Part(part) => part_of(part, first, second),
    }
}

fn refuse<'a>(function: &str, value: &Val<'_>) -> Outcome<'a> {
    Err(Fault::new(format!(
        "`{function}` does not take {}",
        value.type_name()
    )))
}

fn not_a<'a>(what: &'static str) -> impl Fn() -> Fault + use<'a> {
    move || Fault::new(format!("a string that is not a {what}"))
}

fn size<'a>(value: &Val<'_>) -> Outcome<'a> {
    let size = match value {
        Val::Text(it) => it.chars().count(),
        Val::Bytes(it) => it.len(),
        Val::List(it) => it.len(),
        Val::Map(it) => it.len(),
        Val::Array(it) => it.len(),
        Val::Object(it) => it.len(),
        other => return refuse("size", other),
    };
    number::fit(i128::try_from(size).unwrap_or(i128::MAX), false)
}

fn to_bool<'a>(value: &Val<'_>) -> Outcome<'a> {
    match value {
        Val::Bool(it) => Ok(Val::Bool(*it)),
        Val::Text(it) => match it.as_ref() {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Val::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Val::Bool(false)),
            _ => Err(not_a("bool")()),
        },
        other => refuse("bool", other),
    }
}

fn to_whole<'a>(value: &Val<'_>, unsigned: bool) -> Outcome<'a> {
    let name = if unsigned { "uint" } else { "int" };
    let whole = match value {
        Val::Double(it) => number::whole_of(it.trunc()).ok_or(Fault::new("integer overflow"))?,
        Val::Text(it) => it.parse().map_err(|_| not_a("whole number")())?,
        Val::Time(it) if !unsigned => i128::from(it.as_second()),
        other => match number::integer(other) {
            Some(it) => it,
            None => return refuse(name, other),
        },
    };
    number::fit(whole, unsigned)
}

fn to_double<'a>(value: &Val<'_>) -> Outcome<'a> {
    match value {
        Val::Text(it) => it.parse().map(Val::Double).map_err(|_| not_a("number")()),
        other => match number::double(other) {
            Some(it) => Ok(Val::Double(it)),
            None => refuse("double", other),
        },
    }
}

fn to_string<'a>(value: &Val<'a>) -> Outcome<'a> {
    let text = match value {
        Val::Text(it) => it.clone(),
        Val::Bytes(it) => String::from_utf8(it.as_ref().clone())
            .map_err(|_| Fault::new("bytes that are not UTF-8"))?
            .into(),
        Val::Null | Val::List(_) | Val::Map(_) | Val::Array(_) | Val::Object(_) => {
            return refuse("string", value);
        }
        other => Cow::Owned(other.to_text(&mut Budget::of_built())?),
    };
    Ok(Val::Text(text))
}

fn timestamp<'a>(value: &Val<'_>) -> Outcome<'a> {
    match value {
        Val::Time(it) => Ok(Val::Time(*it)),
        Val::Text(it) => it
            .parse()
            .map(Val::Time)
            .map_err(|_| not_a("timestamp (RFC 3339)")()),
        Val::Int(it) => Timestamp::from_second(*it)
            .map(Val::Time)
            .map_err(|_| Fault::new("a timestamp out of range")),
        other => refuse("timestamp", other),
    }
}

fn duration<'a>(value: &Val<'_>) -> Outcome<'a> {
    match value {
        Val::Span(it) => Ok(Val::Span(*it)),
        Val::Text(it) => it
            .parse()
            .map(Val::Span)
            .map_err(|_| not_a("duration (1h30m, 5s)")()),
        other => refuse("duration", other),
    }
}

pub(super) fn negate<'a>(value: &Val<'_>) -> Outcome<'a> {
    match value {
        Val::Int(it) => it
            .checked_neg()
            .map(Val::Int)
            .ok_or(Fault::new("integer overflow")),
        Val::Double(it) => Ok(Val::Double(-it)),
        Val::Span(it) => it
            .checked_neg()
            .map(Val::Span)
            .ok_or(Fault::new("duration overflow")),
        other => refuse("-", other),
    }
}

/// `+` and `-` of times, durations and bytes; the error for everything else.
pub(super) fn add_times<'a>(math: Math, a: &Val<'_>, b: &Val<'_>) -> Outcome<'a> {
    let overflow = || Fault::new("timestamp out of range");
    match (math, a, b) {
        (Math::Add, Val::Time(time), Val::Span(span))
        | (Math::Add, Val::Span(span), Val::Time(time)) => time
            .checked_add(*span)
            .map(Val::Time)
            .map_err(|_| overflow()),
        (Math::Subtract, Val::Time(time), Val::Span(span)) => time
            .checked_sub(*span)
            .map(Val::Time)
            .map_err(|_| overflow()),
        (Math::Subtract, Val::Time(a), Val::Time(b)) => Ok(Val::Span(a.duration_since(*b))),
        (Math::Add, Val::Span(a), Val::Span(b)) => {
            a.checked_add(*b).map(Val::Span).ok_or_else(overflow)
        }
        (Math::Subtract, Val::Span(a), Val::Span(b)) => {
            a.checked_sub(*b).map(Val::Span).ok_or_else(overflow)
        }
        (Math::Add, Val::Bytes(a), Val::Bytes(b)) => {
            Ok(Val::Bytes(Rc::new([a.as_slice(), b.as_slice()].concat())))
        }
        (math, a, b) => Err(Fault::new(format!(
            "`{}` does not take {} and {}",
            sign(math),
            a.type_name(),
            b.type_name()
        ))),
    }
}

const fn sign(math: Math) -> &'static str {
    match math {
        Math::Add => "+",
        Math::Subtract => "-",
        Math::Multiply => "*",
        Math::Divide => "/",
        Math::Remainder => "%",
    }
}

fn part_of<'a>(part: Part, value: &Val<'_>, zone: Option<&Val<'_>>) -> Outcome<'a> {
    match (value, zone) {
        (Val::Time(time), None) => Ok(Val::Int(part_of_time(part, *time, TimeZone::UTC))),
        (Val::Time(time), Some(zone)) => {
            let zone = time_zone(text(zone)?)
                .ok_or_else(|| Fault::new("a string that is not a time zone"))?;
            Ok(Val::Int(part_of_time(part, *time, zone)))
        }
        (Val::Span(span), None) => part_of_span(part, *span),
        (other, _) => Err(Fault::new(format!(
            "no date or time in {}",
            other.type_name()
        ))),
    }
}

/// `Asia/Kolkata`, `+05:30` or `05:30`.
fn time_zone(name: &str) -> Option<TimeZone> {
    if let Some((hours, minutes)) = name.split_once(':') {
        let sign = if hours.starts_with('-') { -1 } else { 1 };
        let hours: i32 = hours.trim_start_matches(['+', '-']).parse().ok()?;
        let minutes: i32 = minutes.parse().ok()?;
        let seconds = hours
            .checked_mul(3600)?
            .checked_add(minutes.checked_mul(60)?)?;
        return Offset::from_seconds(sign * seconds)
            .ok()
            .map(TimeZone::fixed);
    }
    TimeZone::get(name).ok()
}

fn part_of_time(part: Part, time: Timestamp, zone: TimeZone) -> i64 {
    let at = time.to_zoned(zone);
    match part {
        Part::FullYear => i64::from(at.year()),
        Part::Month => i64::from(at.month()) - 1,
        Part::Date => i64::from(at.day()),
        Part::DayOfMonth => i64::from(at.day()) - 1,
        Part::DayOfWeek => i64::from(at.weekday().to_sunday_zero_offset()),
        Part::DayOfYear => i64::from(at.day_of_year()) - 1,
        Part::Hours => i64::from(at.hour()),
        Part::Minutes => i64::from(at.minute()),
        Part::Seconds => i64::from(at.second()),
        Part::Milliseconds => i64::from(at.millisecond()),
    }
}

fn part_of_span<'a>(part: Part, span: SignedDuration) -> Outcome<'a> {
    Ok(Val::Int(match part {
        Part::Hours => span.as_hours(),
        Part::Minutes => span.as_mins(),
        Part::Seconds => span.as_secs(),
        Part::Milliseconds => i64::from(span.subsec_millis()),
        Part::FullYear
        | Part::Month
        | Part::Date
        | Part::DayOfMonth
        | Part::DayOfWeek
        | Part::DayOfYear => return Err(Fault::new("no date in a duration")),
    }))
}
