//! The accept loop: how many connections, how long they may take, and how they end.

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, extract::State};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{io::InspectReader, sync::CancellationToken, task::TaskTracker};

use super::{Peer, PublicPort, activity::Activity, handler::handle, metrics::Counted};

/// Requests at one time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 16;

/// Bytes of a request's line and headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The same for HTTP/2, of each of the requests at one time.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// After a failed accept (no file descriptors left), to not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often connections are asked to make room while one waits for a place.
const CROWDED_PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop`, then answers what is under way for at most `drain`, and returns with all connections closed.
///
/// At most `limits.connections` are served; more wait, one here and the others in the backlog of the listener. While one
/// waits, those that have had no request for a few seconds are closed.
pub async fn serve(
    listener: TcpListener,
    port: Arc<PublicPort>,
    stop: CancellationToken,
    drain: Duration,
) {
    let connections = port.sources.load().limits.connections;
    let slots = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
    let server = Server {
        port,
        stop: stop.clone(),
        abort: CancellationToken::new(),
        crowded: Arc::default(),
    };
    let tasks = TaskTracker::new();
    while let Some((stream, peer, slot)) = next(&listener, &slots, &server).await {
        let server = server.clone();
        tasks.spawn(async move {
            server.connection(stream, peer).await;
            drop(slot);
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "closed connections that did not end within the drain deadline"
        );
    }
    server.abort.cancel();
    tasks.wait().await;
}

/// `None` once stopped.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    server: &Server,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let accept = async {
        // In this order: places are wanted only when somebody is there for them.
        let (stream, peer) = server.accept(listener).await;
        let slot = server.place(slots).await?;
        Some((stream, peer, slot))
    };
    tokio::select! {
        biased;
        () = server.stop.cancelled() => None,
        accepted = accept => accepted,
    }
}

#[derive(Clone)]
struct Server {
    port: Arc<PublicPort>,
    stop: CancellationToken,
    abort: CancellationToken,
    /// Tells all connections that one waits for a place.
    crowded: Arc<Notify>,
}

impl Server {
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, IpAddr) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer.ip()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    self.port.parts.clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn place(&self, slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let mut slot = pin!(Arc::clone(slots).acquire_owned());
        loop {
            tokio::select! {
                biased;
                slot = slot.as_mut() => return slot.ok(),
                () = self.port.parts.clock.sleep(CROWDED_PAUSE) => self.crowded.notify_waiters(),
            }
        }
    }

    async fn connection(&self, stream: TcpStream, peer: IpAddr) {
        let _open = Counted::new(&self.port.parts.metrics.connections);
        // Answers are small and should not wait for more; a socket that refuses is about to fail anyway.
        drop(stream.set_nodelay(true));
        let activity = Activity::new(&self.port.parts.clock);
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            // Without a router: there is one route, and it would cost as much as the proof.
            let port = State(Arc::clone(&self.port));
            let under_way = activity.request();
            async move {
                let _under_way = under_way;
                Ok::<_, Infallible>(handle(port, request.map(Body::new)).await)
            }
        });
        let received = activity.clone();
        let stream = InspectReader::new(stream, move |bytes: &[u8]| received.received(bytes));
        let builder = builder();
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut stopping = false;
        let idle_max = self.port.sources.load().limits.idle_timeout;
        let mut expired = pin!(activity.expired(idle_max));
        let mut crowded = pin!(self.crowded.notified());
        loop {
            let stop = tokio::select! {
                // A broken connection is its caller's affair.
                ended = connection.as_mut() => return drop(ended),
                () = self.abort.cancelled() => return,
                () = expired.as_mut() => return,
                () = self.stop.cancelled(), if !stopping => true,
                () = crowded.as_mut() => {
                    crowded.set(self.crowded.notified());
                    activity.is_quiet()
                }
            };
            if stop && stopping {
                // It was asked a moment ago, and is still quiet.
                return;
            }
            if stop {
                stopping = true;
                // A request that arrives just now is still answered.
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Without hyper's timeouts: they begin only once it knows the version, and there are none for HTTP/2.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX);
    builder
}
