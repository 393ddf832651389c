//! Takes the secrets out of a proven body before anything of it is stored.

use std::cmp::Reverse;

use bytes::Bytes;
use memchr::{memchr, memmem};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Proof;
use crate::event::{Body, Undecodable};

/// What stands in a secret's place.
const MASK: &str = "***";

/// A shorter secret is masked only where it is a whole value: as a part it would be found everywhere.
const PART_BYTES_MIN: usize = 4;

/// What JSON is made of besides its strings.
const OUTSIDE_STRINGS: &str = "{}[]:, \t\r\n+-.0123456789eEtrufalsn";

/// Where a secret was found in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Nowhere,
    InValue,
    InName,
}

/// All secrets of a source, in the forms in which they can stand in a text.
#[derive(Clone, Debug)]
pub(super) struct Mask {
    whole: Vec<SecretString>,
    /// Longest first, so that no secret leaves the rest of a longer one behind.
    parts: Vec<SecretString>,
    /// Whether each of them can stand in JSON only within one string, as it is.
    only_in_strings: bool,
}

impl Mask {
    pub(super) fn of(proof: &Proof) -> Self {
        let whole: Vec<SecretString> = all(proof).cloned().collect();
        let mut parts: Vec<SecretString> = vec![];
        for secret in whole.iter().map(ExposeSecret::expose_secret) {
            if secret.len() < PART_BYTES_MIN {
                continue;
            }
            parts.push(secret.into());
            if !secret
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"-_.*".contains(&it))
            {
                let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
                parts.push(encoded.replace('+', "%20").into());
                parts.push(lower_hex(&encoded).into());
                parts.push(encoded.into());
            }
        }
        parts.sort_by_key(|it| Reverse(it.expose_secret().len()));
        let only_in_strings = whole
            .iter()
            .all(|it| is_only_in_strings(it.expose_secret()));
        Self {
            whole,
            parts,
            only_in_strings,
        }
    }

    /// Masks `body` and gives the bytes to store: those that came where they hold no secret, else the body without it.
    /// They read as the same body without a content type.
    pub(super) fn apply(&self, bytes: &Bytes, body: &mut Result<Body, Undecodable>) -> Bytes {
        match body {
            Ok(Body::Empty) => Bytes::new(),
            Ok(Body::Json(value)) => {
                let found = self.mask_value(value);
                // Without escapes, a string stands in the text as it is. Masked names may have become one.
                let as_it_is = memchr(b'\\', bytes).is_none() && found != Found::InName;
                if self.only_in_strings && as_it_is {
                    self.mask_bytes(bytes)
                } else if found != Found::Nowhere || self.found_in(bytes) {
                    serde_json::to_vec(value).map_or_else(|_| value.to_string().into(), Bytes::from)
                } else {
                    bytes.clone()
                }
            }
            Ok(Body::Form(pairs)) => {
                let mut masked = false;
                for (name, value) in pairs.iter_mut() {
                    masked |= self.mask_text(name) | self.mask_text(value);
                }
                if masked || self.found_in(bytes) || reads_otherwise(bytes, pairs) {
                    form_urlencoded::Serializer::new(String::new())
                        .extend_pairs(pairs)
                        .finish()
                        .into()
                } else {
                    bytes.clone()
                }
            }
            Ok(Body::Text(text)) => {
                self.mask_escaped(text);
                Bytes::from(text.clone())
            }
            Err(_) => self.mask_bytes(bytes),
        }
    }

    fn is_whole(&self, text: &str) -> bool {
        self.whole.iter().any(|it| it.expose_secret() == text)
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(ExposeSecret::expose_secret)
    }

    fn mask_value(&self, value: &mut Value) -> Found {
        match value {
            Value::Null | Value::Bool(_) => Found::Nowhere,
            Value::Number(number) => {
                if !self.is_whole(&number.to_string()) {
                    return Found::Nowhere;
                }
                *value = MASK.into();
                Found::InValue
            }
            Value::String(text) => {
                if self.mask_text(text) {
                    Found::InValue
                } else {
                    Found::Nowhere
                }
            }
            Value::Array(list) => self.mask_all(list),
            Value::Object(object) => {
                let in_name = object.keys().any(|it| self.found_in(it.as_bytes()));
                if in_name {
                    *object = std::mem::take(object)
                        .into_iter()
                        .map(|(mut name, value)| {
                            self.mask_text(&mut name);
                            (name, value)
                        })
                        .collect();
                }
                let found = self.mask_all(object.values_mut());
                if in_name { Found::InName } else { found }
            }
        }
    }

    fn mask_all<'a>(&self, values: impl IntoIterator<Item = &'a mut Value>) -> Found {
        let values = values.into_iter();
        values.fold(Found::Nowhere, |found, it| found.max(self.mask_value(it)))
    }

    fn mask_text(&self, text: &mut String) -> bool {
        if self.is_whole(text) {
            MASK.clone_into(text);
            return true;
        }
        let mut masked = false;
        for part in self.parts() {
            if text.contains(part) {
                *text = text.replace(part, MASK);
                masked = true;
            }
        }
        masked
    }

    /// A text may be JSON that does not parse, so a secret may be escaped in it.
    fn mask_escaped(&self, text: &mut String) {
        self.mask_text(text);
        let whole = self.whole.iter().map(ExposeSecret::expose_secret);
        for secret in whole.filter(|it| it.len() >= PART_BYTES_MIN) {
            let quoted = Value::from(secret).to_string();
            let escaped = quoted.trim_matches('"');
            for form in [escaped.to_owned(), escaped.replace('/', "\\/")] {
                if form != *secret && text.contains(&form) {
                    *text = text.replace(&form, MASK);
                }
            }
        }
    }

    fn found_in(&self, bytes: &[u8]) -> bool {
        self.parts()
            .any(|it| memmem::find(bytes, it.as_bytes()).is_some())
    }

    fn mask_bytes(&self, bytes: &Bytes) -> Bytes {
        let mut masked = bytes.clone();
        for part in self.parts() {
            masked = replace(masked, part.as_bytes());
        }
        masked
    }
}

