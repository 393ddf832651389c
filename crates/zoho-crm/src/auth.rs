//! The access token in use: one refresh for any number of callers, five minutes before it expires, saved before use.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clock::Clock;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Code, DataCenter, Error, StoredToken, TokenStore, grant::Granter, oauth::Granted};

/// A token is replaced so long before it expires.
const REFRESH_EARLY: Duration = Duration::from_mins(5);

/// So many tokens in a row that the API never took mean that the next would be rejected too.
const UNPROVEN_MAX: u32 = 2;

/// No stored token is believed to live longer, whatever the wall clock did.
const STORED_LIFETIME_MAX: Duration = Duration::from_hours(1);

/// Takes a lock whose holder may have panicked: what it guards is valid after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token and where it is good.
#[derive(Debug)]
pub(crate) struct AccessToken {
    pub(crate) secret: SecretString,
    /// Base of the API.
    pub(crate) api_url: Url,
    refresh_at: Duration,
    expires_at: Duration,
    /// The API took it at least once.
    proven: AtomicBool,
}

type Flight = Shared<BoxFuture<'static, Result<Arc<AccessToken>, Error>>>;

/// Hands out the token in use.
pub(crate) struct Auth {
    renewer: Arc<Renewer>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<AccessToken>>,
    /// The refresh under way. Whoever waits for it drives it, so it belongs to nobody and ends with its last waiter.
    flight: Option<Flight>,
    /// Tokens rejected since the API last took one.
    unproven: u32,
}

struct Renewer {
    granter: Granter,
    store: Arc<dyn TokenStore>,
    data_center: DataCenter,
    clock: Clock,
    /// Granted but not yet saved, so not yet used.
    unsaved: Mutex<Option<Granted>>,
    /// The token given last: whoever renews wants another, even where the store still has this one.
    last: Mutex<Option<SecretString>>,
}

impl Auth {
    pub(crate) fn new(
        granter: Granter,
        store: Arc<dyn TokenStore>,
        data_center: DataCenter,
        clock: Clock,
    ) -> Self {
        Self {
            renewer: Arc::new(Renewer {
                granter,
                store,
                data_center,
                clock,
                unsaved: Mutex::default(),
                last: Mutex::default(),
            }),
            state: Mutex::default(),
        }
    }

    /// A token that is good for a while. Where none can be had but the last still lives, that one.
    pub(crate) async fn token(&self) -> Result<Arc<AccessToken>, Error> {
        let flight = match self.current_or_flight()? {
            Ok(token) => return Ok(token),
            Err(flight) => flight,
        };
        let result = flight.clone().await;
        let mut state = lock(&self.state);
        if state.flight.as_ref().is_some_and(|it| it.ptr_eq(&flight)) {
            state.flight = None;
            if let Ok(token) = &result {
                state.current = Some(Arc::clone(token));
            }
        }
        result.or_else(|error| self.alive(&state).ok_or(error))
    }

    /// The API took this token.
    pub(crate) fn accept(&self, token: &AccessToken) {
        if !token.proven.swap(true, Ordering::Relaxed) {
            lock(&self.state).unproven = 0;
            self.renewer.granter.accepted();
        }
    }

    /// The API said that this token is no good: no later call uses it. A token that was good once has expired or been
    /// revoked, so it is replaced; one that never was is replaced once.
    pub(crate) fn reject(&self, token: &Arc<AccessToken>, code: &Code) {
        let mut state = lock(&self.state);
        let is_current = |it: &Arc<AccessToken>| Arc::ptr_eq(it, token);
        if !state.current.as_ref().is_some_and(is_current) {
            return;
        }
        state.current = None;
        if token.proven.load(Ordering::Relaxed) {
            return;
        }
        state.unproven = state.unproven.saturating_add(1);
        if state.unproven >= UNPROVEN_MAX {
            let again_in = self.renewer.granter.rejected(code.clone());
            tracing::error!(
                error.code = code.as_str(),
                ?again_in,
                "zoho rejects every token it grants: wrong data centre, or the user may not use the api"
            );
        }
    }

