//! Consent, exchange, revocation and shared tokens: against the contract's literal answers and against the simulator.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use clock::Clock;
use futures_util::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json as value;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
use zoho_crm::{
    Client, Consent, Credentials, DataCenter, Error, Event, FileTokenStore, Limits,
    MemoryTokenStore, OAuth, OAuthClient, OAuthError, RecordQuery, Region, SCOPES, Settings,
    TokenStore,
};
use zoho_sim::Sim;

use crate::support::{self, LEAD, QUERY, REFRESH, SECRET, Zoho, granted, json};

const CALLBACK: &str = "http://localhost:8765/callback";
const DENIED: &str = r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied"}"#;

fn oauth(data_center: DataCenter, id: &str, secret: &str) -> OAuth {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = OAuthClient {
        id: id.into(),
        secret: secret.into(),
    };
    OAuth::new(data_center, client, Duration::from_secs(30), Clock::real()).unwrap()
}

fn base(url: &str) -> DataCenter {
    let url: url::Url = url.parse().unwrap();
    DataCenter::custom(url.clone(), url).unwrap()
}

/// An accounts server with one answer for everything.
async fn accounts(answer: ResponseTemplate) -> (MockServer, OAuth) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let oauth = oauth(base(&server.uri()), "1000.CLIENT", SECRET);
    (server, oauth)
}

