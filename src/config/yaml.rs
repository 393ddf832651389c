//! The file as a tree in which every value knows where it stands, so that all problems can be named at once.

use std::{fmt, ops::Range};

use serde::de;
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

/// Bytes of the source text.
pub(super) type Span = Range<usize>;

/// Deepest nesting. The reader needs some 10 KiB of stack a level in a debug build.
const DEPTH_MAX: usize = 40;

/// Most values, those that aliases repeat included.
const NODES_MAX: usize = 100_000;

/// A value of the file.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    /// Where it stands; of a list or mapping only the place where it begins.
    pub(super) span: Span,
    /// Where a problem with it is shown: a scalar itself, else the key that leads to it.
    pub(super) at: Span,
    /// Keys from the top, with dots.
    pub(super) path: String,
}

#[derive(Debug)]
pub(super) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the file's order, keys given twice included.
    Map(Vec<Entry>),
    /// Already complained about.
    Broken,
}

/// Text, number or boolean; which of them is for the reader to say.
#[derive(Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) style: Style,
    /// The text is no longer what the file says.
    pub(super) substituted: bool,
    /// And came from a `:-fallback`, which the file says after all.
    pub(super) by_fallback: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// `|` or `>`, or plain over several lines.
    Block,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) node: Node,
}

/// Why the text is not YAML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) at: usize,
}

/// Parses one document.
pub(super) fn parse(source: &str) -> Result<Node, SyntaxError> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
        },
    };
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(source, options)
        .map_err(|error| syntax_error(source, &error))?;
    let start = byte_span(source, raw.referenced);
    Ok(node(source, raw, start, String::new()))
}

fn syntax_error(source: &str, error: &serde_saphyr::Error) -> SyntaxError {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let text = error.without_snippet().to_string();
    let place = format!(" at line {}, column {}", location.line(), location.column());
    SyntaxError {
        message: text.replace(&place, ""),
        at: byte_span(source, location).start,
    }
}

fn node(source: &str, raw: Spanned<Raw>, at: Span, path: String) -> Node {
    let span = byte_span(source, raw.referenced);
    let written = source
        .get(byte_span(source, raw.defined))
        .unwrap_or_default();
    let (at, value) = match raw.value {
        Raw::Null => (at, Value::Null),
        Raw::Plain => (span.clone(), scalar(written, written.to_owned())),
        Raw::Text(text) => (span.clone(), scalar(written, text)),
        Raw::List(items) => {
            let node = |(index, item): (usize, Spanned<Raw>)| {
                let at = byte_span(source, item.referenced);
                node(source, item, at, format!("{path}[{index}]"))
            };
            (
                at,
                Value::List(items.into_iter().enumerate().map(node).collect()),
            )
        }
        Raw::Map(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| {
                let key_span = byte_span(source, key.referenced);
                let path = match path.as_str() {
                    "" => key.value.clone(),
                    above => format!("{above}.{}", key.value),
                };
                Entry {
                    node: node(source, value, key_span.clone(), path),
                    key: key.value,
                    key_span,
                }
            };
            (at, Value::Map(entries.into_iter().map(entry).collect()))
        }
    };
    Node {
        value,
        span,
        at,
        path,
    }
}

fn scalar(written: &str, text: String) -> Value {
    let style = if written.starts_with(['"', '\'']) {
        Style::Quoted
    } else if written == text {
        Style::Plain
    } else {
        Style::Block
    };
    Value::Scalar(Scalar {
        text,
        style,
        substituted: false,
        by_fallback: false,
    })
}

/// Syntax errors have no byte offsets, only characters.
fn byte_span(source: &str, location: Location) -> Span {
    let span = location.span();
    let number = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
    let bytes = span.byte_offset().zip(span.byte_len());
    let (start, length) = if let Some((start, length)) = bytes {
        (number(start), number(length))
    } else {
        let nth = number(span.offset());
        let start = source.char_indices().nth(nth).map(|it| it.0);
        (start.unwrap_or(source.len()), 0)
    };
    let end = start.saturating_add(length).min(source.len());
    start.min(end)..end
}

