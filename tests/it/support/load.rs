//! Watch callbacks as Zoho sends them, and a list of those that were answered 200.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Proof in every callback.
pub(crate) const TOKEN: &str = "token-of-the-test";

/// A watch callback for some records of Leads.
pub(crate) fn callback(operation: &str, ids: &[&str], server_time_ms: u64) -> Value {
    json!({
        "server_time": server_time_ms,
        "query_params": {},
        "module": "Leads",
        "resource_uri": "https://www.zohoapis.com/crm/v2/Leads",
        "ids": ids,
        "affected_fields": ids.iter().map(|id| json!({ *id: ["Company"] })).collect::<Vec<_>>(),
        "operation": operation,
        "channel_id": "1000000068001",
        "token": TOKEN,
    })
}

/// A route table of an org that nobody asks: changed leads go as they came.
pub(crate) fn leads_to(destinations: &str, sends: &str) -> String {
    format!(
        r#"
version: 1
connections:
  acme: {{ api_url: "http://127.0.0.1:1", accounts_url: "http://127.0.0.1:1", client_id: a, client_secret: b, refresh_token: c }}
sources:
  crm: {{ kind: watch, connection: acme, verify: {{ token: [{TOKEN}] }} }}
destinations:
{destinations}
routes:
  leads: {{ on: [Leads.update], enrich: none, send: [ {sends} ] }}
"#
    )
}

/// A callback that was answered 200: its record and its `server_time`.
pub(crate) type Answered = (String, u64);

/// Connections that send callbacks until they are told to stop.
pub(crate) struct Load {
    answered: Arc<Mutex<Vec<Answered>>>,
    /// Makes every `server_time` unique, over restarts too.
    time: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new() -> Self {
        Self {
            answered: Arc::default(),
            time: Arc::new(AtomicU64::new(1_750_000_000_000)),
        }
    }

    /// Sends from `connections` connections for about `length`, each to another of `records` in turn.
    pub(crate) async fn run(
        &self,
        url: &str,
        records: &[String],
        connections: usize,
        length: Duration,
    ) {
        let clock = clock::Clock::real();
        self.run_until(url, records, connections, clock.sleep(length))
            .await;
    }

    /// The same until `over` is.
    pub(crate) async fn run_until(
        &self,
        url: &str,
        records: &[String],
        connections: usize,
        over: impl Future<Output = ()>,
    ) {
        let stop = CancellationToken::new();
        let workers: Vec<_> = (0..connections)
            .map(|worker| {
                let (url, records) = (url.to_owned(), records.to_vec());
                let (stop, time) = (stop.clone(), Arc::clone(&self.time));
                let answered = Arc::clone(&self.answered);
                tokio::spawn(async move {
                    let client = super::router::client();
                    let mut turn = worker;
                    while !stop.is_cancelled() {
                        let record = &records[turn % records.len()];
                        turn += connections;
                        let at = time.fetch_add(1, Ordering::Relaxed);
                        let body = callback("update", &[record.as_str()], at);
                        let sent = client.post(&url).json(&body).send().await;
                        if sent.is_ok_and(|it| it.status() == 200) {
                            answered.lock().unwrap().push((record.clone(), at));
                        }
                    }
                })
            })
            .collect();
        over.await;
        stop.cancel();
        for worker in workers {
            worker.await.unwrap();
        }
    }

    /// All that were answered 200 so far.
    pub(crate) fn answered(&self) -> Vec<Answered> {
        self.answered.lock().unwrap().clone()
    }
}
