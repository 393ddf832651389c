//! A callback's body, read by what it is and not by what its content type says: Zoho's is not documented.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use serde_json::{Map, Value};

/// What the bytes turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// No bytes.
    Empty,
    /// A JSON text.
    Json(Value),
    /// Name and value pairs: urlencoded, multipart, or the query string of a request without a body.
    Form(Vec<(String, String)>),
    /// Anything else that is UTF-8.
    Text(String),
}

/// Bytes that cannot be read as any kind of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// A content encoding that is unknown, or broken.
    #[error("the content encoding is unknown or broken")]
    Encoding,
    /// Said to be multipart, but is not, or ends early.
    #[error("the multipart body is broken")]
    Multipart,
    /// Not JSON, no form, and not UTF-8 either.
    #[error("the body is not utf-8")]
    NotUtf8,
}

impl Body {
    /// Reads a body by its bytes. The content type is only a hint: for the boundary of a multipart body, and for a
    /// form that does not look like one. A stored body reads the same without it.
    ///
    /// # Errors
    /// When the bytes are a broken multipart body or no UTF-8.
    pub fn parse(bytes: &Bytes, content_type: Option<&str>) -> Result<Self, Undecodable> {
        let bytes = without_byte_order_mark(bytes);
        if bytes.is_empty() {
            return Ok(Self::Empty);
        }
        if let Ok(value) = serde_json::from_slice(&bytes) {
            return Ok(Self::Json(value));
        }
        if let Some(form) = parse_multipart(&bytes, content_type) {
            return form.map(Self::Form);
        }
        let claims_form = content_type.is_some_and(|it| media_type_is(it, FORM));
        if claims_form && !starts_like_markup(&bytes) || looks_urlencoded(&bytes) {
            return Ok(Self::Form(parse_pairs(bytes.trim_ascii())));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Self::Text(text.to_owned())),
            Err(_) => Err(Undecodable::NotUtf8),
        }
    }

    /// As [`Self::parse`]; a request without a body is read from its query string (workflow webhooks by GET or DELETE).
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of_request(
        bytes: &Bytes,
        content_type: Option<&str>,
        query: &str,
    ) -> Result<Self, Undecodable> {
        if bytes.is_empty() && !query.is_empty() {
            return Ok(Self::Form(parse_pairs(query.as_bytes())));
        }
        Self::parse(bytes, content_type)
    }

    /// As the variable `body` of conditions and templates: a form is an object, its first value wins; empty is null.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Json(value) => value.clone(),
            Self::Text(text) => Value::String(text.clone()),
            Self::Form(pairs) => {
                let mut object = Map::new();
                for (name, value) in pairs {
                    object
                        .entry(name.clone())
                        .or_insert_with(|| Value::String(value.clone()));
                }
                Value::Object(object)
            }
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

fn without_byte_order_mark(bytes: &Bytes) -> Bytes {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.slice(3..)
    } else {
        bytes.clone()
    }
}

fn media_type_is(content_type: &str, media_type: &str) -> bool {
    content_type
        .split(';')
        .next()
        .is_some_and(|it| it.trim().eq_ignore_ascii_case(media_type))
}

fn parse_pairs(bytes: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(bytes).into_owned().collect()
}

/// JSON that does not parse, or XML: no form, whatever its sender says.
fn starts_like_markup(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'))
}

/// Only what an encoder would write, and at least one pair.
fn looks_urlencoded(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    bytes.contains(&b'=')
        && bytes
            .iter()
            .all(|it| it.is_ascii_graphic() && !b"<>\"{}\\^`|".contains(it))
}

/// `None` when nothing says that it is multipart.
fn parse_multipart(
    bytes: &Bytes,
    content_type: Option<&str>,
) -> Option<Result<Vec<(String, String)>, Undecodable>> {
    let claimed = content_type.filter(|it| media_type_is(it, MULTIPART));
    let from_header = claimed.and_then(|it| multer::parse_boundary(it).ok());
    let from_body = boundary_of_first_line(bytes);
    if claimed.is_none() && from_body.is_none() {
        return None;
    }
    let form = [from_header, from_body]
        .into_iter()
        .flatten()
        .find_map(|boundary| read_multipart(bytes.clone(), boundary));
    Some(form.ok_or(Undecodable::Multipart))
}

/// A first line `--boundary` followed by a part's header.
fn boundary_of_first_line(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(b"--")?;
    let end = rest.windows(2).position(|it| it == b"\r\n")?;
    let (boundary, rest) = rest.split_at_checked(end)?;
    let header = rest.get(2..2 + b"content-".len())?;
    let boundary = std::str::from_utf8(boundary).ok()?;
    (!boundary.is_empty() && header.eq_ignore_ascii_case(b"content-")).then(|| boundary.to_owned())
}

