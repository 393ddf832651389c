//! Literal texts with `{{ CEL }}` in them, taken apart.

use std::ops::Range;

use super::CompileError;

/// A part of a template's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Literal(&'a str),
    /// What stands between `{{` and `}}`, and where.
    Expression(&'a str, Range<usize>),
}

/// # Errors
/// When a `{{` has no `}}`.
pub(super) fn split(text: &str) -> Result<Vec<Part<'_>>, CompileError> {
    let mut parts = vec![];
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|it| !it.is_empty()) {
        let Some(open) = rest.find("{{") else {
            parts.push(Part::Literal(rest));
            break;
        };
        if let Some(literal) = rest.get(..open).filter(|it| !it.is_empty()) {
            parts.push(Part::Literal(literal));
        }
        let start = at + open + 2;
        let inside = text.get(start..).unwrap_or_default();
        let Some(length) = end(inside) else {
            return Err(CompileError {
                message: "`{{` without `}}`".to_owned(),
                at: Some(start - 2..start),
                hint: None,
            });
        };
        let range = start..start + length;
        parts.push(Part::Expression(
            inside.get(..length).unwrap_or_default(),
            range,
        ));
        at = start + length + 2;
    }
    Ok(parts)
}

/// Where the `}}` is that is not part of a map or a quoted text.
fn end(inside: &str) -> Option<usize> {
    let mut braces = 0_usize;
    let mut at = 0;
    while let Some(rest) = inside.get(at..).filter(|it| !it.is_empty()) {
        if braces == 0 && rest.starts_with("}}") {
            return Some(at);
        }
        let first = rest.chars().next()?;
        at += match first {
            '"' | '\'' => quoted(rest, is_raw(inside, at))?,
            '{' => {
                braces += 1;
                1
            }
            '}' => {
                braces = braces.saturating_sub(1);
                1
            }
            other => other.len_utf8(),
        };
    }
    None
}

/// Whether the quote at `at` belongs to a raw text (`r"…"`), where a backslash means itself.
fn is_raw(inside: &str, at: usize) -> bool {
    let before = inside.get(..at).unwrap_or_default();
    let prefix = before.trim_end_matches(['r', 'R', 'b', 'B']);
    let word_before = prefix.ends_with(|it: char| it.is_alphanumeric() || it == '_');
    !word_before
        && before
            .get(prefix.len()..)
            .is_some_and(|it| it.contains(['r', 'R']))
}

/// Length of the quoted text that `rest` begins with.
fn quoted(rest: &str, raw: bool) -> Option<usize> {
    let quote = rest.get(..1)?;
    let triple = quote.repeat(3);
    let mark = if rest.starts_with(&triple) {
        triple.as_str()
    } else {
        quote
    };
    let mut at = mark.len();
    while let Some(left) = rest.get(at..).filter(|it| !it.is_empty()) {
        if left.starts_with(mark) {
            return Some(at + mark.len());
        }
        let mut chars = left.chars();
        let first = chars.next()?;
        at += first.len_utf8();
        if first == '\\' && !raw {
            at += chars.next().map_or(0, char::len_utf8);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(text: &str) -> Vec<&str> {
        split(text)
            .unwrap()
            .into_iter()
            .map(|it| match it {
                Part::Literal(text) | Part::Expression(text, _) => text,
            })
            .collect()
    }

    #[test]
    fn a_text_is_taken_apart_at_its_braces() {
        let cases: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("plain", &["plain"]),
            ("{{a}}", &["a"]),
            ("x{{ a }}y{{b}}", &["x", " a ", "y", "b"]),
            (r#"{{ "}}" }}"#, &[r#" "}}" "#]),
            (r#"{{ {"a": {"b": 1}}}}"#, &[r#" {"a": {"b": 1}}"#]),
            (
                r#"{{ "a\"}}" + '''it's }}''' }}!"#,
                &[r#" "a\"}}" + '''it's }}''' "#, "!"],
            ),
            (r#"{{ r"\" }}"#, &[r#" r"\" "#]),
            ("{ä}} {{ü}}", &["{ä}} ", "ü"]),
        ];
        for (text, expected) in cases {
            assert_eq!(inside(text), expected, "{text}");
        }
    }

    #[test]
    fn braces_that_are_not_closed_are_refused_where_they_open() {
        for text in ["a {{ b", "a {{ '}}", "a {{ {}}"] {
            assert_eq!(split(text).unwrap_err().at, Some(2..4), "{text}");
        }
    }
}
