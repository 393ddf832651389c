//! POST to another webhook: `CloudEvents` structured mode, signed, never redirected, never to a private address unasked.

mod answer;
mod guard;
mod signature;

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use clock::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use reqwest::{Client, Response, redirect};
use secrecy::ExposeSecret;
use url::Url;

use self::{
    guard::{Guard, Refused},
    signature::Signer,
};
use super::{
    Capacity, DeliverError, SetupError, WebhookSettings,
    error::{down, failed},
    structured::structured,
};
use crate::event::{Delivery, DestinationName};

/// One request a message, many at once.
pub(super) const CAPACITY: Capacity = Capacity {
    window: 1,
    lanes: 32,
};

/// Connections kept open for the next request.
const IDLE_CONNECTIONS_MAX: usize = CAPACITY.lanes;

/// How long an idle connection is kept.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// Longest wait for TCP and TLS, within the setting `timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer's body is read so far, to use the connection again; it is never looked at.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

const STRUCTURED: HeaderValue =
    HeaderValue::from_static("application/cloudevents+json; charset=utf-8");

/// Headers that are ours to set.
const OURS: [&str; 7] = [
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// A client of one URL.
pub(super) struct Webhook {
    client: Client,
    url: Url,
    headers: HeaderMap,
    signer: Signer,
    guard: Arc<Guard>,
    clock: Clock,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

impl Webhook {
    pub(super) fn new(
        name: &DestinationName,
        settings: &WebhookSettings,
        clock: &Clock,
    ) -> Result<Self, SetupError> {
        let wrong = |detail: String| SetupError {
            name: name.as_str().to_owned(),
            detail,
            source: None,
        };
        if !matches!(settings.url.scheme(), "http" | "https") {
            return Err(wrong("url must begin with https:// or http://".to_owned()));
        }
        let guard = Arc::new(Guard::new(settings.allow_networks.clone()));
        Ok(Self {
            client: client(settings, &guard).map_err(|error| SetupError {
                name: name.as_str().to_owned(),
                detail: "cannot build an HTTP client".to_owned(),
                source: Some(error.into()),
            })?,
            url: settings.url.clone(),
            headers: headers(settings).map_err(wrong)?,
            signer: Signer::new(&settings.sign).map_err(wrong)?,
            guard,
            clock: clock.clone(),
        })
    }

    pub(super) async fn deliver(&self, window: &[Delivery]) -> Vec<Result<(), DeliverError>> {
        let mut results = Vec::with_capacity(window.len());
        for delivery in window {
            results.push(self.post(delivery).await);
        }
        results
    }

    async fn post(&self, delivery: &Delivery) -> Result<(), DeliverError> {
        // A name is checked where it is resolved; an address in the URL is dialled without a resolver.
        self.guard
            .check_host(self.url.host().as_ref())
            .map_err(|refused| down(refused.to_string()))?;
        let message = &delivery.planned.message;
        let body = structured(message)?;
        let now = self.clock.now();
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, STRUCTURED);
        self.signer
            .sign(&message.attributes.id, now.as_second(), &body, &mut headers)?;
        let request = self
            .client
            .post(self.url.clone())
            .headers(headers)
            .body(body);
        match request.send().await {
            Ok(response) => {
                let outcome = answer::outcome(response.status(), response.headers(), now);
                drain(response).await;
                outcome
            }
            Err(error) => Err(unanswered(error)),
        }
    }
}

/// The one place that builds a client of this kind: it has timeouts and follows nothing.
fn client(settings: &WebhookSettings, guard: &Arc<Guard>) -> Result<Client, reqwest::Error> {
    // An error means that it is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .user_agent(concat!("zohook/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        // A proxy from the environment would dial past the guard.
        .no_proxy()
        .gzip(false)
        .timeout(settings.timeout)
        .connect_timeout(settings.timeout.min(CONNECT_TIMEOUT))
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE_MAX)
        .dns_resolver(Arc::clone(guard))
        .build()
}

fn headers(settings: &WebhookSettings) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
            return Err(format!("header {name} is set by zohook itself"));
        }
        let key = HeaderName::try_from(name.as_str())
            .map_err(|error| format!("header {name:?}: {error}"))?;
        let mut value = HeaderValue::try_from(value.expose_secret())
            .map_err(|error| format!("value of header {name}: {error}"))?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

/// Reads the body away, so that the connection can serve the next request.
async fn drain(mut response: Response) {
    let mut left = ANSWER_BYTES_MAX;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// No answer came. The URL is kept out of the text: it may hold a secret.
fn unanswered(error: reqwest::Error) -> DeliverError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return down(refused.to_string());
        }
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    if error.is_connect() {
        down(text)
    } else if error.is_timeout() {
        failed("no answer in time")
    } else {
        failed(text)
    }
}
