//! Access tokens, and when they were asked for, in the store: a crash loop must not use up Zoho's ten token requests in
//! ten minutes.

use jiff::Timestamp;
use zoho_crm::{BoxFuture, StoredToken, TokenStore, TokenStoreError};

use crate::{
    event::ConnectionName,
    store::{Store, StoreError},
};

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
                .map_err(|error| failed(&error))?;
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
                .map_err(|error| failed(&error))
        })
    }

    fn requests(&self) -> BoxFuture<'_, Result<Vec<Timestamp>, TokenStoreError>> {
        Box::pin(async {
            self.store
                .token_requests(&self.connection)
                .await
                .map_err(|error| failed(&error))
        })
    }

    fn save_requests<'a>(
        &'a self,
        sent: &'a [Timestamp],
    ) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(async {
            self.store
                .put_token_requests(&self.connection, sent.to_vec())
                .await
                .map_err(|error| failed(&error))
        })
    }
}

fn failed(error: &StoreError) -> TokenStoreError {
    TokenStoreError::new(error.to_string())
}
