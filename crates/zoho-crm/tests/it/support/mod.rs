//! A stand-in for Zoho that answers what a test tells it to, and a client that talks to it.

pub(crate) mod literal;
pub(crate) mod sim;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clock::{Clock, Simulated};
use jiff::Timestamp;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path, path_regex},
};
use zoho_crm::{
    Client, Credentials, DataCenter, Limits, MemoryTokenStore, RecordQuery, Settings, TokenStore,
};

pub(crate) const SECRET: &str = "planted-client-secret";
pub(crate) const REFRESH: &str = "1000.planted-refresh-token";
pub(crate) const FIELDS: &[&str] = &["Last_Name", "Modified_Time"];
pub(crate) const QUERY: RecordQuery<'_> = RecordQuery {
    module: "Leads",
    ids: &["4150868000000376008"],
    fields: FIELDS,
    converted: zoho_crm::Converted::Hidden,
};
pub(crate) const LEAD: &str = r#"{"data":[{"id":"4150868000000376008","Last_Name":"Doe","Modified_Time":"2026-11-22T21:15:26+05:30"}],"info":{"per_page":100,"count":1,"page":1,"more_records":false}}"#;

pub(crate) struct Zoho {
    pub(crate) server: MockServer,
    pub(crate) tokens: Arc<AtomicUsize>,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
}

impl Zoho {
    /// Answers token requests by `token(number of the request, body)` and API calls by `api(number of the call, request)`.
    pub(crate) async fn start(
        token: impl Fn(usize, &str) -> ResponseTemplate + Send + Sync + 'static,
        api: impl Fn(usize, &Request) -> ResponseTemplate + Send + Sync + 'static,
    ) -> Self {
        // Only the first test of the process installs it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let zoho = Self {
            server: MockServer::start().await,
            tokens: Arc::default(),
            calls: Arc::default(),
            log: Arc::default(),
        };
        let (count, log) = (Arc::clone(&zoho.tokens), Arc::clone(&zoho.log));
        Mock::given(method("POST"))
            .and(path("/oauth/v2/token"))
            .respond_with(move |request: &Request| {
                log.lock().unwrap().push("token".into());
                let body = String::from_utf8(request.body.clone()).unwrap();
                token(count.fetch_add(1, Ordering::SeqCst) + 1, &body)
            })
            .mount(&zoho.server)
            .await;
        let (count, log) = (Arc::clone(&zoho.calls), Arc::clone(&zoho.log));
        Mock::given(path_regex("^/crm/"))
            .respond_with(move |request: &Request| {
                log.lock().unwrap().push("call".into());
                api(count.fetch_add(1, Ordering::SeqCst) + 1, request)
            })
            .mount(&zoho.server)
            .await;
        zoho
    }

    pub(crate) fn settings(&self) -> Settings {
        let url: url::Url = self.server.uri().parse().unwrap();
        Settings {
            data_center: DataCenter::custom(url.clone(), url).unwrap(),
            credentials: Credentials {
                client_id: "1000.CLIENT".into(),
                client_secrets: vec![SECRET.into()],
                refresh_tokens: vec![REFRESH.into()],
            },
            limits: Limits {
                credits_daily: None,
                credits_reserve_percent: 0,
                concurrency: 10,
                ..Limits::default()
            },
            timeout: Duration::from_secs(30),
            observer: None,
        }
    }

    pub(crate) fn client(&self) -> (Client, Simulated) {
        client_with(self.settings(), Arc::new(MemoryTokenStore::default()))
    }

    pub(crate) fn tokens(&self) -> usize {
        self.tokens.load(Ordering::SeqCst)
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join(" ")
    }
}

pub(crate) fn client_with(
    settings: Settings,
    store: Arc<impl TokenStore + 'static>,
) -> (Client, Simulated) {
    let start: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    let (clock, hand) = Clock::simulated(start);
    (Client::new(settings, store, clock).unwrap(), hand)
}

/// The token answer of the contract, with the number of the request in the token.
pub(crate) fn granted(number: usize) -> ResponseTemplate {
    json(
        200,
        &format!(
            r#"{{"access_token":"1000.access.{number}","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}}"#
        ),
    )
}

pub(crate) fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json;charset=UTF-8")
}

pub(crate) fn error(status: u16, code: &str) -> ResponseTemplate {
    json(
        status,
        &format!(r#"{{"code":"{code}","details":{{}},"message":"m","status":"error"}}"#),
    )
}

/// Lets the simulated time run while `work` sleeps: it must not outrun sockets and files, which have the real one.
pub(crate) async fn while_time_runs<T>(hand: &Simulated, work: impl Future<Output = T>) -> T {
    let run = async {
        loop {
            tokio::task::yield_now().await;
            if hand.sleepers() > 0 {
                hand.advance(Duration::from_millis(20));
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = run => unreachable!("time never ends"),
    }
}
