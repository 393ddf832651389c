//! What can go wrong, by what the caller does next; and Zoho's error table.

use std::{fmt, io, sync::Arc, time::Duration};

use serde_json::Value;

use crate::TokenStoreError;

/// Zoho's word for an error (`INVALID_DATA`), or for one of OAuth's (`invalid_code`). Anything that does not look like
/// such a word is not kept, so that it can be logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Code(Arc<str>);

/// The longest known code has 36 characters.
const CODE_CHARS_MAX: usize = 64;

impl Code {
    /// The word, or `none` when it is empty or not a word.
    pub fn new(text: &str) -> Self {
        let fits = !text.is_empty() && text.len() <= CODE_CHARS_MAX;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ' ' || c == '-';
        Self(if fits && text.chars().all(word) {
            text.into()
        } else {
            "none".into()
        })
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a call gave nothing. No variant holds a secret or a record's content.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer: connect, TLS, timeout or a connection cut short. Later.
    #[error("zoho cannot be reached: {problem}")]
    Unreachable {
        /// `connect`, `timeout`, `body`, `too large` or `request`.
        problem: &'static str,
        /// What the HTTP client said, without the URL.
        #[source]
        source: Option<Arc<reqwest::Error>>,
    },
    /// Zoho is not well (5xx). Later.
    #[error("zoho is not available: status {status}, {code}")]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// Zoho's code.
        code: Code,
        /// `Retry-After`, if there was one.
        after: Option<Duration>,
    },
    /// Too many calls at once, or the day's credits are spent (429): Zoho does not tell which. Not before `after`.
    #[error("zoho asks for fewer calls: {code}, again in {after:?}")]
    Throttled {
        /// Zoho's code.
        code: Code,
        /// How long to wait.
        after: Duration,
    },
    /// The call would touch the reserve of the credit budget; it was not made.
    #[error("the credit budget is spent but for its reserve, again in {after:?}")]
    CreditsSpent {
        /// When the oldest credits of the rolling day are free again, or when to look again.
        after: Duration,
    },
    /// No access token for now (the accounts server is down, or has had ten requests in ten minutes).
    #[error("no access token for now: {problem}, again in {after:?}")]
    TokenDelayed {
        /// Why.
        problem: Code,
        /// How long to wait.
        after: Duration,
    },
    /// The token could not be read from or kept in the [`TokenStore`](crate::TokenStore). Later.
    #[error("the access token cannot be kept: {0}")]
    TokenStore(#[source] TokenStoreError),
    /// The credentials are refused (revoked, wrong client, wrong data centre): a person must act. Asked again once
    /// `after` has passed, not before.
    #[error("zoho refuses the credentials: {code}")]
    Unauthorized {
        /// `invalid_code` (revoked refresh token), `invalid_client`, `INVALID_TOKEN`, …
        code: Code,
        /// Calls fail at once until then.
        after: Duration,
    },
    /// The user, the scope or the edition does not allow it: a person must act.
    #[error("zoho does not allow this: status {status}, {code}")]
    Forbidden {
        /// HTTP status.
        status: u16,
        /// `OAUTH_SCOPE_MISMATCH`, `NO_PERMISSION`, …
        code: Code,
    },
    /// The request is wrong; sent again it will be wrong again.
    #[error("zoho refuses the request: status {status}, {code}{}", name.as_ref().map(|it| format!(" ({it})")).unwrap_or_default())]
    Invalid {
        /// HTTP status.
        status: u16,
        /// `INVALID_DATA`, `INVALID_MODULE`, `LIMIT_EXCEEDED`, …
        code: Code,
        /// The parameter or field that Zoho names as the cause; an API name, never a value.
        name: Option<Code>,
    },
    /// The record or URL is not there (404, or what means the same).
    #[error("not there: status {status}, {code}")]
    Gone {
        /// HTTP status.
        status: u16,
        /// Zoho's code.
        code: Code,
    },
    /// The record is locked, in a blueprint or not approved: later or never.
    #[error("the record's state does not allow this: {code}")]
    RecordState {
        /// `RECORD_LOCKED`, …
        code: Code,
    },
    /// The pages have moved on: start the listing again.
    #[error("the listing must be started again: {code}")]
    RestartPaging {
        /// `EXPIRED_VALUE`, …
        code: Code,
    },
    /// Somebody changed the record meanwhile (412): read it again.
    #[error("the record was changed meanwhile: {code}")]
    Modified {
        /// `RECORD_MODIFIED`.
        code: Code,
    },
    /// A success that does not look like one of Zoho's answers.
    #[error("unreadable answer: {problem}")]
    Malformed {
        /// What is missing or wrong; holds no content.
        problem: &'static str,
    },
    /// A file of this machine cannot be read or written.
    #[error("{problem}")]
    File {
        /// Which, and what of it; holds no path.
        problem: &'static str,
        /// What the system said.
        #[source]
        source: Option<Arc<io::Error>>,
    },
    /// The call cannot be made like this; nothing was sent.
    #[error("{problem}")]
    Misuse {
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The wait after a failure that says nothing about how long it will last.
const LATER: Duration = Duration::from_secs(5);

impl Error {
    /// How long to wait before the same call may succeed; `None` when waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { .. } | Self::TokenStore(_) | Self::Malformed { .. } => Some(LATER),
            Self::Unavailable { after, .. } => Some(after.unwrap_or(LATER)),
            Self::Throttled { after, .. }
            | Self::CreditsSpent { after }
            | Self::TokenDelayed { after, .. }
            | Self::Unauthorized { after, .. } => Some(*after),
            Self::Forbidden { .. }
            | Self::Invalid { .. }
            | Self::Gone { .. }
            | Self::RecordState { .. }
            | Self::RestartPaging { .. }
            | Self::Modified { .. }
            | Self::File { .. }
            | Self::Misuse { .. } => None,
        }
    }

    /// Whether Zoho may have carried out the call nevertheless: it was sent, and what became of it is not known.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Unreachable { problem, .. } => *problem != "connect",
            Self::Unavailable { .. } | Self::Malformed { .. } => true,
            Self::Throttled { .. }
            | Self::CreditsSpent { .. }
            | Self::TokenDelayed { .. }
            | Self::TokenStore(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Invalid { .. }
            | Self::Gone { .. }
            | Self::RecordState { .. }
            | Self::RestartPaging { .. }
            | Self::Modified { .. }
            | Self::File { .. }
            | Self::Misuse { .. } => false,
        }
    }

