//! The main job with the shipped `routes.yaml`: a Lead is created, edited and deleted at Zoho; a foreign client finds
//! three complete events in the queue.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use zoho_sim::{Settings, Sim};

use crate::support::{
    queue::amqp_url,
    router::{Router, client, until},
};

/// The queue of the shipped file.
const QUEUE: &str = "crm-events";

/// Reads the queue empty with pika, and prints what each message was as JSON lines.
const READ_WITH_PIKA: &str = r#"
import json, os, sys, pika
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
while True:
    method, properties, body = channel.basic_get(sys.argv[1], auto_ack=True)
    if method is None:
        break
    print(json.dumps({
        "routing_key": method.routing_key, "headers": properties.headers, "body": json.loads(body),
        "content_type": properties.content_type, "message_id": properties.message_id, "type": properties.type,
        "delivery_mode": properties.delivery_mode, "app_id": properties.app_id, "timestamp": properties.timestamp,
    }, default=str))
connection.close()
"#;

fn read_queue() -> Vec<Value> {
    let output = Command::new("python3")
        .args(["-c", READ_WITH_PIKA, QUEUE])
        .env("AMQP_URL", amqp_url())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "pika (installed by scripts/test): {errors}"
    );
    text.lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect()
}

/// A user of the simulated CRM's API.
struct Crm {
    base_url: String,
    token: String,
}

impl Crm {
    async fn log_in(base_url: &str) -> Self {
        let answer: Value = client()
            .post(format!("{base_url}/oauth/v2/token"))
            .form(&[
                ("grant_type", "refresh_token"),
                ("client_id", "1000.SIM"),
                ("client_secret", "sim"),
                ("refresh_token", "1000.sim.refresh"),
            ])
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        Self {
            base_url: base_url.to_owned(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let answer = client()
            .request(method, format!("{}/crm/v8{path}", self.base_url))
            .header("Authorization", format!("Zoho-oauthtoken {}", self.token))
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let value: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{status}: {value}");
        value
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_created_edited_and_deleted_is_three_complete_events_in_the_queue() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let shipped = include_str!("../../routes.yaml");
    let mut router = Router::new(shipped)
        .with_env("AMQP_URL", &amqp_url())
        .with_env("ZOHO_API_URL", &sim.base_url())
        .with_env("ZOHO_ACCOUNTS_URL", &sim.base_url())
        .with_env("WATCH_TOKEN", "token-of-this-test")
        .with_env("WATCH_KEY", "key-of-this-test");
    router.start().await;
    let delivered = async |count: u64| {
        until(
            "the event to be delivered",
            Duration::from_secs(20),
            async || {
                let ledger = router.ledger().await;
                // Every event goes to the queue and to the console.
                ledger["ledger"]["deliveries"]["delivered"].as_u64() >= Some(count)
                    && ledger["ledger"]["deliveries"]["waiting"] == 0
            },
        )
        .await;
    };

    let crm = Crm::log_in(&sim.base_url()).await;
    let notify_url = router.url("/in/crm?k=key-of-this-test");
    let watch = json!({ "watch": [{ "channel_id": "1000000068001", "events": ["Leads.all"],
        "notify_url": notify_url, "token": "token-of-this-test" }] });
    crm.call(reqwest::Method::POST, "/actions/watch", watch)
        .await;
    let lead = json!({ "data": [{ "Last_Name": "Example", "Company": "Example Works", "Email": "lead@example.com" }] });
    let created = crm.call(reqwest::Method::POST, "/Leads", lead).await;
    let id = created["data"][0]["details"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    delivered(1).await;
    let edit = json!({ "data": [{ "id": id, "Company": "Sample & Sons" }] });
    crm.call(reqwest::Method::PUT, "/Leads", edit).await;
    delivered(3).await;
    crm.call(
        reqwest::Method::DELETE,
        &format!("/Leads/{id}"),
        Value::Null,
    )
    .await;
    delivered(5).await;
    router.settled(Duration::from_secs(20)).await;

    let messages: Vec<_> = read_queue()
        .into_iter()
        .filter(|it| it["headers"]["ce-subject"] == id.as_str())
        .collect();
    let types: Vec<_> = messages
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "com.zoho.crm.Leads.inserted",
            "com.zoho.crm.Leads.updated",
            "com.zoho.crm.Leads.deleted"
        ]
    );
    for (message, operation) in messages.iter().zip(["insert", "update", "delete"]) {
        check_envelope(message, &id, operation);
    }
    let [inserted, updated, deleted] = &messages[..] else {
        panic!()
    };
    assert_eq!(inserted["body"]["record"]["Company"], "Example Works");
    assert_eq!(inserted["body"]["record"]["Email"], "lead@example.com");
    assert_eq!(updated["body"]["record"]["Company"], "Sample & Sons");
    assert_eq!(updated["headers"]["ce-changedfields"], "Company");
    assert_eq!(deleted["body"]["record"], Value::Null);
    assert_eq!(deleted["headers"]["ce-recordstate"], "deleted");
    let sequence = |message: &Value| {
        message["headers"]["ce-sequence"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(sequence(inserted) < sequence(updated) && sequence(updated) < sequence(deleted));
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

/// What every message has: design of the CloudEvents binary mode over AMQP.
fn check_envelope(message: &Value, id: &str, operation: &str) {
    let headers = &message["headers"];
    assert_eq!(headers["ce-specversion"], "1.0");
    assert_eq!(headers["ce-id"], message["message_id"]);
    assert_eq!(headers["ce-type"], message["type"]);
    let source = headers["ce-source"].as_str().unwrap();
    assert!(
        source.starts_with("/zoho/") && source.ends_with("/Leads"),
        "{source}"
    );
    assert_eq!(headers["ce-subject"], id);
    assert_eq!(headers["ce-partitionkey"], id);
    assert_eq!(headers["ce-origin"], "notification");
    assert_eq!(headers["ce-sequence"].as_str().unwrap().len(), 19);
    let time: jiff::Timestamp = headers["ce-time"].as_str().unwrap().parse().unwrap();
    assert!(time.as_millisecond() > 0);
    assert!(headers["traceparent"].as_str().unwrap().starts_with("00-"));
    assert_eq!(message["content_type"], "application/json");
    assert_eq!(message["delivery_mode"], 2);
    assert_eq!(message["app_id"], "zohook");
    assert_eq!(message["routing_key"], format!("Leads.{operation}"));
    assert_eq!(message["body"]["module"], "Leads");
    assert_eq!(message["body"]["operation"], operation);
    assert_eq!(message["body"]["id"], id);
}
