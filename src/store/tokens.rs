//! Access tokens of connections, and when they were asked for.

use jiff::Timestamp;

use super::{Store, StoreError, mailbox::Work};
use crate::event::ConnectionName;

impl Store {
    /// A connection's sealed access token, as put.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token(&self, connection: &ConnectionName) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.readers.token(connection.clone()).await
    }

    /// Keeps a connection's sealed access token.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn put_token(
        &self,
        connection: &ConnectionName,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let connection = connection.clone();
        self.work(|answer| Work::PutToken(connection, sealed, answer))
            .await
    }

    /// When a connection's tokens were asked for lately, as put.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token_requests(
        &self,
        connection: &ConnectionName,
    ) -> Result<Vec<Timestamp>, StoreError> {
        self.shared.readers.token_requests(connection.clone()).await
    }

    /// Keeps when a connection's tokens were asked for.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn put_token_requests(
        &self,
        connection: &ConnectionName,
        sent: Vec<Timestamp>,
    ) -> Result<(), StoreError> {
        let connection = connection.clone();
        self.work(|answer| Work::PutTokenRequests(connection, sent, answer))
            .await
    }
}
