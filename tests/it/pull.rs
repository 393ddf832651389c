//! Consumers that come and take: real store, real sockets.

use std::{sync::Arc, time::Duration};

use clock::{Clock, Simulated};
use jiff::Timestamp;
use prometheus::Registry;
use reqwest::{Client, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use zohook::{
    admin::pull::{self, PullState},
    deliver::{Consumer, Metrics, PullSettings},
    event::{
        Change, ChangeId, ChangeOutcome, ConnectionName, DestinationName, ModuleName, NewDelivery,
        NotificationId, Operation, Origin, RecordId, SourceName,
    },
    store::{self, Accept, Content, Finish, Settings, Store},
};

use crate::support::deliveries::delivery;

const KEEP: Duration = Duration::from_hours(24);

struct Setup {
    store: Store,
    hand: Simulated,
    clock: Clock,
    client: Client,
    base: String,
    cancel: CancellationToken,
    sweeper: JoinHandle<()>,
    _folder: TempDir,
}

impl Setup {
    async fn start() -> Self {
        let (clock, hand) = Clock::simulated("2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: folder.path().join("zohook.db"),
            keep_events: Duration::from_hours(168),
            size_bytes_max: 1 << 30,
        };
        let written = store::Metrics::register(&Registry::new()).unwrap();
        let store = Store::open(settings, clock.clone(), written).await.unwrap();
        let consumer = |name: &str| Consumer {
            name: name.to_owned(),
            token: vec![SecretString::from(format!("{name}-token"))],
        };
        let audit = PullSettings {
            keep: KEEP,
            consumers: vec![consumer("bi"), consumer("etl")],
        };
        let other = PullSettings {
            keep: KEEP,
            consumers: vec![consumer("stranger")],
        };
        let state = PullState::new(
            vec![
                (DestinationName::new("audit"), audit),
                (DestinationName::new("other"), other),
            ],
            store.clone(),
            clock.clone(),
            Metrics::register(&Registry::new()).unwrap(),
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}/api/v1/pull", listener.local_addr().unwrap());
        let router = pull::router(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let cancel = CancellationToken::new();
        let sweeper = tokio::spawn(state.run(cancel.clone()));
        // An error means that it is installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            store,
            hand,
            clock,
            client: Client::builder()
                .timeout(Duration::from_mins(1))
                .build()
                .unwrap(),
            base,
            cancel,
            sweeper,
            _folder: folder,
        }
    }

    /// Accepts and plans one event for each record.
    async fn plan(&self, records: std::ops::Range<usize>) -> Vec<String> {
        self.plan_after(records, Duration::ZERO).await
    }

    /// The same, with so much time between.
    async fn plan_after(&self, records: std::ops::Range<usize>, wait: Duration) -> Vec<String> {
        let notification = NotificationId::random();
        let module = ModuleName::new("Leads");
        let now = self.clock.now();
        let changes = records.clone().map(|number| {
            let record = RecordId::new(number.to_string());
            Change {
                id: ChangeId::derive(notification, &module, Some(&record), number),
                notification,
                source: SourceName::new("crm"),
                connection: Some(ConnectionName::new("acme")),
                module: module.clone(),
                record: Some(record),
                operation: Operation::Update,
                event_type: None,
                server_time: now,
                accepted_at: now,
                origin: Origin::Notification,
                affected_fields: None,
                values: None,
            }
        });
        let accept = Accept {
            id: notification,
            source: SourceName::new("crm"),
            connection: Some(ConnectionName::new("acme")),
            received_at: now,
            body: "{}".into(),
            content: Content::Changes(changes.collect()),
            dedup: None,
            unwanted: false,
        };
        self.store.accept(accept).await.unwrap();
        self.hand.advance(wait);
        let mut ids = vec![];
        while ids.len() < records.len() {
            let claims = self.store.claim(records.len()).await;
            let finish = claims.into_iter().map(|claim| {
                let record = claim
                    .change
                    .record
                    .as_ref()
                    .unwrap()
                    .as_str()
                    .parse()
                    .unwrap();
                let planned = NewDelivery {
                    destination: DestinationName::new("audit"),
                    ..delivery(record, "").planned
                };
                ids.push(planned.message.attributes.id.clone());
                Finish {
                    claim,
                    outcome: ChangeOutcome::Planned,
                    deliveries: vec![planned],
                    seen: None,
                }
            });
            let finish = finish.collect::<Vec<_>>();
            self.store.finish(finish).await.unwrap();
        }
        ids.sort();
        ids
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let response = self
            .client
            .post(format!("{}/{path}", self.base))
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Ids of the events leased, sorted.
    async fn lease(&self, consumer: &str, query: &str) -> Vec<String> {
        let path = format!("audit/lease?{query}");
        let (status, answer) = self
            .post(&path, &format!("{consumer}-token"), Value::Null)
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let events = answer["events"].as_array().unwrap();
        let mut ids: Vec<_> = events
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }

    async fn ack(&self, consumer: &str, ids: &[String]) -> Value {
        let token = format!("{consumer}-token");
        let (status, answer) = self.post("audit/ack", &token, json!({ "ids": ids })).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    async fn end(self) {
        self.cancel.cancel();
        self.sweeper.await.unwrap();
        assert!(self.store.ledger().await.unwrap().adds_up());
        self.store.close().await;
    }
}

#[tokio::test]
async fn an_acknowledged_event_is_delivered_and_not_leased_again() {
    let setup = Setup::start().await;
    let ids = setup.plan(0..3).await;
    let (status, answer) = setup
        .post("audit/lease?max=1", "bi-token", Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    let event = &answer["events"][0];
    assert_eq!(event["id"], event["event"]["id"]);
    assert_eq!(event["event"]["specversion"], "1.0");
    assert_eq!(event["event"]["data"]["module"], "Leads");
    assert_eq!(event["lease"], "2026-11-22T10:01:00Z");
    let mut leased = vec![event["id"].as_str().unwrap().to_owned()];
    leased.extend(setup.lease("bi", "max=10").await);
    leased.sort();
    assert_eq!(leased, ids);
    assert!(setup.lease("etl", "").await.is_empty(), "consumers compete");
    let answer = setup
        .ack("bi", &[ids.clone(), vec!["nonsense".to_owned()]].concat())
        .await;
    assert_eq!(answer, json!({ "settled": 3, "unknown": ["nonsense"] }));
    assert_eq!(setup.ack("bi", &ids[..1]).await["unknown"], json!(ids[..1]));
    let deliveries = setup.store.ledger().await.unwrap().deliveries;
    assert_eq!((deliveries.delivered, deliveries.waiting), (3, 0));
    setup.end().await;
}

#[tokio::test]
async fn what_is_given_back_comes_again_with_the_same_id_when_its_delay_is_over() {
    let setup = Setup::start().await;
    let ids = setup.plan(0..2).await;
    assert_eq!(setup.lease("bi", "").await, ids);
    let body = json!({ "ids": ids[..1] });
    let (status, answer) = setup.post("audit/nack", "bi-token", body).await;
    assert_eq!((status, &answer["settled"]), (StatusCode::OK, &json!(1)));
    assert_eq!(setup.lease("etl", "").await, ids[..1]);
    let body = json!({ "ids": ids[..1], "delay": "20s" });
    setup.post("audit/nack", "etl-token", body).await;
    assert!(setup.lease("etl", "").await.is_empty());
    setup.hand.advance(Duration::from_secs(21));
    assert_eq!(setup.lease("etl", "wait=10s").await, ids[..1]);
    setup.end().await;
}

#[tokio::test]
async fn a_lease_that_is_not_answered_ends_and_its_late_answer_counts_for_nothing() {
    let setup = Setup::start().await;
    let ids = setup.plan(0..1).await;
    assert_eq!(setup.lease("bi", "").await, ids);
    setup.hand.advance(Duration::from_secs(59));
    assert!(setup.lease("etl", "").await.is_empty());
    setup.hand.advance(Duration::from_secs(2));
    assert_eq!(setup.lease("etl", "wait=10s").await, ids);
    assert_eq!(setup.ack("bi", &ids).await["unknown"], json!(ids));
    assert_eq!(setup.ack("etl", &ids).await["settled"], 1);
    setup.end().await;
}

#[tokio::test]
async fn a_long_poll_is_answered_when_an_event_comes() {
    let setup = Setup::start().await;
    let (leased, ids) = tokio::join!(setup.lease("bi", "wait=30s"), setup.plan(0..1));
    assert_eq!(leased, ids);
    setup.end().await;
}

#[tokio::test]
async fn a_long_poll_is_answered_when_we_stop() {
    let setup = Setup::start().await;
    let both = async {
        tokio::join!(setup.lease("bi", "wait=30s"), async {
            setup.cancel.cancel();
        })
    };
    let (leased, ()) = tokio::time::timeout(Duration::from_secs(15), both)
        .await
        .unwrap();
    assert!(leased.is_empty());
    setup.end().await;
}

#[tokio::test]
async fn what_nobody_takes_expires() {
    let setup = Setup::start().await;
    setup.plan(0..150).await;
    setup.hand.advance(Duration::from_hours(23));
    let young = setup.plan(200..201).await;
    setup.hand.advance(Duration::from_hours(2));
    let expired = async {
        while setup.store.ledger().await.unwrap().deliveries.expired < 150 {
            // The sweeper sleeps on this clock.
            setup.hand.advance(Duration::from_secs(1));
            Clock::real().sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), expired)
        .await
        .unwrap();
    assert_eq!(setup.lease("bi", "wait=10s").await, young);
    setup.end().await;
}

#[tokio::test]
async fn what_was_planned_late_is_kept_as_long() {
    let setup = Setup::start().await;
    let ids = setup.plan_after(0..1, KEEP + Duration::from_hours(1)).await;
    assert_eq!(setup.lease("bi", "wait=10s").await, ids);
    setup.end().await;
}

#[tokio::test]
async fn only_a_token_of_the_destination_opens_it() {
    let setup = Setup::start().await;
    setup.plan(0..1).await;
    for action in ["lease", "ack", "nack"] {
        let path = format!("audit/{action}");
        let body = || json!({ "ids": [] });
        for wrong in ["stranger-token", "bi-toke", "bi-token2", "operator"] {
            let (status, answer) = setup.post(&path, wrong, body()).await;
            assert_eq!(
                status,
                StatusCode::FORBIDDEN,
                "{action} {wrong:?}: {answer}"
            );
        }
        let unsigned = setup
            .client
            .post(format!("{}/{path}", setup.base))
            .send()
            .await
            .unwrap();
        assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(unsigned.headers()["www-authenticate"], "Bearer");
        let (status, _) = setup
            .post(&format!("nowhere/{action}"), "bi-token", body())
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(
            setup.post(&path, "bi-token", body()).await.0,
            StatusCode::OK
        );
        let lower = setup.client.post(format!("{}/{path}", setup.base));
        let lower = lower.header("authorization", "bearer  bi-token");
        let lower = lower.json(&body()).send().await.unwrap();
        assert_eq!(lower.status(), StatusCode::OK, "{action}");
    }
    let (status, _) = setup
        .post("audit/ack", "bi-token", json!({ "id": "1" }))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = setup
        .post("audit/lease?wait=soon", "bi-token", Value::Null)
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    setup.end().await;
}
