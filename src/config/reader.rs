//! Small typed readers over the tree: each gives a value, or notes a problem and gives nothing.
//! One error refuses the whole file, so what could not be read may stand in as a default until then.

use std::{collections::BTreeSet, ops::RangeInclusive};

use super::{
    mask,
    problem::{Problem, Severity},
    yaml::{Entry, Node, Scalar, Span, Style, Value},
};

/// A name is close enough to be meant from this Jaro-Winkler similarity on.
const SIMILAR_FROM: f64 = 0.8;

/// Longest value that a message quotes, in characters.
const QUOTED_CHARS_MAX: usize = 60;

/// Collects what is wrong while the sections are read.
pub(super) struct Reader<'a> {
    source: &'a str,
    found: Vec<Found>,
    /// Where the scalars begin that are known to be no secret.
    readable: BTreeSet<usize>,
    /// Secrets that the file itself gives, as fallbacks.
    pub(super) fallback_secrets: Vec<(Span, String)>,
}

struct Found {
    severity: Severity,
    at: Span,
    path: String,
    message: String,
    hint: Option<String>,
}

/// The keys of a mapping.
pub(super) struct Fields<'n> {
    pub(super) node: &'n Node,
    entries: &'n [Entry],
    /// Not a mapping at all, so that nothing in it can be missing.
    broken: bool,
}

