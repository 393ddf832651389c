//! One request: find the source, look at the head's proof, read, verify, split, store, answer.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    body::Body as RequestBody,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Method, StatusCode, header::CONTENT_TYPE, request};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{
    Entry, Peer, PublicPort, SourceKind, Sources,
    answer::{self, Refused},
    intake::{self, Room},
    metrics::Counted,
    peer,
    refusals::{RefusedRequest, shape_of},
    split::{Split, split},
};
use crate::{
    event::{self, Body, NotificationId, Operation, RawNotification, Undecodable},
    store::{Accept, Accepted, Content, StoreError},
};

/// A commit that takes longer is answered 503; it may still happen, so Zoho's repeat may be a duplicate.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(30);

/// When the store cannot say when it will be well.
const STORE_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What became of a request, besides its answer.
struct Refusal {
    why: Refused,
    body_bytes: Option<usize>,
}

impl From<Refused> for Refusal {
    fn from(why: Refused) -> Self {
        Self {
            why,
            body_bytes: None,
        }
    }
}

/// `/in/{source}`; any other path is not found. No answer to HEAD has a body.
pub(super) async fn handle(State(port): State<Arc<PublicPort>>, request: Request) -> Response {
    let is_head = request.method() == Method::HEAD;
    let response = respond(&port, request).await;
    if is_head {
        answer::without_body(response)
    } else {
        response
    }
}

async fn respond(port: &PublicPort, request: Request) -> Response {
    let sources = port.sources.load_full();
    let (head, body) = request.into_parts();
    let name = head.uri.path().strip_prefix("/in/").unwrap_or_default();
    // Proxies may encode what need not be.
    let name = percent_decode_str(name).decode_utf8_lossy();
    let Some(entry) = sources.by_name.get(name.as_ref()) else {
        port.parts.metrics.unknown.inc();
        return answer::error(StatusCode::NOT_FOUND);
    };
    entry.metrics.received.inc();
    let _in_flight = Counted::new(&port.parts.metrics.in_flight);
    let peer = head
        .extensions
        .get()
        .map_or(IpAddr::from([0, 0, 0, 0]), |Peer(it)| *it);
    let peer = peer::caller(peer, &head.headers, &sources.limits.trusted_proxies);
    let request = Incoming { entry, head, peer };
    match receive(port, &sources, &request, body).await {
        Ok(accepted) => answer::accepted(accepted),
        Err(refusal) => refuse(port, &request, &refusal),
    }
}

/// A request to a source that exists.
struct Incoming<'a> {
    entry: &'a Entry,
    head: request::Parts,
    peer: IpAddr,
}

async fn receive(
    port: &PublicPort,
    sources: &Sources,
    request: &Incoming<'_>,
    body: RequestBody,
) -> Result<Accepted, Refusal> {
    let Incoming { entry, head, peer } = request;
    let method = method(&head.method, &entry.source.kind)?;
    let query = head.uri.query().unwrap_or_default();
    // Who is surely not believed costs us no body.
    let head_proven = entry.verifier.verify_head(*peer, &head.headers, query);
    head_proven.map_err(Refused::Proof)?;
    let limits = &sources.limits;
    let mut room = Room::of(&port.body_bytes);
    let reading = intake::read(&head.headers, body, limits.body_bytes, &mut room);
    let Ok(sent) = tokio::time::timeout(limits.read_timeout, reading).await else {
        return Err(Refused::Timeout.into());
    };
    let sent = busy(port, entry, sent)?;
    // Only now: many bodies on one connection of HTTP/2 that never come must not keep others out.
    let slot = port.slots.try_acquire().map_err(|_none_left| Refused::Busy);
    let _slot = busy(port, entry, slot)?;
    let refusal = |why| Refusal {
        why,
        body_bytes: Some(sent.len()),
    };
    let started = port.parts.clock.monotonic();
    let plain = intake::decompress(&head.headers, &sent, limits.body_bytes, &mut room);
    let plain = busy(port, entry, plain).map_err(refusal)?;
    // The parsed body ends there: only what is stored waits for the store.
    let split = prove(port, request, method, &sent, plain).map_err(refusal)?;
    let accepted = store(port, entry, split).await.map_err(refusal)?;
    let took = port.parts.clock.monotonic().saturating_sub(started);
    port.parts
        .metrics
        .accept_seconds
        .observe(took.as_secs_f64());
    Ok(accepted)
}

/// `plain` is what `sent` is without its content encoding.
fn prove(
    port: &PublicPort,
    request: &Incoming<'_>,
    method: event::Method,
    sent: &Bytes,
    plain: Result<Bytes, Undecodable>,
) -> Result<Split, Refused> {
    let Incoming { entry, head, peer } = request;
    let query = head.uri.query().unwrap_or_default();
    let body = parse(&plain, head, query);
    let raw = RawNotification {
        source: &entry.source.name,
        method,
        headers: &head.headers,
        query,
        body: plain.unwrap_or_else(|_| sent.clone()),
        peer: *peer,
        received_at: port.parts.clock.now(),
    };
    let notification = entry.verifier.verify(&raw, body).map_err(Refused::Proof)?;
    if port.parts.gate.load().contains(&entry.source.name) {
        open_gap(port, entry, Refused::Backlog);
        return Err(Refused::Backlog);
    }
    let id = NotificationId::random();
    Ok(split(&entry.source, &notification, id))
}

