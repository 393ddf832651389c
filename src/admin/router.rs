//! The routes of the admin port. `/livez`, `/readyz`: always open. `/metrics`, `/api/v1/…`: see [`super::Access`].

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::Registry;
use serde_json::{Value, json};

use crate::{
    event::{DestinationName, SourceName},
    receive::PublicPort,
    store::{Quarantined, QuarantinedKind, Store},
    telemetry,
};

use super::{Access, Gauges, access::guard};

/// What the admin port looks at.
#[derive(Clone)]
pub struct AdminState {
    /// Depths and totals.
    pub store: Store,
    /// All metrics.
    pub registry: Registry,
    /// Looked up at each scrape.
    pub gauges: Gauges,
    /// As of now.
    pub destinations: Arc<ArcSwap<Vec<DestinationName>>>,
    /// Requests refused of late.
    pub port: Arc<PublicPort>,
}

/// All routes. `consumers` are the pull consumers' routes, which have tokens of their own.
pub fn router(state: AdminState, access: Access, consumers: Router) -> Router {
    let operator = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/v1/ledger", get(ledger))
        .route("/api/v1/backlog", get(backlog))
        .route("/api/v1/quarantine", get(quarantine))
        .route("/api/v1/sources/{source}/refused", get(refused))
        .route_layer(middleware::from_fn_with_state(access, guard));
    let open = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz));
    open.merge(operator).with_state(state).merge(consumers)
}

/// False only while we cannot accept; never for a destination that is down.
async fn readyz(State(state): State<AdminState>) -> Response {
    if state.store.ready() {
        "ok".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be written",
        )
            .into_response()
    }
}

async fn metrics(State(state): State<AdminState>) -> Response {
    state.gauges.refresh(&state.destinations.load()).await;
    match telemetry::render(&state.registry) {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ledger(State(state): State<AdminState>) -> Response {
    match state.store.ledger().await {
        Ok(ledger) => {
            let adds_up = ledger.adds_up();
            Json(json!({ "ledger": ledger, "adds_up": adds_up })).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn backlog(State(state): State<AdminState>) -> Response {
    let destinations: serde_json::Map<_, _> = state
        .destinations
        .load()
        .iter()
        .map(|name| {
            let backlog = state.store.backlog(name);
            let oldest = backlog.oldest.map(|it| it.to_string());
            (
                name.to_string(),
                json!({ "depth": backlog.depth, "oldest": oldest }),
            )
        })
        .collect();
    let inbox = state.store.inbox();
    let oldest = inbox.oldest.map(|it| it.to_string());
    Json(json!({
        "inbox": { "depth": inbox.depth, "oldest": oldest },
        "destinations": destinations,
    }))
    .into_response()
}

/// Rows shown at most.
const QUARANTINE_SHOWN_MAX: u32 = 200;

async fn quarantine(State(state): State<AdminState>) -> Response {
    match state.store.quarantined(QUARANTINE_SHOWN_MAX).await {
        Ok(rows) => {
            let rows: Vec<_> = rows.iter().map(quarantined).collect();
            Json(json!({ "quarantined": rows })).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn quarantined(row: &Quarantined) -> Value {
    let kind = match row.kind {
        QuarantinedKind::Notification => "notification",
        QuarantinedKind::Change => "change",
        QuarantinedKind::Delivery => "delivery",
    };
    json!({
        "no": row.no,
        "kind": kind,
        "id": row.id,
        "reason": row.reason.as_str(),
        "detail": row.detail,
        "at": row.at,
        "destination": row.destination,
        "source": row.source,
        "module": row.module,
        "record": row.record,
    })
}

async fn refused(State(state): State<AdminState>, Path(source): Path<String>) -> Response {
    let refused = state.port.refused(&SourceName::new(source));
    Json(json!({ "refused": refused })).into_response()
}
