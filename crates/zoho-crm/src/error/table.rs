//! Zoho's error table: what an answer that is not a success means for the caller.

use std::time::Duration;

use serde_json::Value;

use super::{Code, Error, LATER};

/// An answer that is not a success, as an error. Zoho: "Status codes", v8.
///
/// Unknown codes are judged by their HTTP status. `throttled` is how long to wait after a 429 without `Retry-After`.
pub(crate) fn from_answer(
    status: u16,
    body: &[u8],
    after: Option<Duration>,
    throttled: Duration,
) -> Error {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let envelope = envelope(&body);
    let wait = Wait { after, throttled };
    decide(status, code_of(envelope), name_of(envelope), wait)
}

/// An error's body is no larger.
const ERROR_BYTES_MAX: usize = 16 * 1024;

/// Whether this is an error's body, whatever status it came with: older descriptions of Zoho's have errors under 202.
pub(crate) fn is_error(body: &[u8]) -> bool {
    if body.len() > ERROR_BYTES_MAX {
        return false;
    }
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let members = envelope(&body).as_object();
    members.is_some_and(|it| {
        let own = |key: &String| matches!(key.as_str(), "code" | "details" | "message" | "status");
        let is_failure = it.get("status").is_some_and(|it| it == "error");
        is_failure && it.get("code").is_some_and(Value::is_string) && it.keys().all(own)
    })
}

/// The status of a failure: one within a success is the request's, unless its code says more.
pub(crate) const fn failing(status: u16) -> u16 {
    match status {
        200..=299 => 400,
        other => other,
    }
}

/// The object that says what is wrong: the body, or the first entry under one of its keys.
fn envelope(body: &Value) -> &Value {
    let has_code = |it: &Value| it.get("code").is_some_and(Value::is_string);
    if has_code(body) {
        return body;
    }
    let members = body.as_object().into_iter().flat_map(|it| it.values());
    let mut entries = members.filter_map(|it| it.as_array().map_or(Some(it), |it| it.first()));
    entries.find(|it| has_code(it)).unwrap_or(body)
}

/// Zoho's code in an error's envelope.
pub(crate) fn code_of(envelope: &Value) -> Code {
    let code = envelope.get("code").and_then(Value::as_str);
    Code::new(code.unwrap_or_default())
}

/// The parameter or field an error's envelope names.
pub(crate) fn name_of(envelope: &Value) -> Option<Code> {
    let details = envelope.get("details")?;
    ["api_name", "param_name", "param"]
        .iter()
        .find_map(|key| details.get(key)?.as_str())
        .map(Code::new)
}

/// How long to wait, as far as an answer said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// `Retry-After`.
    pub(crate) after: Option<Duration>,
    /// After a 429 without it.
    pub(crate) throttled: Duration,
}

impl Default for Wait {
    /// As long as after any failure that says nothing.
    fn default() -> Self {
        Self {
            after: None,
            throttled: LATER,
        }
    }
}

