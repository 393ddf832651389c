//! What is answered to Zoho, over real sockets.

use std::{
    collections::HashSet, future::Future, io::Write, net::SocketAddr, sync::Arc, time::Duration,
};

use arc_swap::ArcSwap;
use clock::{Clock, Simulated};
use flate2::{Compression, write::GzEncoder};
use futures_util::FutureExt;
use prometheus::{IntCounter, Registry};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use zohook::{
    event::{ConnectionName, Fetch, Operation, SourceName},
    receive::{Gate, Limits, Metrics, Parts, PublicPort, Read, Source, SourceKind, Unheard, serve},
    store::{self, Store},
    template::{Place, Template},
    verify::{Preset, Proof},
};

/// No answer takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) const TOKEN: &str = "token-of-the-test";
pub(super) const SECRET: &str = "secret-of-the-test";

pub(super) fn limits() -> Limits {
    Limits {
        body_bytes: 64 * 1024,
        connections: 64,
        read_timeout: DEADLINE,
        idle_timeout: DEADLINE,
        trusted_proxies: vec![],
    }
}

pub(super) fn template(text: &str) -> Template {
    Template::compile(text, Place::Read).unwrap()
}

pub(super) fn source(name: &str, kind: SourceKind, proof: Proof) -> Source {
    let generic = matches!(kind, SourceKind::Generic(_));
    Source {
        name: SourceName::new(name),
        kind,
        connection: (!generic).then(|| ConnectionName::new("acme")),
        proof,
        dedup: None,
        fetch: Fetch::Always,
    }
}

/// `crm` proves by token, `hook` by header, `signed` by HMAC, `open` not at all.
pub(super) fn sources() -> Vec<Source> {
    let token = Proof {
        token: vec![TOKEN.into()],
        ..Proof::default()
    };
    let header = Proof {
        headers: vec![("x-zohook-secret".to_owned(), vec![SECRET.into()])],
        ..Proof::default()
    };
    let signed = Proof {
        hmac: Some(Preset::ZohoSign.with_secret(vec![SECRET.into()])),
        ..Proof::default()
    };
    let lead = || Read {
        module: Some(template("Leads")),
        operation: Some(template("insert")),
        ids: vec![template("{{ body.lead_id }}")],
        ..Read::default()
    };
    let typed = Read {
        event_type: Some(template("com.zoho.sign.{{ body.event }}")),
        key: Some(template("{{ body.key }}")),
        ..Read::default()
    };
    vec![
        source("crm", SourceKind::Watch, token),
        source("hook", SourceKind::Workflow(lead()), header),
        source("open", SourceKind::Workflow(lead()), Proof::default()),
        source("signed", SourceKind::Generic(typed), signed),
    ]
}

/// A port on a socket of its own.
struct App {
    port: Arc<PublicPort>,
    store: Store,
    gate: Gate,
    registry: Registry,
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
    _dir: TempDir,
}

async fn open_store(dir: &TempDir, registry: &Registry) -> Store {
    let settings = store::Settings {
        path: dir.path().join("zohook.db"),
        keep_events: Duration::from_hours(24),
        size_bytes_max: 1 << 32,
    };
    let metrics = store::Metrics::register(registry).unwrap();
    Store::open(settings, Clock::real(), metrics).await.unwrap()
}

pub(super) async fn open_port(dir: &TempDir, limits: Limits) -> (Arc<PublicPort>, Parts, Registry) {
    open_port_at(dir, limits, Clock::real()).await
}

async fn open_port_at(
    dir: &TempDir,
    limits: Limits,
    clock: Clock,
) -> (Arc<PublicPort>, Parts, Registry) {
    let registry = Registry::new();
    let parts = Parts {
        store: open_store(dir, &registry).await,
        clock,
        metrics: Metrics::register(&registry).unwrap(),
        gate: Arc::new(ArcSwap::default()),
        unheard: Unheard {
            is: Arc::new(|_| false),
            closed: IntCounter::new("unheard", "unheard").unwrap(),
        },
    };
    (
        PublicPort::new(sources(), limits, parts.clone()),
        parts,
        registry,
    )
}

impl App {
    async fn start() -> Self {
        Self::start_with(limits(), Duration::from_secs(5)).await
    }

    async fn start_with(limits: Limits, drain: Duration) -> Self {
        Self::start_at(limits, drain, Clock::real()).await
    }