    /// See [`crate::Client::lift_refusal`].
    pub(crate) fn lift_refusal(&self) {
        self.renewer.granter.lift_refusal();
    }

    /// Why no token can be had now.
    pub(crate) fn blocked(&self) -> Option<Error> {
        self.renewer.granter.blocked()
    }

    fn current_or_flight(&self) -> Result<Result<Arc<AccessToken>, Flight>, Error> {
        let now = self.renewer.clock.monotonic();
        let mut state = lock(&self.state);
        if let Some(token) = state.current.as_ref().filter(|it| now < it.refresh_at) {
            return Ok(Ok(Arc::clone(token)));
        }
        if let Some(flight) = &state.flight {
            return Ok(Err(flight.clone()));
        }
        if let Some(error) = self.renewer.granter.blocked() {
            return self.alive(&state).map(Ok).ok_or(error);
        }
        let renewer = Arc::clone(&self.renewer);
        let flight = async move { renewer.renew().await }.boxed().shared();
        state.flight = Some(flight.clone());
        Ok(Err(flight))
    }

    fn alive(&self, state: &State) -> Option<Arc<AccessToken>> {
        let now = self.renewer.clock.monotonic();
        let token = state.current.as_ref()?;
        (now < token.expires_at).then(|| Arc::clone(token))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth")
    }
}

impl Renewer {
    /// Of all who share the store one at a time: who comes second finds the first one's token there.
    async fn renew(&self) -> Result<Arc<AccessToken>, Error> {
        let turn = self.store.renewal().await.map_err(Error::TokenStore)?;
        let unsaved = lock(&self.unsaved).take();
        let token = match unsaved {
            Some(granted) => self.save(granted).await?,
            None => match self.load().await? {
                Some(token) => token,
                None => self.save(self.granter.grant(&*self.store).await?).await?,
            },
        };
        drop(turn);
        *lock(&self.last) = Some(token.secret.clone());
        Ok(Arc::new(token))
    }

    async fn load(&self) -> Result<Option<AccessToken>, Error> {
        let stored = self.store.load().await.map_err(Error::TokenStore)?;
        let last = lock(&self.last).clone();
        let is_last = |it: &StoredToken| {
            last.as_ref()
                .is_some_and(|last| last.expose_secret() == it.access_token.expose_secret())
        };
        Ok(stored
            .filter(|it| !is_last(it))
            .and_then(|it| self.stored(it)))
    }

    /// A token is used only once it is safely kept: else a crash loop would ask again and again.
    async fn save(&self, granted: Granted) -> Result<AccessToken, Error> {
        let stored = granted.stored(&self.clock);
        *lock(&self.unsaved) = Some(granted.clone());
        self.store.save(&stored).await.map_err(Error::TokenStore)?;
        *lock(&self.unsaved) = None;
        let expires_at = granted.asked_at + granted.lifetime;
        Ok(AccessToken {
            secret: granted.access_token,
            api_url: self.data_center.api_base(granted.api_domain.as_deref()),
            refresh_at: expires_at.saturating_sub(REFRESH_EARLY.min(granted.lifetime / 2)),
            expires_at,
            proven: AtomicBool::new(false),
        })
    }

    fn stored(&self, token: StoredToken) -> Option<AccessToken> {
        let left = token.expires_at.duration_since(self.clock.now());
        let left = Duration::try_from(left).ok()?.min(STORED_LIFETIME_MAX);
        let refresh_in = left.checked_sub(REFRESH_EARLY)?;
        let now = self.clock.monotonic();
        Some(AccessToken {
            secret: token.access_token,
            api_url: self.data_center.api_base(token.api_domain.as_deref()),
            refresh_at: now + refresh_in,
            expires_at: now + left,
            proven: AtomicBool::new(false),
        })
    }
}
