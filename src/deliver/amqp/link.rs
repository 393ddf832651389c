//! A live connection to a broker, and whether what it needs there is still there.

use std::{
    net::TcpStream as Socket,
    sync::{Arc, Mutex},
    time::Duration,
};

use clock::Clock;
use futures_util::{StreamExt, stream::BoxStream};
use lapin::{Channel, Connection, Event};

use super::{
    dial::{cut, text},
    topology,
};
use crate::deliver::AmqpSettings;

/// What is declared is looked at again so often at most while messages come back, and so often while some of it is
/// missing.
const CHECK_WAIT: Duration = Duration::from_secs(5);

/// Longest wait for the broker to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// See the module.
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) events: BoxStream<'static, Event>,
    pub(super) idle: Vec<Channel>,
    /// Which connection it is.
    pub(super) generation: u64,
    /// A channel failed: what is declared may be gone, and no channel is lent before it is there.
    pub(super) stale: bool,
    /// Something was missing when it was last looked at, and it was said.
    pub(super) incomplete: bool,
    socket: Arc<Mutex<Option<Socket>>>,
    checked_at: Duration,
    check_at: Option<Duration>,
}

impl Link {
    /// All that it needs is there, as of `now`.
    pub(super) fn new(
        connection: Connection,
        socket: Arc<Mutex<Option<Socket>>>,
        generation: u64,
        now: Duration,
    ) -> Self {
        Self {
            events: connection.events_listener().boxed(),
            connection,
            idle: vec![],
            generation,
            stale: false,
            incomplete: false,
            socket,
            checked_at: now,
            check_at: None,
        }
    }

    /// Messages came back: a queue or a binding may be gone.
    pub(super) fn doubt(&mut self) {
        self.check_at.get_or_insert(self.checked_at + CHECK_WAIT);
    }

    /// It cannot be looked at now.
    pub(super) fn put_off(&mut self, now: Duration) {
        self.check_at = Some(now + CHECK_WAIT);
    }

    /// Returns when it is time to look at what is declared; never where there is no doubt.
    pub(super) fn check_in(&self, clock: &Clock) -> impl Future<Output = ()> + use<> {
        let (clock, check_at) = (clock.clone(), self.check_at);
        async move {
            match check_at {
                Some(at) => clock.sleep(at.saturating_sub(clock.monotonic())).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Declares what is to be declared and looks for the rest, once more.
    pub(super) async fn establish(
        &mut self,
        settings: &AmqpSettings,
        clock: &Clock,
    ) -> Result<(), String> {
        let established = self.try_establish(settings).await;
        self.checked_at = clock.monotonic();
        if established.is_ok() {
            self.check_at = None;
            self.stale = false;
            self.incomplete = false;
        } else {
            self.check_at = Some(self.checked_at + CHECK_WAIT);
        }
        established
    }

    async fn try_establish(&mut self, settings: &AmqpSettings) -> Result<(), String> {
        let channel = self.connection.create_channel().await.map_err(text)?;
        topology::establish(&channel, settings).await?;
        channel.close(200, "done".into()).await.map_err(text)
    }

    /// Without a goodbye: it hangs, or is gone.
    pub(super) fn kill(&self) {
        cut(&self.socket);
    }

    pub(super) async fn close(self) {
        let goodbye = self.connection.close(200, "done".into());
        // Whether it answers or not, the socket goes.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await);
        cut(&self.socket);
    }
}
