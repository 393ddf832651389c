//! The owner of a broker connection: one task that connects, declares, lends channels and reconnects.

use std::{
    net::{Shutdown, TcpStream as Socket},
    os::fd::AsFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use clock::Clock;
use futures_util::{StreamExt, stream::BoxStream};
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, Event,
    options::ConfirmSelectOptions,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{address::Address, topology};
use crate::deliver::{AmqpSettings, Metrics};

/// Wait after a failed connect, doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// And at most.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Longest wait for the broker to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A channel with confirms, lent to one window at a time.
pub(super) struct Lane {
    pub(super) channel: Channel,
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

/// A live connection.
struct Link {
    connection: Connection,
    socket: Arc<Mutex<Option<Socket>>>,
    events: BoxStream<'static, Event>,
    idle: Vec<Channel>,
    generation: u64,
    /// A channel failed: what is declared may be gone.
    stale: bool,
}

/// What wakes the owner.
enum Wake {
    Ask(Ask),
    Event(Option<Event>),
    Stop,
}

impl Owner {
    /// Serves until cancelled.
    pub(super) async fn run(mut self) {
        let mut link: Option<Link> = None;
        let mut generation = 0;
        let mut backoff = Duration::ZERO;
        self.metrics.set_connected(&self.name, false);
        loop {
            match self.wake(link.as_mut()).await {
                Wake::Stop => break,
                Wake::Event(event) => {
                    if let Some(Event::ConnectionBlocked(reason)) = event {
                        tracing::warn!(destination.name = %self.name, reason, "the broker takes no messages for now");
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
                    if reply.is_closed() {
                        continue;
                    }
                    if link.is_none() {
                        generation += 1;
                        tokio::select! {
                            made = self.connect(generation, &mut backoff) => match made {
                                Ok(made) => link = Some(made),
                                Err(error) => {
                                    self.refuse_all(reply, &error);
                                    continue;
                                }
                            },
                            () = self.cancel.cancelled() => break,
                        }
                    }
                    if let Some(link) = &mut link {
                        let lane = self.lane(link).await;
                        // Whoever asked may have given up meanwhile: then the channel is for the next.
                        if let Err(Ok(lane)) = reply.send(lane) {
                            link.idle.push(lane.channel);
                        }
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
        self.metrics.set_connected(&self.name, false);
    }

    async fn wake(&mut self, link: Option<&mut Link>) -> Wake {
        let event = async {
            match link {
                Some(link) => link.events.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.cancel.cancelled() => Wake::Stop,
            ask = self.asks.recv() => ask.map_or(Wake::Stop, Wake::Ask),
            event = event => Wake::Event(event),
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

    /// Tries each address once, after the wait that the last failure asks for.
    async fn connect(&self, generation: u64, backoff: &mut Duration) -> Result<Link, String> {
        self.clock.sleep(*backoff).await;
        let mut problems = vec![];
        for address in &self.addresses {
            match self.open(address, generation).await {
                Ok(link) => {
                    *backoff = Duration::ZERO;
                    self.metrics.connect_tried(&self.name, true);
                    self.metrics.set_connected(&self.name, true);
                    tracing::info!(destination.name = %self.name, broker = %address, "connected to the broker");
                    return Ok(link);
                }
                Err(problem) => problems.push(format!("{address}: {problem}")),
            }
        }
        *backoff = (*backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
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
            Ok(connection) => Ok(Link {
                events: connection.events_listener().boxed(),
                connection,
                socket,
                idle: vec![],
                generation,
                stale: false,
            }),
            Err(problem) => {
                cut(&socket);
                Err(problem)
            }
        }
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
            frame_bytes_max: link.connection.configuration().frame_max(),
            generation: link.generation,
        })
    }

    async fn channel(&self, link: &mut Link) -> Result<Channel, String> {
        if link.connection.status().blocked() {
            return Err("the broker takes no messages for now (connection blocked)".to_owned());
        }
        if link.stale {
            let channel = link.connection.create_channel().await.map_err(text)?;
            topology::establish(&channel, &self.settings).await?;
            channel.close(200, "done".into()).await.map_err(text)?;
            link.stale = false;
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

impl Link {
    /// Without a goodbye: it hangs, or is gone.
    fn kill(&self) {
        cut(&self.socket);
    }

    async fn close(self) {
        let goodbye = self.connection.close(200, "done".into());
        // Whether it answers or not, the socket goes.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await);
        cut(&self.socket);
    }
}

/// Connects and logs in. A handle on the socket is left in `keep`: lapin has no way to drop a connection that hangs, and
/// would keep a thread for each.
async fn dial(
    uri: &AMQPUri,
    name: &str,
    timeout: Duration,
    keep: Arc<Mutex<Option<Socket>>>,
) -> Result<Connection, String> {
    let properties =
        ConnectionProperties::default().with_connection_name(format!("zohook {name}").into());
    let runtime = lapin::runtime::default_runtime().map_err(text)?;
    Connection::connector(
        uri.clone(),
        runtime,
        async move |uri, runtime| {
            let host = uri.authority.host.as_str();
            let stream = async {
                let addresses: Vec<_> = tokio::net::lookup_host((host, uri.authority.port))
                    .await?
                    .collect();
                let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                if let AsyncTcpStream::Plain(stream) = &stream
                    && let Ok(mut keep) = keep.lock()
                {
                    *keep = Some(stream.get_ref().as_fd().try_clone_to_owned()?.into());
                }
                match uri.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => {
                        let settings = OwnedTLSConfig::default();
                        stream.into_tls(host, settings.as_ref()).await
                    }
                }
            };
            let dialled = tokio::time::timeout(timeout, stream).await;
            Ok(dialled.map_err(std::io::Error::other)??)
        },
        properties,
    )
    .await
    .map_err(text)
}

fn cut(socket: &Mutex<Option<Socket>>) {
    if let Ok(mut socket) = socket.lock()
        && let Some(socket) = socket.take()
    {
        // An error means that it is closed already.
        drop(socket.shutdown(Shutdown::Both));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn text(error: lapin::Error) -> String {
    error.to_string()
}
