//! The client: token, throttle, credits, concurrency, transport, in this order, and retries around them.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use clock::Clock;
use jiff::Timestamp;
use rand::Rng;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::{
    Call, Credentials, DataCenter, Error, Event, Observer, Outcome, SetupError, TokenStore,
    auth::Auth,
    credits::Credits,
    data_center::is_loopback,
    error::from_answer,
    grant::Granter,
    metadata::FieldsCache,
    observe::Observe,
    throttle::Throttle,
    transport::{ApiRequest, RawAnswer, Transport, date, retry_after},
};

/// Waits before a read is sent again, each made up to a fifth shorter or longer. Only reads are sent again.
const RETRY_WAITS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// A wait longer than this is the caller's, who may have better to do.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Zoho: "API limits", v8: how many credits are left; present only once half of them are used.
const CREDITS_REMAINING: &str = "x-api-credits-remaining";

/// What a client needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Where the org lives.
    pub data_center: DataCenter,
    /// Who we are.
    pub credentials: Credentials,
    /// How much we may use.
    pub limits: Limits,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Told of every request.
    pub observer: Option<Observer>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("data_center", &self.data_center)
            .field("limits", &self.limits)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// How much of the org's means a client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Credits of a rolling day; `None` leaves it to Zoho.
    pub credits_daily: Option<u64>,
    /// Share of them that is never touched, in percent.
    pub credits_reserve_percent: u8,
    /// Calls in flight at once. Zoho: 5 (Free) to 25 (Ultimate) per org and app.
    pub concurrency: usize,
}

/// A client of one org. Cheap to clone; clones share token, budget and limits.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    auth: Auth,
    throttle: Throttle,
    credits: Credits,
    permits: Semaphore,
    transport: Transport,
    observe: Observe,
    pub(crate) clock: Clock,
    pub(crate) fields: FieldsCache,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// A success.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// Zoho's time when it answered; ours where it does not say.
    pub(crate) answered_at: Timestamp,
}

impl Answer {
    /// Whether it says that nothing matched.
    pub(crate) const fn is_empty(&self) -> bool {
        self.status == 204 || self.body.is_empty()
    }

    pub(crate) fn json(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.body)
            .ok()
            .ok_or(Error::Malformed {
                problem: "not json",
            })
    }
}

