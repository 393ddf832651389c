//! What a client tells its user about its work, for metrics.

use std::{fmt, sync::Arc, time::Duration};

use crate::Call;

/// Called once for every request sent; must return quickly.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// One request to Zoho, over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// To the API.
    Call {
        /// Which operation.
        call: Call,
        /// How it ended.
        outcome: Outcome,
        /// From sending to the last byte; of a download, to its first.
        elapsed: Duration,
        /// What it cost.
        credits: u64,
        /// `X-API-CREDITS-REMAINING`; only told once half of the credits are used.
        credits_remaining: Option<u64>,
    },
    /// To the accounts server, for a token.
    Token(TokenOutcome),
    /// Zoho refuses the credentials (false: a person must act), or has just taken a new token (true).
    Authorized(bool),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A success, or an empty answer.
    Ok,
    /// A failure, by [`Error::class`](crate::Error::class).
    Failed(&'static str),
}

/// How a token request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOutcome {
    /// A token came.
    Granted,
    /// The secret or the refresh token is refused.
    Refused,
    /// Ten requests in ten minutes.
    TooMany,
    /// The accounts server is not well.
    Failed,
}

impl TokenOutcome {
    /// Every outcome, for metrics that start at zero.
    pub const ALL: [Self; 4] = [Self::Granted, Self::Refused, Self::TooMany, Self::Failed];

    /// `granted`, `refused`, `too_many`, `failed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::TooMany => "too_many",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone)]
pub(crate) struct Observe(pub(crate) Option<Observer>);

impl Observe {
    pub(crate) fn event(&self, event: &Event) {
        if let Some(observer) = &self.0 {
            observer(event);
        }
    }
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observe")
    }
}