fn all(proof: &Proof) -> impl Iterator<Item = &SecretString> {
    let named = proof.headers.iter().chain(&proof.query);
    proof
        .token
        .iter()
        .chain(&proof.bearer)
        .chain(&proof.basic)
        .chain(named.flat_map(|(_, values)| values))
        .chain(proof.hmac.iter().flat_map(|it| &it.secret))
}

/// Whether the bytes alone would not give these pairs again.
fn reads_otherwise(bytes: &Bytes, pairs: &[(String, String)]) -> bool {
    match Body::parse(bytes, None) {
        Ok(Body::Form(again)) => again != pairs,
        Ok(Body::Empty | Body::Json(_) | Body::Text(_)) | Err(_) => true,
    }
}

/// `%2F` as `%2f`.
fn lower_hex(encoded: &str) -> String {
    let mut hex_left = 0;
    encoded
        .chars()
        .map(|it| {
            if it == '%' {
                hex_left = 2;
                it
            } else if hex_left > 0 {
                hex_left -= 1;
                it.to_ascii_lowercase()
            } else {
                it
            }
        })
        .collect()
}

fn replace(bytes: Bytes, secret: &[u8]) -> Bytes {
    let mut masked = Vec::new();
    let mut copied = 0;
    for at in memmem::find_iter(&bytes, secret) {
        masked.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
        masked.extend_from_slice(MASK.as_bytes());
        copied = at + secret.len();
    }
    if copied == 0 {
        return bytes;
    }
    masked.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    masked.into()
}

