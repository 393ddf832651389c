//! The door: connections in, answers out. Spoken to hyper directly, since only so a connection
//! can be closed without an answer.

use std::sync::Arc;

use axum::body::{self, Body};
use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::task::TaskTracker;

use crate::{
    answer::{Answer, Refusal},
    api::{self, Admission},
    call::{Call, Kind, Operation},
    control,
    faults::CallTrouble,
    oauth,
    shared::Shared,
};

/// Connections open at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 768;
/// The largest body read.
const BODY_BYTES_MAX: usize = 28 * 1024 * 1024;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection dropped by a scripted fault")]
pub(crate) struct Dropped;

/// Accepts connections until told to stop.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>, tracker: TaskTracker) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let stop = shared.stop.clone();
    loop {
        let accept = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let Some((accepted, permit)) = stop.run_until_cancelled(accept).await else {
            return;
        };
        match accepted {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tracker.spawn(async move {
                    serve(stream, shared).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let stop = shared.stop.clone();
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Some(Err(error)) = stop.run_until_cancelled(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let answer = match read(request).await {
        Err(refusal) => refusal.answer(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(call) => {
            if let Operation::Control(path) = &call.operation {
                control::answer(shared, &call, path).await
            } else if matches!(call.kind(), Kind::Token | Kind::Accounts) {
                accounts(shared, &call).await?
            } else {
                let answer = crm(shared, &call).await?;
                shared.world(|world| api::with_headers(world, &call, answer))
            }
        }
    };
    shared.world(|world| {
        let answers = &mut world.counters.answers;
        *answers.entry(answer.status.as_u16()).or_default() += 1;
    });
    Ok(answer.into_response(shared.clock.now()))
}

async fn read(request: Request<Incoming>) -> Result<Call, Refusal> {
    let (parts, incoming) = request.into_parts();
    let body = body::to_bytes(Body::new(incoming), BODY_BYTES_MAX).await;
    let body = body.map_err(|_too_long_or_cut_off| {
        Refusal::new(
            "REQUEST_ENTITY_TOO_LARGE",
            "the request body is too large",
            json!({"limit": BODY_BYTES_MAX}),
        )
    })?;
    let query = parts.uri.query().unwrap_or_default();
    Ok(Call {
        operation: Operation::of(&parts.method, parts.uri.path()),
        method: parts.method,
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: parts.headers,
        body,
    })
}

async fn accounts(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Dropped> {
    let parameters = oauth::parameters(call).await;
    let (trouble, latency) = shared.world(|world| {
        let kind = call.kind();
        world.counters.call(kind);
        let trouble = world.script.for_call(kind);
        if trouble != CallTrouble::default() {
            world.counters.faults += 1;
        }
        (trouble, world.latency)
    });
    shared
        .clock
        .sleep(latency.saturating_add(trouble.slow))
        .await;
    if trouble.drop_before {
        return Err(Dropped);
    }
    let answer = match trouble.status {
        Some(status) => api::scripted(status),
        None => shared.world(|world| oauth::answer(world, call, &parameters)),
    };
    if trouble.drop_after {
        return Err(Dropped);
    }
    Ok(answer)
}

async fn crm(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Dropped> {
    let (admission, latency) = shared.world(|world| (api::admit(world, call), world.latency));
    match admission {
        Admission::Refused { answer, trouble } => {
            shared.clock.sleep(trouble.slow).await;
            if trouble.drop_before || trouble.drop_after {
                return Err(Dropped);
            }
            Ok(answer)
        }
        Admission::Run { heavy, trouble } => {
            let running = Running {
                shared: Arc::clone(shared),
                heavy,
            };
            shared
                .clock
                .sleep(latency.saturating_add(trouble.slow))
                .await;
            if trouble.drop_before {
                return Err(Dropped);
            }
            let answer = shared.world(|world| api::answer(world, call, &trouble));
            drop(running);
            if trouble.drop_after {
                return Err(Dropped);
            }
            Ok(answer)
        }
    }
}

/// A call that runs, until it ends or its caller goes away.
struct Running {
    shared: Arc<Shared>,
    heavy: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.world(|world| api::leave(world, self.heavy));
    }
}
