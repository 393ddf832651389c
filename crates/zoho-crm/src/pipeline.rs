//! One call through all that stands between a caller and the wire: token, credits, permits, retries, transport.

use std::{array, sync::Arc, time::Duration};

use http::HeaderMap;
use rand::Rng;
use serde_json::Value;

use crate::{
    Call, Client, Download, Error, Event, Outcome,
    auth::AccessToken,
    client::Answer,
    credits::Charge,
    error::{LATER, failing, from_answer, is_error},
    limits::Permit,
    request::{Accept, ApiRequest, Cost},
    transport::{RawAnswer, collect, date, retry_after},
};

/// Waits before a call is sent again, each made up to a fifth shorter or longer.
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

impl Client {
    /// Sends a call, and sends it again while that may help, does no harm and is not the caller's to wait for.
    pub(crate) async fn send(
        &self,
        call: Call,
        cost: Cost,
        request: &ApiRequest<'_>,
    ) -> Result<Answer, Error> {
        let mut tries = Tries::new(call, request);
        loop {
            let trip = match self.set_out(call, cost).await {
                Ok(trip) => trip,
                Err(error) => {
                    tries.again(self, error).await?;
                    continue;
                }
            };
            match self.exchange(trip, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => tries.again(self, error).await?,
            }
        }
    }

    /// Sends a call whose answer is a file of at most `bytes_max` bytes: like [`Self::send`] up to the answer's first
    /// byte. The download counts as a call in flight until its end.
    pub(crate) async fn download(
        &self,
        call: Call,
        cost: Cost,
        request: &ApiRequest<'_>,
        bytes_max: u64,
    ) -> Result<Download, Error> {
        let mut tries = Tries::new(call, request);
        loop {
            let trip = match self.set_out(call, cost).await {
                Ok(trip) => trip,
                Err(error) => {
                    tries.again(self, error).await?;
                    continue;
                }
            };
            match self.open(trip, request, bytes_max).await {
                Ok(download) => return Ok(download),
                Err(error) => tries.again(self, error).await?,
            }
        }
    }

    /// All that a call needs before it may go. A waiting call holds no permit.
    async fn set_out(&self, call: Call, cost: Cost) -> Result<Trip, Error> {
        let inner = &*self.inner;
        let token = inner.auth.token().await?;
        let permit = inner.permits.acquire(cost.heavy).await?;
        // Asked only now: the calls before this one may have learnt that it must not go.
        inner.throttle.gate(inner.clock.monotonic())?;
        let charge = inner.credits.take(cost.credits, inner.clock.monotonic())?;
        Ok(Trip {
            call,
            cost,
            token,
            permit,
            charge,
            started: inner.clock.monotonic(),
            remaining: None,
        })
    }

    async fn exchange(&self, mut trip: Trip, request: &ApiRequest<'_>) -> Result<Answer, Error> {
        let inner = &*self.inner;
        let url = request.url(&trip.token.api_url, &inner.data_center)?;
        let exchanged = inner.transport.exchange(request, url, &trip.token).await;
        if let Ok(raw) = &exchanged {
            trip.remaining = remaining(&raw.headers);
        }
        let result = exchanged.and_then(|raw| self.judge(raw, request));
        drop(self.come_back(trip, result.as_ref().err()));
        result
    }