    /// Zoho's word for it, where there is one.
    pub const fn code(&self) -> Option<&Code> {
        match self {
            Self::Unavailable { code, .. }
            | Self::Throttled { code, .. }
            | Self::TokenDelayed { problem: code, .. }
            | Self::Unauthorized { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Invalid { code, .. }
            | Self::Gone { code, .. }
            | Self::RecordState { code }
            | Self::RestartPaging { code }
            | Self::Modified { code } => Some(code),
            Self::Unreachable { .. }
            | Self::CreditsSpent { .. }
            | Self::TokenStore(_)
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::Misuse { .. } => None,
        }
    }

    /// A word from a closed set, for metrics.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Unavailable { .. } => "unavailable",
            Self::Throttled { .. } => "throttled",
            Self::CreditsSpent { .. } => "credits_spent",
            Self::TokenDelayed { .. } => "token_delayed",
            Self::TokenStore(_) => "token_store",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::Invalid { .. } => "invalid",
            Self::Gone { .. } => "gone",
            Self::RecordState { .. } => "record_state",
            Self::RestartPaging { .. } => "restart_paging",
            Self::Modified { .. } => "modified",
            Self::Malformed { .. } => "malformed",
            Self::File { .. } => "file",
            Self::Misuse { .. } => "misuse",
        }
    }

    /// Every word [`Self::class`] can give, for metrics that start at zero.
    pub const CLASSES: [&'static str; 16] = [
        "unreachable",
        "unavailable",
        "throttled",
        "credits_spent",
        "token_delayed",
        "token_store",
        "unauthorized",
        "forbidden",
        "invalid",
        "gone",
        "record_state",
        "restart_paging",
        "modified",
        "malformed",
        "file",
        "misuse",
    ];
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A base URL that cannot be used.
    #[error("{url} cannot be used: {problem}")]
    Url {
        /// Which one, without credentials.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// No client secret or no refresh token.
    #[error("no {0} is given")]
    MissingCredential(&'static str),
    /// A limit of zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// No rustls crypto provider is installed in this process.
    #[error(
        "no crypto provider is installed: call rustls::crypto::CryptoProvider::install_default first"
    )]
    NoCryptoProvider,
    /// The HTTP client cannot be built.
    #[error("the http client cannot be built")]
    Http(#[source] reqwest::Error),
}

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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wait {
    /// `Retry-After`.
    pub(crate) after: Option<Duration>,
    /// After a 429 without it.
    pub(crate) throttled: Duration,
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
