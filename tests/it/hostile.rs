//! Anything can come to `/in/{source}`: always a documented status, never a panic.

use std::{
    io::Write,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use axum::body::Body;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use http::{HeaderName, HeaderValue, Method, Request};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    string::{RegexGeneratorStrategy, string_regex},
    test_runner::{Config, TestRunner},
};
use tempfile::TempDir;
use tower::ServiceExt;
use zohook::receive::router;

use super::receive::{SECRET, TOKEN, limits, open_port};

/// How many requests are sent when `ZOHOOK_HOSTILE_CASES` does not say.
const CASES: u32 = 100_000;

/// Threads that send them; more than one, so that they share commits.
const SENDERS: u32 = 16;

/// Answers to one request; 408 and 503 need more than one request.
const DOCUMENTED: [u16; 6] = [200, 400, 401, 404, 405, 413];

#[derive(Clone, Debug)]
struct Hostile {
    method: String,
    uri: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Sent in pieces of this size; zero breaks off in the middle.
    piece: Option<usize>,
}

/// Compiled once: a bare pattern would be compiled for each case.
fn text(pattern: &str) -> RegexGeneratorStrategy<String> {
    string_regex(pattern).unwrap()
}

fn methods() -> impl Strategy<Value = String> {
    let known = [
        "POST", "PUT", "GET", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE",
    ];
    prop_oneof![
        8 => Just("POST".to_owned()),
        4 => select(known.to_vec()).prop_map(str::to_owned),
        1 => text("[A-Z]{1,12}"),
    ]
}

fn uris() -> impl Strategy<Value = String> {
    let paths = ["/in/crm", "/in/hook", "/in/open", "/in/signed"];
    let path = prop_oneof![
        12 => select(paths.to_vec()).prop_map(str::to_owned),
        1 => text("/[a-z/%.]{0,20}"),
    ];
    let query = prop_oneof![
        2 => Just(String::new()),
        1 => text("\\?[!-~&&[^#<>\"]]{0,60}"),
        1 => Just("?lead_id=1,2,,3&k=%FF".to_owned()),
    ];
    (path, query).prop_map(|(path, query)| path + &query)
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let named = [
        ("content-type", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "multipart/form-data; boundary=b"),
        ("content-type", "multipart/form-data; boundary="),
        ("content-type", "text/plain; charset=utf-16"),
        ("content-encoding", "gzip"),
        ("content-encoding", "gzip, br"),
        ("content-length", "18446744073709551615"),
        ("content-length", "-1"),
        ("x-zohook-secret", SECRET),
        ("x-zohook-secret", "wrong"),
        ("x-zs-webhook-signature", "AAAA"),
        ("authorization", "Basic ////"),
        ("x-forwarded-for", "::1, [::1]:80, nonsense"),
        ("expect", "100-continue"),
    ];
    let known = select(named.to_vec())
        .prop_map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let noise = (select(named.to_vec()), vec(any::<u8>(), 0..30))
        .prop_map(|((name, _), value)| (name.to_owned(), value));
    vec(prop_oneof![3 => known, 1 => noise], 0..4)
}

/// JSON with the keys that matter, and any values.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|it| it.to_string()),
        any::<f64>().prop_map(|it| format!("{it:e}")),
        Just(format!("\"{TOKEN}\"")),
        Just("\"delete\"".to_owned()),
        Just("\"5725767000003000064\"".to_owned()),
        text("\"[ -~&&[^\"\\\\]]{0,12}\""),
        text("\"\\\\u[0-9a-f]{4}\""),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        let keys = select(vec![
            "ids",
            "id",
            "module",
            "operation",
            "token",
            "query_params",
            "server_time",
            "affected_fields",
            "affected_values",
            "record_id",
            "values",
            "lead_id",
            "event",
            "key",
            "k",
        ]);
        let list = vec(inner.clone(), 0..4).prop_map(|it| format!("[{}]", it.join(",")));
        let object = vec((keys, inner), 0..8).prop_map(|it| {
            let pairs: Vec<_> = it
                .iter()
                .map(|(key, value)| format!("\"{key}\":{value}"))
                .collect();
            format!("{{{}}}", pairs.join(","))
        });
        prop_oneof![1 => list, 3 => object]
    });
    let callback = (value.clone(), value.clone()).prop_map(|(ids, other)| {
        format!(
            r#"{{"module":"Leads","operation":"update","ids":{ids},"affected_values":{other},"affected_fields":[{other}],"server_time":{other},"token":"{TOKEN}"}}"#
        )
    });
    prop_oneof![2 => value, 1 => callback]
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let multipart = "(--b\r\n(Content-Disposition: form-data; name=\"?[a-z_]{0,9}\"?\r\n){0,2}\r\n[ -~]{0,9}\r\n){0,3}(--b--)?";
    let deep = (1_usize..20_000).prop_map(|depth| "[".repeat(depth).into_bytes());
    prop_oneof![
        6 => json().prop_map(String::into_bytes),
        2 => text("(lead_id|token|a)=[!-~]{0,20}(&[!-~]{0,20}){0,4}").prop_map(String::into_bytes),
        2 => text(multipart).prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..200),
        1 => Just(vec![]),
        1 => deep,
        1 => (0_usize..140_000).prop_map(|length| vec![b' '; length]),
    ]
}

