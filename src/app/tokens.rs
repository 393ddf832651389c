//! Access tokens in the store: a crash loop must not use up Zoho's ten token requests in ten minutes.

use zoho_crm::{BoxFuture, StoredToken, TokenStore, TokenStoreError};

use crate::{event::ConnectionName, store::Store};

use super::seal::Sealer;

/// One connection's token, sealed in the store.
pub(super) struct Tokens {
    pub store: Store,
    pub connection: ConnectionName,
    pub sealer: Sealer,
}

impl TokenStore for Tokens {
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>> {
        Box::pin(async {
            let sealed = self
                .store
                .token(&self.connection)
                .await
                .map_err(|error| TokenStoreError::new(error.to_string()))?;
            // What no key opens, or is no token, is as good as none: another is asked for.
            Ok(sealed
                .and_then(|it| self.sealer.open(self.connection.as_str(), &it))
                .and_then(|it| StoredToken::from_json(&it).ok()))
        })
    }

    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(async {
            let sealed = self
                .sealer
                .seal(self.connection.as_str(), &token.to_json()?)
                .ok_or_else(|| TokenStoreError::new("the token could not be sealed"))?;
            self.store
                .put_token(&self.connection, sealed)
                .await
                .map_err(|error| TokenStoreError::new(error.to_string()))
        })
    }
}
