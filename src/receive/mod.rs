//! HTTP in: the public port, `/in/{source}` and nothing else.

mod settings;
mod server;
mod activity;
mod handler;
mod intake;
mod peer;
mod split;
mod read;
mod answer;
mod refusals;
mod metrics;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arc_swap::ArcSwap;
use axum::Router;
use clock::Clock;
use prometheus::IntCounter;
use tokio::sync::Semaphore;

pub use self::{
    metrics::Metrics,
    peer::Peer,
    refusals::{RefusedHeader, RefusedRequest},
    server::serve,
    settings::{Dedup, Limits, Read, Source, SourceKind},
};
use self::{metrics::SourceMetrics, refusals::Refusals};
pub use crate::event::Fetch;
use crate::{
    event::{Change, SourceName},
    store::Store,
    verify::Verifier,
};

/// Sources that answer 503 for now, because a destination that they reach is full (`backlog.on_full: refuse`).
pub type Gate = Arc<ArcSwap<HashSet<SourceName>>>;

/// Bytes of all bodies in memory, as sent and decompressed. Nothing is proven yet, so whoever can reach the port can
/// fill it; twice the largest body that the file can allow.
const BODY_BYTES_IN_FLIGHT_MAX: usize = 128 << 20;

/// What the port works with.
#[derive(Clone)]
pub struct Parts {
    /// Where callbacks are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Who has to wait.
    pub gate: Gate,
    /// What nobody listens to.
    pub unheard: Unheard,
}

/// Changes that no route listens to, as of now: they are closed as they are accepted.
#[derive(Clone)]
pub struct Unheard {
    /// Whether a change is one of them.
    pub is: Arc<dyn Fn(&Change) -> bool + Send + Sync>,
    /// Counts those that were closed.
    pub closed: IntCounter,
}

/// The state of the public port. Sources and limits can be replaced while it serves.
pub struct PublicPort {
    parts: Parts,
    sources: ArcSwap<Sources>,
    refusals: Refusals,
    /// Requests that were read and are being stored; a connection of HTTP/2 can bring many.
    slots: Semaphore,
    /// Bytes of their bodies.
    body_bytes: Semaphore,
}

/// One configuration of the port.
struct Sources {
    by_name: HashMap<String, Entry>,
    limits: Limits,
}

struct Entry {
    source: Source,
    verifier: Verifier,
    metrics: SourceMetrics,
}

impl PublicPort {
    /// The number of connections and of requests in flight stays `limits.connections` for good.
    pub fn new(
        sources: impl IntoIterator<Item = Source>,
        limits: Limits,
        parts: Parts,
    ) -> Arc<Self> {
        let slots = Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS));
        let sources = Sources::new(sources, limits, &parts.metrics);
        Arc::new(Self {
            parts,
            sources: ArcSwap::from_pointee(sources),
            refusals: Refusals::default(),
            slots,
            body_bytes: Semaphore::new(BODY_BYTES_IN_FLIGHT_MAX),
        })
    }

    /// Takes other sources and limits from the next request on; requests under way keep the old ones.
    pub fn replace(&self, sources: impl IntoIterator<Item = Source>, limits: Limits) {
        let sources = Sources::new(sources, limits, &self.parts.metrics);
        self.refusals
            .keep_only(|it| sources.by_name.contains_key(it));
        self.sources.store(Arc::new(sources));
    }

    /// The last refused requests of a source, oldest first; no secret and no content in them.
    pub fn refused(&self, source: &SourceName) -> Vec<RefusedRequest> {
        self.refusals.list(source)
    }
}

impl Sources {
    fn new(sources: impl IntoIterator<Item = Source>, limits: Limits, metrics: &Metrics) -> Self {
        let by_name = sources
            .into_iter()
            .map(|source| {
                let entry = Entry {
                    verifier: Verifier::new(source.proof.clone()),
                    metrics: metrics.of(&source.name),
                    source,
                };
                (entry.source.name.as_str().to_owned(), entry)
            })
            .collect();
        Self { by_name, limits }
    }
}

/// The port's one route. Requests without a [`Peer`] extension count as coming from `0.0.0.0`.
pub fn router(port: &Arc<PublicPort>) -> Router {
    Router::new()
        .fallback(handler::handle)
        .with_state(Arc::clone(port))
}