/// What a code and a status mean for the caller.
pub(crate) fn decide(status: u16, code: Code, name: Option<Code>, wait: Wait) -> Error {
    let Wait { after, throttled } = wait;
    match code.as_str() {
        "INVALID_TOKEN" | "AUTHENTICATION_FAILURE" | "INVALID_OAUTHTOKEN" => {
            Error::Unauthorized { code, after: LATER }
        }
        "OAUTH_SCOPE_MISMATCH" | "NO_PERMISSION" | "FEATURE_NOT_ENABLED" => {
            Error::Forbidden { status, code }
        }
        "TOO_MANY_REQUESTS" | "RATE_LIMIT_EXCEEDED" => Error::Throttled {
            code,
            after: after.unwrap_or(throttled),
        },
        "DISCRETE_PAGINATION_LIMIT_EXCEEDED"
        | "PAGINATION_LIMIT_EXCEEDED"
        | "EXPIRED_VALUE"
        | "TOKEN_BOUND_DATA_MISMATCH" => Error::RestartPaging { code },
        "RECORD_LOCKED"
        | "RECORD_IN_BLUEPRINT"
        | "NOT_APPROVED"
        | "LOOPING_FOUND"
        | "PROCESSING_STOPPED"
        | "ROLLBACK_PERFORMED" => Error::RecordState { code },
        "INTERNAL_ERROR"
        | "INTERNAL_SERVER_ERROR"
        | "BAD_GATEWAY"
        | "SERVICE_UNAVAILABLE"
        | "REQUEST_TIMEOUT" => Error::Unavailable {
            status,
            code,
            after,
        },
        _ => match status {
            401 => Error::Unauthorized { code, after: LATER },
            403 => Error::Forbidden { status, code },
            404 | 410 => Error::Gone { status, code },
            412 => Error::Modified { code },
            408 | 425 | 500..=599 => Error::Unavailable {
                status,
                code,
                after,
            },
            429 => Error::Throttled {
                code,
                after: after.unwrap_or(throttled),
            },
            400..=499 => Error::Invalid { status, code, name },
            _ => Error::Malformed {
                problem: "a status that is neither a success nor an error",
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, code: &str) -> &'static str {
        let body = format!(r#"{{"code":"{code}","details":{{}},"message":"m","status":"error"}}"#);
        from_answer(status, body.as_bytes(), None, Duration::from_secs(1)).class()
    }

    /// Every row of the table: status, codes, what we do.
    const TABLE: &[(u16, &str, &str)] = &[
        (
            400,
            "INVALID_DATA MANDATORY_NOT_FOUND DUPLICATE_DATA INVALID_MODULE REQUIRED_PARAM_MISSING EXPECTED_FIELD_MISSING EXPECTED_PARAM_MISSING DEPENDENT_FIELD_MISSING DEPENDENT_MISMATCH PATTERN_NOT_MATCHED UNABLE_TO_PARSE_DATA_TYPE JSON_PARSE_ERROR INVALID_REQUEST INVALID_REQUEST_METHOD NOT_SUPPORTED API_NOT_SUPPORTED AMBIGUITY_DURING_PROCESSING SYNTAX_ERROR INVALID_QUERY LIMIT_EXCEEDED LIMIT_REACHED NOT_ALLOWED AUTHORIZATION_FAILED ID_ALREADY_CONVERTED NOT_SUBSCRIBED",
            "invalid",
        ),
        (
            400,
            "DISCRETE_PAGINATION_LIMIT_EXCEEDED PAGINATION_LIMIT_EXCEEDED EXPIRED_VALUE TOKEN_BOUND_DATA_MISMATCH",
            "restart_paging",
        ),
        (
            400,
            "RECORD_LOCKED RECORD_IN_BLUEPRINT NOT_APPROVED LOOPING_FOUND PROCESSING_STOPPED ROLLBACK_PERFORMED",
            "record_state",
        ),
        (
            401,
            "INVALID_TOKEN AUTHENTICATION_FAILURE SOMETHING_NEW",
            "unauthorized",
        ),
        (401, "OAUTH_SCOPE_MISMATCH", "forbidden"),
        (
            403,
            "OAUTH_SCOPE_MISMATCH NO_PERMISSION NOT_SUPPORTED FEATURE_NOT_ENABLED SOMETHING_NEW",
            "forbidden",
        ),
        (
            404,
            "INVALID_URL_PATTERN RESOURCE_NOT_FOUND SOMETHING_NEW",
            "gone",
        ),
        (405, "METHOD_NOT_ALLOWED", "invalid"),
        (412, "RECORD_MODIFIED", "modified"),
        (413, "REQUEST_ENTITY_TOO_LARGE", "invalid"),
        (415, "MEDIA_TYPE_NOT_SUPPORTED", "invalid"),
        (
            429,
            "TOO_MANY_REQUESTS RATE_LIMIT_EXCEEDED SOMETHING_NEW",
            "throttled",
        ),
        (
            500,
            "INTERNAL_ERROR INTERNAL_SERVER_ERROR SOMETHING_NEW",
            "unavailable",
        ),
        (502, "BAD_GATEWAY", "unavailable"),
        (503, "SERVICE_UNAVAILABLE", "unavailable"),
        (504, "REQUEST_TIMEOUT", "unavailable"),
        (400, "SOMETHING_NEW", "invalid"),
        (302, "", "malformed"),
    ];

    #[test]
    fn every_row_of_the_table_has_its_decision() {
        for (status, codes, expected) in TABLE {
            for code in codes.split(' ') {
                assert_eq!(class(*status, code), *expected, "{status} {code}");
            }
        }
    }

    #[test]
    fn an_answer_that_is_not_json_is_judged_by_its_status() {
        for (status, expected) in [(502, "unavailable"), (404, "gone"), (401, "unauthorized")] {
            let error = from_answer(status, b"<html>", None, Duration::ZERO);
            assert_eq!(error.class(), expected);
        }
    }

    #[test]
    fn only_what_may_pass_is_worth_a_wait() {
        let waits: Vec<_> = TABLE
            .iter()
            .map(|(status, codes, class)| {
                let body = format!(r#"{{"code":"{}"}}"#, codes.split(' ').next().unwrap());
                let error = from_answer(*status, body.as_bytes(), None, Duration::from_secs(1));
                (*class, error.retry_after().is_some())
            })
            .collect();
        for (class, waits) in waits {
            let expected = ["unauthorized", "throttled", "unavailable", "malformed"];
            assert_eq!(waits, expected.contains(&class), "{class}");
        }
    }

    #[test]
    fn content_never_gets_into_a_message() {
        let body = br#"{"code":"<Jane Doe, +44 20>","details":{"api_name":"jane@example.com is wrong"},"message":"Jane"}"#;
        let error = from_answer(400, body, None, Duration::ZERO);
        assert_eq!(
            error.to_string(),
            "zoho refuses the request: status 400, none (none)"
        );
        assert!(!format!("{error:?}").to_lowercase().contains("jane"));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let body = br#"{"code":"INVALID_DATA","details":{"api_name":"Nmae","json_path":"$.x"},"message":"invalid data","status":"error"}"#;
        let error = from_answer(400, body, None, Duration::ZERO);
        assert_eq!(
            error.to_string(),
            "zoho refuses the request: status 400, INVALID_DATA (Nmae)"
        );
    }

    #[test]
    fn the_first_error_of_a_batch_is_found() {
        for body in [
            r#"{"data":[{"code":"MANDATORY_NOT_FOUND","details":{"api_name":"Last_Name"},"message":"m","status":"error"}]}"#,
            r#"{"watch":{"code":"MANDATORY_NOT_FOUND","details":{"api_name":"Last_Name"},"message":"m","status":"error"}}"#,
        ] {
            let error = from_answer(400, body.as_bytes(), None, Duration::ZERO);
            assert_eq!(
                error.to_string(),
                "zoho refuses the request: status 400, MANDATORY_NOT_FOUND (Last_Name)"
            );
        }
    }

    #[test]
    fn what_was_not_carried_out_for_certain_is_known() {
        let may = |status, code: &str| {
            let body = format!(r#"{{"code":"{code}"}}"#);
            from_answer(status, body.as_bytes(), None, Duration::ZERO).may_be_done()
        };
        assert!(may(500, "INTERNAL_ERROR"));
        assert!(may(504, "REQUEST_TIMEOUT"));
        assert!(!may(429, "TOO_MANY_REQUESTS"));
        assert!(!may(401, "INVALID_TOKEN"));
        assert!(!may(400, "INVALID_DATA"));
        let problem = |problem| Error::Unreachable {
            problem,
            source: None,
        };
        assert!(!problem("connect").may_be_done());
        assert!(problem("timeout").may_be_done());
    }

    #[test]
    fn retry_after_is_honoured() {
        let after = Some(Duration::from_secs(77));
        for status in [429, 503] {
            let error = from_answer(status, b"", after, Duration::from_secs(1));
            assert_eq!(error.retry_after(), after);
        }
    }
}
