//! Accepting: a caller waits for its commit, and a refusal is remembered even when the caller has gone.

use tokio::{runtime::Handle, sync::oneshot};

use super::{Store, StoreError, mailbox::AcceptJob, types::Accept, types::Accepted, wait_for};
use crate::event::ConnectionName;

type Answered = oneshot::Receiver<Result<Accepted, StoreError>>;

impl Store {
    /// Commits a notification and its changes, fsynced, or recognises a repeat.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nothing was stored: answer 503. A gap is opened for its connection, also when
    /// the caller no longer waits.
    pub async fn accept(&self, accept: Accept) -> Result<Accepted, StoreError> {
        let connection = accept.connection.clone();
        let (answer, answered) = oneshot::channel();
        let result = match self
            .shared
            .mailbox
            .push_accept(AcceptJob { accept, answer })
        {
            Ok(()) => {
                let mut waiter = Waiter {
                    store: self,
                    connection: connection.as_ref(),
                    answered: Some(answered),
                };
                waiter.wait().await
            }
            Err(refusal) => Err(refusal.into()),
        };
        self.note_refusal(&result, connection.as_ref());
        result
    }

    fn note_refusal(
        &self,
        result: &Result<Accepted, StoreError>,
        connection: Option<&ConnectionName>,
    ) {
        if let Err(StoreError::Unavailable { reason, .. }) = result {
            self.count_refusal(reason);
            if let Some(connection) = connection {
                self.open_gap(connection, reason);
            }
        }
    }
}

/// Waits for one answer; when it is dropped before that, somebody else does.
struct Waiter<'a> {
    store: &'a Store,
    connection: Option<&'a ConnectionName>,
    answered: Option<Answered>,
}

impl Waiter<'_> {
    async fn wait(&mut self) -> Result<Accepted, StoreError> {
        let Some(answered) = &mut self.answered else {
            return wait_for(oneshot::channel().1).await;
        };
        let result = wait_for(answered).await;
        self.answered = None;
        result
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the next start opens a gap for its downtime.
        if let Some(answered) = self.answered.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let (store, connection) = (self.store.clone(), self.connection.cloned());
            runtime.spawn(async move {
                let result = wait_for(answered).await;
                store.note_refusal(&result, connection.as_ref());
            });
        }
    }
}
