//! Ten thousand callbacks within five seconds cost about a hundred reads; and those of an org that does not answer hold
//! up nobody else's.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::Semaphore;
use zoho_sim::{Settings, Sim};

use crate::support::{
    load::{TOKEN, callback},
    proxy::{Mode, Proxy},
    queue::{TestQueue, amqp_url, distinct_in_order},
    receiver::Receiver,
    router::{Router, client, until},
};

const CALLBACKS: usize = 10_000;

const READS_MAX: u64 = 110;

/// The limit of calls in flight in the file below.
const CONCURRENCY: u64 = 10;

/// More than may be read at once.
const RECORDS_OF_THE_SLOW: usize = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_callbacks_within_five_seconds_cost_a_hundred_and_ten_reads_at_most() {
    let mut settings = Settings::on_loopback();
    settings.latency = Duration::from_millis(200);
    let sim = Sim::start(settings).await.unwrap();
    let ids: Vec<_> = (0..CALLBACKS)
        .map(|number| {
            sim.insert(
                "Leads",
                json!({ "Last_Name": format!("Example {number}"), "Company": "Example" }),
            )
            .unwrap()
        })
        .collect();
    let queue = TestQueue::declare("burst").await;
    let mut router = Router::new(&format!(
        r#"
version: 1
connections:
  acme: {{ api_url: "{zoho}", accounts_url: "{zoho}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh, credits: {{ concurrency: {CONCURRENCY} }} }}
sources:
  crm: {{ kind: watch, connection: acme, verify: {{ token: [{TOKEN}] }} }}
destinations:
  queue: {{ kind: amqp, url: ["{amqp}"], exchange: {{ name: "" }}, queues: [ {{ name: {queue}, type: quorum }} ] }}
routes:
  leads:
    on: [Leads.update]
    enrich: {{ fields: [Last_Name, Company] }}
    send: [ {{ to: queue, key: {queue} }} ]
"#,
        zoho = sim.base_url(),
        amqp = amqp_url(),
        queue = queue.name,
    ));
    router.start().await;

    let clock = clock::Clock::real();
    let url: Arc<str> = router.url("/in/crm").into();
    let client = client();
    let at_once = Arc::new(Semaphore::new(64));
    let mut sent = vec![];
    for (number, id) in ids.iter().enumerate() {
        // Evenly over a little less than five seconds.
        let due = Duration::from_micros(u64::try_from(number).unwrap() * 480);
        if number % 20 == 0 {
            clock.sleep(due.saturating_sub(clock.monotonic())).await;
        }
        let permit = Arc::clone(&at_once).acquire_owned().await.unwrap();
        let body = callback(
            "update",
            &[id.as_str()],
            1_750_000_000_000 + u64::try_from(number).unwrap(),
        );
        let (client, url) = (client.clone(), Arc::clone(&url));
        sent.push(tokio::spawn(async move {
            let status = client
                .post(&*url)
                .json(&body)
                .send()
                .await
                .unwrap()
                .status();
            drop(permit);
            status
        }));
    }
    for status in sent {
        assert_eq!(status.await.unwrap(), 200);
    }
    let took = clock.monotonic();

    router.settled(Duration::from_mins(1)).await;
    let messages = distinct_in_order(&queue.drain(Duration::from_secs(2)).await);
    assert_eq!(messages.len(), CALLBACKS);
    let counters = sim.counters();
    let reads = counters.reads();
    assert!(
        reads <= READS_MAX,
        "{reads} reads for {CALLBACKS} callbacks sent within {took:?}"
    );
    assert!(counters.concurrent_max <= CONCURRENCY);
    router.stop().await;
    queue.delete().await;
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_does_not_answer_holds_up_no_other() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let slow = Proxy::start(
        sim.base_url()
            .trim_start_matches("http://")
            .parse()
            .unwrap(),
    )
    .await;
    let lead = |number: usize| {
        let values = json!({ "Last_Name": format!("Example {number}"), "Company": "Example" });
        sim.insert("Leads", values).unwrap()
    };
    let ids: Vec<String> = (0..=RECORDS_OF_THE_SLOW).map(lead).collect();
    let hook = Receiver::start().await;
    let mut router = Router::new(&format!(
        r#"
version: 1
connections:
  acme: {{ api_url: "{zoho}", accounts_url: "{zoho}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh }}
  slow: {{ api_url: "http://{slow}", accounts_url: "{zoho}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh }}
sources:
  crm: {{ kind: watch, connection: acme, verify: {{ token: [{TOKEN}] }} }}
  slow: {{ kind: watch, connection: slow, verify: {{ token: [{TOKEN}] }} }}
  shop: {{ kind: generic, verify: none, read: {{ type: order, key: "{{{{ body.order }}}}" }} }}
destinations:
  hook: {{ kind: webhook, url: "http://{hook}/events", allow_networks: [127.0.0.0/8] }}
routes:
  leads: {{ on: [Leads.update], enrich: {{ fields: [Last_Name] }}, send: [ {{ to: hook }} ] }}
  contacts: {{ on: [Contacts.update], enrich: none, send: [ {{ to: hook }} ] }}
  shop: {{ from: [shop], on: ["*.*"], send: [ {{ to: hook }} ] }}
"#,
        zoho = sim.base_url(),
        slow = slow.address,
        hook = hook.address,
    ));
    router.start().await;
    let send = async |path: &str, body: serde_json::Value| {
        let sent = client().post(router.url(path)).json(&body).send();
        assert_eq!(sent.await.unwrap().status(), 200);
    };

    slow.set(Mode::Hang);
    let (one, many) = ids.split_first().unwrap();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    send("/in/slow", callback("update", &many, 1_750_000_000_000)).await;
    let depth = async || router.ledger().await["ledger"]["changes"]["waiting"].clone();
    assert_eq!(depth().await, RECORDS_OF_THE_SLOW);

    // Those of others, and what needs no read of the org that hangs.
    send("/in/shop", json!({ "order": 1 })).await;
    send("/in/crm", callback("update", &[one], 1_750_000_000_001)).await;
    let mut contact = callback("update", &["1000000000001"], 1_750_000_000_002);
    contact["module"] = json!("Contacts");
    send("/in/slow", contact).await;
    until(
        "the changes of others",
        Duration::from_secs(5),
        async || hook.accepted_ids().len() == 3,
    )
    .await;
    assert_eq!(depth().await, RECORDS_OF_THE_SLOW);

    slow.set(Mode::Pass);
    router.settled(Duration::from_mins(1)).await;
    assert_eq!(hook.accepted_ids().len(), RECORDS_OF_THE_SLOW + 3);
    router.stop().await;
    sim.shutdown().await;
}
