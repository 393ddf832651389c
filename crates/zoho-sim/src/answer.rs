//! What a call is answered with, in Zoho's envelopes.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::time;

/// An answer before it is put on the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Nothing for 204 and 304.
    pub(crate) body: Option<Value>,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            headers: vec![],
        }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            body: None,
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

    pub(crate) fn into_response(self, now: Timestamp) -> Response<Body> {
        let mut response = Response::new(match &self.body {
            Some(body) => Body::from(body.to_string()),
            None => Body::empty(),
        });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.body.is_some() {
            // The official SDKs ignore an answer with any other content type.
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json;charset=UTF-8"),
            );
        }
        for (name, value) in self
            .headers
            .into_iter()
            .chain([(header::DATE, time::http_date(now))])
        {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
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
