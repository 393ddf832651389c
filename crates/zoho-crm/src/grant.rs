//! Asks the accounts server for an access token, never more often than Zoho allows.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::Mutex,
    time::Duration,
};

use clock::Clock;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::{
    Code, Error, Event, SetupError, TokenOutcome,
    auth::lock,
    observe::Observe,
    transport::{Transport, retry_after},
};

/// Zoho: "OAuth token limits": ten token requests in ten minutes, then none for the rest of the window.
const REQUESTS_MAX: usize = 10;
const REQUESTS_WINDOW: Duration = Duration::from_mins(10);

/// How long refused credentials are not asked about again. Fewer than one request in ten minutes can never lock the
/// org out, and a user who was switched off and on again is heard without a restart.
const REFUSED_RECHECK: Duration = Duration::from_mins(15);

/// Waits after the accounts server failed: doubling, up to this.
const FAILED_WAIT_MAX: Duration = Duration::from_mins(1);

/// Lifetimes the answer may claim; Zoho's is an hour.
const LIFETIME_DEFAULT: Duration = Duration::from_hours(1);
const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// An OAuth client and what a user granted it. Of several secrets and refresh tokens the first pair that works is
/// used, so that both can be rotated.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The client's id.
    pub client_id: SecretString,
    /// Its secrets, at least one.
    pub client_secrets: Vec<SecretString>,
    /// Refresh tokens of the same org, at least one.
    pub refresh_tokens: Vec<SecretString>,
}

impl Credentials {
    fn check(&self) -> Result<(), SetupError> {
        if self.client_secrets.is_empty() {
            Err(SetupError::MissingCredential("client secret"))
        } else if self.refresh_tokens.is_empty() {
            Err(SetupError::MissingCredential("refresh token"))
        } else {
            Ok(())
        }
    }
}

/// A new token, as the accounts server gave it.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) access_token: SecretString,
    pub(crate) api_domain: Option<String>,
    /// From when the request was sent.
    pub(crate) lifetime: Duration,
    /// When the request was sent, on the monotonic clock.
    pub(crate) asked_at: Duration,
}

/// The one place that sends token requests.
pub(crate) struct Granter {
    transport: Transport,
    token_url: Url,
    credentials: Credentials,
    clock: Clock,
    observe: Observe,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// When the requests of the last window were sent.
    asked: VecDeque<Duration>,
    /// Why nothing may be asked, and until when.
    block: Option<(Block, Duration)>,
    /// Index of the pair that worked last.
    working: usize,
    /// Failures of the accounts server in a row.
    failures: u32,
}

#[derive(Clone)]
enum Block {
    Refused(Code),
    Delayed(Code),
}

impl Block {
    fn error(self, after: Duration) -> Error {
        match self {
            Self::Refused(code) => Error::Unauthorized { code, after },
            Self::Delayed(problem) => Error::TokenDelayed { problem, after },
        }
    }
}

/// One answer of the accounts server, judged.
enum Reply {
    Granted(Granted),
    BadSecret(Code),
    BadToken(Code),
    TooMany,
    Failed(Code, Option<Duration>),
}

impl Granter {
    pub(crate) fn new(
        transport: Transport,
        accounts_url: &Url,
        credentials: Credentials,
        clock: Clock,
        observe: Observe,
    ) -> Result<Self, SetupError> {
        credentials.check()?;
        Ok(Self {
            transport,
            token_url: crate::transport::join(accounts_url, &["oauth", "v2", "token"]),
            credentials,
            clock,
            observe,
            memory: Mutex::default(),
        })
    }

    /// Why nothing may be asked now.
    pub(crate) fn blocked(&self) -> Option<Error> {
        let now = self.clock.monotonic();
        let memory = lock(&self.memory);
        let (block, until) = memory.block.clone()?;
        let left = until.checked_sub(now).filter(|it| !it.is_zero())?;
        Some(block.error(left))
    }

    /// The API rejects a token that was just granted: another would fare no better.
    pub(crate) fn refuse(&self, code: Code) {
        self.block(Block::Refused(code), REFUSED_RECHECK);
    }

