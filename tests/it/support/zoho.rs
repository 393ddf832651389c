//! A Zoho to write to: the simulator or literal answers, destinations and routers on it.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use prometheus::Registry;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
use zoho_crm::MemoryTokenStore;
use zoho_sim::{Kind as CallKind, Sim};
use zohook::{
    deliver::{
        Backlog, Clients, DeliverError, Delivered, Destination, Kind, Metrics, OnFull,
        RetrySchedule, Settings, ZohoSettings,
    },
    enrich::{self, Connection, Enricher},
    event::{Action, ConnectionName, Delivery, DestinationName, ModuleName, QuarantineReason},
};

use super::{
    deliveries::delivery,
    router::{Router, until},
};

/// Longest wait for something that takes a moment.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) async fn simulator() -> Sim {
    Sim::start(zoho_sim::Settings::on_loopback()).await.unwrap()
}

/// Clients of `acme`, which is at this URL.
fn clients(url: &str, clock: &Clock) -> Clients {
    drop(rustls::crypto::ring::default_provider().install_default());
    let url: url::Url = url.parse().unwrap();
    let connection = Connection {
        name: ConnectionName::new("acme"),
        api_url: url.clone(),
        accounts_url: url,
        client_id: Sim::CLIENT_ID.into(),
        client_secret: vec![Sim::CLIENT_SECRET.into()],
        refresh_token: vec![Sim::REFRESH_TOKEN.into()],
        credits_daily: None,
        credits_reserve_percent: 20,
        concurrency: 10,
        timeout: Duration::from_secs(30),
    };
    let metrics = enrich::Metrics::register(&Registry::new()).unwrap();
    let store = Arc::new(MemoryTokenStore::default());
    Enricher::new(vec![(connection, store)], clock, &metrics)
        .unwrap()
        .clients()
}

pub(crate) fn destination(url: &str, action: Action) -> Destination {
    let clock = Clock::real();
    let settings = Settings {
        kind: Kind::Zoho(ZohoSettings {
            connection: ConnectionName::new("acme"),
            module: ModuleName::new("Leads"),
            action,
            unique_fields: vec![],
            trigger: None,
        }),
        retry: RetrySchedule(vec![]),
        rate: None,
        backlog: Backlog {
            max: 1_000_000,
            on_full: OnFull::Refuse,
        },
    };
    Destination::new(
        &DestinationName::new("crm-back"),
        &settings,
        &clock,
        &Metrics::register(&Registry::new()).unwrap(),
        &clients(url, &clock),
    )
    .unwrap()
}

/// A delivery of this command, with the module set.
pub(crate) fn asking(record: usize, mut command: Value) -> Delivery {
    let mut delivery = delivery(record, "");
    command["module"] = json!("Leads");
    delivery.planned.message.data = command.to_string().into();
    delivery
}

pub(crate) fn update(record: usize, id: &str, values: &Value) -> Delivery {
    asking(
        record,
        json!({"action": "update", "id": id, "values": values}),
    )
}

pub(crate) fn class(result: &Delivered) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(DeliverError::Destination { down: true, .. }) => "down",
        Err(DeliverError::Destination { .. }) => "destination",
        Err(DeliverError::Message {
            attempts_max: None,
            reason: QuarantineReason::Unclear,
            ..
        }) => "unclear",
        Err(DeliverError::Message {
            attempts_max: None, ..
        }) => "message",
        Err(DeliverError::Message {
            attempts_max: Some(3),
            reason: QuarantineReason::Refused,
            ..
        }) => "message, three attempts",
        Err(DeliverError::Message { .. }) => "unrenderable",
        Err(DeliverError::Gone { .. }) => "gone",
    }
}

pub(crate) fn lead(number: usize) -> Value {
    json!({"Last_Name": format!("Example {number}"), "Company": "Example Works"})
}

pub(crate) fn record(sim: &Sim, id: &str) -> Value {
    let records = sim.records("Leads").into_iter();
    let mut records = records.filter(|it| it["id"] == id);
    records.next().unwrap()
}

pub(crate) fn calls(sim: &Sim, kind: CallKind) -> u64 {
    sim.counters().calls(kind)
}

/// Zoho's answer to every write, literally.
pub(crate) async fn answering(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(move |request: &wiremock::Request| {
            let (status, body) = if request.url.path() == "/oauth/v2/token" {
                (200, json!({"access_token": "1000.a", "expires_in": 3600}))
            } else {
                (status, body.clone())
            };
            ResponseTemplate::new(status)
                .set_body_raw(body.to_string(), "application/json;charset=UTF-8")
        })
        .mount(&server)
        .await;
    server
}

/// A router between the simulator and itself: `rules` and `destinations` are sections of its file.
pub(crate) async fn between(sim: &Sim, destinations: &str, rules: &str) -> Router {
    let url = sim.base_url();
    let file = format!(
        r#"version: 1
connections:
  acme: {{ api_url: "{url}", accounts_url: "{url}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh }}
sources:
  crm:
    kind: watch
    connection: acme
    verify: {{ token: token-of-this-test, query: {{ k: key-of-this-test }} }}
destinations:
{destinations}
routes:
{rules}
"#
    );
    let mut router = Router::new(&file);
    router.start().await;
    let answer = sim.watch(&json!({ "watch": [{ "channel_id": "1000000068001",
        "events": ["Leads.all", "Contacts.all"], "notify_url": router.url("/in/crm?k=key-of-this-test"),
        "token": "token-of-this-test", "notify_on_related_action": false }] }));
    assert_eq!(answer["watch"][0]["status"], "success", "{answer}");
    router
}

/// Waits until so many changes were closed in this state, and everything is settled; gives the changes' ledger.
pub(crate) async fn closed(router: &Router, state: &str, count: u64) -> Value {
    let what = format!("{count} {state}");
    until(&what, SOON, async || {
        router.ledger().await["ledger"]["changes"][state].as_u64() >= Some(count)
    })
    .await;
    let ledger = router.settled(SOON).await;
    assert_eq!(ledger["changes"][state], count, "{ledger}");
    ledger["changes"].clone()
}
