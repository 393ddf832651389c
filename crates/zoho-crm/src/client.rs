//! The client: what it is made of.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use clock::Clock;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Credentials, DataCenter, Error, Limits, Observer, SetupError, TokenStore, auth::Auth,
    credits::Credits, data_center::is_loopback, grant::Granter, limits::Permits,
    metadata::Metadata, observe::Observe, throttle::Throttle, transport::Transport,
};

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

/// A client of one org. Cheap to clone; clones share token, budget and limits.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) auth: Auth,
    pub(crate) data_center: DataCenter,
    pub(crate) throttle: Throttle,
    pub(crate) credits: Credits,
    pub(crate) permits: Permits,
    pub(crate) transport: Transport,
    pub(crate) observe: Observe,
    pub(crate) clock: Clock,
    pub(crate) metadata: Metadata,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// A success, or a refusal that the request takes as an answer.
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

    /// Whether it says that nothing changed since the time asked about.
    pub(crate) const fn is_unchanged(&self) -> bool {
        self.status == 304
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
        let permits = Permits::new(&limits)?;
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
                auth: Auth::new(granter, store, data_center.clone(), clock.clone()),
                data_center,
                throttle: Throttle::default(),
                credits: Credits::new(limits.credits_daily, limits.credits_reserve_percent),
                permits,
                transport,
                observe,
                clock,
                metadata: Metadata::default(),
            }),
        })
    }

    /// Credentials or tokens that Zoho refused are tried with the next call, not only when the wait is over: somebody may
    /// have mended what was wrong. Pauses that Zoho asked for and ten token requests in ten minutes are kept to.
    pub fn lift_refusal(&self) {
        self.inner.auth.lift_refusal();
    }

    /// A stand-in where a call cannot be made as it is.
    pub(crate) fn wrong(problem: &'static str) -> Error {
        Error::Misuse { problem }
    }
}
