//! When a callback's own values are enough, and when Zoho is asked all the same.

use serde_json::{Value, json};
use zoho_sim::Kind;

use crate::support::{
    load::{TOKEN, callback},
    receiver::Receiver,
    router::{Router, client},
    zoho::{calls, lead, simulator},
};

/// A workflow source of each `fetch`, one that does not say, and a watch source.
fn file(zoho: &str, hook: &Receiver) -> String {
    let workflow = |fetch: &str| {
        format!(
            r#"{{ kind: workflow, connection: acme, verify: none{fetch}, read: {{ module: Leads, operation: update, ids: ["{{{{ body.id }}}}"], record: {{ Company: "{{{{ body.company }}}}" }} }} }}"#
        )
    };
    format!(
        r#"version: 1
connections:
  acme: {{ api_url: "{zoho}", accounts_url: "{zoho}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh }}
sources:
  plain: {}
  always: {}
  missing: {}
  never: {}
  crm: {{ kind: watch, connection: acme, verify: {{ token: {TOKEN} }} }}
destinations:
  hook: {{ kind: webhook, url: "{}", allow_networks: [127.0.0.0/8] }}
routes:
  leads: {{ on: [Leads.update], enrich: {{ fields: [Company] }}, send: [ {{ to: hook }} ] }}
"#,
        workflow(""),
        workflow(", fetch: always"),
        workflow(", fetch: missing"),
        workflow(", fetch: never"),
        hook.url("/"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_callback_are_enough_only_where_the_source_says_so() {
    let sim = simulator().await;
    let hook = Receiver::start().await;
    let mut router = Router::new(&file(&sim.base_url(), &hook));
    router.start().await;
    let claimed = "Said in the Callback";
    let mut seen = vec![];
    for source in ["plain", "always", "missing", "never", "crm"] {
        // What was planned for a record makes values of the same time old.
        let id = sim.insert("Leads", lead(seen.len())).unwrap();
        let mut body = json!({"id": id, "company": claimed});
        if source == "crm" {
            body = callback("update", &[&id], 1_750_000_000_000);
            body["affected_values"] = json!([{"record_id": id, "values": {"Company": claimed}}]);
        }
        let before = calls(&sim, Kind::ReadIds);
        let url = router.url(&format!("/in/{source}"));
        let sent = client().post(url).json(&body).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        let requests = hook.wait_for(seen.len() + 1).await;
        let event: Value = serde_json::from_slice(&requests[seen.len()].body).unwrap();
        let company = event["data"]["record"]["Company"].clone();
        let reads = calls(&sim, Kind::ReadIds) - before;
        seen.push(format!("{source}: {company}, {reads} read"));
    }
    let read = r#""Example Works", 1 read"#;
    let taken = r#""Said in the Callback", 0 read"#;
    let expected = [
        format!("plain: {read}"),
        format!("always: {read}"),
        format!("missing: {taken}"),
        format!("never: {taken}"),
        format!("crm: {taken}"),
    ];
    assert_eq!(seen, expected);
    router.stop().await;
}
