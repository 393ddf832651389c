//! COQL conditions: comparisons, and pairs of them.

use super::literal::Literal;
use crate::{Error, records::is_api_name};

/// Values in `in` and `not in`. Zoho: "COQL limitations", v8 (50 to 100; the lower always works).
pub const IN_MAX: usize = 50;

/// A condition of a [`Select`](super::Select).
///
/// ```
/// use zoho_crm::coql::{Condition, field};
/// let _: Condition = field("Stage").eq("Closed Won").and(field("Amount").ge(50_000));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Compare(String, &'static str, Literal),
    Among(String, &'static str, Vec<Literal>),
    Between(String, &'static str, Literal, Literal),
    Null(String, &'static str),
    Pair(Box<Condition>, &'static str, Box<Condition>),
}

/// A field by API name, through lookups with dots (`Account_Name.Industry`), to make a [`Condition`] of.
pub fn field(name: impl Into<String>) -> FieldName {
    FieldName(name.into())
}

/// See [`field`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(String);

impl FieldName {
    /// `=`.
    #[must_use]
    pub fn eq(self, value: impl Into<Literal>) -> Condition {
        self.compare("=", value)
    }

    /// `!=`.
    #[must_use]
    pub fn ne(self, value: impl Into<Literal>) -> Condition {
        self.compare("!=", value)
    }

    /// `<`.
    #[must_use]
    pub fn lt(self, value: impl Into<Literal>) -> Condition {
        self.compare("<", value)
    }

    /// `<=`.
    #[must_use]
    pub fn le(self, value: impl Into<Literal>) -> Condition {
        self.compare("<=", value)
    }

    /// `>`.
    #[must_use]
    pub fn gt(self, value: impl Into<Literal>) -> Condition {
        self.compare(">", value)
    }

    /// `>=`.
    #[must_use]
    pub fn ge(self, value: impl Into<Literal>) -> Condition {
        self.compare(">=", value)
    }

    /// `like`, with `%` for any text.
    #[must_use]
    pub fn like(self, pattern: impl Into<String>) -> Condition {
        self.compare("like", pattern.into())
    }

    /// `not like`, with `%` for any text.
    #[must_use]
    pub fn not_like(self, pattern: impl Into<String>) -> Condition {
        self.compare("not like", pattern.into())
    }

    /// `in`, with 1 to [`IN_MAX`] values.
    #[must_use]
    pub fn one_of<V: Into<Literal>>(self, values: impl IntoIterator<Item = V>) -> Condition {
        Condition(Kind::Among(
            self.0,
            "in",
            values.into_iter().map(Into::into).collect(),
        ))
    }

    /// `not in`, with 1 to [`IN_MAX`] values.
    #[must_use]
    pub fn none_of<V: Into<Literal>>(self, values: impl IntoIterator<Item = V>) -> Condition {
        Condition(Kind::Among(
            self.0,
            "not in",
            values.into_iter().map(Into::into).collect(),
        ))
    }

    /// `between`, both ends included.
    #[must_use]
    pub fn between(self, low: impl Into<Literal>, high: impl Into<Literal>) -> Condition {
        Condition(Kind::Between(self.0, "between", low.into(), high.into()))
    }

    /// `not between`.
    #[must_use]
    pub fn not_between(self, low: impl Into<Literal>, high: impl Into<Literal>) -> Condition {
        Condition(Kind::Between(
            self.0,
            "not between",
            low.into(),
            high.into(),
        ))
    }

    /// `is null`.
    #[must_use]
    pub fn is_null(self) -> Condition {
        Condition(Kind::Null(self.0, "is null"))
    }

    /// `is not null`.
    #[must_use]
    pub fn is_not_null(self) -> Condition {
        Condition(Kind::Null(self.0, "is not null"))
    }

    fn compare(self, operator: &'static str, value: impl Into<Literal>) -> Condition {
        Condition(Kind::Compare(self.0, operator, value.into()))
    }
}

impl Condition {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.pair("and", other)
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.pair("or", other)
    }

    fn pair(self, word: &'static str, other: Self) -> Self {
        Self(Kind::Pair(Box::new(self), word, Box::new(other)))
    }

    /// Its comparisons, without looking further than just past `most`.
    pub(crate) fn count(&self, most: usize) -> usize {
        let mut left = vec![self];
        let mut found = 0;
        while let Some(condition) = left.pop() {
            if let Kind::Pair(one, _, other) = &condition.0 {
                left.push(one);
                left.push(other);
            } else {
                found += 1;
            }
            if found > most {
                break;
            }
        }
        found
    }

    /// As COQL text, every pair in parentheses: Zoho wants more than two criteria grouped in pairs ("Kaizen #171").
    pub(crate) fn write(&self, out: &mut String) -> Result<(), Error> {
        match &self.0 {
            Kind::Compare(name, operator, value) => {
                start(name, operator, out)?;
                out.push(' ');
                value.write(out);
            }
            Kind::Among(name, operator, values) => {
                if !(1..=IN_MAX).contains(&values.len()) {
                    return Err(Error::Misuse {
                        problem: "a coql `in` takes 1 to 50 values",
                    });
                }
                start(name, operator, out)?;
                for (index, value) in values.iter().enumerate() {
                    out.push_str(if index == 0 { " (" } else { ", " });
                    value.write(out);
                }
                out.push(')');
            }
            Kind::Between(name, operator, low, high) => {
                start(name, operator, out)?;
                out.push(' ');
                low.write(out);
                out.push_str(" and ");
                high.write(out);
            }
            Kind::Null(name, operator) => start(name, operator, out)?,
            Kind::Pair(one, word, other) => {
                out.push('(');
                one.write(out)?;
                out.push(' ');
                out.push_str(word);
                out.push(' ');
                other.write(out)?;
                out.push(')');
            }
        }
        Ok(())
    }
}

fn start(name: &str, operator: &str, out: &mut String) -> Result<(), Error> {
    if !is_api_name(name) {
        return Err(Error::Misuse {
            problem: "not a field's name",
        });
    }
    out.push_str(name);
    out.push(' ');
    out.push_str(operator);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(condition: &Condition) -> String {
        let mut out = String::new();
        condition.write(&mut out).unwrap();
        out
    }

    #[test]
    fn conditions_are_grouped_in_pairs() {
        let condition = field("Stage")
            .ne("Closed Lost")
            .and(field("Amount").between(1, 5))
            .or(field("Account_Name.Industry").one_of(["A", "B"]))
            .and(field("Email").is_not_null());
        assert_eq!(
            text(&condition),
            "(((Stage != 'Closed Lost' and Amount between 1 and 5) or Account_Name.Industry in ('A', 'B')) and Email is not null)"
        );
        assert_eq!(condition.count(25), 4);
        assert_eq!(condition.count(2), 3);
    }

    #[test]
    fn names_and_lists_that_cannot_be_are_refused() {
        for bad in [
            field("a = 1 or b").eq(1),
            field("id").one_of(Vec::<Literal>::new()),
            field("id").none_of(0..51),
        ] {
            assert!(bad.write(&mut String::new()).is_err(), "{bad:?}");
        }
    }
}
