//! Starting, reloading and stopping: two routers in one process, a changed file, a backlog that is full.

use std::{path::Path, time::Duration};

use clock::Clock;
use zoho_sim::Kind;
use zohook::{
    app::{App, Options, Reloaded, StoreUrl},
    config,
};

use crate::support::{
    load::{TOKEN, callback, leads_to},
    receiver::{Answer, Receiver},
    router::{client, until},
    zoho::{calls, lead, simulator},
};

const LONG: Duration = Duration::from_secs(20);

/// One webhook destination per address.
fn routes(hooks: &[&Receiver], backlog: &str) -> String {
    use std::fmt::Write;
    let (mut destinations, mut sends) = (String::new(), String::new());
    for (number, hook) in hooks.iter().enumerate() {
        let url = hook.url("/");
        writeln!(
            destinations,
            "  hook-{number}: {{ kind: webhook, url: \"{url}\", allow_networks: [127.0.0.0/8]{backlog} }}"
        )
        .unwrap();
        write!(sends, "{{ to: hook-{number} }}, ").unwrap();
    }
    leads_to(&destinations, &sends)
}

async fn start(folder: &Path, text: &str) -> App {
    let file = folder.join("routes.yaml");
    std::fs::write(&file, text).unwrap();
    let config = config::load(&file, &|_| None).unwrap();
    let loopback = "127.0.0.1:0".parse().unwrap();
    let options = Options {
        routes: file,
        listen: loopback,
        admin_listen: loopback,
        store: StoreUrl::Sqlite(folder.join("zohook.db")),
        admin_tokens: vec![],
        store_keys: vec![],
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    App::start(config, options, Clock::real()).await.unwrap()
}

async fn metrics(app: &App) -> String {
    let url = format!("http://{}/metrics", app.admin_address());
    let answer = client().get(url).send().await.unwrap();
    answer.text().await.unwrap()
}

async fn send(app: &App, record: &str, at: u64) -> u16 {
    let url = format!("http://{}/in/crm", app.public_address());
    let body = callback("update", &[record], at);
    client()
        .post(url)
        .json(&body)
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_routers_run_in_one_process() {
    let (one_folder, other_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one_hook, other_hook) = (Receiver::start().await, Receiver::start().await);
    let one = start(one_folder.path(), &routes(&[&one_hook], "")).await;
    let other = start(other_folder.path(), &routes(&[&other_hook], "")).await;
    assert_eq!(send(&one, "1", 1_750_000_000_001).await, 200);
    assert_eq!(send(&one, "2", 1_750_000_000_002).await, 200);
    assert_eq!(send(&other, "3", 1_750_000_000_003).await, 200);
    one_hook.wait_for(2).await;
    other_hook.wait_for(1).await;
    let accepted = async |app: &App| app.store().ledger().await.unwrap().notifications.accepted;
    assert_eq!((accepted(&one).await, accepted(&other).await), (2, 1));
    assert!(one.stop(LONG).await);
    assert_eq!(send(&other, "4", 1_750_000_000_004).await, 200);
    other_hook.wait_for(2).await;
    assert!(other.stop(LONG).await);
    assert_eq!(
        (one_hook.requests().len(), other_hook.requests().len()),
        (2, 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_and_a_bad_one_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let app = start(folder.path(), &routes(&[&old], "")).await;
    let file = folder.path().join("routes.yaml");
    assert_eq!(send(&app, "1", 1_750_000_000_001).await, 200);
    old.wait_for(1).await;

    std::fs::write(
        &file,
        "version: 1\nsources: { crm: { kind: no-such-kind } }\n",
    )
    .unwrap();
    assert!(matches!(app.reload(&|_| None).await, Reloaded::Refused(_)));
    assert_eq!(send(&app, "1", 1_750_000_000_002).await, 200);
    old.wait_for(2).await;

    std::fs::write(&file, routes(&[&new], "")).unwrap();
    assert!(matches!(app.reload(&|_| None).await, Reloaded::Taken));
    assert_eq!(send(&app, "1", 1_750_000_000_003).await, 200);
    new.wait_for(1).await;
    assert_eq!(old.requests().len(), 2);
    let metrics = client()
        .get(format!("http://{}/metrics", app.admin_address()))
        .send();
    let metrics = metrics.await.unwrap().text().await.unwrap();
    assert!(metrics.contains(r#"zohook_config_reloads_total{outcome="refused"} 1"#));
    assert!(metrics.contains(r#"zohook_config_reloads_total{outcome="taken"} 1"#));
    assert!(metrics.contains("zohook_config_last_reload_successful 1"));
    assert!(app.stop(LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_an_org_outlives_a_reload_unless_its_connection_changes() {
    let folder = tempfile::tempdir().unwrap();
    let sim = simulator().await;
    let hook = Receiver::start().await;
    let text = |connection: &str| {
        let (zoho, hook) = (sim.base_url(), hook.url("/"));
        format!(
            r#"
version: 1
connections:
  acme: {{ api_url: "{zoho}", accounts_url: "{zoho}", client_id: 1000.SIM, client_secret: sim, {connection} }}
sources:
  crm: {{ kind: watch, connection: acme, verify: {{ token: [{TOKEN}] }} }}
destinations:
  hook: {{ kind: webhook, url: "{hook}", allow_networks: [127.0.0.0/8] }}
routes:
  leads: {{ on: [Leads.update], send: [ {{ to: hook }} ] }}
"#
        )
    };
    let token = "refresh_token: 1000.sim.refresh";
    let app = start(folder.path(), &text(token)).await;
    let file = folder.path().join("routes.yaml");
    let id = sim.insert("Leads", lead(1)).unwrap();
    // The names of a module's fields are asked for once by each client.
    let mut asked = vec![];
    let connections = [
        token.to_owned(),
        format!("{token}, credits: {{ daily: 5000 }}"),
        "refresh_token: [1000.sim.refresh, 1000.sim.next]".to_owned(),
    ];
    for (at, connection) in (1..).zip(connections) {
        std::fs::write(&file, text(&connection)).unwrap();
        assert!(matches!(app.reload(&|_| None).await, Reloaded::Taken));
        assert_eq!(send(&app, &id, 1_750_000_000_000 + at).await, 200);
        hook.wait_for(usize::try_from(at).unwrap()).await;
        asked.push(calls(&sim, Kind::Metadata));
    }
    assert_eq!(asked, [1, 1, 2]);
    assert!(app.stop(LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_new_file_wants_is_kept_while_it_is_put_to_work() {
    let folder = tempfile::tempdir().unwrap();
    let (slow, new) = (Receiver::start().await, Receiver::start().await);
    slow.answer(Answer::Hang);
    let app = start(folder.path(), &routes(&[&slow], "")).await;
    assert_eq!(send(&app, "1", 1_750_000_000_001).await, 200);
    slow.wait_for(1).await;

    // Another source, and a route that listens to it; the old core waits for the webhook that hangs.
    let late =
        format!("  late: {{ kind: watch, connection: acme, verify: {{ token: [{TOKEN}] }} }}\n");
    let text = routes(&[&slow, &new], "")
        .replace("destinations:\n", &format!("{late}destinations:\n"))
        .replace(
            "routes:\n",
            "routes:\n  contacts: { on: [Contacts.update], enrich: none, send: [ { to: hook-1 } ] }\n",
        );
    std::fs::write(folder.path().join("routes.yaml"), text).unwrap();
    let mut body = callback("update", &["2"], 1_750_000_000_002);
    body["module"] = "Contacts".into();
    let url = format!("http://{}/in/late", app.public_address());
    let accepted = async || {
        let answer = client().post(&url).json(&body).send().await.unwrap();
        answer.status() == 200
    };
    let sent = until("the new source to be known", LONG, accepted);
    let (reloaded, ()) = tokio::join!(app.reload(&|_| None), sent);
    assert!(matches!(reloaded, Reloaded::Taken));
    new.wait_for(1).await;
    slow.answer(Answer::Status(200, vec![]));
    let delivered = async || app.store().ledger().await.unwrap().deliveries.waiting == 0;
    until("everything to be delivered", LONG, delivered).await;
    assert!(app.store().ledger().await.unwrap().adds_up());
    assert!(app.stop(LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_destination_that_leaves_the_file_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (stays, leaves) = (Receiver::start().await, Receiver::start().await);
    leaves.answer(Answer::Status(500, vec![]));
    let app = start(folder.path(), &routes(&[&stays, &leaves], "")).await;
    assert_eq!(send(&app, "1", 1_750_000_000_001).await, 200);
    stays.wait_for(1).await;
    leaves.wait_for(1).await;

    let file = folder.path().join("routes.yaml");
    std::fs::write(&file, routes(&[&stays], "")).unwrap();
    assert!(matches!(app.reload(&|_| None).await, Reloaded::Taken));
    until("it to be set aside", LONG, async || {
        app.store().ledger().await.unwrap().deliveries.quarantined == 1
    })
    .await;
    let ledger = app.store().ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    let counted =
        "\nzohook_quarantined_total{reason=\"destination_removed\",stage=\"delivery\"} 1\n";
    until("it to be counted", LONG, async || {
        metrics(&app).await.contains(counted)
    })
    .await;
    assert!(app.stop(LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_backlog_refuses_its_sources_until_it_has_room() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Receiver::start().await;
    hook.answer(Answer::Status(503, vec![]));
    let text = routes(&[&hook], ", backlog: { max: 3, on_full: refuse }");
    let app = start(folder.path(), &text).await;
    let mut at = 1_750_000_000_000;
    let mut next = async || {
        at += 1;
        send(&app, &at.to_string(), at).await
    };
    until("a refusal", LONG, async || next().await == 503).await;
    hook.answer(Answer::Status(200, vec![]));
    until("an answer of 200", LONG, async || next().await == 200).await;
    until("everything to be delivered", LONG, async || {
        app.store().ledger().await.unwrap().deliveries.waiting == 0
    })
    .await;
    assert!(app.store().ledger().await.unwrap().adds_up());
    assert!(app.stop(LONG).await);
}
