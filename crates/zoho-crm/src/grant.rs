//! Asks the accounts server for an access token, never more often than Zoho allows.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::Mutex,
    time::Duration,
};

use clock::Clock;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    Code, Error, Event, SetupError, TokenOutcome, TokenStore,
    auth::lock,
    oauth::{Granted, Reply, judge},
    observe::Observe,
    transport::{Transport, join, retry_after},
};

/// Zoho: "OAuth token limits": ten token requests in ten minutes, then none for the rest of the window.
const REQUESTS_MAX: usize = 10;
pub(crate) const REQUESTS_WINDOW: Duration = Duration::from_mins(10);

/// How long refused credentials are not asked about again. Fewer than one request in ten minutes can never lock the
/// org out, and a user who was switched off and on again is heard without a restart.
const REFUSED_RECHECK: Duration = Duration::from_mins(15);

/// How long none is asked for after the API rejected new tokens: it may be a blip. The two tokens before the first wait
/// and one after each make five in the first ten minutes, which leaves five for a person who starts us anew. Beyond, as
/// with refused credentials.
const REJECTED_WAITS: [Duration; 4] = [
    Duration::from_secs(15),
    Duration::from_mins(1),
    Duration::from_mins(4),
    Duration::from_mins(10),
];

/// Waits after the accounts server failed: doubling, up to this.
const FAILED_WAIT_MAX: Duration = Duration::from_mins(1);

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

/// The one place that renews tokens.
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
    /// Waits in a row because the API rejected new tokens.
    rejections: usize,
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
            token_url: join(accounts_url, &["oauth", "v2", "token"]),
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

    /// The API rejects tokens that were just granted: another would fare no better now. Gives how long none is asked for,
    /// which is longer each time until the API takes one.
    pub(crate) fn rejected(&self, code: Code) -> Duration {
        let wait = {
            let mut memory = lock(&self.memory);
            let wait = REJECTED_WAITS.get(memory.rejections).copied();
            memory.rejections = memory.rejections.saturating_add(1);
            wait.unwrap_or(REFUSED_RECHECK)
        };
        self.block(Block::Refused(code), wait);
        self.observe.event(&Event::Authorized(false));
        wait
    }

    /// The API took a token for the first time.
    pub(crate) fn accepted(&self) {
        lock(&self.memory).rejections = 0;
        self.observe.event(&Event::Authorized(true));
    }

    /// A refusal is no longer waited out; whatever else delays a request still is.
    pub(crate) fn lift_refusal(&self) {
        lock(&self.memory)
            .block
            .take_if(|(block, _)| matches!(block, Block::Refused(_)));
    }

    /// Asks with each pair until one works, starting with the one that worked last. `store` counts for all who share it.
    pub(crate) async fn grant(&self, store: &dyn TokenStore) -> Result<Granted, Error> {
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
            // In this order: what could not be written down is not sent, and must not count.
            self.spend_shared(store).await?;
            self.spend()?;
            match self.ask(token_text, secret_text).await {
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
                Reply::TooMany => return Err(self.denied(store).await),
                Reply::Failed(problem, after) => return Err(self.failed(problem, after)),
                Reply::Error(problem) => return Err(self.failed(problem, None)),
            }
        }
        tracing::error!(
            error.code = refused.as_str(),
            "zoho refuses the credentials: no record can be read until they are replaced"
        );
        self.observe.event(&Event::Authorized(false));
        Err(self.block(Block::Refused(refused), REFUSED_RECHECK))
    }

    async fn ask(&self, token: &SecretString, secret: &SecretString) -> Reply {
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
            Reply::Failed(..) | Reply::Error(_) => TokenOutcome::Failed,
        }));
        reply
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

    /// The same for all who share the store, by the wall clock.
    async fn spend_shared(&self, store: &dyn TokenStore) -> Result<(), Error> {
        let now = self.clock.now();
        let mut sent = store.requests().await.map_err(Error::TokenStore)?;
        sent.retain(|at| at.duration_since(now).unsigned_abs() < REQUESTS_WINDOW);
        if sent.len() >= REQUESTS_MAX
            && let Some(oldest) = sent.iter().min()
        {
            let age = Duration::try_from(now.duration_since(*oldest)).unwrap_or_default();
            let left = REQUESTS_WINDOW.saturating_sub(age);
            let problem = Code::new("ten requests in ten minutes");
            return Err(self.block(Block::Delayed(problem), left));
        }
        sent.push(now);
        store.save_requests(&sent).await.map_err(Error::TokenStore)
    }

    /// Zoho counts more requests than we do, and now takes none for the rest of its window, from anybody.
    async fn denied(&self, store: &dyn TokenStore) -> Error {
        let spent = [self.clock.now(); REQUESTS_MAX];
        if let Err(error) = store.save_requests(&spent).await {
            tracing::warn!(error = %error, "others who share the token are not told that zoho takes no token request for ten minutes");
        }
        self.block(Block::Delayed(Code::new("Access Denied")), REQUESTS_WINDOW)
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
