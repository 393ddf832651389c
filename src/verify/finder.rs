//! Finds secrets in a text, however they are written there.

use std::{fmt, ops::Range};

use memchr::{memchr, memchr2, memmem};
use regex::bytes::{Regex, RegexBuilder};
use secrecy::{ExposeSecret, SecretString};

/// What an escape of JSON begins with: JSON within JSON has several of them, in an encoded form it is encoded too.
const BACKSLASH: &str = r"(?:\\|%(?:25)*5[Cc])";

/// What an entity of XML ends with; in a form it is encoded.
const SEMICOLON: &str = "(?:;|%(?:25)*3[Bb])";

/// Secrets to look for.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    secrets: Vec<Secret>,
    /// Whether one of them can be written with a `+`.
    has_space: bool,
    /// Whether one of them can be written with an entity of XML.
    has_markup: bool,
}

#[derive(Clone)]
struct Secret {
    plain: SecretString,
    /// Each of its characters as itself, percent-encoded, as an escape of JSON or an entity of XML. `None` never happens: the pattern
    /// is well-formed and may have any size.
    written: Option<Regex>,
}

/// The pattern of a regex is part of what it prints, and here that is the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Finder {
    pub(super) fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let secrets: Vec<Secret> = secrets
            .into_iter()
            // Nothing would be found everywhere.
            .filter(|it| !it.expose_secret().is_empty())
            .map(Secret::new)
            .collect();
        let has = |one: fn(char) -> bool| {
            let mut secrets = secrets.iter();
            secrets.any(|it| it.plain.expose_secret().contains(one))
        };
        Self {
            has_space: has(|it| it == ' '),
            has_markup: has(|it| entity(it).is_some()),
            secrets,
        }
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let is_plain = self.is_plain(text);
        let mut secrets = self.secrets.iter();
        secrets.any(|it| it.find_at(text, 0, is_plain).is_some())
    }

    /// In order; secrets that overlap are one.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let is_plain = self.is_plain(text);
        let mut found = vec![];
        for secret in &self.secrets {
            let mut from = 0;
            while let Some(range) = secret.find_at(text, from, is_plain) {
                // A secret may overlap itself.
                from = range.start + 1;
                push(&mut found, range);
            }
        }
        found.sort_unstable_by_key(|it| it.start);
        let mut merged = vec![];
        for range in found {
            push(&mut merged, range);
        }
        merged
    }

    /// Whether a secret can stand in it only as it is.
    fn is_plain(&self, text: &[u8]) -> bool {
        memchr2(b'\\', b'%', text).is_none()
            && !(self.has_space && memchr(b'+', text).is_some())
            && !(self.has_markup && memchr(b'&', text).is_some())
    }
}

fn push(found: &mut Vec<Range<usize>>, range: Range<usize>) {
    match found.last_mut() {
        Some(last) if range.start >= last.start && range.start < last.end => {
            last.end = last.end.max(range.end);
        }
        Some(_) | None => found.push(range),
    }
}

impl Secret {
    fn new(plain: SecretString) -> Self {
        let written = RegexBuilder::new(&pattern(plain.expose_secret()))
            .size_limit(usize::MAX)
            .build()
            .ok();
        Self { plain, written }
    }

    fn find_at(&self, text: &[u8], from: usize, is_plain: bool) -> Option<Range<usize>> {
        match &self.written {
            Some(written) if !is_plain => written.find_at(text, from).map(|it| it.range()),
            Some(_) | None => {
                let plain = self.plain.expose_secret().as_bytes();
                let start = from + memmem::find(text.get(from..)?, plain)?;
                Some(start..start + plain.len())
            }
        }
    }
}

fn pattern(secret: &str) -> String {
    let mut characters = secret.chars();
    let first = characters.next().map(|it| ways_to_write(it, ""));
    // Any character may be escaped, as in `\/`. Not the first, or each of many backslashes might begin a secret.
    let escapes = format!("{BACKSLASH}*");
    let others = characters.map(|it| ways_to_write(it, &escapes));
    let ways: Vec<String> = first.into_iter().chain(others).collect();
    format!("(?-u){}", ways.concat())
}

/// The longest first: `&amp;` is one ampersand, `%25` one percent sign, and `\u0075` is no escaped `u`.
fn ways_to_write(character: char, before: &str) -> String {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).as_bytes();
    let literal = joined(bytes, "", |it| format!(r"\x{it:02x}"));
    // `%2541` is encoded twice.
    let percent = joined(bytes, "", |it| format!("%(?:25)*(?i:{it:02x})"));
    let mut buffer = [0; 2];
    let units = character.encode_utf16(&mut buffer);
    // After a backslash of the secret an escaped `u` looks like the `u` itself and four digits more.
    let begun = if character == 'u' { "?" } else { "" };
    let escape = joined(units, before, |it| {
        format!("{BACKSLASH}{begun}u(?i:{it:04x})")
    });
    let special = match character {
        ' ' => r"|\+".to_owned(),
        '\n' => format!("|{BACKSLASH}n"),
        '\r' => format!("|{BACKSLASH}r"),
        '\t' => format!("|{BACKSLASH}t"),
        _ => String::new(),
    };
    let entity = entity(character).map_or(String::new(), |name| {
        let code = u32::from(character);
        let number = format!("(?:#|%(?:25)*23)(?:0*{code}|[xX]0*(?i:{code:x}))");
        // In XML within XML it is `&amp;`, in JSON it may be an escape.
        let ampersand = format!("(?:&|%(?:25)*26|{before}{BACKSLASH}u0026)(?:amp{SEMICOLON})*");
        format!("{ampersand}(?:{name}|{number}){SEMICOLON}|")
    });
    format!("(?:{entity}{before}{escape}|{before}(?:{percent}|{literal}{special}))")
}