    async fn open(
        &self,
        mut trip: Trip,
        request: &ApiRequest<'_>,
        bytes_max: u64,
    ) -> Result<Download, Error> {
        let inner = &*self.inner;
        let url = request.url(&trip.token.api_url, &inner.data_center)?;
        let opened = inner.transport.open(request, url, &trip.token).await;
        if let Ok(response) = &opened {
            trip.remaining = remaining(response.headers());
        }
        let response = match opened {
            Ok(response) if response.status().is_success() => {
                inner.throttle.passed();
                Ok(response)
            }
            Ok(response) => match collect(response).await {
                Ok(raw) => Err(self.refusal(&raw)),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let permit = self.come_back(trip, response.as_ref().err());
        Download::new(response?, permit, inner.transport.timeout, bytes_max)
    }

    /// What a call taught: about the token, the credits, and for whoever looks on.
    fn come_back(&self, trip: Trip, error: Option<&Error>) -> Permit {
        let inner = &*self.inner;
        // A failure may come from something that knows nothing of credits.
        if error.is_none() || trip.remaining.is_some() {
            let now = inner.clock.monotonic();
            inner.credits.learn(&trip.charge, trip.remaining, now);
        }
        match error {
            Some(Error::Unauthorized { code, .. }) => inner.auth.reject(&trip.token, code),
            Some(Error::Unreachable { .. }) => {}
            Some(_) | None => inner.auth.accept(&trip.token),
        }
        inner.observe.event(&Event::Call {
            call: trip.call,
            outcome: error.map_or(Outcome::Ok, |it| Outcome::Failed(it.class())),
            elapsed: inner.clock.monotonic().saturating_sub(trip.started),
            credits: trip.cost.credits,
            credits_remaining: trip.remaining,
        });
        trip.permit
    }

    fn judge(&self, raw: RawAnswer, request: &ApiRequest<'_>) -> Result<Answer, Error> {
        let inner = &*self.inner;
        let hidden = request.accept == Accept::Success && is_error(&raw.body);
        if !hidden && is_answer(&raw, request) {
            inner.throttle.passed();
            return Ok(Answer {
                status: raw.status,
                answered_at: date(&raw.headers).unwrap_or_else(|| inner.clock.now()),
                body: raw.body,
            });
        }
        Err(self.refusal(&raw))
    }

    fn refusal(&self, raw: &RawAnswer) -> Error {
        let inner = &*self.inner;
        let after = retry_after(&raw.headers, inner.clock.now());
        let error = from_answer(failing(raw.status), &raw.body, after, Duration::ZERO);
        if let Error::Throttled { code, .. } = error {
            let pause = inner.throttle.throttled(inner.clock.monotonic());
            return Error::Throttled {
                code,
                after: pause.or(after).unwrap_or_default(),
            };
        }
        inner.throttle.passed();
        error
    }
}

/// A call under way.
struct Trip {
    call: Call,
    cost: Cost,
    token: Arc<AccessToken>,
    permit: Permit,
    charge: Charge,
    started: Duration,
    /// How many credits the answer says are left.
    remaining: Option<u64>,
}

/// What may still be tried for one call.
struct Tries {
    call: Call,
    repeatable: bool,
    waits: array::IntoIter<Duration, 4>,
    refreshed: bool,
}

impl Tries {
    fn new(call: Call, request: &ApiRequest<'_>) -> Self {
        Self {
            call,
            repeatable: call.is_repeatable() || request.method == http::Method::GET,
            waits: RETRY_WAITS.into_iter(),
            refreshed: false,
        }
    }

    /// Returns once the call is to be sent again; gives the failure back where it is not.
    async fn again(&mut self, client: &Client, error: Error) -> Result<(), Error> {
        if matches!(error, Error::Unauthorized { .. }) {
            if self.refreshed {
                return Err(client.inner.auth.blocked().unwrap_or(error));
            }
            self.refreshed = true;
            return Ok(());
        }
        if error.may_be_done() && !self.repeatable {
            return Err(error);
        }
        let Some(wait) = worth_waiting(&error, self.waits.next()) else {
            return Err(given_up(error));
        };
        tracing::debug!(call = self.call.as_str(), error = %error, ?wait, "asking zoho again");
        client.inner.clock.sleep(wait).await;
        Ok(())
    }
}

/// Whether an answer is the caller's to read: a success, or a refusal that the request takes for an answer.
fn is_answer(raw: &RawAnswer, request: &ApiRequest<'_>) -> bool {
    match (raw.status, request.accept) {
        (401 | 408 | 425 | 429, _) => false,
        (304, _) => request.is_conditional(),
        (200..=299, _) | (400..=499, Accept::Refusals) => true,
        (400..=499, Accept::Items(key)) => {
            serde_json::from_slice::<Value>(&raw.body).is_ok_and(|it| {
                it.get(key)
                    .is_some_and(|it| it.is_array() || it.is_object())
            })
        }
        _ => false,
    }
}

/// How long to wait before the same call is sent again; `None` gives the failure to the caller.
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
        | Error::File { .. }
        | Error::Misuse { .. } => return None,
    };
    let jitter = rand::rng().random_range(0.8..1.2);
    (asked <= RETRY_WAIT_MAX).then(|| next.mul_f64(jitter).max(asked))
}

/// A 429 that does not say how long to wait is waited for by the retries; who gets it after them waits as well.
fn given_up(error: Error) -> Error {
    if let Error::Throttled { code, after } = &error
        && after.is_zero()
    {
        let code = code.clone();
        return Error::Throttled { code, after: LATER };
    }
    error
}

fn remaining(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CREDITS_REMAINING)?.to_str().ok()?;
    text.trim().parse().ok()
}
