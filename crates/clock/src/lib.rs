//! The one way to read the time and to sleep: real, or simulated for tests that must not wait.

mod simulated;

use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use self::simulated::Simulated;

/// Where the time comes from. Cheap to clone; clones share one time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    Real(Real),
    /// A test's: stands still until it is advanced.
    Simulated(Simulated),
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Real {
    started: Instant,
}

impl Clock {
    /// The machine's time.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the time")]
    pub fn real() -> Self {
        Self::Real(Real {
            started: Instant::now(),
        })
    }

    /// A time that stands still at `start` until [`Simulated::advance`] is called.
    pub fn simulated(start: Timestamp) -> (Self, Simulated) {
        let simulated = Simulated::new(start);
        (Self::Simulated(simulated.clone()), simulated)
    }

    /// Wall-clock time; may jump. For what is stored or shown.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the time")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Real(_) => Timestamp::now(),
            Self::Simulated(simulated) => simulated.now(),
        }
    }

    /// Time since this clock was made; never jumps. For durations and expiries.
    pub fn monotonic(&self) -> Duration {
        match self {
            Self::Real(real) => real.started.elapsed(),
            Self::Simulated(simulated) => simulated.monotonic(),
        }
    }

    /// Returns after `duration`.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the time")]
    pub async fn sleep(&self, duration: Duration) {
        match self {
            Self::Real(_) => tokio::time::sleep(duration).await,
            Self::Simulated(simulated) => simulated.sleep(duration).await,
        }
    }

    /// Returns at the wall-clock time `at`, at once if it has passed.
    pub async fn sleep_until(&self, at: Timestamp) {
        let wait = at.duration_since(self.now());
        self.sleep(wait.try_into().unwrap_or_default()).await;
    }
}