    async fn start_at(limits: Limits, drain: Duration, clock: Clock) -> Self {
        let dir = TempDir::new().unwrap();
        let (port, parts, registry) = open_port_at(&dir, limits, clock).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Arc::clone(&port), stop.clone(), drain));
        Self {
            port,
            store: parts.store,
            gate: parts.gate,
            registry,
            address,
            stop,
            server,
            _dir: dir,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads to the end of the connection.
    async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        Answer::read_from(&mut stream).await
    }

    async fn request(&self, line: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{line} HTTP/1.1\r\nhost: zohook\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat()).await
    }

    async fn post(&self, source: &str, body: &str) -> Answer {
        self.request(&format!("POST /in/{source}"), "", body.as_bytes())
            .await
    }

    fn metric(&self, name: &str, label: Option<&str>) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|it| it.name() == name).unwrap();
        let metrics = family.get_metric().iter();
        metrics
            .filter(|it| {
                label.is_none_or(|label| it.get_label().iter().any(|it| it.value() == label))
            })
            .map(|it| it.get_counter().get_value() + it.get_gauge().get_value())
            .sum::<f64>()
            .to_string()
            .parse()
            .unwrap()
    }

    fn reasons(&self, source: &str) -> Vec<&'static str> {
        let refused = self.port.refused(&SourceName::new(source));
        refused.iter().map(|it| it.reason).collect()
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    async fn read_from(stream: &mut TcpStream) -> Self {
        let mut bytes = vec![];
        let read = stream.read_to_end(&mut bytes);
        // A reset after the answer is fine: we may still have been sending.
        within(read).await.unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Self {
            status: head.split(' ').nth(1).map_or(0, |it| it.parse().unwrap()),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    fn accepted(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["accepted"].as_str().unwrap().to_owned()
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap()
}

fn callback(ids: &str) -> String {
    format!(
        r#"{{"server_time":1718117126473,"query_params":{{}},"module":"Leads","ids":[{ids}],"affected_fields":[],"operation":"insert","channel_id":"1000000068001","token":"{TOKEN}"}}"#
    )
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_callback_is_stored_and_answered_with_its_id() {
    let app = App::start().await;
    let answer = app.post("crm", &callback(r#""1","2""#)).await;
    let id = answer.accepted();
    assert!(answer.head.contains("content-type: application/json"));

    let claims = within(app.store.claim(10)).await;
    assert_eq!(claims.len(), 2);
    for claim in &claims {
        assert_eq!(claim.change.notification.to_string(), id);
        assert_eq!(claim.change.operation, Operation::Insert);
        assert_eq!(claim.change.module.as_str(), "Leads");
    }
    let stored = app
        .store
        .body(claims[0].notification_no)
        .await
        .unwrap()
        .unwrap();
    let stored = String::from_utf8(stored.to_vec()).unwrap();
    assert!(
        !stored.contains(TOKEN) && stored.contains(r#""token":"***""#),
        "{stored}"
    );
    let ledger = app.store.ledger().await.unwrap();
    assert_eq!((ledger.notifications.split, ledger.changes.created), (1, 2));
}

#[tokio::test]
async fn a_repeat_is_answered_with_the_first_id() {
    let app = App::start().await;
    let first = app.post("crm", &callback("7")).await.accepted();
    let again = app.post("crm", &callback("7")).await;
    assert_eq!(again.accepted(), first);
    assert!(again.body.contains(r#""duplicate":true"#));
    let other = app.post("crm", &callback("8")).await;
    assert_ne!(other.accepted(), first);
    assert!(!other.body.contains("duplicate"));
    let name = "zohook_notifications_accepted_total";
    assert_eq!(app.metric(name, Some("duplicate")), 1);
    assert_eq!(app.metric(name, Some("split")), 2);
}

#[tokio::test]
async fn only_known_sources_exist() {
    let app = App::start().await;
    for line in [
        "POST /in/other",
        "POST /in/",
        "POST /in",
        "POST /in/crm/",
        "POST /in/crm/x",
        "POST /in/%63rm%2F",
        "POST /in/%FF",
        "POST /in/crm%",
        "GET /",
        "HEAD /in/other",
        "PATCH /metrics",
        "POST //in/crm",
    ] {
        assert_eq!(app.request(line, "", b"{}").await.status, 404, "{line}");
    }
    assert_eq!(
        app.metric("zohook_notifications_unknown_source_total", None),
        12
    );
    assert_eq!(app.metric("zohook_notifications_received_total", None), 0);
}

/// As proxies may write it.
#[tokio::test]
async fn a_source_may_be_named_percent_encoded() {
    let app = App::start().await;
    for line in ["POST /in/%63rm", "POST /in/cr%6D", "POST /in/%63%72%6d?x=1"] {
        let answer = app.request(line, "", callback("1").as_bytes()).await;
        assert_eq!(answer.status, 200, "{line}");
    }
}

#[tokio::test]
async fn methods_are_those_of_the_kind_and_never_head() {
    let app = App::start().await;
    let secret = format!("x-zohook-secret: {SECRET}\r\n");
    for (source, allowed) in [
        ("crm", "POST"),
        ("hook", "GET, POST, PUT, DELETE"),
        ("signed", "POST, PUT"),
    ] {
        for method in [
            "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "BREW",
        ] {
            let line = format!("{method} /in/{source}?lead_id=1");
            let answer = app.request(&line, &secret, b"").await;
            let expected = allowed.split(", ").any(|it| it == method);
            assert_eq!(answer.status != 405, expected, "{line}");
            let allow = format!("allow: {}", allowed.to_lowercase());
            assert_eq!(answer.head.contains(&allow), !expected, "{line}");
        }
    }
}

#[tokio::test]
async fn who_is_not_proven_learns_nothing() {
    let app = App::start().await;
    let bodies = [
        callback("1").replace(TOKEN, "wrong"),
        callback("1").replace("token", "other"),
        "no json".to_owned(),
        String::new(),
    ];
    let mut answers = HashSet::new();
    for body in bodies {
        let answer = app.post("crm", &body).await;
        assert_eq!(answer.status, 401);
        answers.insert(answer.body);
    }
    assert_eq!(
        answers,
        HashSet::from([r#"{"error":"Unauthorized"}"#.to_owned()])
    );
    assert_eq!(
        app.reasons("crm"),
        ["wrong_token", "no_token", "no_token", "no_token"]
    );
    let name = "zohook_notifications_refused_total";
    assert_eq!(app.metric(name, Some("no_token")), 3);
    assert_eq!(app.store.ledger().await.unwrap().notifications.accepted, 0);
}

#[tokio::test]
async fn refused_requests_are_kept_without_their_values() {
    let app = App::start().await;
    let headers = format!("x-zohook-secret: {SECRET}x\r\nx-{SECRET}: 1\r\n");
    let line = format!("POST /in/hook?k={SECRET}");
    let answer = app.request(&line, &headers, SECRET.as_bytes()).await;
    assert_eq!(answer.status, 401);
    let refused = app.port.refused(&SourceName::new("hook"));
    let [refused] = refused.as_slice() else {
        panic!("{refused:?}");
    };
    assert_eq!((refused.reason, refused.method), ("wrong_header", "POST"));
    assert_eq!(refused.query_bytes, SECRET.len() + 2);
    assert_eq!(refused.body_bytes, None);
    assert_eq!(refused.peer.to_string(), "127.0.0.1");
    let values: Vec<_> = refused.headers.iter().map(|it| it.value_bytes).collect();
    assert!(values.contains(&(SECRET.len() + 1)));
}

#[tokio::test]
async fn who_is_surely_not_proven_is_answered_before_the_body_comes() {
    let app = App::start().await;
    let head = "POST /in/hook HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n";
    for (header, reason) in [
        ("", "missing_header"),
        ("x-zohook-secret: wrong\r\n", "wrong_header"),
    ] {
        let mut stream = app.connect().await;
        let request = format!("{head}{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = within(Answer::read_from(&mut stream)).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, r#"{"error":"Unauthorized"}"#)
        );
        assert_eq!(app.reasons("hook").last(), Some(&reason));
    }
    let bomb = gzip(&vec![b' '; 64 * 1024 + 1]);
    let gzipped = "content-encoding: gzip\r\n";
    assert_eq!(
        app.request("POST /in/hook", gzipped, &bomb).await.status,
        401
    );
}

#[tokio::test]
async fn bodies_are_read_by_what_they_are() {
    let app = App::start().await;
    let secret = format!("x-zohook-secret: {SECRET}\r\n");
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"lead_id\"\r\n\r\n5\r\n--b--\r\n";
    for (line, content_type, body) in [
        ("POST /in/hook", "", r#"{"lead_id":"1"}"#),
        (
            "PUT /in/hook",
            "content-type: text/plain\r\n",
            r#"{"lead_id":2}"#,
        ),
        (
            "POST /in/hook",
            "content-type: application/json\r\n",
            "lead_id=3",
        ),
        (
            "POST /in/hook",
            "content-type: ;=\u{e9}\r\n",
            "lead_id=4&x=%20",
        ),
        (
            "POST /in/hook",
            "content-type: multipart/form-data; boundary=b\r\n",
            multipart,
        ),
        ("GET /in/hook?lead_id=6", "", ""),
        ("DELETE /in/hook?lead_id=7", "", ""),
    ] {
        let headers = format!("{secret}{content_type}");
        app.request(line, &headers, body.as_bytes())
            .await
            .accepted();
    }
    let claims = within(app.store.claim(10)).await;
    let mut ids: Vec<_> = claims
        .iter()
        .map(|it| it.change.record.as_ref().unwrap().as_str())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn what_is_proven_but_unreadable_goes_to_quarantine() {
    let app = App::start().await;
    let job =
        format!(r#"{{"job_id":"1","operation":"read","state":"COMPLETED","token":"{TOKEN}"}}"#);
    app.post("crm", &job).await.accepted();
    let secret = format!("x-zohook-secret: {SECRET}\r\n");
    let gzipped = format!("{secret}content-encoding: gzip\r\n");
    let multipart = format!("{secret}content-type: multipart/form-data; boundary=b\r\n");
    for (headers, body) in [
        (&secret, b"{\"lead_id\":\"1\"}}".as_slice()),
        (&secret, b"\xFF\xFE"),
        (&secret, b""),
        (&gzipped, b"no gzip"),
        (&multipart, b"no parts"),
    ] {
        app.request("POST /in/hook", headers, body).await.accepted();
    }
    let notifications = app.store.ledger().await.unwrap().notifications;
    assert_eq!((notifications.quarantined, notifications.split), (6, 0));
    let name = "zohook_notifications_accepted_total";
    assert_eq!(app.metric(name, Some("quarantined")), 6);
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_is_400_only_where_the_proof_lies_in_it() {
    let app = App::start().await;
    let gzipped = "content-encoding: gzip\r\n";
    let brotli = "content-encoding: br\r\n";
    let multipart = "content-type: multipart/form-data; boundary=b\r\n";
    let signature = "x-zs-webhook-signature: AAAA\r\ncontent-encoding: gzip\r\n";
    for (line, headers, status) in [
        ("POST /in/crm", gzipped, 400),
        ("POST /in/crm", brotli, 400),
        ("POST /in/crm", multipart, 400),
        ("POST /in/signed", signature, 400),
        ("POST /in/hook", gzipped, 401),
        ("POST /in/hook", multipart, 401),
        ("POST /in/open", gzipped, 200),
    ] {
        let answer = app.request(line, headers, b"nonsense").await;
        assert_eq!(answer.status, status, "{line} {headers}");
    }
}

#[tokio::test]
async fn gzip_is_read_and_a_bomb_is_not() {
    let app = App::start().await;
    let gzipped = "content-encoding: gzip\r\n";
    let body = gzip(callback("1").as_bytes());
    app.request("POST /in/crm", gzipped, &body).await.accepted();
    let bomb = gzip(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 1_000_000);
    let small = gzip(&vec![b' '; 64 * 1024 + 1]);
    assert_eq!(
        app.request("POST /in/crm", gzipped, &small).await.status,
        413
    );
    assert_eq!(
        app.request("POST /in/crm", gzipped, &bomb).await.status,
        413
    );
    assert_eq!(app.reasons("crm"), ["too_large", "too_large"]);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let app = App::start().await;
    let head = "POST /in/crm HTTP/1.1\r\nhost: zohook\r\n";
    let announced = format!("{head}content-length: 65537\r\n\r\n");
    assert_eq!(app.raw(announced.as_bytes()).await.status, 413);
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let endless = format!("{chunked}{chunk}{chunk}1\r\n \r\n");
    assert_eq!(app.raw(endless.as_bytes()).await.status, 413);
    let body = callback("1");
    let closing = chunked.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let fits = format!("{closing}{:x}\r\n{body}\r\n{chunk}0\r\n\r\n", body.len());
    app.raw(fits.as_bytes()).await.accepted();
}

#[tokio::test]
async fn a_slow_body_is_408_and_a_slow_head_is_cut_off() {
    let mut limits = limits();
    limits.read_timeout = Duration::from_millis(200);
    limits.idle_timeout = Duration::from_millis(200);
    let app = App::start_with(limits, Duration::from_secs(5)).await;
    let head = "POST /in/crm HTTP/1.1\r\nhost: zohook\r\ncontent-length: 10\r\n\r\n";
    assert_eq!(app.raw(format!("{head}12345").as_bytes()).await.status, 408);
    assert_eq!(app.reasons("crm"), ["timeout"]);
    for slow in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\nSM",
        "POST /in/crm HTTP/1.1\r\nhost:",
    ] {
        let answer = app.raw(slow.as_bytes()).await;
        assert_eq!(answer.status, 0, "{slow}: {answer:?}");
    }
    // The preface of HTTP/2 and its settings, and then nothing.
    let mut stream = app.connect().await;
    stream.write_all(HTTP2).await.unwrap();
    let mut rest = vec![];
    within(stream.read_to_end(&mut rest)).await.unwrap();
}

/// As one connection of HTTP/2 can bring them.
#[tokio::test]
async fn bodies_that_do_not_come_keep_nobody_out() {
    let mut limits = limits();
    limits.connections = 2;
    let app = App::start_with(limits, Duration::from_secs(5)).await;
    let mut stream = app.connect().await;
    stream.write_all(HTTP2).await.unwrap();
    // POST /in/crm on ten streams, none of which ends (RFC 9113, 6.2; RFC 7541: indexed and literal fields).
    for number in 0..10_u8 {
        let mut fields = vec![0x83, 0x86, 0x04, 7];
        fields.extend_from_slice(b"/in/crm");
        fields.extend_from_slice(&[0x01, 1, b'h']);
        let length = u8::try_from(fields.len()).unwrap();
        let mut frame = vec![0, 0, length, 1, 4, 0, 0, 0, 2 * number + 1];
        frame.extend(fields);
        stream.write_all(&frame).await.unwrap();
    }
    within(async {
        while app.metric("zohook_requests_in_flight", None) < 10 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    app.post("crm", &callback("1")).await.accepted();
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let app = App::start().await;
    let mut stream = app.connect().await;
    for id in 0..3 {
        let body = callback(&id.to_string());
        let last = if id == 2 { "connection: close\r\n" } else { "" };
        let request = format!(
            "POST /in/crm HTTP/1.1\r\nhost: zohook\r\n{last}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    let mut answers = String::new();
    within(stream.read_to_string(&mut answers)).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[tokio::test]
async fn http2_without_tls_is_served_too() {
    // Fails only where another test was first.
    drop(rustls::crypto::ring::default_provider().install_default());
    let app = App::start().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = format!("http://{}/in/crm", app.address);
    let answers = (0..20).map(|id| client.post(&url).body(callback(&id.to_string())).send());
    for answer in within(futures_util::future::join_all(answers)).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    }
    let head = within(client.head(&url).send()).await.unwrap();
    assert_eq!(head.status(), 405);
}

/// What HTTP/2 begins with: the preface and settings (RFC 9113, 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Kinds of the frames of the first stream, to its end (RFC 9113, 4.1).
async fn frames(stream: &mut TcpStream) -> Vec<u8> {
    let mut kinds = vec![];
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        stream.read_exact(&mut payload).await.unwrap();
        let [.., kind, flags, _, _, _, number] = head;
        if number == 1 {
            kinds.push(kind);
            if flags & 1 == 1 {
                return kinds;
            }
        }
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let app = App::start().await;
    for (path, status) in [("/in/hook", 405), ("/in/none", 404), ("/", 404)] {
        let answer = app.request(&format!("HEAD {path}"), "", b"").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""));
        assert!(answer.head.contains("content-length: "), "{answer:?}");
        assert!(!answer.head.contains("content-length: 0"), "{answer:?}");

        let mut stream = app.connect().await;
        stream.write_all(HTTP2).await.unwrap();
        // HEAD (RFC 7541: indexed and literal fields).
        let mut fields = b"\x02\x04HEAD\x86\x04".to_vec();
        fields.push(u8::try_from(path.len()).unwrap());
        fields.extend_from_slice(path.as_bytes());
        fields.extend_from_slice(b"\x01\x01h");
        let length = u8::try_from(fields.len()).unwrap();
        stream
            .write_all(&[0, 0, length, 1, 5, 0, 0, 0, 1])
            .await
            .unwrap();
        stream.write_all(&fields).await.unwrap();
        // Only HEADERS.
        assert_eq!(within(frames(&mut stream)).await, [1]);
    }
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_for_one_to_end() {
    let mut limits = limits();
    limits.connections = 2;
    let app = App::start_with(limits, Duration::from_secs(5)).await;
    let (first, _second) = (app.connect().await, app.connect().await);
    let body = callback("1");
    let waiting = app.post("crm", &body);
    tokio::pin!(waiting);
    while app.metric("zohook_connections_open", None) < 2 {
        tokio::task::yield_now().await;
    }
    let early = tokio::time::timeout(Duration::from_millis(100), waiting.as_mut()).await;
    assert!(early.is_err());
    assert_eq!(app.metric("zohook_connections_open", None), 2);
    drop(first);
    waiting.await.accepted();
}

/// Moves the time on by `seconds`, one by one, until `done`; each gets some real time to act in.
async fn pass<F: Future + Unpin>(
    hand: &Simulated,
    seconds: u32,
    done: &mut F,
) -> Option<F::Output> {
    for _ in 0..seconds {
        hand.advance(Duration::from_secs(1));
        let soon = tokio::time::timeout(Duration::from_millis(100), &mut *done);
        if let Ok(output) = soon.await {
            return Some(output);
        }
    }
    None
}

impl App {
    /// With a time of the test's own, and so many places.
    async fn start_crowded(connections: usize) -> (Self, Simulated) {
        let mut limits = limits();
        limits.connections = connections;
        limits.idle_timeout = Duration::from_mins(2);
        let (clock, hand) = Clock::simulated(Clock::real().now());
        let app = Self::start_at(limits, Duration::from_secs(5), clock).await;
        (app, hand)
    }

    async fn until_open(&self, connections: u64) {
        within(async {
            while self.metric("zohook_connections_open", None) != connections {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Each is a way to hold a place without a request.
    async fn holders(&self) -> Vec<TcpStream> {
        let mut streams = vec![];
        let answered = "GET / HTTP/1.1\r\nhost: zohook\r\n\r\n";
        for bytes in [
            b"".as_slice(),
            b"POST /in/crm HT",
            HTTP2,
            answered.as_bytes(),
        ] {
            let mut stream = self.connect().await;
            stream.write_all(bytes).await.unwrap();
            if bytes == answered.as_bytes() {
                assert!(within(stream.read(&mut [0; 1024])).await.unwrap() > 0);
            }
            streams.push(stream);
        }
        self.until_open(4).await;
        streams
    }
}

#[tokio::test]
async fn connections_without_a_request_make_room_for_who_waits() {
    let (app, hand) = App::start_crowded(4).await;
    let holders = app.holders().await;
    // Nobody waits: they stay.
    assert!(
        pass(&hand, 20, &mut std::future::pending::<()>().boxed())
            .await
            .is_none()
    );
    app.until_open(4).await;
    drop(holders);
    app.until_open(0).await;

    let _holders = app.holders().await;
    let body = callback("1");
    let mut waiting = app.post("crm", &body).boxed();
    assert!(pass(&hand, 4, &mut waiting).await.is_none());
    pass(&hand, 6, &mut waiting).await.unwrap().accepted();
}

#[tokio::test]
async fn a_request_under_way_is_not_cut_off_for_who_waits() {
    let (app, hand) = App::start_crowded(1).await;
    let body = callback("1");
    let mut slow = app.connect().await;
    let head = format!(
        "POST /in/crm HTTP/1.1\r\nhost: zohook\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    app.until_open(1).await;
    let other = callback("2");
    let mut waiting = app.post("crm", &other).boxed();
    assert!(pass(&hand, 20, &mut waiting).await.is_none());
    slow.write_all(body.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = within(slow.read(&mut answer)).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
    // It stays open, and is idle from now on.
    pass(&hand, 10, &mut waiting).await.unwrap().accepted();
}

#[tokio::test]
async fn a_head_has_30_seconds_and_an_idle_connection_its_120() {
    let (app, hand) = App::start_crowded(64).await;
    let mut holders = app.holders().await;
    let mut half = holders.remove(1);
    let mut end = half.read_u8().boxed();
    assert!(pass(&hand, 29, &mut end).await.is_none());
    assert!(pass(&hand, 2, &mut end).await.unwrap().is_err());
    app.until_open(3).await;
    assert!(
        pass(&hand, 88, &mut std::future::pending::<()>().boxed())
            .await
            .is_none()
    );
    app.until_open(3).await;
    hand.advance(Duration::from_secs(3));
    app.until_open(0).await;
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_takes_nothing_new() {
    let app = App::start().await;
    let body = callback("1");
    let mut idle = app.connect().await;
    let mut stream = app.connect().await;
    let head = format!(
        "POST /in/crm HTTP/1.1\r\nhost: zohook\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    while app.metric("zohook_requests_in_flight", None) < 1 {
        tokio::task::yield_now().await;
    }
    app.stop.cancel();
    let mut nothing = vec![];
    within(idle.read_to_end(&mut nothing))
        .await
        .unwrap_or_default();
    assert!(TcpStream::connect(app.address).await.is_err());
    stream.write_all(body.as_bytes()).await.unwrap();
    Answer::read_from(&mut stream).await.accepted();
    within(app.server).await.unwrap();
}

#[tokio::test]
async fn stopping_waits_no_longer_than_its_deadline() {
    let app = App::start_with(limits(), Duration::from_millis(100)).await;
    let mut stream = app.connect().await;
    let head = b"POST /in/crm HTTP/1.1\r\nhost: zohook\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head).await.unwrap();
    while app.metric("zohook_requests_in_flight", None) < 1 {
        tokio::task::yield_now().await;
    }
    app.stop.cancel();
    within(app.server).await.unwrap();
    assert_eq!(Answer::read_from(&mut stream).await.status, 0);
}

#[tokio::test]
async fn a_full_destination_refuses_its_sources_and_no_others() {
    let app = App::start().await;
    app.gate
        .store(Arc::new(HashSet::from([SourceName::new("crm")])));
    let refused = app.post("crm", &callback("1")).await;
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 30"), "{refused:?}");
    assert_eq!(app.post("crm", "{}").await.status, 401);
    app.post("open", r#"{"lead_id":"1"}"#).await.accepted();
    app.gate.store(Arc::default());
    app.post("crm", &callback("1")).await.accepted();
    assert_eq!(app.reasons("crm"), ["backlog", "no_token"]);
    let gap = within(async {
        loop {
            if let Some(gap) = app.store.gaps(10).await.unwrap().pop() {
                return gap;
            }
        }
    });
    assert_eq!(gap.await.reason, "backlog");
}

#[tokio::test]
async fn a_store_that_takes_nothing_is_503_with_retry_after() {
    let app = App::start().await;
    app.store.close().await;
    let refused = app.post("crm", &callback("1")).await;
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    assert_eq!(app.reasons("crm"), ["store"]);
}

#[tokio::test]
async fn sources_can_be_replaced_while_serving() {
    let app = App::start().await;
    assert_eq!(app.post("crm", "{}").await.status, 401);
    let open = source("new", SourceKind::Watch, Proof::default());
    let mut smaller = limits();
    smaller.body_bytes = 10;
    app.port.replace([open], smaller);
    assert_eq!(app.post("crm", &callback("1")).await.status, 404);
    assert_eq!(app.post("new", &callback("1")).await.status, 413);
    app.post("new", "{}").await.accepted();
    assert!(app.port.refused(&SourceName::new("crm")).is_empty());
}

#[tokio::test]
async fn a_trusted_proxy_names_the_caller() {
    let mut limits = limits();
    limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let app = App::start_with(limits, Duration::from_secs(5)).await;
    let forwarded = "x-forwarded-for: 198.51.100.1, 203.0.113.9\r\n";
    app.request("POST /in/crm", forwarded, b"{}").await;
    let refused = app.port.refused(&SourceName::new("crm"));
    assert_eq!(refused[0].peer.to_string(), "203.0.113.9");
}
