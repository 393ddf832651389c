//! Readers of our own types: durations, secrets, names, references, templates.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;
use url::{Host, Url};

use crate::template::{CompileError, Condition, Place, Template};

use super::{
    reader::{Reader, listed, nearest, one_or_many},
    value::{self, show_duration, show_size},
    yaml::{Entry, Node, Value, span_within},
};

/// Longest name of anything in the file, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Most values of one secret: the old, the new, and then some.
const SECRETS_MAX: usize = 16;

/// Most entries of one section or list of the file.
const ENTRIES_MAX: usize = 1_000;

impl Reader<'_> {
    pub(super) fn duration(
        &mut self,
        node: &Node,
        limits: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let what = format!(
            "a duration from {} to {} (units ms, s, m, h, d)",
            show_duration(*limits.start()),
            show_duration(*limits.end())
        );
        self.parsed(node, &what, |text| {
            value::duration(text).filter(|it| limits.contains(it))
        })
    }

    /// Bytes.
    pub(super) fn size(&mut self, node: &Node, limits: &RangeInclusive<u64>) -> Option<u64> {
        let what = format!(
            "a size from {} to {} (units B, kB, KiB, MB, MiB, GB, GiB, TB, TiB)",
            show_size(*limits.start()),
            show_size(*limits.end())
        );
        self.parsed(node, &what, |text| {
            value::size(text).filter(|it| limits.contains(it))
        })
    }

    /// An http or https URL without user and password. Its path or query may still be a secret.
    pub(super) fn http_url(&mut self, node: &Node) -> Option<Url> {
        let what = "a URL that begins with https:// or http://";
        let text = &self.scalar(node, what)?.text;
        let Some(url) = Url::parse(text).ok().filter(is_http) else {
            self.error(node, format!("expected {what}"));
            return None;
        };
        if url.password().is_some() || !url.username().is_empty() {
            self.error_hint(
                node,
                "a URL here may hold no user or password",
                "put the secret into a header",
            );
            return None;
        }
        Some(url)
    }

    /// `10.0.0.0/8`, or one address.
    pub(super) fn networks(&mut self, node: &Node) -> Vec<IpNet> {
        let what = "networks such as 10.0.0.0/8";
        let parse = |text: &str| {
            let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse::<IpNet>().ok().or_else(one)
        };
        let items = one_or_many(node);
        self.at_most(node, items.len(), ENTRIES_MAX);
        items
            .iter()
            .filter_map(|item| self.parsed(item, what, parse))
            .collect()
    }

    /// A secret; never empty, never quoted in a message.
    pub(super) fn secret(&mut self, node: &Node) -> Option<SecretString> {
        self.secret_text(node).map(SecretString::from)
    }

    /// A secret's text, to look at before it becomes a [`SecretString`].
    pub(super) fn secret_text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let what = "a secret (a text)";
        if matches!(node.value, Value::Null) {
            self.empty_secret(node);
            return None;
        }
        let scalar = self.scalar(node, what)?;
        let text = scalar.text.as_str();
        if text.trim().is_empty() {
            self.empty_secret(node);
            return None;
        }
        // A URL is an address first, and often that of this machine.
        if scalar.by_fallback && !text.contains("://") {
            self.fallback_secrets
                .push((node.at.clone(), node.path.clone()));
        }
        Some(text)
    }

    fn empty_secret(&mut self, node: &Node) {
        self.error_hint(
            node,
            "this secret is empty",
            "set the variable or fill the file that it comes from; an empty secret proves nothing",
        );
    }

    /// One secret or a list, each of which `check` has nothing against; what it returns is wrong with it.
    pub(super) fn secrets(
        &mut self,
        node: &Node,
        check: impl Fn(&str) -> Result<(), &'static str>,
    ) -> Vec<SecretString> {
        let items = one_or_many(node);
        if items.is_empty() {
            self.error(node, "at least one secret is needed here");
        }
        self.at_most(node, items.len(), SECRETS_MAX);
        let mut secrets = vec![];
        for item in items {
            match self.secret_text(item).map(|text| (text, check(text))) {
                Some((text, Ok(()))) => secrets.push(SecretString::from(text)),
                Some((_, Err(wrong))) => self.error(item, wrong),
                None => {}
            }
        }
        secrets
    }

    /// The entries of a section whose keys are names; `zohook` is not free where it is `reserved`.
    pub(super) fn named<'n>(&mut self, node: &'n Node, what: &str) -> Vec<&'n Entry> {
        let entries = self.entries(node, what);
        self.at_most(node, entries.len(), ENTRIES_MAX);
        let mut named: Vec<&Entry> = vec![];
        for entry in entries {
            if !is_name(&entry.key) {
                self.bad_name(entry.key_span.clone(), &entry.node.path, &entry.key);
            } else if !named.iter().any(|it| it.key == entry.key) {
                named.push(entry);
            }
        }
        named
    }

    /// A name given as a value.
    pub(super) fn name<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let text = self.text(node, "a name")?;
        if is_name(text) {
            return Some(text);
        }
        self.bad_name(node.at.clone(), &node.path, "this");
        None
    }

    fn bad_name(&mut self, at: std::ops::Range<usize>, path: &str, name: &str) {
        let message = match name {
            "this" => "this cannot be a name".to_owned(),
            name => format!("`{name}` cannot be a name"),
        };
        let hint = format!(
            "lower-case letters, digits, _ and -, at most {NAME_CHARS_MAX}, a letter or digit first"
        );
        self.error_at(at, path, message, Some(hint));
    }

    /// A name that must be among those of another section.
    pub(super) fn reference<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        names: &[&str],
    ) -> Option<&'n str> {
        let text = self.text(node, &format!("the name of a {what}"))?;
        if names.contains(&text) {
            return Some(text);
        }
        let hint = match (nearest(text, names.iter().copied()), names) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => format!("the file has no {what}s yet"),
            (None, names) => format!("the file has: {}", listed(names)),
        };
        let message = format!("there is no {what} with this name");
        self.error_hint(node, message, hint);
        None
    }

    pub(super) fn template(&mut self, node: &Node, place: Place) -> Option<Template> {
        let text = self.text(node, "a text, with {{ }} where values go")?;
        let compiled = Template::compile(text, place);
        self.compiled(node, compiled)
    }

    pub(super) fn condition(&mut self, node: &Node, place: Place) -> Option<Condition> {
        let text = self.text(node, "a condition, such as record.Amount > 5")?;
        let compiled = Condition::compile(text, place);
        self.compiled(node, compiled)
    }

    fn compiled<T>(&mut self, node: &Node, compiled: Result<T, CompileError>) -> Option<T> {
        let error = match compiled {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let substituted = matches!(&node.value, Value::Scalar(it) if it.substituted);
        if substituted {
            let hint = "the message is held back: it may quote a substituted value";
            self.error_hint(node, "this does not compile after substitution", hint);
            return None;
        }
        let at = match &error.at {
            Some(part) => span_within(self.source(), node, part),
            None => node.at.clone(),
        };
        let message = if error.message.starts_with("is ") {
            format!("this {}", error.message)
        } else {
            error.message
        };
        self.error_at(at, &node.path, message, error.hint);
        None
    }

    /// A limit on how many there may be.
    pub(super) fn at_most(&mut self, node: &Node, count: usize, max: usize) {
        if count > max {
            self.error(node, format!("{count} are too many: at most {max}"));
        }
    }
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(plain)
        && text.chars().all(|c| plain(c) || c == '_' || c == '-')
}

fn is_http(url: &Url) -> bool {
    ["http", "https"].contains(&url.scheme()) && url.has_host()
}

/// The host's address, where the URL has one; `localhost` has 127.0.0.1.
pub(super) fn host_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain("localhost") => Some(IpAddr::from([127, 0, 0, 1])),
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}

/// Whether the URL stays on this machine, so that http gives nothing away.
pub(super) fn is_loopback(url: &Url) -> bool {
    host_address(url).is_some_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words() {
        for name in ["crm", "new-lead", "a_1", "1st"] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(65);
        for name in ["", "CRM", "-a", "_a", "a b", "a.b", "ä", &long] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn localhost_is_on_this_machine() {
        for (url, expected) in [
            ("http://localhost:8181", true),
            ("http://127.1.2.3", true),
            ("http://[::1]/", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
