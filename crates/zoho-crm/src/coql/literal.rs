//! Values in COQL text, escaped so that none can end its literal.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use serde_json::Number;

/// A value that a COQL condition compares with.
#[derive(Clone, PartialEq)]
pub enum Literal {
    /// Text; quotes and backslashes are escaped.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Boolean(bool),
    /// A day.
    Date(Date),
    /// A moment, to the second (COQL knows no fractions), in UTC.
    Moment(Timestamp),
}

/// A value may be a record's, and is left out.
impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Number(_) => "Number",
            Self::Boolean(_) => "Boolean",
            Self::Date(_) => "Date",
            Self::Moment(_) => "Moment",
        })
    }
}

impl Literal {
    /// As COQL text. Zoho doubles a quote ("Kaizen #171"). Whether a backslash escapes is not documented, so it is
    /// doubled as well: that cannot end the literal in either reading.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => quoted(text, out),
            // Without an exponent, which COQL may not read.
            Self::Number(number) if number.is_f64() => {
                out.push_str(&number.as_f64().unwrap_or_default().to_string());
            }
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Date(date) => quoted(&date.to_string(), out),
            Self::Moment(at) => quoted(&moment(*at), out),
        }
    }
}

/// As Zoho reads a moment in conditions: seconds and an offset.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn quoted(text: &str, out: &mut String) {
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Date> for Literal {
    fn from(date: Date) -> Self {
        Self::Date(date)
    }
}

impl From<Timestamp> for Literal {
    fn from(at: Timestamp) -> Self {
        Self::Moment(at)
    }
}

impl From<Number> for Literal {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Literal {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Literal {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Literal {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a literal at the start of `text` and gives its value and the rest. `backslash` is whether it escapes.
    fn read(text: &str, backslash: bool) -> Option<(String, &str)> {
        let mut value = String::new();
        let mut chars = text.strip_prefix('\'')?.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if backslash => value.push(chars.next()?.1),
                '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                    chars.next();
                    value.push('\'');
                }
                '\'' => return Some((value, text.get(at + 2..)?)),
                other => value.push(other),
            }
        }
        None
    }

    fn written(literal: impl Into<Literal>) -> String {
        let mut out = String::new();
        literal.into().write(&mut out);
        out
    }

    proptest! {
        #[test]
        fn no_text_ends_its_literal(text in r"(?s)[\\'\x22a(=;,)%\n -]{0,24}|.{0,40}") {
            let whole = format!("{} and", written(text.as_str()));
            let (value, rest) = read(&whole, true).expect("the literal ends");
            prop_assert_eq!((value.as_str(), rest), (text.as_str(), " and"));
            let (value, rest) = read(&whole, false).expect("the literal ends");
            prop_assert_eq!((value, rest), (text.replace('\\', "\\\\"), " and"));
        }

        #[test]
        fn numbers_are_digits(number in any::<f64>().prop_filter("finite", |it| it.is_finite())) {
            let text = written(Number::from_f64(number).unwrap());
            prop_assert!(text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.')), "{text}");
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
    }

    #[test]
    fn every_kind_of_value_has_its_form() {
        assert_eq!(written("1' 2"), "'1'' 2'");
        assert_eq!(written(r"a\b"), r"'a\\b'");
        assert_eq!(written(-3), "-3");
        assert_eq!(written(true), "true");
        let date: Date = "2026-11-22".parse().unwrap();
        assert_eq!(written(date), "'2026-11-22'");
        let at: Timestamp = "2026-11-22T21:00:00.9+05:30".parse().unwrap();
        assert_eq!(written(at), "'2026-11-22T15:30:00+00:00'");
    }
}
