//! The official Python and Node SDKs, unmodified, against the simulator. Each script in `tests/sdk/` prints a line for
//! each operation whose results were as they should be.

use std::{path::PathBuf, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::process::Command;
use zoho_sim::{Settings, Sim};

use crate::support::receiver::Receiver;

/// Longest time a script may take: it starts an interpreter and makes some tens of calls. On a machine at the end of its
/// strength, reading the SDK alone takes a minute.
const DEADLINE: Duration = Duration::from_mins(5);

/// A language there is an official SDK for.
#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    Node,
}

impl Language {
    /// The command that runs a script, with what `scripts/tools` installed.
    fn command(self, script: &str) -> Command {
        let project = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let tools = project.join("target/tools");
        let scripts = project.join("tests/sdk");
        let (interpreter, script) = match self {
            Self::Python => (
                tools.join("venv/bin/python"),
                scripts.join(format!("python/{script}.py")),
            ),
            Self::Node => (
                tools.join("node-sdk/node"),
                scripts.join(format!("node/{script}.js")),
            ),
        };
        assert!(
            interpreter.exists(),
            "no {}: please run scripts/tools",
            interpreter.display()
        );
        let mut command = Command::new(interpreter);
        command
            .arg(script)
            .env("NODE_PATH", tools.join("node-sdk/node_modules"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1");
        command
    }
}

/// Runs a script to its end and gives the names of the operations it did.
async fn run(language: Language, script: &str, sim: &Sim, receiver: &Receiver) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let output = language
        .command(script)
        .args([sim.base_url(), receiver.url("")])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DEADLINE, output)
        .await
        .expect("the script should end")
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{language:?} {script}, with the SDK that scripts/tools installs, ended after\n{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["operation"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// Runs a script against a simulator of its own. It is to do these operations, which cause as many callbacks, and
/// these are given.
async fn check(
    language: Language,
    script: &str,
    operations: &[&str],
    callbacks: usize,
) -> Vec<(String, Value)> {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let receiver = Receiver::start().await;
    assert_eq!(run(language, script, &sim, &receiver).await, operations);
    receiver.wait_for(callbacks).await;
    sim.callbacks_settled().await;
    let counters = sim.counters();
    assert_eq!(
        counters.calls.get(&zoho_sim::Kind::Unknown),
        None,
        "the SDK knows a path that the simulator does not"
    );
    sim.shutdown().await;
    let told: Vec<_> = receiver
        .requests()
        .into_iter()
        .map(|it| (it.path, serde_json::from_slice(&it.body).unwrap()))
        .collect();
    assert_eq!(told.len(), callbacks, "the callbacks were {told:?}");
    told
}

const ACCOUNT: &[&str] = &["code", "token", "users", "org", "fields"];
const RECORDS: &[&str] = &["create", "create in part", "list", "update", "delete"];
const QUERY: &[&str] = &["coql", "search"];
const TAGS: &[&str] = &["tags"];
const CONTENT: &[&str] = &["notes", "attachments"];
const CONVERT: &[&str] = &["convert"];
const BULK: &[&str] = &["bulk read create", "bulk read poll", "bulk read download"];
const BULK_WRITE: &[&str] = &[
    "bulk write upload",
    "bulk write create",
    "bulk write poll",
    "bulk write download",
];
const NOTIFICATIONS: &[&str] = &["enable", "list", "update", "disable events", "disable"];

#[tokio::test]
async fn python_gets_tokens_and_reads_users_org_and_fields() {
    check(Language::Python, "account", ACCOUNT, 0).await;
}

#[tokio::test]
async fn node_gets_tokens_and_reads_users_org_and_fields() {
    check(Language::Node, "account", ACCOUNT, 0).await;
}

#[tokio::test]
async fn python_creates_lists_updates_and_deletes_records() {
    check(Language::Python, "records", RECORDS, 0).await;
}

#[tokio::test]
async fn node_creates_lists_updates_and_deletes_records() {
    check(Language::Node, "records", RECORDS, 0).await;
}

#[tokio::test]
async fn python_queries_and_searches() {
    check(Language::Python, "query", QUERY, 0).await;
}

#[tokio::test]
async fn node_queries_and_searches() {
    check(Language::Node, "query", QUERY, 0).await;
}

#[tokio::test]
async fn python_tags_records() {
    check(Language::Python, "tags", TAGS, 0).await;
}

#[tokio::test]
async fn node_tags_records() {
    check(Language::Node, "tags", TAGS, 0).await;
}

#[tokio::test]
async fn python_writes_notes_and_attachments_and_reads_them_back() {
    check(Language::Python, "content", CONTENT, 0).await;
}

#[tokio::test]
async fn node_writes_notes_and_attachments_and_reads_them_back() {
    check(Language::Node, "content", CONTENT, 0).await;
}

#[tokio::test]
async fn python_converts_a_lead() {
    check(Language::Python, "convert", CONVERT, 0).await;
}

#[tokio::test]
async fn node_converts_a_lead() {
    check(Language::Node, "convert", CONVERT, 0).await;
}

#[tokio::test]
async fn python_reads_in_bulk_and_downloads_the_rows() {
    let callbacks = check(Language::Python, "bulk", BULK, 1).await;
    the_job_told_its_end(&callbacks);
}

#[tokio::test]
async fn node_reads_in_bulk_and_downloads_the_rows() {
    let callbacks = check(Language::Node, "bulk", BULK, 1).await;
    the_job_told_its_end(&callbacks);
}

#[tokio::test]
async fn python_writes_in_bulk_and_downloads_the_result() {
    let callbacks = check(Language::Python, "bulk_write", BULK_WRITE, 1).await;
    the_bulk_write_told_its_end(&callbacks);
}

#[tokio::test]
async fn node_writes_in_bulk_and_downloads_the_result() {
    let callbacks = check(Language::Node, "bulk_write", BULK_WRITE, 1).await;
    the_bulk_write_told_its_end(&callbacks);
}

fn the_bulk_write_told_its_end(callbacks: &[(String, Value)]) {
    let (path, job) = &callbacks[0];
    assert_eq!(path, "/bulk");
    assert_eq!(job["operation"], "upsert");
    assert_eq!(job["status"], "COMPLETED");
    assert_eq!(job["resource"][0]["file"]["total_count"], 3);
}

fn the_job_told_its_end(callbacks: &[(String, Value)]) {
    let (path, told) = &callbacks[0];
    assert_eq!(path, "/bulk");
    let job = &told["data"][0];
    assert_eq!(job["operation"], "read");
    assert_eq!(job["state"], "COMPLETED");
    assert_eq!(job["result"]["count"], 50);
}

#[tokio::test]
async fn python_enables_lists_updates_and_disables_notifications() {
    let callbacks = check(Language::Python, "notifications", NOTIFICATIONS, 2).await;
    the_channel_told_what_it_should(&callbacks);
}

#[tokio::test]
async fn node_enables_lists_updates_and_disables_notifications() {
    let callbacks = check(Language::Node, "notifications", NOTIFICATIONS, 2).await;
    the_channel_told_what_it_should(&callbacks);
}

/// The insert under the first URL, the update under the second; nothing of the insert and the delete that no event
/// was enabled for.
fn the_channel_told_what_it_should(callbacks: &[(String, Value)]) {
    let [(first, insert), (second, update)] = callbacks else {
        unreachable!("there are two: {callbacks:?}");
    };
    assert_eq!([first, second], ["/first", "/second"]);
    for (callback, operation, token) in [
        (insert, "insert", "first token"),
        (update, "update", "third token"),
    ] {
        assert_eq!(callback["operation"], operation);
        assert_eq!(callback["token"], token);
        assert_eq!(callback["channel_id"], "1000000068001");
        assert_eq!(callback["module"], "Leads");
    }
    assert_eq!(insert["query_params"], json!({"secret": "s3"}));
    assert_eq!(insert["ids"], update["ids"]);
    let lead = insert["ids"][0].as_str().unwrap();
    assert_eq!(insert["affected_values"][0]["values"]["Last_Name"], "Marsh");
    assert_eq!(update["affected_fields"], json!([{ lead: ["Phone"] }]));
}
