//! What consumers send and get.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::LEASE;

/// `?max=100&wait=20s`
#[derive(Deserialize)]
pub(super) struct Ask {
    pub(super) max: Option<usize>,
    pub(super) wait: Option<String>,
}

/// The answer to a lease.
#[derive(Serialize)]
pub(super) struct Leased {
    pub(super) events: Vec<LeasedEvent>,
}

#[derive(Serialize)]
pub(super) struct LeasedEvent {
    /// To acknowledge it with.
    pub(super) id: String,
    /// When the lease ends.
    pub(super) lease: String,
    /// In `CloudEvents` structured mode.
    pub(super) event: Box<RawValue>,
}

/// The body of an ack or nack.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settle {
    pub(super) ids: Vec<String>,
    /// Of a nack.
    pub(super) delay: Option<String>,
}

/// The answer to an ack or nack.
#[derive(Serialize)]
pub(super) struct Settled {
    pub(super) settled: usize,
    /// Not leased to this consumer, or not any more.
    pub(super) unknown: Vec<String>,
}

/// Why a consumer gets nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    NoToken,
    WrongToken,
    NoSuchDestination,
    BadRequest(&'static str),
    TooManyLeased,
    Unavailable(Duration),
}

impl Settle {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body)
            .map_err(|_invalid| Refusal::BadRequest(r#"send {"ids": ["…"]}"#))
    }
}

/// `250ms`, `20s`, `5m`; a bare number is seconds, nothing is no time.
pub(super) fn duration(text: Option<&str>) -> Result<Duration, Refusal> {
    let wrong = || Refusal::BadRequest("wait and delay are times such as 20s");
    let Some(text) = text else {
        return Ok(Duration::ZERO);
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_invalid| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "" | "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_mins(number.into())),
        _ => Err(wrong()),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "a consumer's bearer token is needed",
            ),
            Self::WrongToken => (
                StatusCode::FORBIDDEN,
                "the token is none of this destination's",
            ),
            Self::NoSuchDestination => (StatusCode::NOT_FOUND, "there is no such pull destination"),
            Self::BadRequest(what) => (StatusCode::BAD_REQUEST, what),
            Self::TooManyLeased => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many events are leased: acknowledge some first",
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store cannot be written",
            ),
        };
        let mut response =
            (status, axum::Json(serde_json::json!({ "error": error }))).into_response();
        let headers = response.headers_mut();
        match self {
            Self::NoToken => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooManyLeased => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(LEASE.as_secs()));
            }
            Self::Unavailable(wait) => {
                headers.insert(
                    header::RETRY_AFTER,
                    HeaderValue::from(wait.as_secs().max(1)),
                );
            }
            Self::WrongToken | Self::NoSuchDestination | Self::BadRequest(_) => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        let check = |text: &str, expected_ms: Option<u128>| {
            let read = duration(Some(text)).ok().map(|it| it.as_millis());
            assert_eq!(read, expected_ms, "{text}");
        };
        check("20s", Some(20_000));
        check("7", Some(7_000));
        check("250ms", Some(250));
        check("2m", Some(120_000));
        for wrong in ["", "s", "-1s", "1h", "1 s", "99999999999s", "1µs"] {
            check(wrong, None);
        }
        assert_eq!(duration(None).unwrap(), Duration::ZERO);
    }
}