/// What the YAML reader tells; numbers and booleans are taken from the source, digit by digit.
enum Raw {
    Null,
    Plain,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> de::Deserialize<'de> for Raw {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> de::Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = vec![];
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = vec![];
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// Bytes of the source for bytes of a scalar's text; all of it where they cannot be told.
pub(super) fn span_within(source: &str, node: &Node, part: &Span) -> Span {
    let Value::Scalar(scalar) = &node.value else {
        return node.at.clone();
    };
    let written = source.get(node.span.clone()).unwrap_or_default();
    if scalar.substituted {
        return node.span.clone();
    }
    let offsets = match scalar.style {
        Style::Plain => return node.span.start + part.start..node.span.start + part.end,
        Style::Quoted => quoted_offsets(written),
        Style::Block => {
            let within = block_span(written, &scalar.text, part);
            let shift = |it: Span| node.span.start + it.start..node.span.start + it.end;
            return within.map_or(node.span.clone(), shift);
        }
    };
    let at = |byte: usize| offsets.get(byte).map(|it| node.span.start + it);
    match (at(part.start), at(part.end)) {
        (Some(start), Some(end)) => start..end,
        _ => node.span.clone(),
    }
}

/// In a `|` block each line of the text is a line of the source, indented.
fn block_span(written: &str, text: &str, part: &Span) -> Option<Span> {
    let before = text.get(..part.start)?;
    let number = before.matches('\n').count();
    let column = before.len() - before.rfind('\n').map_or(0, |it| it + 1);
    let line = text.split('\n').nth(number)?;
    let mut start = 0;
    for source_line in written.split('\n').take(number) {
        start += source_line.len() + 1;
    }
    let source_line = written.get(start..)?.split('\n').next()?;
    let indent = source_line.strip_suffix(line)?.len();
    let length = part.len().min(line.len() - column);
    let start = start + indent + column;
    Some(start..start + length)
}

/// For each byte of a quoted scalar's text (and its end) the byte of `written` it came from.
fn quoted_offsets(written: &str) -> Vec<usize> {
    let quote = written.chars().next().unwrap_or('"');
    let mut offsets = vec![];
    let mut chars = written.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if quote == '\'' && c == '\'' {
            if chars.next_if(|it| it.1 == '\'').is_none() {
                offsets.push(at);
                break;
            }
            offsets.push(at);
        } else if quote == '"' && c == '"' {
            offsets.push(at);
            break;
        } else if quote == '"' && c == '\\' {
            let escaped = chars.next().map_or('"', |it| it.1);
            let digits = match escaped {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let code: String = chars.by_ref().take(digits).map(|it| it.1).collect();
            let length = u32::from_str_radix(&code, 16)
                .ok()
                .and_then(char::from_u32)
                .map_or(1, char::len_utf8);
            offsets.extend(std::iter::repeat_n(at, length));
        } else {
            offsets.extend(std::iter::repeat_n(at, c.len_utf8()));
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(root: &'a Node, key: &str) -> &'a Node {
        let Value::Map(entries) = &root.value else {
            panic!("not a mapping");
        };
        &entries.iter().find(|it| it.key == key).unwrap().node
    }

    /// The source text that is named for the bytes of a scalar's text that read `part`.
    fn check(source: &str, part: &str, expected: &str) {
        let root = parse(source).unwrap();
        let node = entry(&root, "k");
        let Value::Scalar(scalar) = &node.value else {
            panic!("not a scalar");
        };
        let start = scalar.text.find(part).unwrap();
        let span = span_within(source, node, &(start..start + part.len()));
        assert_eq!(source.get(span), Some(expected), "in {source}");
    }

    #[test]
    fn a_part_of_a_scalar_is_found_in_the_source() {
        check("k: aa bb cc\n", "bb", "bb");
        check("é: ü\nk: 'é ''q'' bb'\n", "bb", "bb");
        check(r#"k: "é \"q\" \u00e9 bb""#, "bb", "bb");
        check(r#"k: "aa" "#, "aa", "aa");
        check("k: |\n  aa\n   é bb cc\n", "bb", "bb");
        check("k: >\n  aa\n  bb cc\n", "bb", "aa\n  bb cc\n");
    }

    #[test]
    fn numbers_keep_their_digits() {
        for text in ["007", "1.50", "123456789012345678901234567890", "yes", "on"] {
            let root = parse(&format!("k: {text}")).unwrap();
            let Value::Scalar(scalar) = &entry(&root, "k").value else {
                panic!("not a scalar");
            };
            assert_eq!((scalar.text.as_str(), scalar.style), (text, Style::Plain));
        }
    }

    #[test]
    fn a_syntax_error_has_a_place() {
        let error = parse("a: 1\n  b: 2\n").unwrap_err();
        assert_eq!(error.at, 8);
        assert_eq!(
            error.message,
            "mapping values are not allowed in this context"
        );
    }
}
