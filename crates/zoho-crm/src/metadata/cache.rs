//! What is asked once for any number of callers, and kept for a while.

use std::{collections::HashMap, fmt, sync::Arc, sync::Mutex, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use crate::{Error, auth::lock};

/// Metadata is asked again after this.
const KEPT: Duration = Duration::from_hours(1);

/// Answers that are kept; an org has a few dozen modules.
const ENTRIES_MAX: usize = 1000;

type Flight<T> = Shared<BoxFuture<'static, Result<Arc<T>, Error>>>;

/// Answers by key.
pub(super) struct Cache<T: ?Sized> {
    state: Mutex<State<T>>,
}

struct State<T: ?Sized> {
    entries: HashMap<String, Entry<T>>,
    flights: u64,
}

enum Entry<T: ?Sized> {
    Known(Arc<T>, Duration),
    /// Being asked. Whoever waits for it drives it, so it belongs to nobody and ends with its last waiter.
    Asked(u64, WeakShared<BoxFuture<'static, Result<Arc<T>, Error>>>),
}

impl<T: ?Sized + Send + Sync + 'static> Cache<T> {
    /// What is known under the key, or what `ask` gives; of all who want it at once, one asks.
    pub(super) async fn get<F>(
        &self,
        key: &str,
        now: Duration,
        ask: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<Arc<T>, Error>> + Send + 'static,
    {
        let (number, flight) = match self.known_or_flight(key, now, ask) {
            Ok(known) => return Ok(known),
            Err(flight) => flight,
        };
        let result = flight.await;
        let mut state = lock(&self.state);
        let current = matches!(state.entries.get(key), Some(Entry::Asked(it, _)) if *it == number);
        if current {
            match &result {
                Ok(value) => {
                    let known = Entry::Known(Arc::clone(value), now);
                    state.entries.insert(key.to_owned(), known);
                }
                Err(_) => drop(state.entries.remove(key)),
            }
        }
        result
    }

    /// Asks again at the next need; an answer under way is not kept.
    pub(super) fn forget(&self, keys: impl Fn(&str) -> bool) {
        lock(&self.state).entries.retain(|key, _| !keys(key));
    }

    fn known_or_flight<F>(
        &self,
        key: &str,
        now: Duration,
        ask: impl FnOnce() -> F,
    ) -> Result<Arc<T>, (u64, Flight<T>)>
    where
        F: Future<Output = Result<Arc<T>, Error>> + Send + 'static,
    {
        let mut state = lock(&self.state);
        match state.entries.get(key) {
            Some(Entry::Known(value, since)) if now < *since + KEPT => {
                return Ok(Arc::clone(value));
            }
            Some(Entry::Asked(number, flight)) => {
                if let Some(flight) = flight.upgrade() {
                    return Err((*number, flight));
                }
            }
            Some(Entry::Known(..)) | None => {}
        }
        let flight = ask().boxed().shared();
        if state.entries.len() >= ENTRIES_MAX {
            state.entries.clear();
        }
        state.flights = state.flights.wrapping_add(1);
        let number = state.flights;
        if let Some(weak) = flight.downgrade() {
            let asked = Entry::Asked(number, weak);
            state.entries.insert(key.to_owned(), asked);
        }
        Err((number, flight))
    }
}

impl<T: ?Sized> Default for Cache<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                entries: HashMap::new(),
                flights: 0,
            }),
        }
    }
}

impl<T: ?Sized> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::{join, join_all};
    use tokio::sync::Notify;

    use super::*;

    struct Source {
        cache: Cache<str>,
        asked: Arc<AtomicUsize>,
        answers: Arc<Notify>,
    }

    impl Source {
        fn new() -> Self {
            Self {
                cache: Cache::default(),
                asked: Arc::default(),
                answers: Arc::default(),
            }
        }

        /// Waits until an answer is let out.
        async fn wait(
            &self,
            key: &str,
            now: Duration,
            answer: Option<&str>,
        ) -> Result<Arc<str>, Error> {
            let answer = answer.map(Arc::<str>::from);
            let (asked, answers) = (Arc::clone(&self.asked), Arc::clone(&self.answers));
            let ask = || async move {
                asked.fetch_add(1, Ordering::SeqCst);
                answers.notified().await;
                answer.ok_or(Error::Misuse { problem: "test" })
            };
            self.cache.get(key, now, ask).await
        }

        /// Wants it so many times at once.
        async fn get(
            &self,
            (key, times): (&str, usize),
            now: Duration,
            answer: Option<&str>,
        ) -> Vec<Result<Arc<str>, Error>> {
            let all = join_all((0..times).map(|_| self.wait(key, now, answer)));
            join(all, async { self.answers.notify_waiters() }).await.0
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn of_many_at_once_one_asks() {
        let source = Source::new();
        let zero = Duration::ZERO;
        let all = source.get(("a", 200), zero, Some("x")).await;
        assert!(all.iter().all(|it| it.as_deref().is_ok_and(|it| it == "x")));
        assert_eq!(source.asked(), 1);
        source.get(("b", 1), zero, Some("y")).await;
        assert_eq!(source.asked(), 2);
        source.get(("a", 2), KEPT, Some("z")).await;
        assert_eq!(source.asked(), 3, "an hour later");
        source.cache.forget(|key| key == "a");
        source.get(("a", 2), KEPT, Some("z")).await;
        source.get(("b", 2), zero, Some("y")).await;
        assert_eq!(source.asked(), 4);
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_not_kept() {
        let source = Source::new();
        let all = source.get(("a", 10), Duration::ZERO, None).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(source.asked(), 1);
        let again = source.get(("a", 1), Duration::ZERO, Some("x")).await;
        assert!(again[0].is_ok());
        assert_eq!(source.asked(), 2);
    }

    #[tokio::test]
    async fn an_abandoned_question_is_asked_anew() {
        let source = Source::new();
        let mut first = Box::pin(source.wait("a", Duration::ZERO, Some("x")));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        let second = source.get(("a", 1), Duration::ZERO, Some("y")).await;
        assert_eq!(second[0].as_deref().unwrap(), "y");
        assert_eq!(source.asked(), 2);
    }
}