impl Client {
    /// Sends nothing yet. A process-wide rustls crypto provider must be installed.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn new(
        settings: Settings,
        store: Arc<dyn TokenStore>,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        let Settings {
            data_center,
            credentials,
            limits,
            timeout,
            observer,
        } = settings;
        if limits.concurrency == 0 {
            return Err(SetupError::Zero("concurrency"));
        }
        let direct = is_loopback(data_center.api_url());
        let transport = Transport::new(timeout, direct)?;
        let observe = Observe(observer);
        let granter = Granter::new(
            transport.clone(),
            data_center.accounts_url(),
            credentials,
            clock.clone(),
            observe.clone(),
        )?;
        Ok(Self {
            inner: Arc::new(Inner {
                auth: Auth::new(granter, store, data_center, clock.clone()),
                throttle: Throttle::default(),
                credits: Credits::new(limits.credits_daily, limits.credits_reserve_percent),
                permits: Semaphore::new(limits.concurrency.min(Semaphore::MAX_PERMITS)),
                transport,
                observe,
                clock,
                fields: FieldsCache::default(),
            }),
        })
    }

    /// Sends a read, and sends it again while that may help and is not the caller's to wait for.
    pub(crate) async fn read(&self, call: Call, request: &ApiRequest<'_>) -> Result<Answer, Error> {
        let mut waits = RETRY_WAITS.into_iter();
        let mut refreshed = false;
        loop {
            let error = match self.attempt(call, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if matches!(error, Error::Unauthorized { .. }) {
                if refreshed {
                    return Err(self.inner.auth.blocked().unwrap_or(error));
                }
                refreshed = true;
                continue;
            }
            let Some(wait) = worth_waiting(&error, waits.next()) else {
                return Err(error);
            };
            tracing::debug!(call = call.as_str(), error = %error, ?wait, "asking zoho again");
            self.inner.clock.sleep(wait).await;
        }
    }

    /// One attempt, through everything that stands between a call and the wire. A waiting call holds no permit.
    async fn attempt(&self, call: Call, request: &ApiRequest<'_>) -> Result<Answer, Error> {
        let inner = &*self.inner;
        let token = inner.auth.token().await?;
        inner.throttle.gate(inner.clock.monotonic())?;
        let permit = inner.permits.acquire().await.ok().ok_or(Error::Misuse {
            problem: "the client is closed",
        })?;
        inner
            .credits
            .take(call.credits(), inner.clock.monotonic())?;
        let started = inner.clock.monotonic();
        let exchanged = inner.transport.get(request, &token).await;
        drop(permit);
        let now = inner.clock.monotonic();
        let remaining = exchanged.as_ref().ok().and_then(credits_remaining);
        if exchanged.is_ok() {
            inner.credits.learn(remaining, now);
        }
        let result = exchanged.and_then(|raw| self.judge(raw));
        match &result {
            Err(Error::Unauthorized { code, .. }) => inner.auth.reject(&token, code.clone()),
            Err(Error::Unreachable { .. }) => {}
            Ok(_) | Err(_) => inner.auth.accept(&token),
        }
        inner.observe.event(&Event::Call {
            call,
            outcome: match &result {
                Ok(_) => Outcome::Ok,
                Err(error) => Outcome::Failed(error.class()),
            },
            elapsed: now.saturating_sub(started),
            credits: call.credits(),
            credits_remaining: remaining,
        });
        result
    }

    fn judge(&self, raw: RawAnswer) -> Result<Answer, Error> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        if matches!(raw.status, 200..=299) {
            inner.throttle.passed();
            return Ok(Answer {
                status: raw.status,
                answered_at: date(&raw.headers).unwrap_or(now),
                body: raw.body,
            });
        }
        let after = retry_after(&raw.headers, now);
        let error = from_answer(raw.status, &raw.body, after, Duration::ZERO);
        if let Error::Throttled { code, .. } = error {
            let pause = inner.throttle.throttled(inner.clock.monotonic());
            return Err(Error::Throttled {
                code,
                after: pause.or(after).unwrap_or_default(),
            });
        }
        inner.throttle.passed();
        Err(error)
    }

    /// A stand-in where a call cannot be made as it is.
    pub(crate) fn wrong(problem: &'static str) -> Error {
        Error::Misuse { problem }
    }
}

impl Call {
    /// Zoho: "API limits", v8: a record list, one record and metadata cost one each.
    const fn credits(self) -> u64 {
        match self {
            Self::List | Self::One | Self::Fields => 1,
        }
    }
}

/// How long to wait before the same read is sent again; `None` gives the failure to the caller.
fn worth_waiting(error: &Error, next: Option<Duration>) -> Option<Duration> {
    let next = next?;
    let asked = match error {
        Error::Unreachable { problem, .. } if *problem == "too large" => return None,
        Error::Unreachable { .. } => Duration::ZERO,
        Error::Unavailable { after, .. } => after.unwrap_or_default(),
        Error::Throttled { after, .. } | Error::TokenDelayed { after, .. } => *after,
        Error::CreditsSpent { .. }
        | Error::TokenStore(_)
        | Error::Unauthorized { .. }
        | Error::Forbidden { .. }
        | Error::Invalid { .. }
        | Error::Gone { .. }
        | Error::RecordState { .. }
        | Error::RestartPaging { .. }
        | Error::Modified { .. }
        | Error::Malformed { .. }
        | Error::Misuse { .. } => return None,
    };
    let jitter = rand::rng().random_range(0.8..1.2);
    (asked <= RETRY_WAIT_MAX).then(|| next.mul_f64(jitter).max(asked))
}

fn credits_remaining(raw: &RawAnswer) -> Option<u64> {
    let text = raw.headers.get(CREDITS_REMAINING)?.to_str().ok()?;
    text.trim().parse().ok()
}
