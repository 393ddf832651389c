//! A 200 survives a crash: `kill -9` under load, at random moments, again and again.

use std::{collections::HashSet, time::Duration};

use serde_json::json;
use zoho_sim::{Settings, Sim};

use crate::support::{
    load::{Load, callback},
    queue::{TestQueue, amqp_url, distinct_in_order},
    router::{Router, client, until},
};

const ROUNDS: u64 = 20;

const RECORDS: usize = 40;

const SOON: Duration = Duration::from_secs(20);

/// Zoho's limit of token requests in ten minutes.
const TOKEN_REQUESTS_MAX: u64 = 10;

fn routes(zoho: &str, queue: &str) -> String {
    format!(
        r#"
version: 1
connections:
  acme: {{ api_url: "{zoho}", accounts_url: "{zoho}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh }}
sources:
  crm: {{ kind: watch, connection: acme, verify: {{ token: [token-of-the-test] }} }}
destinations:
  queue:
    kind: amqp
    url: ["{amqp}"]
    exchange: {{ name: "" }}
    queues: [ {{ name: {queue}, type: quorum }} ]
routes:
  leads:
    on: [Leads.update]
    enrich: {{ fields: [Last_Name, Company] }}
    send: [ {{ to: queue, key: {queue} }} ]
"#,
        amqp = amqp_url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_survives_twenty_kills_under_load() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let records: Vec<_> = (0..RECORDS)
        .map(|number| {
            sim.insert(
                "Leads",
                json!({ "Last_Name": format!("Example {number}"), "Company": "Example" }),
            )
            .unwrap()
        })
        .collect();
    let queue = TestQueue::declare("crash").await;
    let mut router = Router::new(&routes(&sim.base_url(), &queue.name));
    let load = Load::new();
    for _ in 0..ROUNDS {
        router.start().await;
        let url = router.url("/in/crm");
        let enough = load.answered().len() + rand::random_range(5..60);
        let killed = async {
            until(
                "some callbacks to be answered",
                Duration::from_mins(1),
                async || load.answered().len() >= enough,
            )
            .await;
            let moment = Duration::from_micros(rand::random_range(0..30_000));
            clock::Clock::real().sleep(moment).await;
            router.kill().await;
        };
        load.run_until(&url, &records, 8, killed).await;
    }
    router.start().await;
    router.settled(Duration::from_mins(1)).await;
    let messages = queue.drain(Duration::from_secs(2)).await;

    let distinct = distinct_in_order(&messages);
    let arrived: HashSet<_> = distinct
        .values()
        .map(|it| (it.subject().to_owned(), it.attributes["time"].clone()))
        .collect();
    let answered = load.answered();
    assert!(
        answered.len() > 200,
        "only {} were answered",
        answered.len()
    );
    for (record, at) in &answered {
        let time = jiff::Timestamp::from_millisecond(i64::try_from(*at).unwrap()).unwrap();
        let time = time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        assert!(
            arrived.contains(&(record.clone(), time)),
            "{record} at {at} was answered 200 and is lost"
        );
    }
    let tokens = sim.counters().token_requests();
    assert!(tokens <= 2, "{tokens} token requests");
    router.stop().await;
    queue.delete().await;
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_crashes_asks_no_more_often_for_a_token_than_zoho_allows() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let file = routes(&sim.base_url(), "nothing-gets-here");
    let mut router = Router::new(&file.replace(Sim::REFRESH_TOKEN, "1000.revoked"));
    router.start().await;
    let change = callback("update", &["1"], 1_750_000_000_000);
    let sent = client().post(router.url("/in/crm")).json(&change).send();
    assert_eq!(sent.await.unwrap().status(), 200);
    for _ in 0..TOKEN_REQUESTS_MAX + 3 {
        until("the change to be put off", SOON, async || {
            let metrics = router.admin("/metrics").await;
            metrics.contains("\nzohook_changes_retried_total{reason=\"zoho\"} ")
        })
        .await;
        router.kill().await;
        router.start().await;
    }
    assert_eq!(sim.counters().token_requests(), TOKEN_REQUESTS_MAX);
    router.stop().await;
    sim.shutdown().await;
}
