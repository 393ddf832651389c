//! Takes the secrets out of a proven body before anything of it is stored.

use std::borrow::Cow;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Proof;
use crate::event::{Body, Undecodable};

/// What stands in a secret's place.
const MASK: &str = "***";

/// A shorter secret is masked only where it is a whole value: as a part it would be found everywhere.
const PART_BYTES_MIN: usize = 4;

/// All secrets of a source, in the forms in which they can stand in a text.
pub(super) struct Secrets<'a> {
    whole: Vec<&'a str>,
    /// Longest first, so that no secret leaves the rest of a longer one behind.
    parts: Vec<Cow<'a, str>>,
}

impl<'a> Secrets<'a> {
    pub(super) fn of(proof: &'a Proof) -> Self {
        let whole: Vec<&str> = all(proof).map(ExposeSecret::expose_secret).collect();
        let mut parts = vec![];
        for secret in whole.iter().filter(|it| it.len() >= PART_BYTES_MIN) {
            parts.push(Cow::Borrowed(*secret));
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
        parts.sort_by_key(|it| std::cmp::Reverse(it.len()));
        Self { whole, parts }
    }

    /// Masks `body` and gives the bytes to store: those that came where they hold no secret, else `body` written anew.
    /// They read as the same body without a content type.
    pub(super) fn mask(&self, bytes: &Bytes, body: &mut Result<Body, Undecodable>) -> Bytes {
        match body {
            Ok(Body::Empty) => Bytes::new(),
            Ok(Body::Json(value)) => {
                let masked = self.mask_value(value);
                if masked || self.found_in(bytes) {
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

    fn mask_value(&self, value: &mut Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => {
                let masked = self.whole.contains(&number.to_string().as_str());
                if masked {
                    *value = MASK.into();
                }
                masked
            }
            Value::String(text) => self.mask_text(text),
            Value::Array(list) => list
                .iter_mut()
                .fold(false, |masked, it| self.mask_value(it) | masked),
            Value::Object(object) => {
                if object.keys().any(|it| self.found_in(it.as_bytes())) {
                    *object = std::mem::take(object)
                        .into_iter()
                        .map(|(mut name, value)| {
                            self.mask_text(&mut name);
                            (name, value)
                        })
                        .collect();
                }
                object
                    .values_mut()
                    .fold(false, |masked, it| self.mask_value(it) | masked)
            }
        }
    }

    fn mask_text(&self, text: &mut String) -> bool {
        if self.whole.contains(&text.as_str()) {
            MASK.clone_into(text);
            return true;
        }
        let mut masked = false;
        for part in &self.parts {
            if text.contains(part.as_ref()) {
                *text = text.replace(part.as_ref(), MASK);
                masked = true;
            }
        }
        masked
    }

    /// A text may be JSON that does not parse, so a secret may be escaped in it.
    fn mask_escaped(&self, text: &mut String) {
        self.mask_text(text);
        for secret in self.whole.iter().filter(|it| it.len() >= PART_BYTES_MIN) {
            let quoted = Value::from(*secret).to_string();
            let escaped = quoted.trim_matches('"');
            for form in [escaped.to_owned(), escaped.replace('/', "\\/")] {
                if form != **secret && text.contains(&form) {
                    *text = text.replace(&form, MASK);
                }
            }
        }
    }

    fn found_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.parts.iter().any(|it| text.contains(it.as_ref()))
    }

    fn mask_bytes(&self, bytes: &Bytes) -> Bytes {
        let mut masked = bytes.clone();
        for part in &self.parts {
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
    let find = |from: &[u8]| from.windows(secret.len()).position(|it| it == secret);
    let Some(mut at) = find(&bytes) else {
        return bytes;
    };
    let mut rest: &[u8] = &bytes;
    let mut masked = Vec::with_capacity(bytes.len());
    while let Some((before, after)) = rest.split_at_checked(at) {
        masked.extend_from_slice(before);
        masked.extend_from_slice(MASK.as_bytes());
        rest = after.get(secret.len()..).unwrap_or_default();
        match find(rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    masked.extend_from_slice(rest);
    masked.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mask(secrets: &[&str], bytes: &[u8]) -> (String, Result<Body, Undecodable>) {
        let proof = Proof {
            bearer: secrets.iter().map(|it| SecretString::from(*it)).collect(),
            ..Proof::default()
        };
        let bytes = Bytes::copy_from_slice(bytes);
        let mut body = Body::parse(&bytes, None);
        let stored = Secrets::of(&proof).mask(&bytes, &mut body);
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
    fn a_secret_in_a_key_that_was_overwritten_is_gone_too() {
        let (stored, _) = mask(&["secret"], br#"{"token":"secret","token":null}"#);
        assert_eq!(stored, r#"{"token":null}"#);
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
