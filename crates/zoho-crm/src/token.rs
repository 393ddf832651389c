//! Where an access token is kept, so that a restart does not ask for another.

use std::{fmt, pin::Pin, sync::Mutex};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// A future that a trait object can give.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An access token as it is kept.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token; opens the org's data for an hour.
    pub access_token: SecretString,
    /// Until when it is good, by the wall clock.
    pub expires_at: Timestamp,
    /// The API's base URL, as the token answer said.
    pub api_domain: Option<String>,
}

impl StoredToken {
    /// As JSON, secret included: seal it before it touches a disk.
    ///
    /// # Errors
    /// Never in practice: a text, a time and a text are always JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, TokenStoreError> {
        serde_json::to_vec(&Wire {
            access_token: self.access_token.expose_secret().into(),
            expires_at: self.expires_at.to_string(),
            api_domain: self.api_domain.clone(),
        })
        .map_err(|source| TokenStoreError::new(format!("writing the token failed: {source}")))
    }

    /// What [`Self::to_json`] gave.
    ///
    /// # Errors
    /// When it is something else. The message holds no content.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenStoreError> {
        let wire: Wire = serde_json::from_slice(bytes).map_err(|source| {
            TokenStoreError::new(format!("not a token: {:?}", source.classify()))
        })?;
        let expires_at = wire
            .expires_at
            .parse()
            .ok()
            .ok_or_else(|| TokenStoreError::new("not a token: its expiry is not a time"))?;
        Ok(Self {
            access_token: wire.access_token.into(),
            expires_at,
            api_domain: wire.api_domain,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    access_token: String,
    /// RFC 3339.
    expires_at: String,
    api_domain: Option<String>,
}

/// Keeps one connection's access token.
///
/// [`Self::save`] is awaited before a new token is used for the first time: Zoho allows ten token requests in ten
/// minutes, and a process that crashes and starts again must find the one it has.
pub trait TokenStore: Send + Sync {
    /// The token last saved, if any; an expired one may be given.
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>>;

    /// Keeps this token in place of the last.
    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>>;

    /// Waits for its turn to renew the token and keeps it until the guard is dropped. A client loads, asks and saves
    /// under it, so that of several processes over one store one asks and the others find its token.
    ///
    /// A store that one process alone uses has no need of it: by default everybody has a turn at once.
    fn renewal(&self) -> BoxFuture<'_, Result<Renewal, TokenStoreError>> {
        Box::pin(std::future::ready(Ok(Renewal::default())))
    }

    /// When token requests were sent lately, by all who share the store: the limit of ten in ten minutes is theirs
    /// together. By default none are known, and each process counts its own.
    fn requests(&self) -> BoxFuture<'_, Result<Vec<Timestamp>, TokenStoreError>> {
        Box::pin(std::future::ready(Ok(vec![])))
    }

    /// Keeps what [`Self::requests`] gives; awaited before a request is sent. By default nothing is kept.
    fn save_requests<'a>(
        &'a self,
        sent: &'a [Timestamp],
    ) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        let _ = sent;
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A turn to renew the token; ends when it is dropped.
#[derive(Default)]
pub struct Renewal {
    _held: Option<Box<dyn Send + Sync>>,
}

impl Renewal {
    /// Dropping `held` gives the turn to the next.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self {
            _held: Some(Box::new(held)),
        }
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}

/// A token that could not be kept or read back; worth another try.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct TokenStoreError {
    detail: String,
}

impl TokenStoreError {
    /// `detail` is for a person and must not hold the token.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
        }
    }
}

/// Keeps the token for the life of the process.
#[derive(Default)]
pub struct MemoryTokenStore {
    token: Mutex<Option<StoredToken>>,
}

impl MemoryTokenStore {
    /// Empty, or with a token at hand.
    pub fn new(token: Option<StoredToken>) -> Self {
        Self {
            token: Mutex::new(token),
        }
    }
}

impl fmt::Debug for MemoryTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryTokenStore")
    }
}

impl TokenStore for MemoryTokenStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>> {
        let token = crate::auth::lock(&self.token).clone();
        Box::pin(std::future::ready(Ok(token)))
    }

    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        *crate::auth::lock(&self.token) = Some(token.clone());
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_json_and_never_shows_in_debug() {
        let token = StoredToken {
            access_token: "1000.secret".into(),
            expires_at: Timestamp::from_second(1_800_000_000).unwrap(),
            api_domain: Some("https://www.zohoapis.eu".into()),
        };
        let back = StoredToken::from_json(&token.to_json().unwrap()).unwrap();
        assert_eq!(back.access_token.expose_secret(), "1000.secret");
        assert_eq!(back.expires_at, token.expires_at);
        assert_eq!(back.api_domain, token.api_domain);
        assert!(!format!("{token:?}").contains("secret\""));
        assert!(!format!("{token:?}").contains("1000."));
    }

    #[test]
    fn junk_is_not_a_token_and_is_not_shown() {
        let error =
            StoredToken::from_json(br#"{"access_token": 7, "x": "1000.secret"}"#).unwrap_err();
        assert!(!error.to_string().contains("1000"), "{error}");
    }
}
