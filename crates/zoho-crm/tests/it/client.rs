//! The client against a stand-in that speaks the contract's literal JSON.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{TryStreamExt, future::join_all};
use secrecy::ExposeSecret;
use wiremock::ResponseTemplate;
use zoho_crm::{
    BoxFuture, Client, Converted, Credentials, Error, Limits, ListQuery, MemoryTokenStore,
    RecordQuery, StoredToken, TokenStore, TokenStoreError, UserType, WriteOptions,
};

use crate::support::{
    self, FIELDS, LEAD, QUERY, REFRESH, SECRET, Zoho, error, granted, json, while_time_runs,
};

fn bearer(request: &wiremock::Request) -> &str {
    let header = request.headers.get("authorization").unwrap();
    header
        .to_str()
        .unwrap()
        .strip_prefix("Zoho-oauthtoken ")
        .unwrap()
}

async fn two_hundred(client: &Client) -> Vec<Result<zoho_crm::Listed, Error>> {
    join_all((0..200).map(|_| client.records(&QUERY))).await
}

#[tokio::test]
async fn expiry_under_200_concurrent_calls_gives_one_refresh() {
    let slow = |number| granted(number).set_delay(Duration::from_millis(50));
    let zoho = Zoho::start(move |n, _| slow(n), |_, _| json(200, LEAD)).await;
    let (client, hand) = zoho.client();
    assert!(two_hundred(&client).await.iter().all(Result::is_ok));
    assert_eq!(zoho.tokens(), 1, "the first token");

    hand.advance(Duration::from_mins(54));
    assert!(two_hundred(&client).await.iter().all(Result::is_ok));
    assert_eq!(zoho.tokens(), 1, "not yet within five minutes of expiry");

    hand.advance(Duration::from_mins(2));
    assert!(two_hundred(&client).await.iter().all(Result::is_ok));
    assert_eq!(zoho.tokens(), 2, "one refresh for all of them");
    assert_eq!(zoho.calls(), 600);
}

#[tokio::test]
async fn a_token_rejected_under_200_concurrent_calls_gives_one_refresh() {
    let zoho = Zoho::start(
        |n, _| granted(n),
        |_, request| match bearer(request) {
            "1000.access.1" => json(
                401,
                r#"{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token","status":"error"}"#,
            ),
            _ => json(200, LEAD),
        },
    )
    .await;
    let (client, hand) = zoho.client();
    let store = MemoryTokenStore::new(Some(StoredToken {
        access_token: "1000.access.1".into(),
        expires_at: "2026-11-22T12:30:00Z".parse().unwrap(),
        api_domain: None,
    }));
    drop((client, hand));
    let (client, _hand) = support::client_with(zoho.settings(), Arc::new(store));
    zoho.tokens.store(1, Ordering::SeqCst);
    assert!(two_hundred(&client).await.iter().all(Result::is_ok));
    assert_eq!(zoho.tokens(), 2);
}

#[tokio::test]
async fn a_token_that_never_worked_is_replaced_soon_and_then_more_seldom() {
    let zoho = Zoho::start(|n, _| granted(n), |_, _| error(401, "INVALID_TOKEN")).await;
    let (client, hand) = zoho.client();
    let mut asked = vec![];
    for _ in 0..40 * 60 {
        let failed = client.records(&QUERY).await.unwrap_err();
        assert!(matches!(failed, Error::Unauthorized { .. }), "{failed}");
        assert!(failed.retry_after().unwrap() > Duration::ZERO);
        asked.push(zoho.tokens());
        hand.advance(Duration::from_secs(1));
    }
    let first = |number| asked.iter().position(|it| *it == number);
    let at: Vec<_> = (2..=7).map(|it| first(it).unwrap()).collect();
    assert_eq!(at, [0, 15, 75, 315, 915, 1815]);
    assert_eq!(zoho.calls(), zoho.tokens());
}

