//! A destination that fails for some messages only: the others go on at full speed. Through the real router.

use std::{collections::HashSet, time::Duration};

use clock::Clock;
use serde_json::{Value, json};

use crate::support::{
    broker::Broker,
    receiver::{Answer, Receiver},
    router::{Router, client, until},
};

/// What is healthy is delivered so soon.
const SOON: Duration = Duration::from_secs(30);

/// From the moment that the cause is gone to the last delivery.
const CATCH_UP_MAX: Duration = Duration::from_secs(45);

/// A router that sends all events of the source `shop` to `there`.
async fn router(destination: &str, key: &str) -> Router {
    let mut router = Router::new(&format!(
        r#"
version: 1
sources:
  shop: {{ kind: generic, verify: none, read: {{ type: "{{{{ body.type }}}}", key: "{{{{ body.id }}}}" }} }}
destinations:
  there: {{ {destination} }}
routes:
  all: {{ on: ["shop.*"], send: [ {{ to: there{key} }} ] }}
"#
    ));
    router.start().await;
    router
}

fn webhook(receiver: &Receiver) -> String {
    let url = receiver.url("/");
    format!(r#"kind: webhook, url: "{url}", timeout: 2s, allow_networks: [127.0.0.0/8]"#)
}

/// One event each of `count` records, all accepted when it returns.
async fn post(router: &Router, event_type: &str, ids: &str, count: usize) {
    let client = client();
    for chunk in (0..count).collect::<Vec<_>>().chunks(50) {
        let sent = chunk.iter().map(|number| {
            let body = json!({ "type": event_type, "id": format!("{ids}-{number}") });
            client.post(router.url("/in/shop")).json(&body).send()
        });
        for answer in futures_util::future::join_all(sent).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
    }
}

/// How many different records the receiver took whose body holds `part`.
fn taken(receiver: &Receiver, part: &str) -> usize {
    let requests = receiver.requests();
    let taken = requests.iter().filter_map(|it| {
        let body = String::from_utf8_lossy(&it.body);
        let well = it.answered.is_some_and(|status| status / 100 == 2) && body.contains(part);
        well.then(|| it.headers["webhook-id"].to_str().unwrap().to_owned())
    });
    taken.collect::<HashSet<_>>().len()
}

/// By the record's id.
fn refuse_the_bad(body: &str) -> u16 {
    if body.contains("\"bad-") { 500 } else { 204 }
}

async fn deliveries(router: &Router) -> Value {
    router.ledger().await["ledger"]["deliveries"].clone()
}

/// Whatever it is that the bad ones have in common.
async fn check_webhook(bad_type: &str) {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::ByBody(refuse_the_bad));
    let mut router = router(&webhook(&receiver), "").await;
    post(&router, bad_type, "bad", 150).await;
    post(&router, "order.good", "good", 300).await;
    until("the good ones to come", SOON, async || {
        taken(&receiver, "\"good-") == 300
    })
    .await;
    post(&router, "order.good", "late", 1).await;
    until("one more to come", SOON, async || {
        taken(&receiver, "\"late-") == 1
    })
    .await;
    receiver.answer_status(204);
    router.settled(CATCH_UP_MAX).await;
    assert_eq!(taken(&receiver, "\"bad-"), 150);
    assert_eq!(deliveries(&router).await["quarantined"], 0);
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_for_one_type_gets_the_others_at_full_speed() {
    check_webhook("order.bad").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_for_some_records_gets_the_others_soon() {
    check_webhook("order.good").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_for_all_is_asked_seldom_and_gets_all_when_it_is_back() {
    let receiver = Receiver::start().await;
    receiver.answer_status(500);
    let mut router = router(&webhook(&receiver), "").await;
    post(&router, "order.good", "good", 400).await;
    let clock = Clock::real();
    let before = receiver.requests().len();
    clock.sleep(Duration::from_secs(8)).await;
    let asked = receiver.requests().len() - before;
    assert!((2..=30).contains(&asked), "{asked} requests in 8 s");
    receiver.answer_status(204);
    router.settled(CATCH_UP_MAX).await;
    assert_eq!(taken(&receiver, "\"good-"), 400);
    assert_eq!(deliveries(&router).await["quarantined"], 0);
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_asks_for_time_gets_it() {
    let receiver = Receiver::start().await;
    let headers = vec![("retry-after", "5".to_owned())];
    receiver.answer(Answer::Status(429, headers));
    let mut router = router(&webhook(&receiver), "").await;
    post(&router, "order.good", "good", 1).await;
    receiver.wait_for(1).await;
    post(&router, "order.good", "more", 100).await;
    post(&router, "order.other", "other", 100).await;
    Clock::real().sleep(Duration::from_secs(3)).await;
    let asked = receiver.requests().len();
    assert!(asked <= 32, "{asked} requests while it asked for 5 s");
    receiver.answer_status(204);
    router.settled(CATCH_UP_MAX).await;
    router.stop().await;
}

fn queue(broker: &Broker) -> String {
    format!(
        r#"kind: amqp, url: ["{}"], retry: {{ schedule: [1s, 1s] }}, exchange: {{ name: {}, type: topic, declare: true }},
    queues: [ {{ name: {}, bind: "*.good", type: quorum, declare: true }} ]"#,
        broker.url,
        broker.name("crm"),
        broker.name("good"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_there_before_the_first_event() {
    let broker = Broker::connect().await;
    let mut router = router(&queue(&broker), "").await;
    let connected = r#"zohook_destination_connected{destination="there"} 1"#;
    until("the connection to show", SOON, async || {
        router.admin("/metrics").await.contains(connected)
    })
    .await;
    assert_eq!(broker.depth(&broker.name("good")).await, 0);

    // A destination that leaves the file leaves the metrics.
    assert!(
        router
            .admin("/metrics")
            .await
            .contains(r#"{destination="there"}"#)
    );
    let file = std::fs::read_to_string(router.routes_path()).unwrap();
    let without: String = file.replace("to: there", "to: elsewhere").replace(
        &format!("there: {{ {} }}", queue(&broker)),
        "elsewhere: { kind: stdout }",
    );
    std::fs::write(router.routes_path(), without).unwrap();
    until("the old destination to be forgotten", SOON, async || {
        let metrics = router.admin("/metrics").await;
        let gauges = [
            "backlog_depth",
            "backlog_oldest_seconds",
            "breaker_state",
            "destination_connected",
        ];
        let stays =
            |name: &str| metrics.contains(&format!(r#"zohook_{name}{{destination="there"}}"#));
        metrics.contains(r#"zohook_breaker_state{destination="elsewhere"} 0"#)
            && !gauges.into_iter().any(stays)
    })
    .await;
    router.stop().await;
    broker
        .clean(&[&broker.name("crm")], &[&broker.name("good")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_us_is_known_before_the_first_event() {
    let broker = Broker::connect().await;
    let mut url = broker.url.clone();
    url.set_password(Some("hush")).unwrap();
    let destination = queue(&broker).replace(broker.url.as_str(), url.as_str());
    let mut router = router(&destination, "").await;
    until("a warning", SOON, async || {
        router.log().contains("cannot connect to the broker")
    })
    .await;
    Clock::real().sleep(Duration::from_secs(4)).await;
    let log = router.log();
    assert_eq!(
        log.matches("cannot connect to the broker").count(),
        1,
        "{log}"
    );
    assert!(
        log.contains("ACCESS_REFUSED") && !log.contains("hush"),
        "{log}"
    );
    let metrics = router.admin("/metrics").await;
    assert!(
        metrics.contains(r#"zohook_destination_connected{destination="there"} 0"#),
        "{metrics}"
    );
    assert!(!router.admin("/readyz").await.is_empty(), "it can accept");
    router.stop().await;
}

const BY_TYPE: &str = r#", key: "{{ body.type }}""#;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nothing_is_bound_for_holds_up_no_other() {
    let broker = Broker::connect().await;
    let mut router = router(&queue(&broker), BY_TYPE).await;
    post(&router, "order.bad", "bad", 1_500).await;
    post(&router, "order.good", "good", 1_500).await;
    let good = broker.name("good");
    until("the good ones to come", SOON, async || {
        broker.depth(&good).await == 1_500
    })
    .await;
    // Somebody binds it.
    broker.bind(&good, &broker.name("crm"), "*.bad").await;
    router.settled(CATCH_UP_MAX).await;
    assert!(broker.depth(&good).await >= 2_990);
    router.stop().await;
    broker.clean(&[&broker.name("crm")], &[&good]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_closes_its_channel_holds_up_no_other_and_is_set_aside() {
    let broker = Broker::connect().await;
    broker
        .allow_keys(&broker.name("crm"), r"^order\.good$")
        .await;
    let mut router = router(&queue(&broker), BY_TYPE).await;
    post(&router, "order.good", "first", 1).await;
    post(&router, "order.poison", "poison", 1).await;
    let started = Clock::real();
    for round in 0..10 {
        post(&router, "order.good", &format!("good{round}"), 200).await;
    }
    let good = broker.name("good");
    until("the good ones to come", SOON, async || {
        broker.depth(&good).await >= 2_001
    })
    .await;
    let took = started.monotonic();
    until("the poison to be set aside", SOON, async || {
        deliveries(&router).await["quarantined"] == 1
    })
    .await;
    router.settled(SOON).await;
    let depth = broker.depth(&good).await;
    assert!(depth < 2_001 + 800, "{depth} messages, took {took:?}");
    let log = router.log();
    assert!(
        log.contains("over this message") && !log.contains("order.poison"),
        "a routing key may be record content: {log}"
    );
    router.stop().await;
    broker.clean(&[&broker.name("crm")], &[&good]).await;
}
