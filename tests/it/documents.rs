//! The documents say what the program does.

use std::{collections::BTreeSet, path::Path, process::Stdio, time::Duration};

use lapin::{
    BasicProperties,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable, LongString},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};
use zohook::{event::QuarantineReason, verify::Refusal};

use crate::support::{
    broker::Broker,
    cli::{Org, ran},
};

fn read(document: &str) -> String {
    std::fs::read_to_string(document).unwrap()
}

/// The fenced blocks of one language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = read(document);
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|it| it.split("```").next().unwrap().to_owned())
        .collect()
}

/// All of Rust under a folder, one after the other.
fn sources(folder: &str) -> String {
    rust_files(Path::new(folder))
        .into_iter()
        .map(|it| std::fs::read_to_string(it).unwrap())
        .collect()
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

/// Every `zohook_…` between these two marks.
fn names(text: &str, mark: char) -> BTreeSet<String> {
    text.split(mark)
        .filter(|it| it.starts_with("zohook_"))
        .filter(|it| {
            it.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let in_code = names(&sources("src"), '"');
    let documented = names(&read("docs/metrics.md"), '`');
    assert_eq!(in_code, documented);
}

#[test]
fn every_metric_means_what_its_help_says() {
    let code = sources("src");
    let document = read("docs/metrics.md");
    let rows = document.lines().filter(|it| it.starts_with("| `zohook_"));
    let mut checked = 0;
    for cells in rows.map(|it| it.split(" | ").collect::<Vec<_>>()) {
        let [name, _, _, meaning] = cells.as_slice() else {
            continue;
        };
        let name = name.trim_start_matches("| ").trim_matches('`');
        let (_, after) = code.split_once(&format!("\"{name}\"")).expect(name);
        let help = after.split('"').nth(1).unwrap();
        assert_eq!(meaning.trim_end_matches(" |"), help, "{name}");
        checked += 1;
    }
    assert!(checked >= 50, "{checked} metrics");
}

#[test]
fn every_word_of_a_closed_set_is_explained() {
    let metrics = read("docs/metrics.md");
    let words = metrics.split_once("## Words").unwrap().1;
    let quarantine = QuarantineReason::ALL.map(QuarantineReason::as_str);
    let refusal = Refusal::ALL.map(Refusal::as_str);
    let classes = zoho_crm::Error::CLASSES;
    for word in quarantine.iter().chain(&refusal).chain(&classes) {
        assert!(words.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn the_simulators_channel_has_the_secrets_of_routes_yaml() {
    let routes = read("routes.yaml");
    let fallback = |name: &str| {
        let (_, after) = routes.split_once(&format!("${{{name}:-")).expect(name);
        after.split('}').next().unwrap().to_owned()
    };
    let simulator = read("docs/simulator.md");
    let token = format!("\"token\": \"{}\"", fallback("WATCH_TOKEN"));
    let url = format!("/in/crm?k={}\"", fallback("WATCH_KEY"));
    assert!(simulator.contains(&token), "{token}");
    assert!(simulator.contains(&url), "{url}");
}

#[test]
fn the_readme_gives_the_container_what_routes_yaml_names() {
    let readme = read("README.md");
    let routes = read("routes.yaml");
    let named = routes
        .lines()
        .filter(|it| !it.trim_start().starts_with('#'))
        .flat_map(|it| it.split("${").skip(1))
        .filter_map(|it| it.split([':', '}']).next())
        // `data_center` takes their place.
        .filter(|it| !it.ends_with("_URL") || *it == "AMQP_URL");
    for name in named.chain(["ZOHOOK_ADMIN_TOKEN"]) {
        assert!(readme.contains(&format!("-e {name} ")), "{name}");
    }
}

#[tokio::test]
async fn the_readmes_command_registers_the_channel() {
    let org = Org::start().await;
    org.write("routes.yaml", &read("routes.yaml"));
    let blocks = blocks("README.md", "sh");
    let command = blocks
        .iter()
        .find(|it| it.contains("actions/watch"))
        .expect("the README registers a channel");
    let zohook = Path::new(env!("CARGO_BIN_EXE_zohook")).parent().unwrap();
    let mut command = org.like("sh", &["-eu", "-c", command]);
    command
        .env("PATH", format!("{}:/usr/bin:/bin", zohook.display()))
        .env("WATCH_TOKEN", "a-token-of-its-own")
        .env("WATCH_KEY", "AKeyOfItsOwn");
    let ran = ran(&mut command, "").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out.matches("channel_expiry").count(), 2, "{ran:?}");
    let listed = org.crm(&["raw", "GET", "actions/watch"]).await;
    assert!(listed.contains("/in/crm?k=AKeyOfItsOwn"), "{listed}");
}

#[tokio::test]
async fn the_guides_consumer_drops_repeats_and_what_is_older() {
    let broker = Broker::connect().await;
    let queue = broker.name("events");
    let quorum = [("x-queue-type", "quorum")];
    broker.declare_queue(&queue, &quorum, &[]).await.unwrap();
    let channel = broker.channel().await;
    let sent = [("a", "2"), ("a", "2"), ("b", "1"), ("c", "2"), ("d", "3")];
    for (id, sequence) in sent {
        let mut headers = FieldTable::default();
        for (name, value) in [
            ("ce-type", "com.zoho.crm.Leads.updated"),
            ("ce-source", "/zoho/acme/Leads"),
            ("ce-subject", "1"),
            ("ce-sequence", sequence),
        ] {
            headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
        }
        let properties = BasicProperties::default()
            .with_message_id(id.into())
            .with_headers(headers);
        channel
            .basic_publish(
                "".into(),
                queue.as_str().into(),
                BasicPublishOptions::default(),
                id.as_bytes(),
                properties,
            )
            .await
            .unwrap();
    }

    let program = blocks("docs/consuming.md", "python").concat();
    assert!(program.contains("\"crm-events\""), "{program}");
    let mut consumer = Command::new("target/tools/venv/bin/python")
        .args(["-c", &program.replace("crm-events", &queue)])
        .env("AMQP_URL", broker.url.as_str())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(consumer.stdout.take().unwrap()).lines();
    let mut seen = vec![];
    while seen.len() < 3 {
        let line = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
        let line = line.expect("it prints").unwrap().expect("it goes on");
        seen.push(line.rsplit(' ').next().unwrap().to_owned());
    }
    assert_eq!(seen, ["a", "c", "d"]);
    consumer.kill().await.unwrap();
    broker.clean(&[], &[&queue]).await;
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let tests = ["src", "tests", "crates"].map(sources).concat();
    let text = std::fs::read_to_string("ARCHITECTURE.md").unwrap();
    let promises = text
        .split_once("## Promises")
        .and_then(|(_, rest)| rest.split("\n## ").next())
        .expect("ARCHITECTURE.md has a section Promises");
    let named: BTreeSet<_> = promises
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|it| it.contains('_') && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    assert!(named.len() >= 8, "promises name their tests: {named:?}");
    let simulator = std::fs::read_to_string("docs/simulator.md").unwrap();
    let claims: BTreeSet<_> = simulator
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|it| Some(it.split_once("::")?.1))
        .collect();
    assert!(
        claims.len() >= 8,
        "the simulator's claims name their tests: {claims:?}"
    );
    for name in named.into_iter().chain(claims) {
        assert!(
            tests.contains(&format!("fn {name}(")),
            "no test is called {name}"
        );
    }
}
