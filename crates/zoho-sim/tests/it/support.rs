//! A client that knows nothing, and a receiver of callbacks.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::State, routing::any};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};
use zoho_sim::{Settings, Sim};

/// How long anything may take before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Null for an empty body.
    pub(crate) body: Value,
}

/// A simulator and a client with a token.
pub(crate) struct Org {
    pub(crate) sim: Sim,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

impl Org {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::on_loopback()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let sim = Sim::start(settings).await.unwrap();
        let http = client();
        let token = refresh(&http, &sim).await.body["access_token"].clone();
        let token = token.as_str().unwrap().to_owned();
        Self { sim, http, token }
    }

    /// Takes another token, the old one having expired.
    pub(crate) async fn renew(&mut self) {
        let answer = refresh(&self.http, &self.sim).await;
        self.token = answer.body["access_token"].as_str().unwrap().into();
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.sim.base_url()))
            .header("Authorization", format!("Zoho-oauthtoken {}", self.token))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).body(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).body(body.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PATCH, path).body(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

pub(crate) fn client() -> reqwest::Client {
    // No certificate is needed to speak http.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(DEADLINE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.unwrap();
    Answer {
        status,
        headers,
        body: if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        },
    }
}

/// The ids in `data`.
pub(crate) fn ids(answer: &Value) -> Vec<String> {
    answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) async fn refresh(http: &reqwest::Client, sim: &Sim) -> Answer {
    send(
        http.post(format!("{}/oauth/v2/token", sim.base_url()))
            .form(&[
                ("grant_type", "refresh_token"),
                ("client_id", "1000.SIM"),
                ("client_secret", "sim"),
                ("refresh_token", "1000.sim.refresh"),
            ]),
    )
    .await
}

/// Keeps every callback that arrives.
pub(crate) struct Receiver {
    pub(crate) url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(status: StatusCode) -> Self {
        let bodies = Arc::new(Mutex::new(vec![]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in/crm", listener.local_addr().unwrap());
        let app = Router::new()
            .fallback(any(
                async move |State(bodies): State<Arc<Mutex<Vec<Value>>>>, body: String| {
                    bodies
                        .lock()
                        .await
                        .push(serde_json::from_str(&body).unwrap());
                    status
                },
            ))
            .with_state(Arc::clone(&bodies));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, bodies, task }
    }

    /// All callbacks, once none is on its way any more.
    pub(crate) async fn all(&self, sim: &Sim) -> Vec<Value> {
        tokio::time::timeout(DEADLINE, sim.callbacks_settled())
            .await
            .unwrap();
        self.bodies.lock().await.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