/// As it is, with one byte changed, cut, or compressed.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    (texts(), 0..8_u8, any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |(mut body, how, at, byte)| {
            match how {
                0 if !body.is_empty() => {
                    let at = at.index(body.len());
                    body[at] = byte;
                }
                1 if !body.is_empty() => body.truncate(at.index(body.len())),
                2 => {
                    let mut encoder = GzEncoder::new(vec![], Compression::fast());
                    encoder.write_all(&body).unwrap();
                    body = encoder.finish().unwrap();
                }
                _ => {}
            }
            body
        },
    )
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let piece = prop_oneof![6 => Just(None), 1 => (0_usize..50).prop_map(Some)];
    (methods(), uris(), headers(), bodies(), piece).prop_map(
        |(method, uri, headers, body, piece)| Hostile {
            method,
            uri,
            headers,
            body,
            piece,
        },
    )
}

impl Hostile {
    /// `None` for what no HTTP parser would let through.
    fn request(&self) -> Option<Request<Body>> {
        let mut request = Request::builder()
            .method(Method::from_bytes(self.method.as_bytes()).ok()?)
            .uri(&self.uri)
            .body(self.body())
            .ok()?;
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request
                .headers_mut()
                .append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(request)
    }

    fn body(&self) -> Body {
        let Some(piece) = self.piece else {
            return Body::from(self.body.clone());
        };
        let mut pieces: Vec<_> = self
            .body
            .chunks(piece.max(1))
            .take(1_000)
            .map(|it| Ok(it.to_vec()))
            .collect();
        if piece == 0 {
            pieces.push(Err(std::io::Error::other("gone")));
        }
        Body::from_stream(stream::iter(pieces))
    }

    /// Whether a 200 can be right: only who knows a secret, or where none is asked.
    fn may_be_proven(&self) -> bool {
        let token = self
            .body
            .windows(TOKEN.len())
            .any(|it| it == TOKEN.as_bytes())
            || self.body.starts_with(&[0x1f, 0x8b]);
        let secret = self
            .headers
            .iter()
            .any(|(_, value)| value == SECRET.as_bytes());
        match self.uri.split('?').next() {
            Some("/in/crm") => token,
            Some("/in/hook") => secret,
            Some("/in/open") => true,
            _ => false,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the door of a test, not of the product"
)]
fn cases() -> u32 {
    std::env::var("ZOHOOK_HOSTILE_CASES").map_or(CASES, |it| it.parse().unwrap())
}

/// In memory where there is such a place: what is tested is no disk.
fn dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory).unwrap()
    } else {
        TempDir::new().unwrap()
    }
}

#[test]
fn whatever_comes_is_answered_with_a_documented_status() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = dir();
    let (port, parts, _registry) = runtime.block_on(open_port(&dir, limits()));
    let router = router(&port);
    let accepted = AtomicU64::new(0);
    let send = |hostile: Hostile| {
        let Some(request) = hostile.request() else {
            return Ok(());
        };
        let answer = runtime.block_on(router.clone().oneshot(request)).unwrap();
        let status = answer.status().as_u16();
        prop_assert!(DOCUMENTED.contains(&status), "{status}");
        if status == 200 {
            accepted.fetch_add(1, Ordering::Relaxed);
            prop_assert!(hostile.may_be_proven());
        }
        Ok(())
    };
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let mut runner = TestRunner::new(Config {
                    cases: cases().div_ceil(SENDERS),
                    failure_persistence: None,
                    ..Config::default()
                });
                runner.run(&hostile(), send).unwrap();
            });
        }
    });

    let ledger = runtime.block_on(parts.store.ledger()).unwrap();
    let accepted = accepted.into_inner();
    assert!(accepted > 0);
    assert_eq!(ledger.notifications.accepted, accepted);
    assert!(ledger.adds_up(), "{ledger:?}");
}
