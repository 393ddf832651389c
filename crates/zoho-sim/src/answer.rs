//! What a call is answered with, in Zoho's envelopes.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::time;

/// An answer before it is put on the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Nothing for 204 and 304, and where there is a file.
    pub(crate) body: Option<Value>,
    /// A download, instead of a body.
    pub(crate) file: Option<File>,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

/// A download; a page, if it has no name.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::empty(status)
        }
    }

    pub(crate) fn file(file: File) -> Self {
        Self {
            file: Some(file),
            ..Self::empty(StatusCode::OK)
        }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            body: None,
            file: None,
            headers: vec![],
        }
    }

    /// Zoho's way to say that nothing matched.
    pub(crate) fn nothing() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn into_response(mut self, now: Timestamp) -> Response<Body> {
        self.headers.push((header::DATE, time::http_date(now)));
        let (body, content_type) = match (self.file, self.body) {
            (Some(file), _) => {
                if !file.name.is_empty() {
                    self.headers
                        .push((header::CONTENT_DISPOSITION, disposition(&file.name)));
                }
                (Body::from(file.bytes), Some(file.content_type))
            }
            // The official SDKs ignore a JSON answer with any other content type.
            (None, Some(body)) => (
                Body::from(body.to_string()),
                Some("application/json;charset=UTF-8"),
            ),
            (None, None) => (Body::empty(), None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// The name of a download, in the form that takes any character.
fn disposition(name: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("attachment; filename*=UTF-8''{}", name.replace('+', "%20"))
}

/// One refusal: stands alone as an error body, or per item in `data` or `watch`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    pub(crate) details: Value,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: &'static str, details: Value) -> Self {
        Self {
            code,
            message,
            details,
        }
    }

    pub(crate) fn invalid_data(details: Value) -> Self {
        Self::new("INVALID_DATA", "invalid data", details)
    }

    pub(crate) fn invalid_id(details: Value) -> Self {
        Self::new("INVALID_DATA", "the id given seems to be invalid", details)
    }

    pub(crate) fn invalid_module() -> Self {
        Self::new(
            "INVALID_MODULE",
            "the module name given seems to be invalid",
            json!({"resource_path_index": 0}),
        )
    }

    /// A key of the body that must be there and is not.
    pub(crate) fn mandatory(name: &str, json_path: &str) -> Self {
        Self::new(
            "MANDATORY_NOT_FOUND",
            "required field not found",
            json!({"api_name": name, "json_path": json_path}),
        )
    }

    /// A key of the body with a value that cannot be.
    pub(crate) fn invalid_key(name: &str, json_path: &str) -> Self {
        Self::invalid_data(json!({"api_name": name, "json_path": json_path}))
    }

    pub(crate) fn parameter_missing(name: &str) -> Self {
        Self::new(
            "REQUIRED_PARAM_MISSING",
            "One of the expected parameter is missing",
            json!({"param_name": name}),
        )
    }

    pub(crate) fn unreadable_json() -> Self {
        Self::new(
            "JSON_PARSE_ERROR",
            "unable to parse the JSON of the body",
            json!({}),
        )
    }

    pub(crate) fn limit(parameter: &str, limit: usize) -> Self {
        Self::new(
            "LIMIT_EXCEEDED",
            "the limit of the given parameter is exceeded",
            json!({"param_name": parameter, "limit": limit}),
        )
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "details": self.details,
            "message": self.message,
            "status": "error",
        })
    }

    pub(crate) fn answer(&self, status: StatusCode) -> Answer {
        Answer::json(status, self.to_json())
    }

    pub(crate) fn bad_request(&self) -> Answer {
        self.answer(StatusCode::BAD_REQUEST)
    }
}

/// Sets a key of a JSON object.
pub(crate) fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

/// The answer to a call on several items: all well, none, or 207 for a mixture.
pub(crate) fn per_item(key: &str, items: Vec<Result<Value, Refusal>>, done: StatusCode) -> Answer {
    let failed = items.iter().filter(|it| it.is_err()).count();
    let status = if failed == 0 {
        done
    } else if failed == items.len() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::MULTI_STATUS
    };
    let items: Vec<Value> = items
        .into_iter()
        .map(|it| it.unwrap_or_else(|refusal| refusal.to_json()))
        .collect();
    Answer::json(status, json!({ key: items }))
}
