//! Posting to other webhooks: a real receiver whose answers change while it runs.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use clock::Clock;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use prometheus::Registry;
use secrecy::SecretString;
use serde_json::Value;
use sha2::Sha256;
use zohook::{
    deliver::{
        Backlog, Clients, DeliverError, Delivered, Destination, Kind, Metrics, OnFull,
        RetrySchedule, Settings, WebhookSettings,
    },
    event::{DestinationName, QuarantineReason},
};

use crate::support::{
    deliveries::{delivery, id},
    proxy::{Mode, Proxy},
    receiver::{Answer, Receiver},
};

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings {
        url: url.parse().unwrap(),
        sign: vec![SecretString::from(format!("whsec_{KEY}"))],
        headers: vec![],
        timeout: Duration::from_secs(15),
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
    }
}

fn destination(webhook: WebhookSettings) -> Destination {
    let settings = Settings {
        kind: Kind::Webhook(webhook),
        retry: RetrySchedule(vec![]),
        rate: None,
        backlog: Backlog {
            max: 1_000_000,
            on_full: OnFull::Refuse,
        },
    };
    let metrics = Metrics::register(&Registry::new()).unwrap();
    Destination::new(
        &DestinationName::new("erp"),
        &settings,
        &Clock::real(),
        &metrics,
        &Clients::new(),
    )
    .unwrap()
}

async fn post(destination: &Destination) -> Delivered {
    let mut results = destination.deliver(&[delivery(1, "")]).await;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

fn detail(result: &Delivered) -> String {
    result.as_ref().unwrap_err().to_string()
}

#[tokio::test]
async fn a_message_is_a_signed_structured_event() {
    let receiver = Receiver::start().await;
    let mut settings = settings(&receiver.url("/hooks/zoho"));
    settings.headers = vec![("X-Tenant".to_owned(), SecretString::from("acme"))];
    let sent = delivery(7, "");
    let results = destination(settings)
        .deliver(std::slice::from_ref(&sent))
        .await;
    assert_eq!(results, [Ok(None)]);
    let request = receiver.requests().remove(0);
    assert_eq!(request.path, "/hooks/zoho");
    assert_eq!(request.headers["x-tenant"], "acme");
    assert_eq!(
        request.headers["content-type"],
        "application/cloudevents+json; charset=utf-8"
    );
    let event: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["id"], id(&sent));
    assert_eq!(event["sequence"], "0000000000000000007");
    assert_eq!(event["data"]["id"], "7");

    assert_eq!(request.headers["webhook-id"], id(&sent));
    let timestamp = request.headers["webhook-timestamp"].to_str().unwrap();
    let age = Clock::real().now().as_second() - timestamp.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "signed {age} s ago");
    let mut hmac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    hmac.update(format!("{}.{timestamp}.", id(&sent)).as_bytes());
    hmac.update(&request.body);
    let expected = format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()));
    assert_eq!(request.headers["webhook-signature"], expected);
}

#[tokio::test]
async fn a_repeat_has_the_same_id_and_body() {
    let receiver = Receiver::start().await;
    let destination = destination(settings(&receiver.url("/")));
    let window = [delivery(1, "")];
    receiver.answer_status(500);
    assert!(destination.deliver(&window).await[0].is_err());
    receiver.answer_status(200);
    assert_eq!(destination.deliver(&window).await, [Ok(None)]);
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(
        requests[0].headers["webhook-id"],
        requests[1].headers["webhook-id"]
    );
}

#[tokio::test]
async fn answers_fall_into_their_classes() {
    let receiver = Receiver::start().await;
    let destination = destination(settings(&receiver.url("/")));
    for status in [200, 201, 202, 204, 299] {
        receiver.answer_status(status);
        assert_eq!(post(&destination).await, Ok(None), "{status}");
    }
    for status in [
        304, 401, 403, 404, 405, 407, 408, 421, 425, 429, 500, 502, 503, 504,
    ] {
        receiver.answer_status(status);
        let result = post(&destination).await;
        assert!(
            matches!(
                result,
                Err(DeliverError::Destination {
                    down: false,
                    retry_after: None,
                    ..
                })
            ),
            "{status}: {result:?}"
        );
        assert!(detail(&result).contains(&status.to_string()));
    }
    for (status, expected) in [
        (400, Some(3)),
        (413, Some(3)),
        (415, Some(3)),
        (422, Some(3)),
        (409, None),
        (418, None),
    ] {
        receiver.answer_status(status);
        let result = post(&destination).await;
        let Err(DeliverError::Message {
            reason,
            attempts_max,
            ..
        }) = result
        else {
            panic!("{status}: {result:?}");
        };
        assert_eq!(
            (reason, attempts_max),
            (QuarantineReason::Refused, expected),
            "{status}"
        );
    }
    receiver.answer_status(410);
    assert!(matches!(
        post(&destination).await,
        Err(DeliverError::Gone { .. })
    ));
}