/// The entity of a character that XML and HTML do not take as it is.
const fn entity(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("amp"),
        '<' => Some("lt"),
        '>' => Some("gt"),
        '"' => Some("quot"),
        '\'' => Some("apos"),
        _ => None,
    }
}

fn joined<T>(items: &[T], between: &str, write: impl Fn(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(write).collect();
    items.join(between)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(secrets: &[&str], text: &str, expected: &[(usize, usize)]) {
        let finder = Finder::new(secrets.iter().map(|it| SecretString::from(*it)));
        let found = finder.find(text.as_bytes());
        let found: Vec<_> = found.into_iter().map(|it| (it.start, it.end)).collect();
        assert_eq!(found, expected, "{text}");
        assert_eq!(finder.is_in(text.as_bytes()), !expected.is_empty());
    }

    #[test]
    fn overlaps_are_one_range_and_neighbours_are_two() {
        check(&["abcd", "cdef"], "-abcdef-", &[(1, 7)]);
        check(&["cdef", "abcd"], "-abcdef-", &[(1, 7)]);
        check(&["abcd", "bc"], "-abcd-bc", &[(1, 5), (6, 8)]);
        check(&["abab"], "abababab", &[(0, 8)]);
        check(&["abcd"], "abcdabcd", &[(0, 4), (4, 8)]);
        check(&[""], "abc", &[]);
        check(&[], "abc", &[]);
    }

    #[test]
    fn no_mixture_of_encodings_hides_a_secret() {
        for text in [
            r"a b/\c",
            r"a b\/\\c",
            r"a b\\\/\\\\c",
            "a+b/%5cc",
            "a%20b%2f%5Cc",
            "a%2520b%252F%255cc",
            r"\u0061\u0020\u0062\u002F\u005c\u0063",
            "%5Cu0061 b%5C%2F%5c%5Cc",
        ] {
            check(&[r"a b/\c"], text, &[(0, text.len())]);
        }
        for text in ["a_b/\\c", "a b/c", "%4 b/\\c", r"\u006 b/\c"] {
            check(&[r"a b/\c"], text, &[]);
        }
        let text = r"%F0%9F%98%80 \uD83D\uDE00 %c3%a4";
        check(&["\u{1f600}"], text, &[(0, 12), (13, 25)]);
        check(&["\u{e4}"], text, &[(26, 32)]);
        check(&["a\nb"], r"a\nb", &[(0, 4)]);
    }

    #[test]
    fn an_escape_after_a_backslash_is_found_whole() {
        check(&[r"ab\u"], r"ab\\\u0075", &[(0, 10)]);
        check(&[r"ab\ux"], r"ab\\\u0075x", &[(0, 11)]);
        check(&["u0075"], "u0075", &[(0, 5)]);
    }

    #[test]
    fn no_entity_of_xml_hides_a_secret() {
        let secret = r#"a&b<c>"'d"#;
        for text in [
            "a&amp;b&lt;c&gt;&quot;&apos;d",
            "a&#38;b&#060;c&#x3E;&#X22;&#39;d",
            "a&amp;amp;b&amp;lt;c>&amp;#34;'d",
            "a%26amp%3Bb%26lt%3Bc%26gt%3B%26%2334%3B%2526%23x27%3bd",
            r#"a\u0026amp;b\u0026lt;c>\"&#x27;d"#,
            secret,
        ] {
            check(&[secret], text, &[(0, text.len())]);
        }
        check(&[secret], "a&ampb&lt;c&gt;&quot;&apos;d", &[]);
        check(&["a&"], "-a&amp;-", &[(1, 7)]);
    }

    #[test]
    fn many_backslashes_take_no_time() {
        let text = format!("a{}aaaaaaaaaaaaaaaa", "\\".repeat(200_000));
        check(&["aaaaaaaaaaaa"], &text, &[(0, text.len())]);
        let text = format!("{}u0026amp;a", "\\".repeat(200_000));
        check(&["&a"], &text, &[(199_999, text.len())]);
    }

    /// One of the ways in which encoders write a character, by `way`.
    fn encoded(character: char, way: u8) -> String {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        match way % 5 {
            0 => joined(bytes, "", |it| format!("%{it:02X}")),
            1 => joined(bytes, "", |it| format!("%{it:02x}")),
            2 => joined(character.encode_utf16(&mut [0; 2]), "", |it| {
                format!("\\u{it:04x}")
            }),
            3 if character.is_ascii_punctuation() => format!("\\{character}"),
            _ => character.to_string(),
        }
    }

    proptest! {
        #[test]
        fn a_secret_is_found_however_each_character_is_written(
            secret in "[ -~\u{e4}\u{1f600}]{2,20}",
            ways in prop::collection::vec(any::<u8>(), 20),
            before in "[ -~]{0,6}",
            after in "[ -~]{0,6}",
        ) {
            let written: Vec<String> =
                secret.chars().zip(ways).map(|(character, way)| encoded(character, way)).collect();
            let text = format!("{before}{}{after}", written.concat());
            let found = Finder::new([secret.as_str().into()]).find(text.as_bytes());
            // The backslash of a first character may stay.
            let start = before.len() + usize::from(written[0].starts_with('\\'));
            let end = text.len() - after.len();
            prop_assert!(
                found.iter().any(|it| it.start <= start && it.end >= end),
                "{} in {} at {:?}", secret, text, found
            );
        }
    }
}
