//! Ten thousand callbacks within five seconds cost about a hundred reads.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::Semaphore;
use zoho_sim::{Settings, Sim};

use crate::support::{
    load::{TOKEN, callback},
    queue::{TestQueue, amqp_url, distinct_in_order},
    router::{Router, client},
};

const CALLBACKS: usize = 10_000;

const READS_MAX: u64 = 110;

/// The limit of calls in flight in the file below.
const CONCURRENCY: u64 = 10;

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
