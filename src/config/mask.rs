//! The line that a problem shows: only scalars that are known to be no secret stay readable.

use std::collections::BTreeSet;

use super::{
    problem::ShownLine,
    substitute::{PartKind, parts},
    yaml::{Node, Span, Value},
};

const MASK: &str = "***";

/// Longest part of a line that is shown, in bytes.
const LINE_BYTES_MAX: usize = 400;

/// Where everything stands that may be a secret, in the file's order.
pub(super) fn scalars(node: &Node) -> Vec<Span> {
    let mut spans = vec![];
    collect(node, &mut spans);
    spans.sort_by_key(|it| (it.start, it.end));
    spans.dedup();
    spans
}

fn collect(node: &Node, spans: &mut Vec<Span>) {
    match &node.value {
        Value::Scalar(_) | Value::Broken => spans.push(node.span.clone()),
        Value::List(items) => items.iter().for_each(|it| collect(it, spans)),
        Value::Map(entries) => {
            for entry in entries {
                if matches!(entry.node.value, Value::Null) {
                    // `{ secret }` is a mapping with a key and no value.
                    spans.push(entry.key_span.clone());
                }
                collect(&entry.node, spans);
            }
        }
        Value::Null => {}
    }
}

/// Line and column, from 1, of a byte; the column in characters.
pub(super) fn place(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |it| it + 1);
    let column = before.get(start..).map_or(0, |it| it.chars().count()) + 1;
    (line, column)
}

/// The line on which `at` begins; all `scalars` but those that begin in `readable` are masked.
pub(super) fn masked_line(
    source: &str,
    at: &Span,
    scalars: &[Span],
    readable: &BTreeSet<usize>,
) -> Option<ShownLine> {
    let mut line = line_of(source, at.start)?;
    line.end = before_comment(source, &line, scalars)?;
    let mut shown = Shown::new(at);
    let mut done = line.start;
    for span in scalars {
        let secret = span.start.max(done)..span.end.min(line.end);
        if secret.is_empty() || readable.contains(&span.start) {
            continue;
        }
        shown.keep(done, source.get(done..secret.start)?);
        let written = source.get(secret.clone())?;
        shown.replace(&secret, &only_references(written));
        done = secret.end;
    }
    shown.keep(done, source.get(done..line.end)?);
    Some(shown.finish())
}

/// Where a line ends without its comment, which may hold anything.
fn before_comment(source: &str, line: &Span, scalars: &[Span]) -> Option<usize> {
    let text = source.get(line.clone())?;
    let is_comment = |at: &usize| {
        let before = text.get(..*at).and_then(|it| it.chars().next_back());
        let at = line.start + at;
        before.is_none_or(char::is_whitespace) && !scalars.iter().any(|it| it.contains(&at))
    };
    let mut marks = text.match_indices('#').map(|it| it.0);
    let comment = marks.find(is_comment).unwrap_or(text.len());
    Some(line.start + text.get(..comment)?.trim_end().len())
}

/// For a text that is no YAML: keys, variables and punctuation stay, all other words are masked.
pub(super) fn structure_of_line(source: &str, at: usize) -> Option<ShownLine> {
    let line = line_of(source, at)?;
    let text = source.get(line.clone())?;
    let mut masked = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || "_-".contains(c);
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end)?;
        if word.is_empty() {
            masked.push(c);
            rest = rest.get(c.len_utf8()..)?;
            continue;
        }
        let is_key = after.starts_with(": ")
            || after == ":"
            || masked.ends_with("${")
            || word.chars().all(|it| it == '-');
        if is_key {
            masked.push_str(word);
        } else {
            masked.extend(word.chars().map(|_| '*'));
        }
        rest = after;
    }
    let column = source.get(line.start..at)?.chars().count();
    let caret = masked
        .char_indices()
        .nth(column)
        .map_or(masked.len(), |it| it.0);
    let end = caret
        + masked
            .get(caret..)?
            .chars()
            .next()
            .map_or(0, char::len_utf8);
    Some(ShownLine {
        text: masked,
        caret: caret..end,
    })
}

fn line_of(source: &str, at: usize) -> Option<Span> {
    let start = source.get(..at)?.rfind('\n').map_or(0, |it| it + 1);
    let rest = source.get(start..)?;
    let mut length = rest.find(['\r', '\n']).unwrap_or(rest.len());
    while length > LINE_BYTES_MAX || !rest.is_char_boundary(length) {
        length = length.saturating_sub(1);
    }
    Some(start..start + length)
}