#[tokio::test]
async fn redirects_are_failures_and_not_followed() {
    let elsewhere = Receiver::start().await;
    let receiver = Receiver::start().await;
    let destination = destination(settings(&receiver.url("/")));
    for status in [301, 302, 303, 307, 308] {
        receiver.answer(Answer::Status(
            status,
            vec![("location", elsewhere.url("/"))],
        ));
        let result = post(&destination).await;
        assert!(
            matches!(result, Err(DeliverError::Destination { .. })),
            "{status}"
        );
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn retry_after_is_honoured_in_both_forms_up_to_a_day() {
    let receiver = Receiver::start().await;
    let destination = destination(settings(&receiver.url("/")));
    let in_an_hour = Clock::real().now() + jiff::SignedDuration::from_hours(1);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&Timestamp::from_second(in_an_hour.as_second()).unwrap())
        .unwrap();
    for (value, expected) in [
        ("7".to_owned(), 7..=7),
        (date, 3500..=3600),
        ("999999999".to_owned(), 86400..=86400),
    ] {
        receiver.answer(Answer::Status(429, vec![("retry-after", value.clone())]));
        let result = post(&destination).await;
        let Err(DeliverError::Destination {
            retry_after: Some(wait),
            ..
        }) = result
        else {
            panic!("{value}: {result:?}");
        };
        assert!(expected.contains(&wait.as_secs()), "{value}: {wait:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_ends_by_the_deadline() {
    let receiver = Receiver::start().await;
    let mut settings = settings(&receiver.url("/"));
    settings.timeout = Duration::from_millis(300);
    let destination = destination(settings);
    receiver.answer(Answer::Hang);
    let result = tokio::time::timeout(Duration::from_secs(10), post(&destination))
        .await
        .unwrap();
    assert!(
        matches!(result, Err(DeliverError::Destination { down: false, .. })),
        "{result:?}"
    );
    receiver.answer_status(200);
    assert_eq!(post(&destination).await, Ok(None));
}

#[tokio::test]
async fn a_body_without_an_end_is_not_read_to_it() {
    let receiver = Receiver::start().await;
    let destination = destination(settings(&receiver.url("/")));
    receiver.answer(Answer::Endless(200));
    let result = tokio::time::timeout(Duration::from_secs(10), post(&destination)).await;
    assert_eq!(result.unwrap(), Ok(None));
    receiver.answer(Answer::Endless(500));
    assert!(post(&destination).await.is_err());
}

#[tokio::test]
async fn a_reset_or_refused_connection_is_the_destinations_fault() {
    let receiver = Receiver::start().await;
    let proxy = Proxy::start(receiver.address).await;
    let destination = destination(settings(&format!("http://{}/", proxy.address)));
    receiver.answer(Answer::Hang);
    let cut = async {
        receiver.wait_for(1).await;
        proxy.set(Mode::Cut);
    };
    let (result, ()) = tokio::join!(post(&destination), cut);
    assert!(
        matches!(result, Err(DeliverError::Destination { down: false, .. })),
        "{result:?}"
    );
    receiver.answer_status(200);
    assert!(matches!(
        post(&destination).await,
        Err(DeliverError::Destination { .. })
    ));
    proxy.set(Mode::Pass);
    assert_eq!(post(&destination).await, Ok(None));

    let nobody = self::destination(settings("http://127.0.0.1:1/hush"));
    let result = post(&nobody).await;
    assert!(
        matches!(result, Err(DeliverError::Destination { down: true, .. })),
        "{result:?}"
    );
    assert!(!detail(&result).contains("hush"), "{result:?}");
}

#[tokio::test]
async fn a_slow_link_is_no_failure() {
    let receiver = Receiver::start().await;
    let proxy = Proxy::start(receiver.address).await;
    proxy.set(Mode::Delay(Duration::from_millis(50)));
    let destination = destination(settings(&format!("http://{}/", proxy.address)));
    assert_eq!(post(&destination).await, Ok(None));
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "0x7f000001",
        "[::ffff:127.0.0.1]",
        "[::1]",
    ] {
        let url = format!("http://{host}:{port}/");
        let mut closed = settings(&url);
        closed.allow_networks = vec!["10.0.0.0/8".parse().unwrap()];
        let result = post(&destination(closed)).await;
        let Err(DeliverError::Destination {
            detail, down: true, ..
        }) = result
        else {
            panic!("{host}: {result:?}");
        };
        assert!(detail.contains("not a public address"), "{host}: {detail}");
    }
    assert!(receiver.requests().is_empty());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(post(&destination(settings(&url))).await, Ok(None), "{host}");
    }
}

#[tokio::test]
async fn what_may_be_secret_is_in_no_error_and_no_debug_output() {
    let mut secret = settings("http://me:hush@127.0.0.1:1/hush?key=hush");
    secret.headers = vec![("X-Key".to_owned(), SecretString::from("hush"))];
    let shown = format!("{secret:?}");
    assert!(!shown.contains("hush") && !shown.contains(KEY), "{shown}");
    let destination = destination(secret);
    let shown = format!("{destination:?} {:?}", post(&destination).await);
    assert!(!shown.contains("hush") && !shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let check = |change: fn(&mut WebhookSettings), expected: &str| {
        let mut webhook = settings("https://erp.example.com/");
        change(&mut webhook);
        let settings = Settings {
            kind: Kind::Webhook(webhook),
            retry: RetrySchedule(vec![]),
            rate: None,
            backlog: Backlog {
                max: 1,
                on_full: OnFull::Refuse,
            },
        };
        let made = Destination::new(
            &DestinationName::new("erp"),
            &settings,
            &Clock::real(),
            &metrics,
            &Clients::new(),
        );
        let error = made.unwrap_err().to_string();
        assert!(
            error.starts_with("destination erp: ") && error.contains(expected),
            "{error}"
        );
    };
    check(
        |it| it.url = "ftp://erp.example.com/".parse().unwrap(),
        "https://",
    );
    check(|it| it.sign = vec![SecretString::from("plain")], "whsec_");
    check(
        |it| it.headers = vec![("Webhook-Id".to_owned(), SecretString::from("1"))],
        "set by zohook",
    );
    check(
        |it| it.headers = vec![("a b".to_owned(), SecretString::from("1"))],
        "a b",
    );
    check(
        |it| it.headers = vec![("a".to_owned(), SecretString::from("1\n2"))],
        "value of header a",
    );
}