/// Not proven, but it may well have been Zoho.
fn busy<T>(port: &PublicPort, entry: &Entry, taken: Result<T, Refused>) -> Result<T, Refused> {
    if matches!(taken, Err(Refused::Busy)) {
        open_gap(port, entry, Refused::Busy);
    }
    taken
}

fn parse(
    plain: &Result<Bytes, Undecodable>,
    head: &request::Parts,
    query: &str,
) -> Result<Body, Undecodable> {
    let content_type = head.headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok());
    match plain {
        Ok(bytes) => Body::of_request(bytes, content_type, query),
        Err(undecodable) => Err(*undecodable),
    }
}

/// HEAD is no GET here: it would be answered as accepted, and is not a callback.
fn method(method: &Method, kind: &SourceKind) -> Result<event::Method, Refused> {
    let known = match *method {
        Method::GET => event::Method::Get,
        Method::POST => event::Method::Post,
        Method::PUT => event::Method::Put,
        Method::DELETE => event::Method::Delete,
        _ => return Err(Refused::Method(answer::allowed(kind))),
    };
    let listens = match kind {
        SourceKind::Watch => known == event::Method::Post,
        SourceKind::Workflow(_) => true,
        SourceKind::Generic(_) => matches!(known, event::Method::Post | event::Method::Put),
    };
    if listens {
        Ok(known)
    } else {
        Err(Refused::Method(answer::allowed(kind)))
    }
}

async fn store(port: &PublicPort, entry: &Entry, split: Split) -> Result<Accepted, Refused> {
    let changes = match &split.content {
        Content::Changes(changes) => Some(changes.len()),
        Content::Unreadable { .. } => None,
    };
    let unheard = &port.parts.unheard;
    let unwanted = match &split.content {
        Content::Changes(changes) => changes.iter().all(|it| (unheard.is)(it)),
        Content::Unreadable { .. } => false,
    };
    let closed = match &split.content {
        Content::Changes(changes) if unwanted => changes
            .iter()
            .filter(|it| it.operation != Operation::Delete)
            .count(),
        Content::Changes(_) | Content::Unreadable { .. } => 0,
    };
    let accept = Accept {
        id: split.id,
        source: entry.source.name.clone(),
        connection: entry.source.connection.clone(),
        received_at: split.received_at,
        body: split.stored,
        content: split.content,
        dedup: split.dedup,
        unwanted,
    };
    let committed = tokio::time::timeout(ACCEPT_TIMEOUT, port.parts.store.accept(accept)).await;
    let retry_after = match committed {
        Ok(Ok(accepted)) => {
            count(port, entry, accepted, changes);
            if matches!(accepted, Accepted::New(_)) {
                unheard.closed.inc_by(u64::try_from(closed).unwrap_or(0));
            }
            return Ok(accepted);
        }
        Ok(Err(StoreError::Unavailable { retry_after, .. })) => retry_after,
        Ok(Err(StoreError::Unusable { .. })) => STORE_RETRY_AFTER,
        Err(_) => {
            open_gap(port, entry, Refused::Timeout);
            STORE_RETRY_AFTER
        }
    };
    Err(Refused::Store { retry_after })
}

/// A callback was not accepted: what it said must be looked for later. The store does it for its own refusals.
fn open_gap(port: &PublicPort, entry: &Entry, why: Refused) {
    if let Some(connection) = &entry.source.connection {
        port.parts.store.open_gap(connection, why.reason());
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a count for a histogram"
)]
fn count(port: &PublicPort, entry: &Entry, accepted: Accepted, changes: Option<usize>) {
    match (accepted, changes) {
        (Accepted::Duplicate(_), _) => entry.metrics.duplicate.inc(),
        (Accepted::New(_), None) => entry.metrics.quarantined.inc(),
        (Accepted::New(_), Some(changes)) => {
            entry.metrics.split.inc();
            port.parts.metrics.changes.observe(changes as f64);
        }
    }
}

fn refuse(port: &PublicPort, request: &Incoming<'_>, refusal: &Refusal) -> Response {
    let Incoming { entry, head, peer } = request;
    let reason = refusal.why.reason();
    entry.metrics.refused(reason);
    let at: Timestamp = port.parts.clock.now();
    let refused = RefusedRequest {
        at,
        reason,
        method: method_word(&head.method),
        peer: *peer,
        headers: shape_of(&head.headers),
        query_bytes: head.uri.query().map_or(0, str::len),
        body_bytes: refusal.body_bytes,
    };
    tracing::debug!(
        source.name = %entry.source.name,
        reason,
        peer = %refused.peer,
        "refused a request"
    );
    port.refusals.push(&entry.source.name, refused);
    refusal.why.into_response()
}

fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}