/// `amqp://user:secret@${HOST:-fallback}/` becomes `***${HOST:-***}***`.
fn only_references(written: &str) -> String {
    parts(written)
        .into_iter()
        .map(|part| match part.kind {
            PartKind::Variable { name, fallback } => match fallback {
                None => format!("${{{name}}}"),
                Some(_) => format!("${{{name}:-{MASK}}}"),
            },
            PartKind::File(path) => format!("${{file:{path}}}"),
            PartKind::Literal(quotes) if quotes.chars().all(|it| "\"'".contains(it)) => {
                quotes.to_owned()
            }
            PartKind::Literal(_) | PartKind::Escape | PartKind::Unknown => MASK.to_owned(),
        })
        .collect()
}

/// Builds the line and moves the caret along.
struct Shown<'a> {
    text: String,
    at: &'a Span,
    start: Option<usize>,
    end: usize,
}

impl<'a> Shown<'a> {
    fn new(at: &'a Span) -> Self {
        Self {
            text: String::new(),
            at,
            start: None,
            end: 0,
        }
    }

    fn keep(&mut self, from: usize, text: &str) {
        let to = from + text.len();
        let offset = self.text.len();
        if self.start.is_none() && (from..=to).contains(&self.at.start) {
            self.start = Some(offset + (self.at.start - from));
        }
        if self.at.end >= from {
            self.end = offset + (self.at.end.min(to) - from);
        }
        self.text.push_str(text);
    }

    fn replace(&mut self, span: &Span, text: &str) {
        let offset = self.text.len();
        if self.start.is_none() && span.contains(&self.at.start) {
            self.start = Some(offset);
        }
        if self.at.end > span.start {
            self.end = offset + text.len();
        }
        self.text.push_str(text);
    }

    fn finish(self) -> ShownLine {
        let start = self.start.unwrap_or(0).min(self.text.len());
        let end = self.end.max(start + 1).min(self.text.len());
        ShownLine {
            caret: start..end.max(start),
            text: self.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `|…|` in the expected line stands around the caret.
    fn check(shown: Option<ShownLine>, expected: &str) {
        let shown = shown.unwrap();
        let (before, rest) = shown.text.split_at(shown.caret.start);
        let (at, after) = rest.split_at(shown.caret.len());
        assert_eq!(format!("{before}|{at}|{after}"), expected);
    }

    #[test]
    fn a_secret_is_masked_and_the_caret_stays_at_its_place() {
        let source = "k: { a: hunter2, b: x }\n";
        let (secret, open) = (8..15, 20..21);
        let spans = [secret.clone(), open.clone()];
        let readable = BTreeSet::from([open.start]);
        check(
            masked_line(source, &open, &spans, &readable),
            "k: { a: ***, b: |x| }",
        );
        check(
            masked_line(source, &secret, &spans, &readable),
            "k: { a: |***|, b: x }",
        );
        check(
            masked_line(source, &(0..1), &spans, &readable),
            "|k|: { a: ***, b: x }",
        );
    }

    #[test]
    fn a_comment_is_not_shown() {
        let source = "k: \"a #b\"   # hunter2\n";
        let readable = BTreeSet::from([3]);
        let shown = masked_line(source, &(3..9), std::slice::from_ref(&(3..9)), &readable);
        check(shown, "k: |\"a #b\"|");
    }

    #[test]
    fn references_to_secrets_stay_readable() {
        assert_eq!(only_references("\"${A}\""), "\"${A}\"");
        assert_eq!(
            only_references("amqp://u:p@${A:-hunter2}/"),
            "***${A:-***}***"
        );
    }

    #[test]
    fn a_line_that_is_no_yaml_shows_its_structure_only() {
        check(
            structure_of_line("a: 1\ntoken: [\"hunter2\n", 20),
            "token: [\"******|*|",
        );
        check(
            structure_of_line("  - a: { b: hunter2 ]\n", 20),
            "  - a: { b: ******* |]|",
        );
    }

    #[test]
    fn places_count_characters_from_one() {
        assert_eq!(place("é: 1\nü: x", 0), (1, 1));
        assert_eq!(place("é: 1\nü: x", 10), (2, 4));
    }
}
