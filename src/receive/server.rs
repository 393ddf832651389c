//! The accept loop: how many connections, how long they may take, and how they end.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, extract::State};
use clock::Clock;
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Peer, PublicPort, handler::handle, metrics::Counted};

/// Requests at one time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 16;

/// Bytes of a request's line and headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The same for HTTP/2, of each of the requests at one time.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// After a failed accept (no file descriptors left), to not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then answers what is under way for at most `drain`, and returns with all connections closed.
///
/// At most `limits.connections` are open; more wait in the backlog of the listener.
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
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer.ip(), slot)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    server.port.parts.clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
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
}

impl Server {
    async fn connection(&self, stream: TcpStream, peer: IpAddr) {
        let _open = Counted::new(&self.port.parts.metrics.connections);
        // Answers are small and should not wait for more; a socket that refuses is about to fail anyway.
        drop(stream.set_nodelay(true));
        let activity = Activity::default();
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            // Without a router: there is one route, and it would cost as much as the proof.
            let port = State(Arc::clone(&self.port));
            let busy = activity.request();
            async move {
                let _busy = busy;
                Ok::<_, Infallible>(handle(port, request.map(Body::new)).await)
            }
        });
        let idle_max = self.port.sources.load().limits.idle_timeout;
        let builder = builder(idle_max);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut stopping = false;
        let clock: &Clock = &self.port.parts.clock;
        let mut idle = pin!(activity.idle(clock, idle_max));
        loop {
            tokio::select! {
                // A broken connection is its caller's affair.
                ended = connection.as_mut() => return drop(ended),
                () = self.abort.cancelled() => return,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = idle.as_mut() => return,
            }
        }
    }
}

fn builder(head_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX);
    builder
}

/// What a connection does. hyper's own timeout starts only once it knows the version, and not at all for HTTP/2.
#[derive(Clone, Default)]
struct Activity {
    started: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

/// One request under way.
struct Busy(Arc<AtomicU64>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Activity {
    fn request(&self) -> Busy {
        self.started.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.ended))
    }

    /// Returns after no request has begun or been under way for `idle_max` at least, and twice that at most.
    async fn idle(&self, clock: &Clock, idle_max: Duration) {
        let mut before = None;
        loop {
            let started = self.started.load(Ordering::Relaxed);
            let ended = self.ended.load(Ordering::Relaxed);
            if started == ended && before == Some(started) {
                return;
            }
            before = Some(started);
            clock.sleep(idle_max).await;
        }
    }
}