impl<'n> Fields<'n> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|it| it.key == key)?;
        Some(&entry.node)
    }

    /// The value of a key, before it is known which keys are allowed.
    pub(super) fn peek(node: &'n Node, key: &str) -> Option<&'n Node> {
        match &node.value {
            Value::Map(entries) => entries.iter().find(|it| it.key == key).map(|it| &it.node),
            Value::Null | Value::Scalar(_) | Value::List(_) | Value::Broken => None,
        }
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// A key that is not known here, and why.
pub(super) type Elsewhere = (&'static str, &'static str);

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            found: vec![],
            readable: BTreeSet::new(),
            fallback_secrets: vec![],
        }
    }

    pub(super) fn source(&self) -> &'a str {
        self.source
    }

    /// How many errors there are so far; one refuses the file.
    pub(super) fn errors(&self) -> usize {
        let errors = self.found.iter();
        errors.filter(|it| it.severity == Severity::Error).count()
    }

    /// Everything found, each with its line.
    pub(super) fn finish(self, scalars: &[Span]) -> Vec<Problem> {
        let problem = |found: Found| {
            let (line, column) = mask::place(self.source, found.at.start);
            Problem {
                severity: found.severity,
                line,
                column,
                path: found.path,
                message: found.message,
                hint: found.hint,
                shown: mask::masked_line(self.source, &found.at, scalars, &self.readable),
            }
        };
        self.found.into_iter().map(problem).collect()
    }

    /// A problem of a value.
    pub(super) fn error(&mut self, node: &Node, message: impl Into<String>) {
        self.error_at(node.at.clone(), &node.path, message, None);
    }

    /// A problem of a value, and what to do.
    pub(super) fn error_hint(
        &mut self,
        node: &Node,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.error_at(node.at.clone(), &node.path, message, Some(hint.into()));
    }

    /// A problem of some bytes of the file.
    pub(super) fn error_at(
        &mut self,
        at: Span,
        path: &str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.found.push(Found {
            severity: Severity::Error,
            at,
            path: path.to_owned(),
            message: message.into(),
            hint,
        });
    }

    /// Something that works, but probably not as meant.
    pub(super) fn warning(
        &mut self,
        node: &Node,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.warning_at(node.at.clone(), &node.path, message, hint);
    }

    /// The same, of some bytes of the file.
    pub(super) fn warning_at(
        &mut self,
        at: Span,
        path: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.found.push(Found {
            severity: Severity::Warning,
            at,
            path: path.to_owned(),
            message: message.into(),
            hint: Some(hint.into()),
        });
    }

    /// A mapping with these keys and no others.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        known: &[&str],
        elsewhere: &[Elsewhere],
    ) -> Fields<'n> {
        let Value::Map(entries) = &node.value else {
            self.wrong_type(node, &format!("a mapping with {}", listed(known)));
            return Fields {
                node,
                entries: &[],
                broken: true,
            };
        };
        self.keys_once(entries);
        for entry in entries {
            self.readable.insert(entry.key_span.start);
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let (message, hint) = match elsewhere.iter().find(|it| it.0 == key) {
                Some((_, why)) => (format!("`{key}` {why}"), None),
                None => (
                    format!("unknown key `{key}`"),
                    Some(match nearest(key, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("known here: {}", listed(known)),
                    }),
                ),
            };
            self.error_at(entry.key_span.clone(), &entry.node.path, message, hint);
        }
        Fields {
            node,
            entries,
            broken: false,
        }
    }

    /// A mapping whose keys are the user's.
    pub(super) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        let Value::Map(entries) = &node.value else {
            self.wrong_type(node, &format!("a mapping of {what}"));
            return &[];
        };
        for entry in entries {
            self.readable.insert(entry.key_span.start);
        }
        self.keys_once(entries);
        entries
    }

    fn keys_once(&mut self, entries: &[Entry]) {
        let mut seen = BTreeSet::new();
        for entry in entries {
            if !seen.insert(entry.key.as_str()) {
                let message = format!("`{}` is given twice", entry.key);
                self.error_at(entry.key_span.clone(), &entry.node.path, message, None);
            }
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &str,
        hint: &str,
    ) -> Option<&'n Node> {
        let found = fields.get(key);
        if found.is_none() && !fields.broken {
            self.error_hint(fields.node, format!("`{key}` is missing"), hint);
        }
        found
    }

    /// A list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.wrong_type(node, &format!("a list of {what}"));
        &[]
    }

    /// A text that is no secret.
    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let scalar = self.scalar(node, what)?;
        self.readable.insert(node.span.start);
        Some(&scalar.text)
    }

    /// A scalar as it is; a secret until it is read as something else.
    pub(super) fn scalar<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Scalar> {
        match &node.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Broken => {
                self.wrong_type(node, what);
                None
            }
        }
    }

    /// Something that `parse` understands.
    pub(super) fn parsed<T>(
        &mut self,
        node: &Node,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(node, what)?;
        let value = parse(text);
        if value.is_none() {
            self.wrong_type(node, what);
        }
        value
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, accepted: &[(&str, T)]) -> Option<T> {
        let words: Vec<_> = accepted.iter().map(|it| it.0).collect();
        let what = listed_or(&words);
        let text = self.text(node, &what)?;
        if let Some((_, value)) = accepted.iter().find(|it| it.0 == text) {
            return Some(*value);
        }
        let message = format!("expected {what}, found {}", self.written(node));
        match nearest(text, words.iter().copied()) {
            Some(near) => self.error_hint(node, message, format!("did you mean `{near}`?")),
            None => self.error(node, message),
        }
        None
    }

    /// `true` or `false`, not in quotes.
    pub(super) fn boolean(&mut self, node: &Node) -> Option<bool> {
        self.unquoted(node, "true or false", |text| text.parse().ok())
    }

    /// A whole number within limits, not in quotes.
    pub(super) fn number<T>(&mut self, node: &Node, limits: &RangeInclusive<T>) -> Option<T>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let what = format!("a number from {} to {}", limits.start(), limits.end());
        self.unquoted(node, &what, |text| {
            text.parse().ok().filter(|it| limits.contains(it))
        })
    }

    fn unquoted<T>(
        &mut self,
        node: &Node,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let scalar = self.scalar(node, what)?;
        if scalar.style != Style::Plain && !scalar.substituted && parse(&scalar.text).is_some() {
            self.readable.insert(node.span.start);
            self.error_hint(
                node,
                format!("expected {what}, found a text"),
                "take the quotes away",
            );
            return None;
        }
        self.parsed(node, what, parse)
    }

    /// What is accepted, and what was found; a value that may be a secret is not quoted.
    pub(super) fn wrong_type(&mut self, node: &Node, accepted: &str) {
        let found = match &node.value {
            Value::Broken => return,
            Value::Null => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar(_) => self.written(node),
        };
        self.error(node, format!("expected {accepted}, found {found}"));
    }

    /// A scalar as the file writes it, for messages; `a text` when it may be a secret.
    fn written(&self, node: &Node) -> String {
        let text = self.source.get(node.span.clone()).unwrap_or_default();
        let short = text.chars().count() <= QUOTED_CHARS_MAX && !text.contains('\n');
        if short && self.readable.contains(&node.span.start) {
            format!("`{}`", text.trim_matches(['"', '\'']))
        } else {
            "a text".to_owned()
        }
    }
}

/// A list, or one value that stands for a list of one.
pub(super) fn one_or_many(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Null | Value::Scalar(_) | Value::Map(_) | Value::Broken => {
            std::slice::from_ref(node)
        }
    }
}

/// The candidate that was probably meant.
pub(super) fn nearest<'c>(
    text: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let lower = text.to_ascii_lowercase();
    let scored = candidates
        .into_iter()
        .map(|it| (strsim::jaro_winkler(&lower, &it.to_ascii_lowercase()), it));
    scored
        .filter(|it| it.0 >= SIMILAR_FROM)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|it| it.1)
}

/// `a, b, c`.
pub(super) fn listed(words: &[&str]) -> String {
    words.join(", ")
}

/// `a, b or c`.
fn listed_or(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_the_one_that_was_meant() {
        let known = ["client_id", "client_secret", "refresh_token", "credits"];
        assert_eq!(nearest("client_secrt", known), Some("client_secret"));
        assert_eq!(nearest("refreshToken", known), Some("refresh_token"));
        assert_eq!(nearest("zebra", known), None);
    }

    #[test]
    fn words_are_listed_as_people_do() {
        assert_eq!(listed_or(&["a", "b", "c"]), "a, b or c");
        assert_eq!(listed_or(&["a"]), "a");
    }
}
