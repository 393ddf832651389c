//! The servers that are measured, each a process of its own.

use std::{
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use zoho_sim::Sim;

use super::{
    client::{self, Target},
    queue::{Broker, QUEUE},
};

/// Records of the simulated CRM; the client sends no more changes than this.
const RECORDS: usize = 50_000;

/// A server that runs, and how to ask it things.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    sim: Option<Sim>,
    _folder: Option<tempfile::TempDir>,
}

impl Server {
    pub(super) async fn bare() -> Self {
        Self::baseline("bare", None).await
    }

    pub(super) async fn relay(broker: &Broker) -> Self {
        Self::baseline("relay", Some(&broker.url)).await
    }

    async fn baseline(name: &str, url: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--serve", name]).stdout(Stdio::piped());
        if let Some(url) = url {
            command.env("AMQP_URL", url);
        }
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        Self {
            child,
            address,
            admin: None,
            sim: None,
            _folder: None,
        }
    }

    /// `routes`: `nobody` listens, `plain` (enrich none) or `enriched`.
    pub(super) async fn zohook(routes: &str, broker: &Broker) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let sim = Sim::start(zoho_sim::Settings::on_loopback()).await.unwrap();
        let file = folder.path().join("routes.yaml");
        if routes == "enriched" {
            // The ids that the client sends.
            let leads: Vec<_> = (0..RECORDS)
                .map(|number| {
                    let id = (client::FIRST_ID + number as u64).to_string();
                    serde_json::json!({ "id": id, "Last_Name": "Example", "Company": "Example", "Phone": "1" })
                })
                .collect();
            sim.load(&serde_json::json!({ "Leads": leads })).unwrap();
        }
        std::fs::File::create(&file)
            .unwrap()
            .write_all(routes_yaml(routes, sim.base_url().as_ref(), &broker.url).as_bytes())
            .unwrap();
        let (address, admin) = (free_address(), free_address());
        let store: PathBuf = folder.path().join("zohook.db");
        let child = Command::new(env!("CARGO_BIN_EXE_zohook"))
            .args(["serve", "--log", "warn", "--routes"])
            .arg(&file)
            .args(["--listen", &address.to_string()])
            .args(["--admin-listen", &admin.to_string()])
            .args(["--store", &format!("sqlite:{}", store.display())])
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let server = Self {
            child,
            address,
            admin: Some(admin),
            sim: Some(sim),
            _folder: Some(folder),
        };
        server
            .until(|it| async { it.get("/readyz").await.is_some() })
            .await;
        server
    }

    pub(super) fn target(&self, path: &str) -> Target {
        Target {
            address: self.address,
            path: path.to_owned(),
        }
    }

    /// Highest resident memory so far, in bytes.
    pub(super) fn memory_bytes_max(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|it| it.starts_with("VmHWM")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    /// CPU time so far, user and kernel, in seconds.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id().unwrap());
        let stat = std::fs::read_to_string(path).unwrap();
        // Fields 14 and 15, counted after the name in brackets, in hundredths of a second on Linux.
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let ticks: Vec<&str> = rest.split(' ').collect();
        let count = |at: usize| ticks[at].parse::<f64>().unwrap();
        (count(11) + count(12)) / 100.0
    }

    /// Calls the router made to the simulator's API.
    pub(super) fn api_calls(&self) -> u64 {
        self.sim.as_ref().unwrap().counters().reads()
    }

    /// Waits until all that was accepted is closed.
    pub(super) async fn until_idle(&self) {
        self.until(|it| async {
            let text = it.get("/metrics").await.unwrap_or_default();
            text.lines().any(|line| line == "zohook_inbox_depth 0")
        })
        .await;
    }

    async fn until<'a, F: Future<Output = bool>>(&'a self, done: impl Fn(&'a Self) -> F) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !done(self).await {
            assert!(Instant::now() < deadline, "the server does not get there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn get(&self, path: &str) -> Option<String> {
        let url = format!("http://{}{path}", self.admin?);
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        let answer = client.get(url).send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    pub(super) async fn stop(mut self) {
        self.child.kill().await.unwrap();
        if let Some(sim) = self.sim {
            sim.shutdown().await;
        }
    }
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn routes_yaml(routes: &str, zoho: &str, amqp: &str) -> String {
    let (on, enrich) = match routes {
        "nobody" => ("Contacts.insert", "none"),
        "plain" => ("Leads.update", "none"),
        _ => (
            "Leads.update",
            "{ fields: [Company, Phone, Last_Name], on_missing: send }",
        ),
    };
    format!(
        r#"version: 1
connections:
  bench:
    api_url: {zoho}
    accounts_url: {zoho}
    client_id: 1000.SIM
    client_secret: sim
    refresh_token: 1000.sim.refresh
sources:
  bench:
    kind: watch
    connection: bench
    verify: {{ token: [token-of-the-bench] }}
destinations:
  queue:
    kind: amqp
    url: ["{amqp}"]
    exchange: {{ name: "" }}
    queues: [ {{ name: {QUEUE}, type: quorum }} ]
routes:
  all:
    on: [{on}]
    enrich: {enrich}
    send: [ {{ to: queue, key: {QUEUE} }} ]
"#
    )
}

/// The least a server can do with a POST.
pub(super) async fn serve_bare() {
    let app = Router::new().route(
        "/",
        post(|body: Bytes| async move { body.len().to_string() }),
    );
    serve(app).await;
}

/// The simplest honest relay: parse, publish persistent and mandatory, answer after the confirm.
pub(super) async fn serve_relay() {
    let url = std::env::var("AMQP_URL").unwrap();
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    serve(Router::new().route("/", post(relay)).with_state(channel)).await;
}

async fn relay(State(channel): State<Channel>, body: Bytes) -> StatusCode {
    if serde_json::from_slice::<serde_json::Value>(&body).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = BasicProperties::default().with_delivery_mode(2);
    let confirm = channel
        .basic_publish("".into(), QUEUE.into(), options, &body, properties)
        .await
        .unwrap();
    if matches!(confirm.await.unwrap(), Confirmation::Ack(None)) {
        StatusCode::OK
    } else {
        StatusCode::BAD_GATEWAY
    }
}

async fn serve(app: Router) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}
