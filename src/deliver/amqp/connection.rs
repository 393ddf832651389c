//! The owner of a broker connection: one task that connects, declares, lends channels and reconnects.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use clock::Clock;
use futures_util::StreamExt;
use lapin::{Channel, ConnectionStatus, Event, options::ConfirmSelectOptions};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    address::Address,
    dial::{cut, dial, text},
    link::Link,
    topology,
};
use crate::deliver::{AmqpSettings, Metrics};

/// Wait after a failed connect, doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// And at most.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Wait before we connect although nothing is to be sent, doubled with each failure.
const IDLE_MIN: Duration = Duration::from_secs(1);
/// And at most.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// A channel with confirms, lent to one window at a time.
pub(super) struct Lane {
    pub(super) channel: Channel,
    /// Of its connection.
    pub(super) connection: ConnectionStatus,
    /// Headers must fit in a frame.
    pub(super) frame_bytes_max: u32,
    /// Which connection it is of.
    generation: u64,
}

/// What is asked of the owner.
pub(super) enum Ask {
    /// A channel; connects first if need be. The error is for the caller's result.
    Lane(oneshot::Sender<Result<Lane, String>>),
    /// Done with it, all confirmed.
    Back(Lane),
    /// It failed; `hung` when it merely stayed silent.
    Lost { lane: Lane, hung: bool },
    /// Messages came back: a queue or a binding may be gone.
    Returned,
}

/// The task's state.
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) settings: AmqpSettings,
    pub(super) addresses: Vec<Address>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) cancel: CancellationToken,
    pub(super) asks: mpsc::Receiver<Ask>,
}

/// How connecting fared so far.
#[derive(Default)]
struct Attempts {
    /// Connections made or tried; the number of the next.
    generation: u64,
    /// Wait after a failure.
    backoff: Duration,
    /// Wait while nobody asks; none before the first, so that what is to be declared is there before it is needed.
    idle: Duration,
    /// The last one failed, and it was said.
    failing: bool,
}

/// What wakes the owner.
enum Wake {
    /// Nobody asks, but there is no connection.
    Idle,
    Ask(Ask),
    Event(Option<Event>),
    /// What is declared is to be looked at.
    Check,
    Stop,
}

impl Owner {
    /// Serves until cancelled.
    pub(super) async fn run(mut self) {
        let mut link: Option<Link> = None;
        let mut attempts = Attempts::default();
        self.metrics.set_connected(&self.name, false);
        loop {
            match self.wake(link.as_mut(), attempts.idle).await {
                Wake::Stop => break,
                Wake::Idle => {
                    if self.idle(&mut link, &mut attempts).await.is_none() {
                        break;
                    }
                }
                Wake::Event(event) => {
                    if let Some(Event::ConnectionBlocked(reason)) = event {
                        tracing::warn!(destination.name = %self.name, reason, "the broker takes no messages for now");
                    }
                }
                Wake::Check => {
                    if let Some(link) = link.as_mut()
                        && self.check(link).await.is_none()
                    {
                        break;
                    }
                }
                Wake::Ask(Ask::Returned) => {
                    if let Some(link) = link.as_mut() {
                        link.doubt();
                    }
                }
                Wake::Ask(Ask::Back(lane)) => {
                    if let Some(link) = link.as_mut().filter(|it| it.generation == lane.generation)
                        && lane.channel.status().connected()
                    {
                        link.idle.push(lane.channel);
                    }
                }
                Wake::Ask(Ask::Lost { lane, hung }) => {
                    if let Some(link) = link.as_mut().filter(|it| it.generation == lane.generation)
                    {
                        link.stale = true;
                        // While the broker blocks us it says nothing, and will say when that is over.
                        if hung && !link.connection.status().blocked() {
                            link.kill();
                        }
                    }
                }
                Wake::Ask(Ask::Lane(reply)) => {
                    if self.lend(reply, &mut link, &mut attempts).await.is_none() {
                        break;
                    }
                }
            }
            if link
                .as_ref()
                .is_some_and(|it| !it.connection.status().connected())
            {
                tracing::warn!(destination.name = %self.name, "the connection to the broker is lost");
                self.metrics.set_connected(&self.name, false);
                if let Some(link) = link.take() {
                    link.kill();
                }
            }
        }
        if let Some(link) = link {
            link.close().await;
        }
        self.metrics.forget_connection(&self.name);
    }

    /// Connects though nobody asks; `None` when told to stop.
    async fn idle(&self, link: &mut Option<Link>, attempts: &mut Attempts) -> Option<()> {
        tokio::select! {
            made = self.connect(attempts) => match made {
                Ok(made) => *link = Some(made),
                Err(problem) => {
                    if !std::mem::replace(&mut attempts.failing, true) {
                        tracing::warn!(destination.name = %self.name, problem, "cannot connect to the broker; it is tried again and again");
                    }
                }
            },
            () = self.cancel.cancelled() => return None,
        }
        Some(())
    }

    /// Answers with a channel, or why there is none; `None` when told to stop.
    async fn lend(
        &mut self,
        reply: oneshot::Sender<Result<Lane, String>>,
        link: &mut Option<Link>,
        attempts: &mut Attempts,
    ) -> Option<()> {
        if reply.is_closed() {
            return Some(());
        }
        if link.is_none() {
            let connect = async {
                self.clock.sleep(attempts.backoff).await;
                self.connect(attempts).await
            };
            let made = tokio::select! {
                made = connect => made,
                () = self.cancel.cancelled() => return None,
            };
            match made {
                Ok(made) => *link = Some(made),
                Err(problem) => {
                    // Whoever asked says it.
                    attempts.failing = true;
                    self.refuse_all(reply, &problem);
                    return Some(());
                }
            }
        }
        if let Some(link) = link {
            let lane = self.lane(link).await;
            // Whoever asked may have given up meanwhile: then the channel is for the next.
            if let Err(Ok(lane)) = reply.send(lane) {
                link.idle.push(lane.channel);
            }
        }
        Some(())
    }

