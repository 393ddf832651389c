//! How much of an org's means a client may use, and the permits that keep to it.

use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, SetupError, auth::lock};

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
    /// All an edition allows; its credits without those that come with users, which
    /// [`Org::limits`](crate::Org::limits) knows.
    pub fn for_edition(edition: Edition) -> Self {
        Self {
            credits_daily: Some(edition.credits_daily(0)),
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

    /// Credits of a rolling day with so many user licences, without those bought apart.
    pub const fn credits_daily(self, users: u64) -> u64 {
        let (per_user, max): (u64, u64) = match self {
            Self::Free => return 5_000,
            Self::Standard => (250, 100_000),
            Self::Professional => (500, 3_000_000),
            Self::Enterprise => (1_000, 5_000_000),
            Self::Ultimate => (2_000, u64::MAX),
        };
        let credits = per_user.saturating_mul(users).saturating_add(50_000);
        if credits < max { credits } else { max }
    }

    /// The edition that `license_details.paid_type` of an org means: `professional`, `zohooneenterprise`, `crmplus`, …
    pub fn of_paid_type(paid_type: &str) -> Option<Self> {
        // Bundles first: their names hold those of editions.
        let words = [
            ("zohoone", Self::Enterprise),
            ("crmplus", Self::Ultimate),
            ("ultimate", Self::Ultimate),
            ("enterprise", Self::Enterprise),
            ("professional", Self::Professional),
            ("standard", Self::Standard),
            ("starter", Self::Standard),
            ("free", Self::Free),
        ];
        let paid_type = paid_type.to_ascii_lowercase();
        let found = words.into_iter().find(|(word, _)| paid_type.contains(word));
        found.map(|(_, edition)| edition)
    }
}

/// Keeps to both concurrency limits.
#[derive(Debug)]
pub(crate) struct Permits {
    all: Slots,
    heavy: Slots,
}

/// The right to have one call in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _all: Slot,
    _heavy: Option<Slot>,
}

impl Permits {
    pub(crate) fn new(limits: &Limits) -> Result<Self, SetupError> {
        let slots = |number: usize, name| match number {
            0 => Err(SetupError::Zero(name)),
            _ => Ok(Slots::new(number)),
        };
        Ok(Self {
            all: slots(limits.concurrency, "concurrency")?,
            heavy: slots(limits.sub_concurrency, "sub_concurrency")?,
        })
    }

    /// Other limits from now on; those in use beyond them go when they are given back.
    pub(crate) fn set(&self, limits: &Limits) {
        self.all.set(limits.concurrency);
        self.heavy.set(limits.sub_concurrency);
    }

    /// Waits for a permit. A heavy call waits for the rarer one first, so that no light call waits for a heavy one
    /// that cannot go on.
    pub(crate) async fn acquire(&self, heavy: bool) -> Result<Permit, Error> {
        let heavy = if heavy {
            Some(self.heavy.take().await?)
        } else {
            None
        };
        Ok(Permit {
            _all: self.all.take().await?,
            _heavy: heavy,
        })
    }
}

/// A semaphore whose size can be changed.
#[derive(Debug)]
struct Slots {
    semaphore: Arc<Semaphore>,
    size: Arc<Mutex<Size>>,
}

#[derive(Debug)]
struct Size {
    /// Permits there are, in use or not.
    present: usize,
    wanted: usize,
}

#[derive(Debug)]
struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    size: Arc<Mutex<Size>>,
}

impl Slots {
    fn new(number: usize) -> Self {
        let number = number.min(Semaphore::MAX_PERMITS);
        Self {
            semaphore: Arc::new(Semaphore::new(number)),
            size: Arc::new(Mutex::new(Size {
                present: number,
                wanted: number,
            })),
        }
    }

    fn set(&self, number: usize) {
        let number = number.min(Semaphore::MAX_PERMITS);
        let mut size = lock(&self.size);
        size.wanted = number;
        if let Some(more) = number.checked_sub(size.present) {
            self.semaphore.add_permits(more);
            size.present = number;
        } else {
            let free = self.semaphore.forget_permits(size.present - number);
            size.present -= free;
        }
    }

    async fn take(&self) -> Result<Slot, Error> {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await;
        let permit = permit.ok().ok_or(Error::Misuse {
            problem: "the client is closed",
        })?;
        Ok(Slot {
            permit: Some(permit),
            size: Arc::clone(&self.size),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut size = lock(&self.size);
        if size.present > size.wanted
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            size.present -= 1;
        }
    }
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

    #[test]
    fn limits_can_be_changed_while_calls_are_in_flight() {
        let permits = Permits::new(&Limits {
            concurrency: 3,
            ..Limits::default()
        })
        .unwrap();
        let set = |concurrency| {
            permits.set(&Limits {
                concurrency,
                ..Limits::default()
            });
        };
        let take = || permits.acquire(false).now_or_never().map(Result::unwrap);
        let mut held = vec![take().unwrap(), take().unwrap()];
        set(1);
        assert!(take().is_none());
        held.pop();
        assert!(take().is_none(), "one is still in flight");
        held.pop();
        held.push(take().unwrap());
        assert!(take().is_none());
        set(4);
        held.extend([take().unwrap(), take().unwrap(), take().unwrap()]);
        assert!(take().is_none());
    }
}
