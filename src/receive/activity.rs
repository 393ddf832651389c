//! What a connection does, and since when it does nothing: whether it may keep its place.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clock::Clock;

/// From the first byte of a request's line and headers to their last. Of HTTP/1: HTTP/2 has other bytes between.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Who has had no request, or only part of a head, for so long makes room when others wait for a place.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// What HTTP/2 begins with.
const HTTP2: &[u8] = b"PRI ";

/// One connection's.
#[derive(Clone)]
pub(super) struct Activity {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

/// Times are those of the monotonic clock.
struct State {
    under_way: usize,
    /// Opened, or the last request ended.
    idle_since: Duration,
    /// When the first byte after that came, of HTTP/1. One that came along with the request before is not seen: such a head
    /// has as long as an idle connection.
    head_since: Option<Duration>,
    /// Known from the first bytes on.
    is_http2: Option<bool>,
}

/// One request under way.
pub(super) struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.0.clock.monotonic();
        let mut state = self.0.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.idle_since = now;
        state.head_since = None;
    }
}

impl Activity {
    /// It was opened just now.
    pub(super) fn new(clock: &Clock) -> Self {
        let state = State {
            under_way: 0,
            idle_since: clock.monotonic(),
            head_since: None,
            is_http2: None,
        };
        Self {
            clock: clock.clone(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// These bytes came; none at the end.
    pub(super) fn received(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let is_http2 = *state.is_http2.get_or_insert(bytes.starts_with(HTTP2));
        if !is_http2 && state.under_way == 0 {
            state.head_since.get_or_insert(now);
        }
    }

    /// A request's head is there.
    pub(super) fn request(&self) -> UnderWay {
        self.lock().under_way += 1;
        UnderWay(self.clone())
    }

    /// Returns when no request has begun or been under way for `idle_max`, or a head has not ended in time.
    pub(super) async fn expired(&self, idle_max: Duration) {
        loop {
            let left = self.left(idle_max);
            if left.is_zero() {
                return;
            }
            // Heads that begin meanwhile end no sooner.
            self.clock.sleep(left.min(HEAD_TIMEOUT)).await;
        }
    }

    /// Whether it should make room for who waits.
    pub(super) fn is_quiet(&self) -> bool {
        let now = self.clock.monotonic();
        let state = self.lock();
        let since = state.head_since.unwrap_or(state.idle_since);
        state.under_way == 0 && now.saturating_sub(since) >= QUIET_MAX
    }

    fn left(&self, idle_max: Duration) -> Duration {
        let now = self.clock.monotonic();
        let state = self.lock();
        if state.under_way > 0 {
            return idle_max;
        }
        let left = |since: Duration, max| since.saturating_add(max).saturating_sub(now);
        let idle = left(state.idle_since, idle_max);
        let head = state.head_since.map(|since| left(since, HEAD_TIMEOUT));
        head.map_or(idle, |head| head.min(idle))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