    async fn wake(&mut self, link: Option<&mut Link>, idle: Duration) -> Wake {
        let event = async {
            let Some(link) = link else {
                self.clock.sleep(idle).await;
                return Wake::Idle;
            };
            let check_in = link.check_in(&self.clock);
            tokio::select! {
                event = link.events.next() => Wake::Event(event),
                () = check_in => Wake::Check,
            }
        };
        tokio::select! {
            () = self.cancel.cancelled() => Wake::Stop,
            ask = self.asks.recv() => ask.map_or(Wake::Stop, Wake::Ask),
            event = event => event,
        }
    }

    /// The same answer for all that wait already: one failed connect is enough.
    fn refuse_all(&mut self, first: oneshot::Sender<Result<Lane, String>>, error: &str) {
        let mut waiting = vec![first];
        while let Ok(ask) = self.asks.try_recv() {
            if let Ask::Lane(reply) = ask {
                waiting.push(reply);
            }
        }
        for reply in waiting {
            // Nobody waits any more: nothing to tell.
            drop(reply.send(Err(error.to_owned())));
        }
    }

    /// Tries each address once.
    async fn connect(&self, attempts: &mut Attempts) -> Result<Link, String> {
        attempts.generation += 1;
        let mut problems = vec![];
        for address in &self.addresses {
            match self.open(address, attempts.generation).await {
                Ok(link) => {
                    attempts.backoff = Duration::ZERO;
                    attempts.idle = IDLE_MIN;
                    attempts.failing = false;
                    self.metrics.connect_tried(&self.name, true);
                    self.metrics.set_connected(&self.name, true);
                    tracing::info!(destination.name = %self.name, broker = %address, "connected to the broker");
                    return Ok(link);
                }
                Err(problem) => problems.push(format!("{address}: {problem}")),
            }
        }
        attempts.backoff = (attempts.backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
        attempts.idle = (attempts.idle * 2).clamp(IDLE_MIN, IDLE_MAX);
        self.metrics.connect_tried(&self.name, false);
        let problem = problems.join("; ");
        tracing::debug!(destination.name = %self.name, problem, "cannot connect to the broker");
        Err(problem)
    }

    async fn open(&self, address: &Address, generation: u64) -> Result<Link, String> {
        let timeout = self.settings.timeout;
        let socket = Arc::new(Mutex::new(None));
        let open = async {
            let connection = dial(&address.uri, &self.name, timeout, Arc::clone(&socket)).await?;
            let channel = connection.create_channel().await.map_err(text)?;
            topology::establish(&channel, &self.settings).await?;
            channel.close(200, "done".into()).await.map_err(text)?;
            Ok(connection)
        };
        let opened = match tokio::time::timeout(timeout, open).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(format!("no answer within {} s", timeout.as_secs_f32())),
        };
        match opened {
            Ok(connection) => {
                let now = self.clock.monotonic();
                Ok(Link::new(connection, socket, generation, now))
            }
            Err(problem) => {
                cut(&socket);
                Err(problem)
            }
        }
    }

    /// Looks at what is declared though all channels work; `None` when told to stop.
    async fn check(&self, link: &mut Link) -> Option<()> {
        if link.connection.status().blocked() {
            // It would not answer.
            link.put_off(self.clock.monotonic());
            return Some(());
        }
        let established = tokio::select! {
            it = tokio::time::timeout(self.settings.timeout, self.establish(link)) => it,
            () = self.cancel.cancelled() => return None,
        };
        match established {
            Ok(Err(problem)) if !std::mem::replace(&mut link.incomplete, true) => {
                tracing::warn!(destination.name = %self.name, problem, "an exchange or queue is missing or differs; it is looked for again and again");
            }
            Ok(_) => {}
            Err(_elapsed) => link.kill(),
        }
        Some(())
    }

    /// Declares what is to be declared and looks for the rest, once more.
    async fn establish(&self, link: &mut Link) -> Result<(), String> {
        let established = link.establish(&self.settings, &self.clock).await;
        self.metrics.set_connected(&self.name, established.is_ok());
        established
    }

    /// An idle channel, or a new one.
    async fn lane(&self, link: &mut Link) -> Result<Lane, String> {
        let channel = match tokio::time::timeout(self.settings.timeout, self.channel(link)).await {
            Ok(channel) => channel?,
            Err(_elapsed) => {
                link.kill();
                return Err("the broker opens no channel in time".to_owned());
            }
        };
        Ok(Lane {
            channel,
            connection: link.connection.status().clone(),
            frame_bytes_max: link.connection.configuration().frame_max(),
            generation: link.generation,
        })
    }

    async fn channel(&self, link: &mut Link) -> Result<Channel, String> {
        if link.connection.status().blocked() {
            return Err("the broker takes no messages for now (connection blocked)".to_owned());
        }
        if link.stale {
            self.establish(link).await?;
        }
        while let Some(channel) = link.idle.pop() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = link.connection.create_channel().await.map_err(text)?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .map_err(text)?;
        Ok(channel)
    }
}