#[tokio::test]
async fn the_consent_url_asks_for_a_token_that_lasts() {
    let oauth = oauth(
        DataCenter::region(Region::Eu).unwrap(),
        "1000.CLIENT",
        SECRET,
    );
    let url = oauth.consent_url(&Consent {
        scopes: &["ZohoCRM.modules.ALL", "ZohoCRM.org.ALL"],
        redirect_uri: CALLBACK,
        state: "abc",
    });
    assert_eq!(
        url.as_str(),
        "https://accounts.zoho.eu/oauth/v2/auth?scope=ZohoCRM.modules.ALL%2CZohoCRM.org.ALL&client_id=1000.CLIENT&response_type=code&access_type=offline&prompt=consent&redirect_uri=http%3A%2F%2Flocalhost%3A8765%2Fcallback&state=abc"
    );
    assert!(!format!("{oauth:?}").contains(SECRET));
    let (one, two) = (OAuth::new_state(), OAuth::new_state());
    assert_eq!(one.len(), 32);
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_code_is_exchanged_as_the_contract_says() {
    let (server, oauth) = accounts(json(
        200,
        r#"{"access_token":"1000.access","refresh_token":"1000.refresh","scope":"ZohoCRM.modules.ALL ZohoCRM.org.ALL","api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":3600}"#,
    ))
    .await;
    let code = SecretString::from("1000.code");
    let consented = oauth.exchange(&code, Some(CALLBACK)).await.unwrap();
    assert_eq!(consented.refresh_token.expose_secret(), "1000.refresh");
    assert_eq!(consented.token.access_token.expose_secret(), "1000.access");
    assert_eq!(
        consented.token.api_domain.as_deref(),
        Some("https://www.zohoapis.eu")
    );
    assert_eq!(consented.scopes, ["ZohoCRM.modules.ALL", "ZohoCRM.org.ALL"]);
    oauth.exchange(&code, None).await.unwrap();
    oauth.refresh(&REFRESH.into()).await.unwrap();

    let requests = server.received_requests().await.unwrap();
    let sent: Vec<_> = requests
        .iter()
        .map(|it| {
            assert_eq!(it.url.path(), "/oauth/v2/token");
            assert_eq!(it.method.as_str(), "POST");
            String::from_utf8(it.body.clone()).unwrap()
        })
        .collect();
    let client = format!("client_id=1000.CLIENT&client_secret={SECRET}");
    assert_eq!(
        sent,
        [
            format!(
                "grant_type=authorization_code&code=1000.code&redirect_uri=http%3A%2F%2Flocalhost%3A8765%2Fcallback&{client}"
            ),
            format!("grant_type=authorization_code&code=1000.code&{client}"),
            format!("grant_type=refresh_token&refresh_token={REFRESH}&{client}"),
        ]
    );
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let cases = [
        (
            200,
            r#"{"error":"invalid_code"}"#,
            "the code or token: invalid_code",
        ),
        (
            200,
            r#"{"error":"invalid_client"}"#,
            "the client: invalid_client",
        ),
        (
            200,
            r#"{"error":"invalid_client_secret"}"#,
            "the client: invalid_client_secret",
        ),
        (
            200,
            r#"{"error":"invalid_redirect_uri"}"#,
            "the client: invalid_redirect_uri",
        ),
        (200, DENIED, "too many token requests, again in 600s"),
        (400, DENIED, "too many token requests, again in 600s"),
        (
            200,
            r#"{"access_token":"1000.access","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}"#,
            "no refresh token",
        ),
        (502, "<html>", "gives no answer: status 502"),
        (200, "<html>", "gives no answer: status 200"),
    ];
    for (status, body, expected) in cases {
        let (server, oauth) = accounts(json(status, body)).await;
        let error = oauth.exchange(&"1000.code".into(), None).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{body}: {error}");
        let sent = server.received_requests().await.unwrap().len();
        assert_eq!(sent, 1, "a code is sent once: {body}");
    }
}

#[tokio::test]
async fn a_token_is_revoked_as_the_contract_says() {
    let (server, oauth) = accounts(json(200, r#"{"status":"success"}"#)).await;
    oauth.revoke(&REFRESH.into()).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let url = &requests[0].url;
    let query = format!("token={REFRESH}");
    assert_eq!(url.path(), "/oauth/v2/token/revoke");
    assert_eq!(url.query(), Some(query.as_str()));
    assert_eq!(requests[0].method.as_str(), "POST");

    let html = ResponseTemplate::new(400).set_body_raw("<html>Invalid token</html>", "text/html");
    let (_server, oauth) = accounts(html).await;
    let error = oauth.revoke(&REFRESH.into()).await.unwrap_err();
    assert!(matches!(error, OAuthError::BadToken { .. }), "{error}");
    let (_server, oauth) = accounts(ResponseTemplate::new(503)).await;
    let error = oauth.revoke(&REFRESH.into()).await.unwrap_err();
    assert!(matches!(error, OAuthError::Unavailable { .. }), "{error}");
    assert!(!format!("{error:?}{error}").contains(REFRESH));
}

async fn simulator() -> (Sim, OAuth) {
    let sim = Sim::start(zoho_sim::Settings::on_loopback()).await.unwrap();
    let oauth = oauth(base(&sim.base_url()), Sim::CLIENT_ID, Sim::CLIENT_SECRET);
    (sim, oauth)
}

fn settings(sim: &Sim, refresh_token: &SecretString) -> Settings {
    Settings {
        data_center: base(&sim.base_url()),
        credentials: Credentials {
            client_id: Sim::CLIENT_ID.into(),
            client_secrets: vec![Sim::CLIENT_SECRET.into()],
            refresh_tokens: vec![refresh_token.clone()],
        },
        limits: Limits {
            credits_daily: None,
            credits_reserve_percent: 0,
            concurrency: 10,
            sub_concurrency: 10,
        },
        timeout: Duration::from_secs(30),
        observer: None,
    }
}

#[tokio::test]
async fn a_person_consents_and_the_client_works_without_them() {
    let (sim, oauth) = simulator().await;
    let state = OAuth::new_state();
    let url = oauth.consent_url(&Consent {
        scopes: &SCOPES,
        redirect_uri: CALLBACK,
        state: &state,
    });
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = browser.get(url).send().await.unwrap();
    let arrived_at = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(oauth.redirected(&arrived_at, "another state").is_err());
    let redirected = oauth.redirected(&arrived_at, &state).unwrap();
    let there = oauth.at(redirected.data_center);

    let other = there
        .exchange(&redirected.code, Some("http://localhost/x"))
        .await;
    assert!(matches!(other, Err(OAuthError::BadClient { .. })));
    let answer = browser
        .get(oauth.consent_url(&Consent {
            scopes: &SCOPES,
            redirect_uri: CALLBACK,
            state: &state,
        }))
        .send()
        .await
        .unwrap();
    let arrived_at = answer.headers()["location"].to_str().unwrap().to_owned();
    let code = oauth.redirected(&arrived_at, &state).unwrap().code;
    let consented = there.exchange(&code, Some(CALLBACK)).await.unwrap();
    let again = there.exchange(&code, Some(CALLBACK)).await.unwrap_err();
    assert!(matches!(again, OAuthError::BadToken { .. }), "{again}");

    let store = MemoryTokenStore::new(Some(consented.token));
    let settings = settings(&sim, &consented.refresh_token);
    let before = sim.counters().token_requests();
    let client = Client::new(settings, Arc::new(store), Clock::real()).unwrap();
    client.fields("Leads").await.unwrap();
    assert_eq!(
        sim.counters().token_requests(),
        before,
        "the first token is good"
    );
    sim.expire_access_tokens();
    client.fields("Contacts").await.unwrap();
    assert_eq!(sim.counters().token_requests(), before + 1);
}

#[tokio::test]
async fn a_self_clients_code_needs_no_redirect() {
    let (sim, oauth) = simulator().await;
    let consented = oauth
        .exchange(&sim.issue_code().into(), None)
        .await
        .unwrap();
    oauth.refresh(&consented.refresh_token).await.unwrap();
    let wrong = oauth.refresh(&"1000.wrong".into()).await.unwrap_err();
    assert!(matches!(wrong, OAuthError::BadToken { .. }), "{wrong}");
    let wrong = oauth.revoke(&"1000.wrong".into()).await.unwrap_err();
    assert!(matches!(wrong, OAuthError::BadToken { .. }), "{wrong}");
}

#[tokio::test]
async fn a_revoked_token_fails_200_calls_for_good_with_one_request() {
    let (sim, oauth) = simulator().await;
    let refresh_token = SecretString::from(Sim::REFRESH_TOKEN);
    let told = Arc::new(Mutex::new(vec![]));
    let mut settings = settings(&sim, &refresh_token);
    let log = Arc::clone(&told);
    settings.observer = Some(Arc::new(move |event| {
        if let Event::Authorized(authorized) = event {
            log.lock().unwrap().push(*authorized);
        }
    }));
    let store = Arc::new(MemoryTokenStore::default());
    let client = Client::new(settings, store, Clock::real()).unwrap();
    let id = sim.insert("Leads", value!({"Last_Name": "Doe"})).unwrap();
    let ids = [id.as_str()];
    let query = RecordQuery { ids: &ids, ..QUERY };
    client.records(&query).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [true]);

    oauth.revoke(&refresh_token).await.unwrap();
    let before = sim.counters().token_requests();
    for _ in 0..2 {
        for result in join_all((0..200).map(|_| client.records(&query))).await {
            let error = result.unwrap_err();
            assert!(
                matches!(&error, Error::Unauthorized { code, .. } if code.as_str() == "invalid_code"),
                "{error}"
            );
            assert!(error.retry_after().unwrap() > Duration::from_mins(10));
        }
    }
    assert_eq!(sim.counters().token_requests(), before + 1);
    assert_eq!(*told.lock().unwrap(), [true, false]);
}

fn shared(zoho: &Zoho, directory: &Path) -> Arc<FileTokenStore> {
    let path = directory.join("token");
    Arc::new(FileTokenStore::new(
        path,
        &zoho.settings().credentials,
        None,
    ))
}

#[tokio::test]
async fn two_clients_over_one_file_make_one_token_request() {
    let directory = tempfile::tempdir().unwrap();
    let slow = |number| granted(number).set_delay(Duration::from_millis(50));
    let zoho = Zoho::start(move |n, _| slow(n), |_, _| json(200, LEAD)).await;
    let (one, hand_one) = support::client_with(zoho.settings(), shared(&zoho, directory.path()));
    let (two, hand_two) = support::client_with(zoho.settings(), shared(&zoho, directory.path()));
    for round in 1..=3 {
        let calls = [&one, &two].repeat(50);
        let results = join_all(calls.into_iter().map(|it| it.records(&QUERY))).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(zoho.tokens(), round);
        hand_one.advance(Duration::from_mins(56));
        hand_two.advance(Duration::from_mins(56));
    }
}

#[tokio::test]
async fn a_token_that_one_client_saw_rejected_is_not_taken_from_the_file_again() {
    let directory = tempfile::tempdir().unwrap();
    let zoho = Zoho::start(
        |n, _| granted(n),
        |_, request| match request.headers["authorization"].to_str().unwrap() {
            "Zoho-oauthtoken 1000.access.1" => support::error(401, "INVALID_TOKEN"),
            _ => json(200, LEAD),
        },
    )
    .await;
    for _ in 0..2 {
        let store = shared(&zoho, directory.path());
        let (client, _hand) = support::client_with(zoho.settings(), store);
        client.records(&QUERY).await.unwrap();
    }
    assert_eq!(zoho.tokens(), 2);
}

#[tokio::test]
async fn ten_requests_in_ten_minutes_are_shared_by_all_processes() {
    let directory = tempfile::tempdir().unwrap();
    let zoho = Zoho::start(|_, _| ResponseTemplate::new(500), |_, _| json(200, LEAD)).await;
    for _ in 0..30 {
        let store = shared(&zoho, directory.path());
        let (client, hand) = support::client_with(zoho.settings(), store);
        support::while_time_runs(&hand, client.records(&QUERY))
            .await
            .unwrap_err();
    }
    assert_eq!(zoho.tokens(), 10);
}

#[tokio::test]
async fn what_zoho_denies_to_one_process_no_other_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let zoho = Zoho::start(
        |n, _| {
            if n == 1 {
                json(200, DENIED)
            } else {
                granted(n)
            }
        },
        |_, _| json(200, LEAD),
    )
    .await;
    for _ in 0..3 {
        let store = shared(&zoho, directory.path());
        let (client, _hand) = support::client_with(zoho.settings(), store);
        let wait = client.records(&QUERY).await.unwrap_err().retry_after();
        assert_eq!(wait, Some(Duration::from_mins(10)));
    }
    assert_eq!(zoho.tokens(), 1);
    let store = shared(&zoho, directory.path());
    let (client, hand) = support::client_with(zoho.settings(), Arc::clone(&store));
    hand.advance(Duration::from_mins(10));
    client.records(&QUERY).await.unwrap();
    assert_eq!(zoho.tokens(), 2);
    let file = std::fs::read(store.path()).unwrap();
    assert!(!file.windows(11).any(|it| it == b"1000.access"));
    assert!(store.load().await.unwrap().is_some());
}
