//! How much of an org's means a client may use, and the permits that keep to it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, SetupError};

/// How much of the org's means a client may use. Zoho: "API limits", v8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Credits of a rolling day; `None` leaves it to Zoho.
    pub credits_daily: Option<u64>,
    /// Share of them that is never touched, in percent.
    pub credits_reserve_percent: u8,
    /// Calls in flight at once. Zoho: 5 (Free) to 25 (Ultimate) per org and app.
    pub concurrency: usize,
    /// Of those, the heavy ones: COQL, search, composite, sorted lists, writes of more than ten records, … Zoho: 10 in
    /// every edition.
    pub sub_concurrency: usize,
}

impl Default for Limits {
    /// What suits every edition: five calls at once, ten heavy ones, a reserve of 20 % once a daily number is given.
    fn default() -> Self {
        Self {
            credits_daily: None,
            credits_reserve_percent: 20,
            concurrency: 5,
            sub_concurrency: 10,
        }
    }
}

impl Limits {
    /// All an edition allows; its credits without those that come with users.
    pub fn for_edition(edition: Edition) -> Self {
        Self {
            credits_daily: Some(edition.credits_daily()),
            concurrency: edition.concurrency(),
            ..Self::default()
        }
    }
}

/// Zoho's editions, which differ in how many calls may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edition {
    /// Free.
    Free,
    /// Standard, once Starter.
    Standard,
    /// Professional.
    Professional,
    /// Enterprise; Zoho One too.
    Enterprise,
    /// Ultimate; CRM Plus too.
    Ultimate,
}

impl Edition {
    /// Calls that may be in flight at once, for one org and app.
    pub const fn concurrency(self) -> usize {
        match self {
            Self::Free => 5,
            Self::Standard => 10,
            Self::Professional => 15,
            Self::Enterprise => 20,
            Self::Ultimate => 25,
        }
    }

    /// Credits of a rolling day, without those that come with users.
    pub const fn credits_daily(self) -> u64 {
        match self {
            Self::Free => 5_000,
            Self::Standard | Self::Professional | Self::Enterprise | Self::Ultimate => 50_000,
        }
    }
}

/// Keeps to both concurrency limits.
#[derive(Debug)]
pub(crate) struct Permits {
    all: Arc<Semaphore>,
    heavy: Arc<Semaphore>,
}

/// The right to have one call in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _all: OwnedSemaphorePermit,
    _heavy: Option<OwnedSemaphorePermit>,
}

impl Permits {
    pub(crate) fn new(limits: &Limits) -> Result<Self, SetupError> {
        let permits = |number: usize, name| match number {
            0 => Err(SetupError::Zero(name)),
            _ => Ok(Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)))),
        };
        Ok(Self {
            all: permits(limits.concurrency, "concurrency")?,
            heavy: permits(limits.sub_concurrency, "sub_concurrency")?,
        })
    }

    /// Waits for a permit. A heavy call waits for the rarer one first, so that no light call waits for a heavy one
    /// that cannot go on.
    pub(crate) async fn acquire(&self, heavy: bool) -> Result<Permit, Error> {
        let heavy = if heavy {
            Some(take(&self.heavy).await?)
        } else {
            None
        };
        Ok(Permit {
            _all: take(&self.all).await?,
            _heavy: heavy,
        })
    }
}

async fn take(permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
    let permit = Arc::clone(permits).acquire_owned().await;
    permit.ok().ok_or(Error::Misuse {
        problem: "the client is closed",
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_heavy_call_that_waits_keeps_nobody_else_from_going() {
        let permits = Permits::new(&Limits {
            concurrency: 3,
            sub_concurrency: 1,
            ..Limits::default()
        })
        .unwrap();
        let take = |heavy| permits.acquire(heavy).now_or_never().map(Result::unwrap);
        let heavy = take(true).unwrap();
        assert!(take(true).is_none());
        let light = (take(false).unwrap(), take(false).unwrap());
        assert!(take(false).is_none());
        drop(heavy);
        assert!(take(true).is_some());
        drop(light);
    }

    #[test]
    fn a_limit_of_zero_would_wait_for_ever() {
        let zero = Limits {
            sub_concurrency: 0,
            ..Limits::default()
        };
        assert!(Permits::new(&zero).is_err());
        assert!(Permits::new(&Limits::for_edition(Edition::Ultimate)).is_ok());
    }
}
