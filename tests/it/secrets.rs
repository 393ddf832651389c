//! A user's own secrets, planted wherever one can stand, appear in nothing the router writes or answers.

use std::time::Duration;

use serde_json::json;
use zoho_sim::{Settings, Sim};

use crate::support::{
    load::callback,
    router::{Router, client},
};

/// In each place another one, so that a leak names its place. The simulator's own credentials stand where it must
/// accept them.
const PLANTED: [(&str, &str); 11] = [
    ("WATCH_TOKEN", "planted-watch-token"),
    ("WATCH_KEY", "planted-watch-key"),
    ("HOOK_SECRET", "planted-hook-secret"),
    ("BEARER", "planted-bearer"),
    ("BASIC", "planted-user:planted-password"),
    ("HMAC_SECRET", "planted-hmac-secret"),
    ("PULL_TOKEN", "planted-pull-token"),
    ("HEADER_SECRET", "planted-header-secret"),
    (
        "AMQP_URL",
        "amqp://planted-amqp-user:planted-amqp-password@127.0.0.1:1/%2f",
    ),
    ("ZOHOOK_ADMIN_TOKEN", "planted-admin-token"),
    ("BAD_REFRESH", "planted-refresh-token"),
];

/// `whsec_` + base64 of "planted-signing-key-24b!".
const SIGNING: &str = "whsec_cGxhbnRlZC1zaWduaW5nLWtleS0yNGIh";

const ROUTES: &str = r#"
version: 1
connections:
  acme: { api_url: "${ZOHO}", accounts_url: "${ZOHO}", client_id: 1000.SIM, client_secret: sim, refresh_token: 1000.sim.refresh }
  broken: { api_url: "${ZOHO}", accounts_url: "${ZOHO}", client_id: planted-client-id, client_secret: planted-client-secret, refresh_token: "${BAD_REFRESH}" }
sources:
  crm: { kind: watch, connection: acme, verify: { token: ["${WATCH_TOKEN}"], query: { k: ["${WATCH_KEY}"] } } }
  bad-org: { kind: watch, connection: broken, verify: { token: ["${WATCH_TOKEN}"], query: { k: ["${WATCH_KEY}"] } } }
  header: { kind: workflow, connection: acme, verify: { header: { X-Secret: ["${HOOK_SECRET}"] }, bearer: ["${BEARER}"] }, read: { module: Leads, ids: ["{{ body.id }}"] } }
  basic: { kind: generic, verify: { basic: ["${BASIC}"] }, read: { type: "com.example.thing", key: "{{ body.id }}" } }
  signed: { kind: generic, verify: { hmac: { preset: zoho-webinar, secret: ["${HMAC_SECRET}"] } }, read: { type: "com.example.thing", key: "{{ body.id }}" } }
destinations:
  queue: { kind: amqp, url: ["${AMQP_URL}"], exchange: { name: "x" } }
  hook: { kind: webhook, url: "http://127.0.0.1:1/?key=planted-url-secret", allow_networks: [127.0.0.0/8], sign: { secret: ["${SIGNING}"] }, headers: { X-Api-Key: "${HEADER_SECRET}" } }
  pull: { kind: pull, keep: 1d, consumers: [ { name: bi, token: "${PULL_TOKEN}" } ] }
