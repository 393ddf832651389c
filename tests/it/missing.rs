//! A record that Zoho does not return: each route says for itself what that means, and an older change than its delete is
//! no mystery.

use serde_json::{Value, json};

use crate::support::{
    load::callback,
    receiver::Receiver,
    router::{Router, client},
    zoho::{between, closed, simulator},
};

/// No record has it.
const ID: &str = "1000000999001";

async fn send(router: &Router, operation: &str, server_time_ms: u64) {
    let mut body = callback(operation, &[ID], server_time_ms);
    body["token"] = json!("token-of-this-test");
    let url = router.url("/in/crm?k=key-of-this-test");
    let sent = client().post(url).json(&body).send().await.unwrap();
    assert_eq!(sent.status(), 200);
}

fn destination(hook: &Receiver) -> String {
    let address = hook.address;
    format!(
        r#"  hook: {{ kind: webhook, url: "http://{address}/", allow_networks: [127.0.0.0/8] }}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_record_is_set_aside_only_for_routes_that_say_so() {
    let sim = simulator().await;
    let hook = Receiver::start().await;
    let rules = r#"  bare: { on: [Leads.update], enrich: none, send: [ { to: hook, body: bare } ] }
  lenient: { on: [Leads.update], enrich: { on_missing: send }, send: [ { to: hook } ] }
  strict: { on: [Leads.update], send: [ { to: hook } ] }
  new: { on: [Leads.update], when: "event.operation == 'insert'", send: [ { to: hook } ] }"#;
    let mut router = between(&sim, &destination(&hook), rules).await;
    send(&router, "update", 1_750_000_000_000).await;
    let changes = closed(&router, "quarantined", 1).await;
    assert_eq!(changes["planned"], 0);

    let mut states = vec![];
    for request in hook.requests() {
        let event: Value = serde_json::from_slice(&request.body).unwrap();
        assert!(event["data"]["record"].is_null(), "{event}");
        states.push(event["recordstate"].clone());
    }
    states.sort_by_key(ToString::to_string);
    assert_eq!(states, [json!("unreadable"), Value::Null]);
    let aside: Value = serde_json::from_str(&router.admin("/api/v1/quarantine").await).unwrap();
    let aside = aside.to_string();
    assert!(aside.contains("record_missing"), "{aside}");
    assert!(aside.contains("; for `strict`\""), "{aside}");
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_older_than_the_delete_before_it_is_superseded() {
    let sim = simulator().await;
    let hook = Receiver::start().await;
    let rules = "  leads: { on: [Leads.all], send: [ { to: hook } ] }".replace("all", "*");
    let mut router = between(&sim, &destination(&hook), &rules).await;
    send(&router, "delete", 1_750_000_002_000).await;
    closed(&router, "planned", 1).await;
    send(&router, "update", 1_750_000_000_000).await;
    let changes = closed(&router, "superseded", 1).await;
    assert_eq!(changes["quarantined"], 0);
    assert_eq!(hook.requests().len(), 1);
    router.stop().await;
}