    /// Asks with each pair until one works, starting with the one that worked last.
    pub(crate) async fn grant(&self) -> Result<Granted, Error> {
        let secrets = &self.credentials.client_secrets;
        let tokens = &self.credentials.refresh_tokens;
        let pairs: Vec<(usize, usize)> = (0..tokens.len())
            .flat_map(|token| (0..secrets.len()).map(move |secret| (token, secret)))
            .collect();
        let working = lock(&self.memory).working;
        let mut bad_tokens = HashSet::new();
        let mut bad_secrets = HashSet::new();
        let mut refused = Code::new("");
        for step in 0..pairs.len() {
            let index = (working + step) % pairs.len();
            let Some(&(token, secret)) = pairs.get(index) else {
                continue;
            };
            let (Some(token_text), Some(secret_text)) = (tokens.get(token), secrets.get(secret))
            else {
                continue;
            };
            if bad_tokens.contains(&token) || bad_secrets.contains(&secret) {
                continue;
            }
            match self.ask(token_text, secret_text).await? {
                Reply::Granted(granted) => {
                    self.remember(index);
                    return Ok(granted);
                }
                Reply::BadSecret(code) => {
                    bad_secrets.insert(secret);
                    refused = code;
                }
                Reply::BadToken(code) => {
                    bad_tokens.insert(token);
                    refused = code;
                }
                Reply::TooMany => {
                    let denied = Block::Delayed(Code::new("Access Denied"));
                    return Err(self.block(denied, REQUESTS_WINDOW));
                }
                Reply::Failed(problem, after) => return Err(self.failed(problem, after)),
            }
        }
        tracing::error!(
            error.code = refused.as_str(),
            "zoho refuses the credentials: no record can be read until they are replaced"
        );
        Err(self.block(Block::Refused(refused), REFUSED_RECHECK))
    }

    async fn ask(&self, token: &SecretString, secret: &SecretString) -> Result<Reply, Error> {
        self.spend()?;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.credentials.client_id.expose_secret()),
            ("client_secret", secret.expose_secret()),
            ("refresh_token", token.expose_secret()),
        ];
        let asked_at = self.clock.monotonic();
        let reply = match self.transport.post_form(&self.token_url, &form).await {
            Err(_) => Reply::Failed(Code::new("unreachable"), None),
            Ok(answer) => {
                let after = retry_after(&answer.headers, self.clock.now());
                judge(answer.status, &answer.body, after, asked_at)
            }
        };
        self.observe.event(&Event::Token(match &reply {
            Reply::Granted(_) => TokenOutcome::Granted,
            Reply::BadSecret(_) | Reply::BadToken(_) => TokenOutcome::Refused,
            Reply::TooMany => TokenOutcome::TooMany,
            Reply::Failed(..) => TokenOutcome::Failed,
        }));
        Ok(reply)
    }

    /// Counts one request, or says when the next may be sent.
    fn spend(&self) -> Result<(), Error> {
        let now = self.clock.monotonic();
        let mut memory = lock(&self.memory);
        while let Some(oldest) = memory.asked.front().copied() {
            let left = (oldest + REQUESTS_WINDOW).saturating_sub(now);
            if left.is_zero() {
                memory.asked.pop_front();
            } else if memory.asked.len() >= REQUESTS_MAX {
                let problem = Code::new("ten requests in ten minutes");
                memory.block = Some((Block::Delayed(problem.clone()), now + left));
                return Err(Error::TokenDelayed {
                    problem,
                    after: left,
                });
            } else {
                break;
            }
        }
        memory.asked.push_back(now);
        Ok(())
    }

    fn remember(&self, working: usize) {
        let mut memory = lock(&self.memory);
        memory.working = working;
        memory.failures = 0;
        memory.block = None;
    }

    fn failed(&self, problem: Code, after: Option<Duration>) -> Error {
        let failures = {
            let mut memory = lock(&self.memory);
            memory.failures = memory.failures.saturating_add(1);
            memory.failures
        };
        let doubled = Duration::from_secs(1 << (failures - 1).min(6));
        let wait = after.unwrap_or(doubled).min(FAILED_WAIT_MAX);
        self.block(Block::Delayed(problem), wait)
    }

    fn block(&self, block: Block, wait: Duration) -> Error {
        let until = self.clock.monotonic() + wait;
        lock(&self.memory).block = Some((block.clone(), until));
        block.error(wait)
    }
}

impl fmt::Debug for Granter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Granter")
    }
}

/// Errors come as HTTP 200 with `{"error": …}`, so the status says little: no token in the body is a failure.
fn judge(status: u16, body: &[u8], after: Option<Duration>, asked_at: Duration) -> Reply {
    let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    if let Some(token) = text("access_token").filter(|it| !it.is_empty()) {
        return Reply::Granted(Granted {
            access_token: token.into(),
            api_domain: text("api_domain").map(str::to_owned),
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
            (200, r#"{"error":"general_error"}"#, "failed: general_error"),
            (200, "{}", "failed: status 200"),
            (500, "<html>", "failed: status 500"),
            (429, "", "too many"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(reply(status, body), expected, "{status} {body}");
        }
    }
}