/// Whether a text without escapes can hold this secret only within one of its strings, if it is JSON.
fn is_only_in_strings(secret: &str) -> bool {
    secret.len() >= PART_BYTES_MIN
        && !secret.contains('"')
        && secret.contains(|it| !OUTSIDE_STRINGS.contains(it))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn mask(secrets: &[&str], bytes: &[u8]) -> (String, Result<Body, Undecodable>) {
        let proof = Proof {
            bearer: secrets.iter().map(|it| SecretString::from(*it)).collect(),
            ..Proof::default()
        };
        let bytes = Bytes::copy_from_slice(bytes);
        let mut body = Body::parse(&bytes, None);
        let stored = Mask::of(&proof).apply(&bytes, &mut body);
        (String::from_utf8_lossy(&stored).into_owned(), body)
    }

    #[test]
    fn a_body_without_secrets_is_stored_as_sent() {
        for body in [r#"{ "b":1, "a":[ ] }"#, "a=1&b=%20", "some <text>", ""] {
            assert_eq!(mask(&["secret"], body.as_bytes()).0, body);
        }
    }

    #[test]
    fn json_stays_json() {
        let body = br#"{"token":"s3/cr\u0065t","n":12345,"list":["x s3/cret","s3%2Fcret","s3%2fcret"],"ids":[123456],"s3/cret":"123"}"#;
        let (stored, body) = mask(&["s3/cret", "12345", "123"], body);
        let expected = json!({
            "token": "***", "n": "***", "list": ["x ***", "***", "***"], "ids": [123_456], "***": "***"
        });
        assert_eq!(
            serde_json::from_str::<Value>(&stored).ok(),
            Some(expected.clone())
        );
        assert_eq!(body, Ok(Body::Json(expected)));
    }

    #[test]
    fn json_is_stored_as_sent_but_for_the_secret() {
        let body = br#"{ "token" : "secret-1", "x":[ "a secret-1", 1.0 ] }"#;
        let (stored, _) = mask(&["secret-1"], body);
        assert_eq!(stored, r#"{ "token" : "***", "x":[ "a ***", 1.0 ] }"#);
    }

    #[test]
    fn a_secret_that_json_may_hold_outside_strings_is_looked_for_in_strings_only() {
        for secret in ["true", "1234", "\":\"", "],[1,", "1.5e", "1, 2"] {
            assert!(!is_only_in_strings(secret), "{secret}");
            let body =
                json!({ "a": [true, 1234, [1], 1.5e3, 1, 2], "b": secret, "c": { "d": "e" } });
            let mut masked = body.clone();
            masked["b"] = MASK.into();
            if secret == "1234" {
                masked["a"][1] = MASK.into();
            }
            let (stored, read) = mask(&[secret], body.to_string().as_bytes());
            assert_eq!(
                serde_json::from_str::<Value>(&stored).ok(),
                Some(masked.clone())
            );
            assert_eq!(read, Ok(Body::Json(masked)));
        }
        for secret in ["t-secret", "12ab", "\u{e4}\u{e4}", "ab cd", "nullx"] {
            assert!(is_only_in_strings(secret), "{secret}");
        }
    }

    proptest! {
        /// Whatever stands around the secret, and however it is written.
        #[test]
        fn what_is_stored_of_json_reads_as_the_masked_body(
            secret in "[a-c1\":,\\\\/ ]{1,6}",
            texts in prop::collection::vec("[a-c1\":,\\\\/ ]{0,6}", 3),
            escape in any::<bool>(),
        ) {
            let [name, before, after] = texts.as_slice() else { unreachable!() };
            let body = json!({
                name.as_str(): 1, "v": format!("{before}{secret}{after}"), "n": [11, 1.1, null, secret.as_str()],
            });
            let mut text = body.to_string();
            if escape {
                text = text.replace('a', "\\u0061").replace('/', "\\/");
            }
            let (stored, read) = mask(&[secret.as_str()], text.as_bytes());
            let again = Body::parse(&stored.clone().into(), None);
            prop_assert_eq!(&again, &read);
            let Ok(Body::Json(value)) = again else { panic!("{stored}") };
            prop_assert_eq!(&value["n"][3], MASK);
            if secret.len() >= PART_BYTES_MIN {
                let text = value["v"].as_str().unwrap();
                prop_assert!(!text.contains(&secret), "{}", stored);
            }
        }
    }

    #[test]
    fn a_secret_in_a_key_that_was_overwritten_is_gone_too() {
        let (stored, _) = mask(&["secret"], br#"{"token":"secret","token":null}"#);
        assert_eq!(stored, r#"{"token":"***","token":null}"#);
    }

    #[test]
    fn forms_read_the_same_after_masking() {
        let (stored, body) = mask(&["a b/c"], b"k=a+b%2fc&x=1");
        assert_eq!(stored, "k=***&x=1");
        assert_eq!(Body::parse(&stored.into(), None), body);
        let parts = b"--b\r\nContent-Disposition: form-data; name=k\r\n\r\na b/c\r\n--b--\r\n";
        assert_eq!(mask(&["a b/c"], parts).0, "k=***");
    }

    #[test]
    fn texts_and_other_bytes_are_masked_where_the_secret_stands() {
        let (stored, _) = mask(&["a\"b/c"], br#"{"x": "a\"b/c" "a\"b\/c" a"b/c"#);
        assert_eq!(stored, r#"{"x": "***" "***" ***"#);
        let (stored, body) = mask(&["secret"], b"\xFFsecretsecret!");
        assert_eq!(stored, "\u{FFFD}******!");
        assert_eq!(body, Err(Undecodable::NotUtf8));
    }

    #[test]
    fn a_longer_secret_is_masked_before_one_inside_it() {
        assert_eq!(mask(&["secret", "secret-2"], b"<secret-2>").0, "<***>");
    }
}
