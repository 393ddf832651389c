//! Every status that the public port gives, and its reason in metrics and in the list of refused requests.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

use super::SourceKind;
use crate::{store::Accepted, verify::Refusal};

/// Why a request to a source that exists was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// 405; holds the `Allow` header.
    Method(&'static str),
    /// 413, before or after decompression.
    TooLarge,
    /// 408.
    Timeout,
    /// The caller went away, or its transfer encoding is broken.
    Incomplete,
    /// 401; 400 when the proof lies in a body that cannot be decoded.
    Proof(Refusal),
    /// 503: as many requests in flight as connections are allowed, or as many bytes as memory is.
    Busy,
    /// 503: a destination of this source is full and says `backlog.on_full: refuse`.
    Backlog,
    /// 503: nothing can be stored.
    Store {
        /// When it may be worth another try.
        retry_after: Duration,
    },
}

/// Long enough for a burst to pass.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A full destination takes longer.
const BACKLOG_RETRY_AFTER: Duration = Duration::from_secs(30);

impl Refused {
    /// Reasons that are not a [`Refusal`], for metrics that start at zero.
    pub(super) const WORDS: [&str; 7] = [
        "method",
        "too_large",
        "timeout",
        "incomplete",
        "busy",
        "backlog",
        "store",
    ];

    /// The word in metrics, the list of refused requests and docs.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Method(_) => "method",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Incomplete => "incomplete",
            Self::Proof(refusal) => refusal.as_str(),
            Self::Busy => "busy",
            Self::Backlog => "backlog",
            Self::Store { .. } => "store",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Method(allow) => {
                let mut response = error(StatusCode::METHOD_NOT_ALLOWED);
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static(allow));
                response
            }
            Self::TooLarge => closing(error(StatusCode::PAYLOAD_TOO_LARGE)),
            Self::Timeout => closing(error(StatusCode::REQUEST_TIMEOUT)),
            Self::Incomplete => closing(error(StatusCode::BAD_REQUEST)),
            Self::Proof(Refusal::Undecodable) => error(StatusCode::BAD_REQUEST),
            Self::Proof(_) => error(StatusCode::UNAUTHORIZED),
            Self::Busy => later(BUSY_RETRY_AFTER),
            Self::Backlog => later(BACKLOG_RETRY_AFTER),
            Self::Store { retry_after } => later(retry_after),
        }
    }
}

/// The methods a kind of source listens to, as an `Allow` header.
pub(super) const fn allowed(kind: &SourceKind) -> &'static str {
    match kind {
        SourceKind::Watch => "POST",
        SourceKind::Workflow(_) => "GET, POST, PUT, DELETE",
        SourceKind::Generic(_) => "POST, PUT",
    }
}

/// 200, sent only after the commit.
pub(super) fn accepted(accepted: Accepted) -> Response {
    let body = match accepted {
        Accepted::New(id) => format!(r#"{{"accepted":"{id}"}}"#),
        Accepted::Duplicate(id) => format!(r#"{{"accepted":"{id}","duplicate":true}}"#),
    };
    json(StatusCode::OK, Body::from(body))
}

/// A status and its name, nothing more: who is not proven learns nothing.
pub(super) fn error(status: StatusCode) -> Response {
    let name = status.canonical_reason().unwrap_or_default();
    json(status, Body::from(format!(r#"{{"error":"{name}"}}"#)))
}

/// The same answer to HEAD: with its length, without its body, which HTTP/2 would send.
pub(super) fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact() {
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Body::empty();
    response
}

fn json(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What is left of the request is not worth reading.
fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn later(after: Duration) -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE);
    let seconds = after
        .as_secs()
        .saturating_add(u64::from(after.subsec_nanos() > 0));
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}