#[tokio::test]
async fn a_blip_of_rejections_stops_an_org_for_seconds_each_time() {
    let blip = Arc::new(AtomicBool::new(true));
    let rejects = Arc::clone(&blip);
    let zoho = Zoho::start(
        |n, _| granted(n),
        move |_, _| {
            if rejects.load(Ordering::SeqCst) {
                error(401, "INVALID_TOKEN")
            } else {
                json(200, LEAD)
            }
        },
    )
    .await;
    let (client, hand) = zoho.client();
    for _ in 0..2 {
        blip.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            client.records(&QUERY).await.unwrap_err();
        }
        blip.store(false, Ordering::SeqCst);
        let failed = client.records(&QUERY).await.unwrap_err();
        assert_eq!(failed.retry_after(), Some(Duration::from_secs(15)));
        hand.advance(Duration::from_secs(15));
        client.records(&QUERY).await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_can_be_lifted_but_not_the_ten_requests_in_ten_minutes() {
    let zoho = Zoho::start(
        |n, _| match n {
            11 => granted(n),
            _ => json(200, r#"{"error":"invalid_code"}"#),
        },
        |_, _| json(200, LEAD),
    )
    .await;
    let (client, hand) = zoho.client();
    for asked in 1..=10 {
        client.records(&QUERY).await.unwrap_err();
        client.records(&QUERY).await.unwrap_err();
        assert_eq!(zoho.tokens(), asked);
        client.lift_refusal();
    }
    for _ in 0..2 {
        let failed = client.records(&QUERY).await.unwrap_err();
        assert!(matches!(failed, Error::TokenDelayed { .. }), "{failed}");
        client.lift_refusal();
    }
    hand.advance(Duration::from_mins(10));
    client.records(&QUERY).await.unwrap();
    assert_eq!(zoho.tokens(), 11);
}

#[tokio::test]
async fn a_revoked_token_is_a_permanent_error_without_a_loop() {
    let zoho = Zoho::start(
        |_, _| json(200, r#"{"error":"invalid_code"}"#),
        |_, _| json(200, LEAD),
    )
    .await;
    let (client, hand) = zoho.client();
    for result in two_hundred(&client).await {
        let failed = result.unwrap_err();
        assert!(
            matches!(&failed, Error::Unauthorized { code, .. } if code.as_str() == "invalid_code"),
            "{failed}"
        );
    }
    assert_eq!((zoho.tokens(), zoho.calls()), (1, 0));
    hand.advance(Duration::from_mins(14));
    client.records(&QUERY).await.unwrap_err();
    assert_eq!(zoho.tokens(), 1);
}

#[tokio::test]
async fn errors_that_come_as_http_200_are_errors() {
    let cases = [
        (r#"{"error":"invalid_code"}"#, "unauthorized"),
        (r#"{"error":"invalid_client"}"#, "unauthorized"),
        (r#"{"error":"invalid_client_secret"}"#, "unauthorized"),
        (
            r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied"}"#,
            "token_delayed",
        ),
    ];
    for (body, class) in cases {
        let zoho = Zoho::start(|_, _| json(200, body), |_, _| json(200, LEAD)).await;
        let (client, _hand) = zoho.client();
        for _ in 0..3 {
            let failed = client.records(&QUERY).await.unwrap_err();
            assert_eq!(failed.class(), class, "{body}");
        }
        assert_eq!((zoho.tokens(), zoho.calls()), (1, 0), "{body}");
    }
}

#[tokio::test]
async fn access_denied_waits_out_the_window() {
    let denied = r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied"}"#;
    let zoho = Zoho::start(
        move |n, _| {
            if n == 1 {
                json(200, denied)
            } else {
                granted(n)
            }
        },
        |_, _| json(200, LEAD),
    )
    .await;
    let (client, hand) = zoho.client();
    let wait = client.records(&QUERY).await.unwrap_err().retry_after();
    assert_eq!(wait, Some(Duration::from_mins(10)));
    hand.advance(Duration::from_secs(580));
    client.records(&QUERY).await.unwrap_err();
    assert_eq!(zoho.tokens(), 1);
    hand.advance(Duration::from_secs(20));
    client.records(&QUERY).await.unwrap();
    assert_eq!(zoho.tokens(), 2);
}

#[tokio::test]
async fn a_sick_accounts_server_gets_ten_requests_in_ten_minutes_at_most() {
    let zoho = Zoho::start(|_, _| ResponseTemplate::new(500), |_, _| json(200, LEAD)).await;
    let (client, hand) = zoho.client();
    let start = zoho.tokens();
    for _ in 0..600 {
        tokio::select! {
            biased;
            result = client.records(&QUERY) => drop(result.unwrap_err()),
            () = async { for _ in 0..20 { tokio::task::yield_now().await; } } => {}
        }
        hand.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let asked = zoho.tokens() - start;
    assert!((2..=10).contains(&asked), "{asked} requests");
}

#[tokio::test]
async fn the_pair_that_works_is_found_and_used_first_from_then_on() {
    let zoho = Zoho::start(
        |n, body| match (body.contains("secret=new"), body.contains("token=new")) {
            (false, _) => json(200, r#"{"error":"invalid_client_secret"}"#),
            (true, false) => json(200, r#"{"error":"invalid_code"}"#),
            (true, true) => granted(n),
        },
        |_, _| json(200, LEAD),
    )
    .await;
    let mut settings = zoho.settings();
    settings.credentials = Credentials {
        client_id: "1000.CLIENT".into(),
        client_secrets: vec!["old".into(), "new".into()],
        refresh_tokens: vec!["old".into(), "new".into()],
    };
    let (client, hand) = support::client_with(settings, Arc::new(MemoryTokenStore::default()));
    client.records(&QUERY).await.unwrap();
    assert_eq!(zoho.tokens(), 3, "old old, old new, new new");
    hand.advance(Duration::from_hours(1));
    client.records(&QUERY).await.unwrap();
    assert_eq!(zoho.tokens(), 4);
}

/// Writes down when it is called, and fails while told to.
struct Recorder {
    log: Arc<Mutex<Vec<String>>>,
    failing: AtomicBool,
    kept: Mutex<Option<StoredToken>>,
}

impl TokenStore for Recorder {
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>> {
        self.log.lock().unwrap().push("load".into());
        let kept = self.kept.lock().unwrap().clone();
        Box::pin(async move { Ok(kept) })
    }

    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.failing.load(Ordering::SeqCst) {
                self.log.lock().unwrap().push("save-failed".into());
                return Err(TokenStoreError::new("the disk is full"));
            }
            self.log.lock().unwrap().push("saved".into());
            *self.kept.lock().unwrap() = Some(token.clone());
            Ok(())
        })
    }
}

fn recorder(zoho: &Zoho) -> Arc<Recorder> {
    Arc::new(Recorder {
        log: Arc::clone(&zoho.log),
        failing: AtomicBool::new(false),
        kept: Mutex::default(),
    })
}

#[tokio::test]
async fn a_token_is_saved_before_its_first_use_and_found_after_a_restart() {
    let zoho = Zoho::start(|n, _| granted(n), |_, _| json(200, LEAD)).await;
    let store = recorder(&zoho);
    let (client, _hand) = support::client_with(zoho.settings(), Arc::clone(&store));
    client.records(&QUERY).await.unwrap();
    assert_eq!(zoho.log(), "load token saved call");
    for _ in 0..20 {
        let (restarted, _hand) = support::client_with(zoho.settings(), Arc::clone(&store));
        restarted.records(&QUERY).await.unwrap();
    }
    assert_eq!(zoho.tokens(), 1);
    let stored = store.kept.lock().unwrap().clone().unwrap();
    assert_eq!(stored.access_token.expose_secret(), "1000.access.1");
    assert_eq!(stored.expires_at.to_string(), "2026-11-22T13:00:00Z");
}

#[tokio::test]
async fn a_token_that_cannot_be_saved_is_not_used_and_not_asked_for_again() {
    let zoho = Zoho::start(|n, _| granted(n), |_, _| json(200, LEAD)).await;
    let store = recorder(&zoho);
    store.failing.store(true, Ordering::SeqCst);
    let (client, _hand) = support::client_with(zoho.settings(), Arc::clone(&store));
    for _ in 0..3 {
        let failed = client.records(&QUERY).await.unwrap_err();
        assert!(matches!(failed, Error::TokenStore(_)), "{failed}");
    }
    assert_eq!((zoho.tokens(), zoho.calls()), (1, 0));
    store.failing.store(false, Ordering::SeqCst);
    client.records(&QUERY).await.unwrap();
    assert_eq!((zoho.tokens(), zoho.calls()), (1, 1));
}

#[tokio::test]
async fn a_list_call_asks_and_reads_as_the_contract_says() {
    let zoho = Zoho::start(
        |n, _| granted(n),
        |_, _| json(200, LEAD).insert_header("Date", "Sun, 22 Nov 2026 15:45:30 GMT"),
    )
    .await;
    let (client, _hand) = zoho.client();
    let query = RecordQuery {
        ids: &["4150868000000376008", "4150868000000376011"],
        converted: Converted::Both,
        ..QUERY
    };
    let listed = client.records(&query).await.unwrap();
    assert_eq!(listed.answered_at.to_string(), "2026-11-22T15:45:30Z");
    let expected: serde_json::Value = serde_json::from_str(LEAD).unwrap();
    assert_eq!(
        serde_json::to_value(&listed.records).unwrap(),
        expected["data"]
    );

    let requests = zoho.server.received_requests().await.unwrap();
    let token = String::from_utf8(requests[0].body.clone()).unwrap();
    assert_eq!(
        token,
        format!(
            "grant_type=refresh_token&client_id=1000.CLIENT&client_secret={SECRET}&refresh_token={REFRESH}"
        )
    );
    assert_eq!(
        requests[1].url.query(),
        Some(
            "ids=4150868000000376008%2C4150868000000376011&fields=Last_Name%2CModified_Time&per_page=100&converted=both"
        )
    );
    assert_eq!(requests[1].url.path(), "/crm/v8/Leads");
    assert_eq!(bearer(&requests[1]), "1000.access.1");
}

#[tokio::test]
async fn nothing_found_is_an_empty_answer() {
    let zoho = Zoho::start(|n, _| granted(n), |_, _| ResponseTemplate::new(204)).await;
    let (client, _hand) = zoho.client();
    assert_eq!(client.records(&QUERY).await.unwrap().records, vec![]);
    assert_eq!(client.record("Leads", "1").await.unwrap().record, None);
}

#[tokio::test]
async fn a_record_that_is_gone_is_none_however_zoho_says_it() {
    let cases = [
        (404, "RESOURCE_NOT_FOUND"),
        (404, "INVALID_URL_PATTERN"),
        (400, "INVALID_DATA"),
    ];
    for (status, code) in cases {
        let zoho = Zoho::start(|n, _| granted(n), move |_, _| error(status, code)).await;
        let (client, _hand) = zoho.client();
        let one = client.record("Leads", "1").await.unwrap();
        assert_eq!(one.record, None, "{status} {code}");
    }
    let zoho = Zoho::start(|n, _| granted(n), |_, _| error(400, "INVALID_MODULE")).await;
    let (client, _hand) = zoho.client();
    assert_eq!(
        client.record("Leads", "1").await.unwrap_err().class(),
        "invalid"
    );
}

#[tokio::test]
async fn an_error_that_comes_with_a_status_of_success_is_that_error() {
    let wrong = r#"{"code":"INVALID_MODULE","details":{},"message":"m","status":"error"}"#;
    let listed = format!(r#"{{"data":[{wrong}]}}"#);
    for (status, body) in [(202, wrong), (200, wrong), (202, &listed)] {
        let body = body.to_owned();
        let zoho = Zoho::start(|n, _| granted(n), move |_, _| json(status, &body)).await;
        let (client, _hand) = zoho.client();
        let query = ListQuery::of("Leads", FIELDS);
        for error in [
            client.records(&QUERY).await.unwrap_err(),
            client.list(&query).try_next().await.unwrap_err(),
            client.count("Leads").await.unwrap_err(),
            client.bulk_read_job("1").await.unwrap_err(),
            client
                .users(UserType::AllUsers)
                .try_next()
                .await
                .unwrap_err(),
        ] {
            assert_eq!(error.class(), "invalid", "{status}");
            assert_eq!(error.code().unwrap().as_str(), "INVALID_MODULE");
        }
        assert_eq!(zoho.calls(), 5, "none is asked again");
    }
    let zoho = Zoho::start(
        |n, _| granted(n),
        |n, _| match n {
            1 => error(202, "INTERNAL_ERROR"),
            _ => json(200, LEAD),
        },
    )
    .await;
    let (client, hand) = zoho.client();
    let read = while_time_runs(&hand, client.records(&QUERY)).await;
    assert_eq!(read.unwrap().records.len(), 1);
}

#[tokio::test]
async fn a_read_is_sent_again_while_that_may_help() {
    let zoho = Zoho::start(
        |n, _| granted(n),
        |n, _| match n {
            1 => error(500, "INTERNAL_ERROR"),
            2 => ResponseTemplate::new(502),
            3 => error(429, "TOO_MANY_REQUESTS"),
            4 => error(429, "TOO_MANY_REQUESTS").insert_header("Retry-After", "9"),
            _ => json(200, LEAD),
        },
    )
    .await;
    let (client, hand) = zoho.client();
    while_time_runs(&hand, client.records(&QUERY))
        .await
        .unwrap();
    assert_eq!(zoho.calls(), 5);
}

#[tokio::test]
async fn a_failure_that_lasts_is_given_to_the_caller() {
    let cases = [
        (error(503, "SERVICE_UNAVAILABLE"), 5, "unavailable"),
        (
            error(429, "TOO_MANY_REQUESTS").insert_header("Retry-After", "60"),
            1,
            "throttled",
        ),
        (error(429, "TOO_MANY_REQUESTS"), 5, "throttled"),
        (error(401, "OAUTH_SCOPE_MISMATCH"), 1, "forbidden"),
        (error(403, "NO_PERMISSION"), 1, "forbidden"),
        (error(400, "INVALID_MODULE"), 1, "invalid"),
        (json(200, "<html>"), 1, "malformed"),
        (json(200, r#"{"data":[{}]}"#), 1, "malformed"),
        (json(200, r#"{"data":{}}"#), 1, "malformed"),
    ];
    for (answer, calls, class) in cases {
        let zoho = Zoho::start(|n, _| granted(n), move |_, _| answer.clone()).await;
        let (client, hand) = zoho.client();
        let failed = while_time_runs(&hand, client.records(&QUERY))
            .await
            .unwrap_err();
        assert_eq!((failed.class(), zoho.calls()), (class, calls));
        assert_eq!(zoho.tokens(), 1);
        assert_ne!(failed.retry_after(), Some(Duration::ZERO), "{failed}");
    }
    let item =
        r#"{"data":[{"code":"TOO_MANY_REQUESTS","details":{},"message":"m","status":"error"}]}"#;
    let zoho = Zoho::start(|n, _| granted(n), |_, _| json(207, item)).await;
    let (client, _hand) = zoho.client();
    let lead = [zoho_crm::Values::new()];
    let written = client
        .insert("Leads", &lead, &WriteOptions::default())
        .await;
    let written = written.unwrap();
    let failed = &written[0].as_ref().unwrap_err().error;
    assert!(failed.retry_after() > Some(Duration::ZERO), "{failed}");
}

#[tokio::test]
async fn the_credit_reserve_is_not_touched() {
    let zoho = Zoho::start(|n, _| granted(n), |_, _| json(200, LEAD)).await;
    let mut settings = zoho.settings();
    settings.limits = Limits {
        credits_daily: Some(10),
        credits_reserve_percent: 20,
        concurrency: 3,
        ..Limits::default()
    };
    let (client, _hand) = support::client_with(settings, Arc::new(MemoryTokenStore::default()));
    let results = join_all((0..20).map(|_| client.records(&QUERY))).await;
    assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 8);
    let failed = results.into_iter().find_map(Result::err).unwrap();
    assert!(matches!(failed, Error::CreditsSpent { .. }), "{failed}");
    assert_eq!(zoho.calls(), 8);
}

#[tokio::test]
async fn zohos_own_count_of_credits_is_heeded() {
    let zoho = Zoho::start(
        |n, _| granted(n),
        |_, _| json(200, LEAD).insert_header("X-API-CREDITS-REMAINING", "2001"),
    )
    .await;
    let mut settings = zoho.settings();
    settings.limits.credits_daily = Some(10_000);
    settings.limits.credits_reserve_percent = 20;
    let (client, _hand) = support::client_with(settings, Arc::new(MemoryTokenStore::default()));
    client.records(&QUERY).await.unwrap();
    client.records(&QUERY).await.unwrap();
    assert_eq!(zoho.calls(), 2, "2001 left: one may be taken");
}

#[tokio::test]
async fn fields_are_typed_and_asked_for_once_an_hour() {
    let body = r#"{"fields":[{"id":"1","api_name":"Last_Name","data_type":"text","json_type":"string","length":80},{"id":"2","api_name":"Product_Details","data_type":"subform","json_type":"jsonarray"},{"id":"3","api_name":"Tag","data_type":"text","json_type":null}]}"#;
    let zoho = Zoho::start(|n, _| granted(n), |_, _| json(200, body)).await;
    let (client, hand) = zoho.client();
    let fields = client.fields("Leads").await.unwrap();
    let listed: Vec<_> = fields
        .iter()
        .filter(|it| it.is_listed())
        .map(|it| it.api_name.as_str())
        .collect();
    assert_eq!(listed, ["Last_Name", "Tag"]);
    assert_eq!(fields[0].json_type.as_deref(), Some("string"));
    client.fields("Leads").await.unwrap();
    assert_eq!(zoho.calls(), 1);
    hand.advance(Duration::from_secs(3601));
    client.fields("Leads").await.unwrap();
    client.forget_fields("Leads");
    client.fields("Leads").await.unwrap();
    assert_eq!(zoho.calls(), 3);
    let requests = zoho.server.received_requests().await.unwrap();
    assert_eq!(requests[1].url.path(), "/crm/v8/settings/fields");
    assert_eq!(requests[1].url.query(), Some("module=Leads"));
}

#[tokio::test]
async fn what_breaks_a_limit_is_never_sent() {
    let zoho = Zoho::start(|n, _| granted(n), |_, _| json(200, LEAD)).await;
    let (client, _hand) = zoho.client();
    let ids = vec!["1"; 101];
    let fields = vec!["A"; 51];
    let wrong = [
        RecordQuery { ids: &ids, ..QUERY },
        RecordQuery { ids: &[], ..QUERY },
        RecordQuery {
            fields: &fields,
            ..QUERY
        },
        RecordQuery {
            fields: &[],
            ..QUERY
        },
        RecordQuery {
            module: "../settings",
            ..QUERY
        },
        RecordQuery {
            ids: &["1,2"],
            ..QUERY
        },
        RecordQuery {
            fields: &[FIELDS[0], "a,b"],
            ..QUERY
        },
    ];
    for query in wrong {
        assert_eq!(client.records(&query).await.unwrap_err().class(), "misuse");
    }
    assert_eq!((zoho.tokens(), zoho.calls()), (0, 0));
}

#[tokio::test]
async fn no_secret_is_in_debug_or_errors() {
    let zoho = Zoho::start(
        |_, _| json(200, &format!(r#"{{"error":"{SECRET}!","x":"{REFRESH}"}}"#)),
        |_, _| json(200, LEAD),
    )
    .await;
    let settings = zoho.settings();
    let credentials = &settings.credentials;
    let (client, hand) = zoho.client();
    let failed = while_time_runs(&hand, client.records(&QUERY))
        .await
        .unwrap_err();
    let shown = format!("{settings:?} {credentials:?} {client:?} {failed:?} {failed}");
    for secret in [SECRET, REFRESH, "1000.CLIENT"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