routes:
  all: { on: ["*.*"], enrich: { fields: [Last_Name] }, send: [ { to: queue }, { to: hook }, { to: pull } ] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_appear_nowhere() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let id = sim
        .insert(
            "Leads",
            json!({ "Last_Name": "planted-record-content", "Company": "Example" }),
        )
        .unwrap();
    let mut router = Router::new(ROUTES)
        .with_env("ZOHO", &sim.base_url())
        .with_env("SIGNING", SIGNING)
        .with_env("ZOHOOK_STORE_KEY", "planted-store-key")
        .with_env("ZOHOOK_LOG", "trace");
    for (name, value) in PLANTED {
        router = router.with_env(name, value);
    }
    router.start().await;

    let client = client();
    let mut answers = vec![];
    let mut proven = callback("update", &[id.as_str()], 1_750_000_000_000);
    proven["token"] = "planted-watch-token".into();
    proven["note"] = "beside-watch-secrets planted-watch-token planted-watch-key".into();
    for (path, body) in [
        ("/in/crm?k=planted-watch-key", &proven),
        ("/in/crm?k=wrong", &proven),
        ("/in/bad-org?k=planted-watch-key", &proven),
        (
            "/in/crm?k=planted-watch-key",
            &json!({ "token": "planted-watch-token", "what": "?" }),
        ),
    ] {
        let answer = client
            .post(router.url(path))
            .json(body)
            .send()
            .await
            .unwrap();
        answers.push(answer.text().await.unwrap());
    }
    let thing = json!({ "id": id });
    // A secret may stand in its own source's body, too.
    let in_header =
        json!({ "id": id, "note": "beside-header-secrets planted-hook-secret planted-bearer" });
    // The last is what `Authorization` has.
    let in_basic = json!({
        "id": id,
        "note": "beside-basic-secrets planted-password cGxhbnRlZC11c2VyOnBsYW50ZWQtcGFzc3dvcmQ=",
    });
    let requests = [
        client
            .post(router.url("/in/header"))
            .header("X-Secret", "planted-hook-secret")
            .bearer_auth("planted-bearer"),
        client
            .post(router.url("/in/header"))
            .header("X-Secret", "planted-hook-secret")
            .bearer_auth("wrong"),
        client
            .post(router.url("/in/basic"))
            .basic_auth("planted-user", Some("planted-password")),
        client
            .post(router.url("/in/basic"))
            .basic_auth("planted-user", Some("wrong")),
        client
            .post(router.url("/in/signed"))
            .header("X-WEBINAR-SIGNATURE", "00"),
    ];
    for request in requests {
        answers.push(
            request
                .json(&thing)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap(),
        );
    }
    for request in [
        client
            .post(router.url("/in/header"))
            .header("X-Secret", "planted-hook-secret")
            .bearer_auth("planted-bearer")
            .json(&in_header),
        client
            .post(router.url("/in/basic"))
            .basic_auth("planted-user", Some("planted-password"))
            .json(&in_basic),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let pull = format!("http://{}/api/v1/pull/pull/lease", router.admin);
    let refused = client
        .post(pull)
        .bearer_auth("planted-pull-token-not")
        .send()
        .await
        .unwrap();
    assert!(refused.status().is_client_error());
    answers.push(refused.text().await.unwrap());
    crate::support::router::until(
        "the deliveries to fail",
        Duration::from_secs(20),
        async || {
            router
                .admin("/metrics")
                .await
                .contains(r#"outcome="destination""#)
                && router.log().contains("destination is down")
        },
    )
    .await;
    for path in [
        "/metrics",
        "/api/v1/ledger",
        "/api/v1/backlog",
        "/api/v1/quarantine",
        "/api/v1/sources/crm/refused",
        "/api/v1/sources/header/refused",
        "/api/v1/sources/basic/refused",
    ] {
        let text = router.admin(path).await;
        assert!(!text.is_empty(), "{path} answers nothing");
        answers.push(text);
    }
    let mut stored = store_files(&router);
    router.stop().await;
    stored.extend(store_files(&router));

    let log = router.log();
    assert!(log.len() > 1000, "trace logs something");
    for (place, text) in [
        ("the log", log.as_str()),
        ("an answer", &answers.join("\n")),
    ] {
        for line in text.lines() {
            assert!(!line.contains("planted-"), "{place}: {line}");
            assert!(
                !line.contains(SIGNING.trim_start_matches("whsec_")),
                "{place}: {line}"
            );
        }
    }
    for (text, expected) in [
        ("beside-watch-secrets", true),
        ("planted-watch-token", false),
        ("planted-watch-key", false),
        ("beside-header-secrets", true),
        ("planted-hook-secret", false),
        ("planted-bearer", false),
        ("beside-basic-secrets", true),
        ("planted-password", false),
        ("cGxhbnRlZC11c2VyOnBsYW50ZWQtcGFzc3dvcmQ", false),
        ("planted-admin-token", false),
        ("planted-pull-token", false),
    ] {
        let found = stored.windows(text.len()).any(|it| it == text.as_bytes());
        assert_eq!(found, expected, "{text} in the store");
    }
    sim.shutdown().await;
}

/// The database with its log of what is not yet in it.
fn store_files(router: &Router) -> Vec<u8> {
    std::fs::read_dir(router.folder())
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| {
            it.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("zohook.db")
        })
        .flat_map(|it| std::fs::read(it).unwrap())
        .collect()
}
