//! How `zohook serve` ends, as whoever started it sees it.

use std::{path::Path, process::Command, time::Duration};

use crate::support::{
    load::{callback, leads_to},
    receiver::{Answer, Receiver},
    router::{Router, client, until},
};

const LONG: Duration = Duration::from_secs(20);

fn routes(destination: &str) -> String {
    leads_to(&format!("  out: {destination}"), "{ to: out }")
}

async fn send(router: &Router, records: &[&str], at: u64) {
    let request = client()
        .post(router.url("/in/crm"))
        .json(&callback("update", records, at));
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_nobody_reads_does_not_hold_up_the_end() {
    let mut router = Router::new(&routes("{ kind: stdout }"))
        .with_stdout_unread()
        .with_env("ZOHOOK_DRAIN_SECONDS", "1");
    router.start().await;
    // More than a pipe holds.
    let records: Vec<String> = (1..=1_000).map(|it| it.to_string()).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    send(&router, &records, 1).await;
    until("a write that stalls", LONG, async || {
        let backlog = router.admin("/api/v1/backlog").await;
        router.ledger().await["ledger"]["changes"]["waiting"] == 0 && backlog.contains("out")
    })
    .await;
    assert_eq!(router.stop().await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_within_a_reload_it_says_what_did_not_come_back() {
    let hook = Receiver::start().await;
    hook.answer(Answer::Hang);
    let url = hook.url("/");
    let text = routes(&format!(
        "{{ kind: webhook, url: \"{url}\", allow_networks: [127.0.0.0/8] }}"
    ));
    let mut router = Router::new(&text).with_env("ZOHOOK_DRAIN_SECONDS", "1");
    router.start().await;
    send(&router, &["1"], 1).await;
    hook.wait_for(1).await;
    let reloading = format!("{text}# touched\n");
    std::fs::write(router.routes_path(), reloading).unwrap();
    router.signal("HUP");
    // The old core waits for the webhook now, ten seconds at most.
    clock::Clock::real().sleep(Duration::from_millis(500)).await;
    assert_eq!(router.stop().await.code(), Some(1));
    let log = router.log();
    assert!(
        log.contains("stopped before everything in flight came back"),
        "{log}"
    );
}

#[test]
fn what_must_change_before_a_start_ends_it_with_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes.yaml");
    std::fs::write(&file, routes("{ kind: stdout }")).unwrap();
    let store = format!("sqlite:{}", folder.path().join("zohook.db").display());
    let check = |arguments: &[&str], says: &str| {
        let ended = Command::new(env!("CARGO_BIN_EXE_zohook"))
            .args(["serve", "--listen", "127.0.0.1:0", "--store", &store])
            .args(arguments)
            .env_clear()
            .env("ZOHOOK_ROUTES", &file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.contains(says), "{said}");
    };
    check(&["--admin-listen", "0.0.0.0:0"], "set ZOHOOK_ADMIN_TOKEN");
    check(&["--log", "zohook=loud"], "`zohook=loud` is no filter");
    check(&["--routes", "/nowhere/routes.yaml"], "cannot be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_how_much_waits_for_a_destination_that_the_file_lacks() {
    let hook = Receiver::start().await;
    hook.answer(Answer::Hang);
    let url = hook.url("/");
    let mut router = Router::new(&routes(&format!(
        "{{ kind: webhook, url: \"{url}\", allow_networks: [127.0.0.0/8] }}"
    )))
    .with_env("ZOHOOK_DRAIN_SECONDS", "1");
    router.start().await;
    send(&router, &["1", "2"], 1).await;
    hook.wait_for(2).await;
    let without = router.folder().join("without.yaml");
    let other = leads_to("  other: { kind: stdout }", "{ to: other }");
    std::fs::write(&without, other).unwrap();
    let admin = format!("http://{}/", router.admin);
    let check = |file: &Path| {
        let ended = Command::new(env!("CARGO_BIN_EXE_zohook"))
            .args(["check", "--admin", &admin])
            .arg(file)
            .env_clear()
            .output()
            .unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = check(&without);
    assert_eq!(code, Some(0), "{said}");
    let waiting = "warning: 2 deliveries wait for `out`, which this file lacks";
    assert!(said.contains(waiting), "{said}");
    let (_, said) = check(&router.routes_path());
    assert!(!said.contains("wait for"), "{said}");
    router.kill().await;
    let (code, said) = check(&without);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no router answers at http://"), "{said}");
}

/// A burst of large callbacks, each of which becomes three messages that nobody takes: they wait on disk, not in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_large_callbacks_takes_little_memory() {
    const CALLBACKS: usize = 600;
    const SENDERS: usize = 24;
    const PEAK_KIB_MAX: u64 = 480 * 1024;
    let mut router = Router::new(
        r#"
version: 1
sources:
  any: { kind: generic, verify: { header: { X-Secret: secret-of-the-test } }, read: { type: com.example.text, key: "{{ body.key }}" } }
destinations:
  one: { kind: pull, keep: 1d, consumers: [ { name: bi, token: token-of-the-test } ] }
  two: { kind: pull, keep: 1d, consumers: [ { name: bi, token: token-of-the-test } ] }
  three: { kind: pull, keep: 1d, consumers: [ { name: bi, token: token-of-the-test } ] }
routes:
  all:
    on: ["*.*"]
    send: [ { to: one, body: { all: "{{ body }}" } }, { to: two, body: "{{ body }}" }, { to: three } ]
"#,
    );
    router.start().await;
    let url = router.url("/in/any");
    let text = "x".repeat(400_000);
    let sender = async |sender: usize| {
        let client = client();
        for number in (sender..CALLBACKS).step_by(SENDERS) {
            let body = serde_json::json!({ "key": number.to_string(), "text": text });
            let request = client.post(&url).header("X-Secret", "secret-of-the-test");
            let answer = request.json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    };
    futures_util::future::join_all((0..SENDERS).map(sender)).await;
    until("all to be planned", LONG, async || {
        router.ledger().await["ledger"]["changes"]["planned"] == CALLBACKS
    })
    .await;
    let peak = router.peak_kib();
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
    router.stop().await;
}
