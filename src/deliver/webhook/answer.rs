//! What a status means: done, the destination's fault, or the message's own.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

use crate::{deliver::DeliverError, event::QuarantineReason};

/// A destination cannot make us wait longer by Retry-After.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Attempts where another try will hardly help: 400, 413, 415, 422.
const HOPELESS_ATTEMPTS_MAX: u32 = 3;

/// The three forms of RFC 9110, section 5.6.7, the preferred one first.
const HTTP_DATES: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// 2xx is success and nothing else is.
pub(super) fn outcome(
    status: StatusCode,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(), DeliverError> {
    if status.is_success() {
        return Ok(());
    }
    let detail = format!("answered {status}");
    match status.as_u16() {
        410 => Err(DeliverError::Gone { detail }),
        400 | 413 | 415 | 422 => Err(refused(detail, Some(HOPELESS_ATTEMPTS_MAX))),
        // It says when it will take anything again.
        429 | 503 => Err(match retry_after(headers, now) {
            Some(asked) => wait(detail, asked),
            None => at_fault(detail, None),
        }),
        401 | 403 | 404 | 405 | 407 | 408 | 421 | 425 => {
            Err(at_fault(detail, retry_after(headers, now)))
        }
        400..=499 => Err(refused(detail, None)),
        _ => Err(at_fault(detail, retry_after(headers, now))),
    }
}

fn refused(detail: String, attempts_max: Option<u32>) -> DeliverError {
    DeliverError::Message {
        reason: QuarantineReason::Refused,
        detail,
        attempts_max,
    }
}

fn wait(detail: String, asked: Duration) -> DeliverError {
    DeliverError::Destination {
        detail,
        retry_after: Some(asked),
        down: true,
    }
}

fn at_fault(detail: String, retry_after: Option<Duration>) -> DeliverError {
    DeliverError::Destination {
        detail,
        retry_after,
        down: false,
    }
}

/// Seconds or an HTTP date; `None` when absent or neither.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too long for a number is too long to wait.
        text.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let at = http_date(text)?;
        Duration::try_from(at.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(text: &str) -> Option<Timestamp> {
    HTTP_DATES.iter().find_map(|form| {
        let date = strtime::parse(form, text).ok()?.to_datetime().ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16) -> &'static str {
        let status = StatusCode::from_u16(status).unwrap();
        match outcome(status, &HeaderMap::new(), Timestamp::UNIX_EPOCH) {
            Ok(()) => "done",
            Err(DeliverError::Destination { down: false, .. }) => "destination",
            Err(DeliverError::Destination { down: true, .. }) => "down",
            Err(DeliverError::Message {
                attempts_max: None, ..
            }) => "message",
            Err(DeliverError::Message {
                attempts_max: Some(3),
                ..
            }) => "message, three attempts",
            Err(DeliverError::Message { .. }) => "message, limited",
            Err(DeliverError::Gone { .. }) => "gone",
        }
    }

    #[test]
    fn every_status_has_its_class() {
        for status in 100..1000 {
            let expected = match status {
                200..=299 => "done",
                401 | 403 | 404 | 405 | 407 | 408 | 421 | 425 | 429 => "destination",
                400 | 413 | 415 | 422 => "message, three attempts",
                410 => "gone",
                400..=499 => "message",
                _ => "destination",
            };
            assert_eq!(class(status), expected, "{status}");
        }
    }

    #[test]
    fn a_busy_destination_that_says_until_when_is_down_until_then() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "60".parse().unwrap());
        for (status, is_down) in [(429, true), (503, true), (500, false), (404, false)] {
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = outcome(status, &headers, Timestamp::UNIX_EPOCH);
            assert!(
                matches!(
                    outcome,
                    Err(DeliverError::Destination { down, retry_after: Some(_), .. }) if down == is_down
                ),
                "{status}"
            );
        }
    }

    fn check_wait(value: &str, expected_seconds: Option<u64>) {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        assert_eq!(
            retry_after(&headers, now),
            expected_seconds.map(Duration::from_secs),
            "{value}"
        );
    }

    #[test]
    fn retry_after_is_seconds_or_any_http_date_and_at_most_a_day() {
        check_wait("0", Some(0));
        check_wait("120", Some(120));
        check_wait(" 7 ", Some(7));
        check_wait("86401", Some(86400));
        check_wait("99999999999999999999999", Some(86400));
        check_wait("Sun, 06 Nov 1994 08:49:37 GMT", Some(37));
        check_wait("Sunday, 06-Nov-94 08:49:37 GMT", Some(37));
        check_wait("Sun Nov  6 08:49:37 1994", Some(37));
        check_wait("Sun, 06 Nov 1994 08:48:00 GMT", Some(0));
        check_wait("Sat, 06 Nov 2094 08:48:00 GMT", Some(86400));
        check_wait("", None);
        check_wait("-1", None);
        check_wait("soon", None);
        check_wait("1.5", None);
    }
}
