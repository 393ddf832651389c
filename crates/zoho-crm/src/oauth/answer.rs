//! What the accounts server answers to a token request.

use std::time::Duration;

use clock::Clock;
use secrecy::SecretString;
use serde_json::Value;

use crate::{Code, StoredToken};

/// Lifetimes the answer may claim; Zoho's is an hour.
const LIFETIME_DEFAULT: Duration = Duration::from_hours(1);
const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// A new token, as the accounts server gave it.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) access_token: SecretString,
    pub(crate) api_domain: Option<String>,
    /// Only for a code, and only with `access_type=offline`.
    pub(crate) refresh_token: Option<SecretString>,
    /// Empty where the answer does not say.
    pub(crate) scopes: Vec<String>,
    /// From when the request was sent.
    pub(crate) lifetime: Duration,
    /// When the request was sent, on the monotonic clock.
    pub(crate) asked_at: Duration,
}

impl Granted {
    /// As it is kept.
    pub(crate) fn stored(&self, clock: &Clock) -> StoredToken {
        let age = clock.monotonic().saturating_sub(self.asked_at);
        let left = self.lifetime.saturating_sub(age);
        let now = clock.now();
        StoredToken {
            access_token: self.access_token.clone(),
            expires_at: now.checked_add(left).unwrap_or(now),
            api_domain: self.api_domain.clone(),
        }
    }
}

/// One answer of the accounts server, judged.
pub(crate) enum Reply {
    Granted(Granted),
    /// The client or its secret is refused.
    BadSecret(Code),
    /// The refresh token or code is refused.
    BadToken(Code),
    /// Ten requests in ten minutes.
    TooMany,
    /// It says that something else is wrong.
    Error(Code),
    /// It is not well, or could not be reached.
    Failed(Code, Option<Duration>),
}

/// Errors come as HTTP 200 with `{"error": …}`, so the status says little: no token in the body is a failure.
pub(crate) fn judge(
    status: u16,
    body: &[u8],
    after: Option<Duration>,
    asked_at: Duration,
) -> Reply {
    let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    if let Some(token) = text("access_token").filter(|it| !it.is_empty()) {
        return Reply::Granted(Granted {
            access_token: token.into(),
            api_domain: text("api_domain").map(str::to_owned),
            refresh_token: text("refresh_token")
                .filter(|it| !it.is_empty())
                .map(SecretString::from),
            scopes: text("scope")
                .unwrap_or_default()
                .split([' ', ','])
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect(),
            lifetime: lifetime(&answer),
            asked_at,
        });
    }
    match text("error") {
        Some("Access Denied") => Reply::TooMany,
        Some("invalid_code" | "invalid_grant") => Reply::BadToken(Code::new("invalid_code")),
        Some(error @ ("invalid_client" | "invalid_client_secret" | "unauthorized_client")) => {
            Reply::BadSecret(Code::new(error))
        }
        Some(error) if status < 500 => Reply::Error(Code::new(error)),
        Some(error) => Reply::Failed(Code::new(error), after),
        None if status == 429 => Reply::TooMany,
        None => Reply::Failed(Code::new(&format!("status {status}")), after),
    }
}

/// `expires_in` is in seconds; old answers have `expires_in_sec` and mean milliseconds by `expires_in`.
fn lifetime(answer: &Value) -> Duration {
    let number = |key: &str| {
        let value = answer.get(key)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    number("expires_in_sec")
        .or_else(|| number("expires_in"))
        .map_or(LIFETIME_DEFAULT, Duration::from_secs)
        .min(LIFETIME_MAX)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn reply(status: u16, body: &str) -> String {
        match judge(status, body.as_bytes(), None, Duration::ZERO) {
            Reply::Granted(it) => format!(
                "{} {:?} {}",
                it.access_token.expose_secret(),
                it.api_domain,
                it.lifetime.as_secs()
            ),
            Reply::BadSecret(code) => format!("bad secret: {code}"),
            Reply::BadToken(code) => format!("bad token: {code}"),
            Reply::TooMany => "too many".into(),
            Reply::Failed(code, _) => format!("failed: {code}"),
            Reply::Error(code) => format!("error: {code}"),
        }
    }

    #[test]
    fn every_answer_of_the_accounts_server_is_understood() {
        let cases = [
            (
                200,
                r#"{"access_token":"1000.a","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}"#,
                r#"1000.a Some("https://www.zohoapis.com") 3600"#,
            ),
            (
                200,
                r#"{"access_token":"1000.b","expires_in_sec":3600,"expires_in":3600000}"#,
                "1000.b None 3600",
            ),
            (
                200,
                r#"{"error":"invalid_code"}"#,
                "bad token: invalid_code",
            ),
            (
                200,
                r#"{"error":"invalid_client"}"#,
                "bad secret: invalid_client",
            ),
            (
                200,
                r#"{"error":"invalid_client_secret"}"#,
                "bad secret: invalid_client_secret",
            ),
            (
                200,
                r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied"}"#,
                "too many",
            ),
            (
                400,
                r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied"}"#,
                "too many",
            ),
            (200, r#"{"error":"general_error"}"#, "error: general_error"),
            (
                200,
                r#"{"error":"invalid_redirect_uri"}"#,
                "error: invalid_redirect_uri",
            ),
            (500, r#"{"error":"general_error"}"#, "failed: general_error"),
            (200, "{}", "failed: status 200"),
            (500, "<html>", "failed: status 500"),
            (429, "", "too many"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(reply(status, body), expected, "{status} {body}");
        }
    }
}