fn read_multipart(bytes: Bytes, boundary: String) -> Option<Vec<(String, String)>> {
    let body = stream::iter([Ok::<_, Infallible>(bytes)]);
    let mut parts = multer::Multipart::new(body, boundary);
    let read = async {
        let mut pairs = vec![];
        while let Some(part) = parts.next_field().await? {
            let name = part.name().unwrap_or_default().to_owned();
            let value = String::from_utf8_lossy(&part.bytes().await?).into_owned();
            pairs.push((name, value));
        }
        Ok::<_, multer::Error>(pairs)
    };
    // All bytes are here, so it never has to wait.
    read.now_or_never()?.ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Body, Undecodable> {
        Body::parse(&Bytes::copy_from_slice(bytes), content_type)
    }

    fn form(pairs: &[(&str, &str)]) -> Body {
        Body::Form(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    const PARTS: &str = "--b1\r\nContent-Disposition: form-data; name=\"lead\"\r\n\r\n42\r\n\
        --b1\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\na\r\nb\r\n--b1--\r\n";

    #[test]
    fn json_is_json_whatever_the_content_type() {
        for content_type in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("\u{0}"),
        ] {
            let body = parse(br#" {"a":1} "#, content_type);
            assert_eq!(body, Ok(Body::Json(json!({"a": 1}))), "{content_type:?}");
        }
        assert_eq!(parse(b"\xEF\xBB\xBF[1]", None), Ok(Body::Json(json!([1]))));
    }

    #[test]
    fn forms_are_known_by_their_look_or_their_content_type() {
        assert_eq!(
            parse(b"a=1&b=x%20y+z", None),
            Ok(form(&[("a", "1"), ("b", "x y z")]))
        );
        assert_eq!(parse(b"a=1\r\n", None), Ok(form(&[("a", "1")])));
        assert_eq!(
            parse(
                b"a=x y&b",
                Some("Application/X-WWW-Form-Urlencoded; charset=utf-8")
            ),
            Ok(form(&[("a", "x y"), ("b", "")]))
        );
    }

    #[test]
    fn broken_json_and_xml_are_text_not_forms() {
        for text in [
            r#"{"a":"b=c"d"}"#,
            "<a b='c'/>",
            "just words",
            "--\nno parts",
        ] {
            let body = parse(text.as_bytes(), Some("application/json"));
            assert_eq!(body, Ok(Body::Text(text.to_owned())));
        }
        let body = parse(b"{a=b}", Some(FORM));
        assert_eq!(body, Ok(Body::Text("{a=b}".to_owned())));
    }

    #[test]
    fn multipart_needs_no_content_type_and_survives_a_wrong_boundary() {
        let expected = Ok(form(&[("lead", "42"), ("note", "a\r\nb")]));
        for content_type in [
            None,
            Some("multipart/form-data; boundary=b1"),
            Some("multipart/form-data; boundary=\"b1\""),
            Some("multipart/form-data; boundary=other"),
            Some("multipart/form-data"),
            Some("application/json"),
        ] {
            assert_eq!(
                parse(PARTS.as_bytes(), content_type),
                expected,
                "{content_type:?}"
            );
        }
    }

    #[test]
    fn broken_multipart_is_undecodable() {
        let broken = Err(Undecodable::Multipart);
        let cut = &PARTS.as_bytes()[..PARTS.len() - 8];
        assert_eq!(parse(cut, None), broken);
        let content_type = Some("multipart/form-data; boundary=b1");
        assert_eq!(parse(b"no parts here", content_type), broken);
    }

    #[test]
    fn bytes_that_are_no_text_are_undecodable_unless_they_are_a_form() {
        assert_eq!(parse(b"\xFF\xFE", None), Err(Undecodable::NotUtf8));
        assert_eq!(parse(b"a=\xFF", Some(FORM)), Ok(form(&[("a", "\u{FFFD}")])));
    }

    #[test]
    fn an_empty_body_is_read_from_the_query() {
        let read =
            |body: &'static [u8], query| Body::of_request(&Bytes::from_static(body), None, query);
        assert_eq!(read(b"", ""), Ok(Body::Empty));
        assert_eq!(
            read(b"", "a=1&a=2&b"),
            Ok(form(&[("a", "1"), ("a", "2"), ("b", "")]))
        );
        assert_eq!(read(b"1", "a=1"), Ok(Body::Json(json!(1))));
        assert_eq!(
            read(b"", "a=1&a=2").map(|it| it.to_value()),
            Ok(json!({"a": "1"}))
        );
    }
}
