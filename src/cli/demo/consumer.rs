//! The demo's own consumer: a webhook receiver that checks signatures and order, as a downstream team's would.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc};

/// Events that wait to be shown; a consumer that is slow makes zohook wait, not lose.
const SHOWN_WAITING_MAX: usize = 256;

/// An event as it came in, what the demo looks at.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Received {
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub subject: Option<String>,
    pub time: jiff::Timestamp,
    pub sequence: Option<String>,
    pub data: Value,
}

/// What the consumer has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub distinct: u64,
    pub repeated: u64,
    pub out_of_order: u64,
    pub unsigned: u64,
}

#[derive(Default)]
struct Memory {
    ids: HashSet<String>,
    last: HashMap<(String, String), String>,
    seen: Seen,
}

#[derive(Clone)]
pub(super) struct Consumer {
    memory: Arc<Mutex<Memory>>,
    secret: Arc<[u8]>,
    shown: mpsc::Sender<Received>,
}

impl Consumer {
    /// Listens on loopback; gives itself, its address and what comes in.
    pub(super) async fn start(
        secret: &[u8],
    ) -> std::io::Result<(Self, SocketAddr, mpsc::Receiver<Received>)> {
        let (shown, receiver) = mpsc::channel(SHOWN_WAITING_MAX);
        let consumer = Self {
            memory: Arc::default(),
            secret: secret.into(),
            shown,
        };
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/events", post(receive))
            .with_state(consumer.clone());
        // Ends with the process: the demo owns it all.
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok((consumer, address, receiver))
    }

    pub(super) fn seen(&self) -> Seen {
        self.lock().seen
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Standard Webhooks: HMAC-SHA256 of `id.timestamp.body`.
    fn is_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
        let (Some(id), Some(timestamp), Some(signatures)) = (
            header("webhook-id"),
            header("webhook-timestamp"),
            header("webhook-signature"),
        ) else {
            return false;
        };
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else {
            return false;
        };
        let mac = mac
            .chain_update(id)
            .chain_update(".")
            .chain_update(timestamp)
            .chain_update(".")
            .chain_update(body);
        signatures
            .split(' ')
            .filter_map(|it| BASE64_STANDARD.decode(it.strip_prefix("v1,")?).ok())
            .any(|it| mac.clone().verify_slice(&it).is_ok())
    }

    /// The consumer rule: drop an id seen before; a sequence below the last seen is out of order.
    fn remember(&self, event: &Received) {
        let mut memory = self.lock();
        if !memory.ids.insert(event.id.clone()) {
            memory.seen.repeated += 1;
            return;
        }
        memory.seen.distinct += 1;
        let (Some(subject), Some(sequence)) = (&event.subject, &event.sequence) else {
            return;
        };
        let key = (event.source.clone(), subject.clone());
        let last = memory.last.insert(key, sequence.clone());
        if last.is_some_and(|last| last > *sequence) {
            memory.seen.out_of_order += 1;
        }
    }
}

async fn receive(State(consumer): State<Consumer>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !consumer.is_signed(&headers, &body) {
        consumer.lock().seen.unsigned += 1;
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice::<Received>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    consumer.remember(&event);
    match consumer.shown.send(event).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
