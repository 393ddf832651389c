//! A destination that is down delays no other, loses nothing, and gets all that waits at once when it is back.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use zoho_sim::{Settings, Sim};

use crate::support::{
    broker::Broker,
    load::{Load, TOKEN},
    proxy::{Mode, Proxy},
    queue::{TestQueue, distinct_in_order},
    receiver::{Answer, Receiver},
    router::{Router, until},
};

const RECORDS: usize = 200;

/// Promise 7: nothing else waits for it.
const DOWN: Duration = Duration::from_secs(15);

/// From the moment it is back to the moment nothing waits for it any more.
const CATCH_UP_MAX: Duration = Duration::from_secs(40);

struct World {
    sim: Sim,
    records: Vec<String>,
    router: Router,
}

/// A queue and a webhook, both of which get every change.
async fn start(amqp: &str, queue: &str, hook: SocketAddr) -> World {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let records = (0..RECORDS)
        .map(|number| {
            let values = json!({ "Last_Name": format!("Example {number}"), "Company": "Example" });
            sim.insert("Leads", values).unwrap()
        })
        .collect();
    let zoho = sim.base_url();
    let mut router = Router::new(&format!(
        r#"
version: 1
connections:
  acme: {{ api_url: "{zoho}", accounts_url: "{zoho}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh }}
sources:
  crm: {{ kind: watch, connection: acme, verify: {{ token: [{TOKEN}] }} }}
destinations:
  queue: {{ kind: amqp, url: ["{amqp}"], exchange: {{ name: "" }}, queues: [ {{ name: {queue}, type: quorum, declare: true }} ] }}
  hook: {{ kind: webhook, url: "http://{hook}/events", timeout: 2s, allow_networks: [127.0.0.0/8] }}
routes:
  leads:
    on: [Leads.update]
    enrich: {{ fields: [Last_Name] }}
    send: [ {{ to: queue, key: {queue} }}, {{ to: hook }} ]
"#
    ));
    router.start().await;
    World {
        sim,
        records,
        router,
    }
}

impl World {
    async fn backlog(&self, destination: &str) -> u64 {
        let text = self.router.admin("/api/v1/backlog").await;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["destinations"][destination]["depth"]
            .as_u64()
            .unwrap()
    }

    async fn connected(&self, destination: &str) -> bool {
        let line = format!("zohook_destination_connected{{destination=\"{destination}\"}} 1");
        self.router.admin("/metrics").await.contains(&line)
    }

    async fn until_caught_up(&self, destination: &str) {
        let what = format!("the backlog of {destination} to be delivered");
        until(&what, CATCH_UP_MAX, async || {
            self.backlog(destination).await == 0
        })
        .await;
    }

    async fn end(mut self) {
        self.router.stop().await;
        self.sim.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_gone_for_fifteen_seconds_loses_nothing_and_delays_nobody_else() {
    let broker = Broker::connect().await;
    let proxy = Proxy::start(broker.address().await).await;
    let queue = TestQueue::declare("outage").await;
    let hook = Receiver::start().await;
    let world = start(&broker.url_via(proxy.address), &queue.name, hook.address).await;
    let load = Load::new();
    let url = world.router.url("/in/crm");

    load.run(&url, &world.records, 4, Duration::from_secs(2))
        .await;
    proxy.set(Mode::Cut);
    load.run(&url, &world.records, 4, DOWN).await;
    world.until_caught_up("hook").await;
    assert!(world.backlog("queue").await > 0, "the broker was gone");
    proxy.set(Mode::Pass);
    world.until_caught_up("queue").await;
    world.router.settled(CATCH_UP_MAX).await;

    let answered = load.answered().len();
    let distinct = distinct_in_order(&queue.drain(Duration::from_secs(2)).await);
    assert_eq!(
        distinct.len(),
        answered,
        "each 200 is one event in the queue"
    );
    assert_eq!(
        hook.accepted_ids().len(),
        answered,
        "each 200 is one event at the webhook"
    );
    world.end().await;
    queue.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_deleted_under_load_is_declared_again_and_gets_every_event() {
    let broker = Broker::connect().await;
    let hook = Receiver::start().await;
    let queue = broker.name("leads");
    let world = start(broker.url.as_str(), &queue, hook.address).await;
    let load = Load::new();
    let url = world.router.url("/in/crm");
    until("the queue to be there", CATCH_UP_MAX, async || {
        world.connected("queue").await
    })
    .await;
    broker.clean(&[], &[&queue]).await;
    load.run(&url, &world.records, 4, Duration::from_secs(8))
        .await;
    world.until_caught_up("queue").await;
    world.router.settled(CATCH_UP_MAX).await;

    let answered = load.answered().len();
    let mut ids: Vec<_> = broker.take(&queue, answered).await;
    ids.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    ids.dedup_by(|a, b| a.id == b.id);
    assert_eq!(ids.len(), answered, "each 200 is one event in the queue");
    let ledger = world.router.ledger().await;
    assert_eq!(ledger["ledger"]["deliveries"]["quarantined"], 0, "{ledger}");
    world.end().await;
    broker.clean(&[], &[&queue]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_hangs_or_resets_loses_nothing_and_delays_nobody_else() {
    let broker = Broker::connect().await;
    let queue = TestQueue::declare("outage").await;
    let hook = Receiver::start().await;
    let proxy = Proxy::start(hook.address).await;
    let world = start(broker.url.as_str(), &queue.name, proxy.address).await;
    let load = Load::new();
    let url = world.router.url("/in/crm");
    let length = Duration::from_secs(2);

    for fault in ["500", "hang", "reset"] {
        match fault {
            "500" => hook.answer(Answer::Status(500, vec![])),
            "hang" => hook.answer(Answer::Hang),
            _ => proxy.set(Mode::Cut),
        }
        load.run(&url, &world.records, 4, length).await;
        world.until_caught_up("queue").await;
        assert!(
            world.backlog("hook").await > 0,
            "{fault}: the webhook failed"
        );
        hook.answer(Answer::Status(200, vec![]));
        proxy.set(Mode::Pass);
        world.until_caught_up("hook").await;
    }
    world.router.settled(CATCH_UP_MAX).await;

    let answered = load.answered().len();
    let distinct = distinct_in_order(&queue.drain(Duration::from_secs(2)).await);
    assert_eq!(distinct.len(), answered);
    assert_eq!(hook.accepted_ids().len(), answered);
    world.end().await;
    queue.delete().await;
}
