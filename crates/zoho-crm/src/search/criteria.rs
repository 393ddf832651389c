//! Search criteria, escaped so that no value can end its place.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use serde_json::Number;

use crate::{Error, coql::moment, records::is_api_name};

/// Comparisons in one search. Zoho: "Search records", v7.
pub const CRITERIA_MAX: usize = 10;

/// Values in `in`. Zoho: "Search records", v8.
pub const IN_MAX: usize = 100;

/// Which records a search finds.
///
/// ```
/// use zoho_crm::search::Criteria;
/// let criteria = Criteria::equals("Last_Name", "Doe (Jr.)")
///     .or(Criteria::starts_with("Last_Name", "Ro"))
///     .and(Criteria::greater_than("Annual_Revenue", 1000));
/// assert_eq!(
///     criteria.text()?,
///     r"(((Last_Name:equals:Doe \(Jr.\))or(Last_Name:starts_with:Ro))and(Annual_Revenue:greater_than:1000))"
/// );
/// # Ok::<(), zoho_crm::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criteria(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Compare(String, &'static str, Vec<Term>),
    Pair(Box<Criteria>, &'static str, Box<Criteria>),
}

/// A value that a search compares with.
#[derive(Clone, PartialEq, Eq)]
pub struct Term(String);

/// A value may be a record's, and is left out.
impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Term")
    }
}

impl Criteria {
    /// Zoho finds texts that *contain* the value with this, too.
    pub fn equals(field: impl Into<String>, value: impl Into<Term>) -> Self {
        Self::compare(field, "equals", value)
    }

    /// Another value, or none.
    pub fn not_equal(field: impl Into<String>, value: impl Into<Term>) -> Self {
        Self::compare(field, "not_equal", value)
    }

    /// Texts that begin so.
    pub fn starts_with(field: impl Into<String>, value: impl Into<Term>) -> Self {
        Self::compare(field, "starts_with", value)
    }

    /// `>`.
    pub fn greater_than(field: impl Into<String>, value: impl Into<Term>) -> Self {
        Self::compare(field, "greater_than", value)
    }

    /// `>=`.
    pub fn greater_equal(field: impl Into<String>, value: impl Into<Term>) -> Self {
        Self::compare(field, "greater_equal", value)
    }

    /// `<`.
    pub fn less_than(field: impl Into<String>, value: impl Into<Term>) -> Self {
        Self::compare(field, "less_than", value)
    }

    /// `<=`.
    pub fn less_equal(field: impl Into<String>, value: impl Into<Term>) -> Self {
        Self::compare(field, "less_equal", value)
    }

    /// From one to the other, both included.
    pub fn between(field: impl Into<String>, low: impl Into<Term>, high: impl Into<Term>) -> Self {
        let terms = vec![low.into(), high.into()];
        Self(Kind::Compare(field.into(), "between", terms))
    }

    /// One of 1 to [`IN_MAX`] values.
    pub fn one_of<T: Into<Term>>(
        field: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let terms = values.into_iter().map(Into::into).collect();
        Self(Kind::Compare(field.into(), "in", terms))
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Kind::Pair(Box::new(self), "and", Box::new(other)))
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Kind::Pair(Box::new(self), "or", Box::new(other)))
    }

    /// As it is sent, before URL encoding.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it breaks a limit or a name cannot be one.
    pub fn text(&self) -> Result<String, Error> {
        if self.is_long() {
            return Err(Error::Misuse {
                problem: "a search takes up to 10 criteria",
            });
        }
        let mut out = String::new();
        self.write(&mut out)?;
        Ok(out)
    }

    fn compare(field: impl Into<String>, operator: &'static str, value: impl Into<Term>) -> Self {
        Self(Kind::Compare(field.into(), operator, vec![value.into()]))
    }

    fn is_long(&self) -> bool {
        let mut left = vec![self];
        let mut found = 0;
        while let Some(criteria) = left.pop() {
            match &criteria.0 {
                Kind::Pair(one, _, other) => left.extend([&**one, other]),
                Kind::Compare(..) => found += 1,
            }
            if found > CRITERIA_MAX {
                return true;
            }
        }
        false
    }

    fn write(&self, out: &mut String) -> Result<(), Error> {
        out.push('(');
        match &self.0 {
            Kind::Pair(one, word, other) => {
                one.write(out)?;
                out.push_str(word);
                other.write(out)?;
            }
            Kind::Compare(field, operator, terms) => {
                if !is_api_name(field) {
                    return Err(Error::Misuse {
                        problem: "not a field's name",
                    });
                }
                if !(1..=IN_MAX).contains(&terms.len()) {
                    return Err(Error::Misuse {
                        problem: "a search for one of several values takes 1 to 100 of them",
                    });
                }
                out.push_str(field);
                out.push(':');
                out.push_str(operator);
                for (index, term) in terms.iter().enumerate() {
                    out.push(if index == 0 { ':' } else { ',' });
                    escaped(&term.0, out);
                }
            }
        }
        out.push(')');
        Ok(())
    }
}

/// Zoho: "Search records", v8: parentheses, commas and backslashes are escaped with a backslash.
fn escaped(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, '(' | ')' | ',' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

impl From<&str> for Term {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Term {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<bool> for Term {
    fn from(value: bool) -> Self {
        Self(value.to_string())
    }
}

impl From<i32> for Term {
    fn from(number: i32) -> Self {
        Self(number.to_string())
    }
}

impl From<i64> for Term {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<Number> for Term {
    fn from(number: Number) -> Self {
        Self(number.to_string())
    }
}

impl From<Date> for Term {
    fn from(date: Date) -> Self {
        Self(date.to_string())
    }
}

impl From<Timestamp> for Term {
    fn from(at: Timestamp) -> Self {
        Self(moment(at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The field, operator and values of one comparison, and what follows it.
    fn read(text: &str) -> Option<(Vec<String>, &str)> {
        let mut parts = vec![String::new()];
        let mut chars = text.strip_prefix('(')?.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => parts.last_mut()?.push(chars.next()?.1),
                ':' if parts.len() < 3 => parts.push(String::new()),
                ',' => parts.push(String::new()),
                ')' => return Some((parts, text.get(at + 2..)?)),
                '(' => return None,
                other => parts.last_mut()?.push(other),
            }
        }
        None
    }

    proptest! {
        #[test]
        fn no_value_ends_its_place(
            one in r"(?s)[\\(),:a ]{0,16}|.{0,30}",
            other in r"(?s)[\\(),:a ]{0,16}|.{0,30}",
        ) {
            let criteria = Criteria::between("Last_Name", one.as_str(), other.as_str());
            let text = format!("{}rest", criteria.text().unwrap());
            let (parts, rest) = read(&text).expect("it ends");
            prop_assert_eq!(parts, ["Last_Name", "between", one.as_str(), other.as_str()]);
            prop_assert_eq!(rest, "rest");
        }
    }

    #[test]
    fn what_breaks_a_limit_is_refused() {
        let one = || Criteria::equals("a", 1);
        let ten = (0..9).fold(one(), |all, _| all.and(one()));
        assert!(ten.text().is_ok());
        for bad in [
            ten.and(one()),
            Criteria::equals("a:equals:b)or(c", 1),
            Criteria::one_of("a", 0..101),
            Criteria::one_of("a", Vec::<Term>::new()),
        ] {
            assert!(bad.text().is_err(), "{bad:?}");
        }
    }
}
