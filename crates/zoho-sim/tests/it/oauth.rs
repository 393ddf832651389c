//! The accounts server.

use reqwest::{Method, StatusCode, multipart};
use serde_json::{Value, json};
use zoho_sim::{Settings, Sim};

use crate::support::{Org, client, refresh, send};

fn parameters<'a>(client_id: &'a str, secret: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("client_secret", secret),
        ("refresh_token", token),
    ]
}

#[tokio::test]
async fn a_token_is_given_for_all_three_encodings() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let http = client();
    let url = format!("{}/oauth/v2/token", sim.base_url());
    let good = parameters("1000.SIM", "sim", "1000.sim.refresh");
    let form = good
        .iter()
        .fold(multipart::Form::new(), |form, (name, value)| {
            form.text((*name).to_owned(), (*value).to_owned())
        });
    for request in [
        http.post(&url).form(&good),
        http.post(&url).query(&good),
        http.post(&url).multipart(form),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["expires_in"], 3600);
        assert_eq!(answer.body["token_type"], "Bearer");
        assert_eq!(answer.body["api_domain"], sim.base_url());
        assert!(answer.body["access_token"].is_string());
        assert_eq!(answer.body.get("refresh_token"), None);
        assert_eq!(
            answer.headers["content-type"],
            "application/json;charset=UTF-8"
        );
    }
    assert_eq!(sim.counters().tokens_issued, 3);
    sim.shutdown().await;
}

#[tokio::test]
async fn errors_are_answered_as_200() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let http = client();
    let url = format!("{}/oauth/v2/token", sim.base_url());
    for (client_id, secret, token, error) in [
        ("1000.OTHER", "sim", "1000.sim.refresh", "invalid_client"),
        ("1000.SIM", "x", "1000.sim.refresh", "invalid_client_secret"),
        ("1000.SIM", "sim", "1000.other", "invalid_code"),
    ] {
        let answer = send(http.post(&url).form(&parameters(client_id, secret, token))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, json!({"error": error}));
    }
    assert_eq!(sim.counters().tokens_refused, 3);
    assert_eq!(sim.counters().token_requests(), 3);
}

#[tokio::test]
async fn the_eleventh_refresh_in_ten_minutes_is_denied() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let http = client();
    for _ in 0..10 {
        assert!(refresh(&http, &sim).await.body["access_token"].is_string());
    }
    let answer = refresh(&http, &sim).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.body,
        json!({
            "error_description": "You have made too many requests continuously. Please try again after some time.",
            "error": "Access Denied",
        })
    );
}

#[tokio::test]
async fn a_code_gives_a_refresh_token_that_works_until_it_is_revoked() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let http = client();
    let url = format!("{}/oauth/v2/token", sim.base_url());
    let code = sim.issue_code();
    let redeem = || {
        let mut all = parameters("1000.SIM", "sim", "");
        all[0].1 = "authorization_code";
        all.push(("code", &code));
        send(http.post(&url).form(&all))
    };
    let answer = redeem().await;
    let token = answer.body["refresh_token"].as_str().unwrap();
    assert!(answer.body["access_token"].is_string());
    assert_eq!(redeem().await.body, json!({"error": "invalid_code"}));

    let request = || send(http.post(&url).form(&parameters("1000.SIM", "sim", token)));
    assert!(request().await.body["access_token"].is_string());
    let revoked = send(
        http.post(format!("{url}/revoke"))
            .query(&[("token", token)]),
    )
    .await;
    assert_eq!(revoked.body, json!({"status": "success"}));
    assert_eq!(request().await.body, json!({"error": "invalid_code"}));
    let again = http.post(format!("{url}/revoke"));
    let again = again.query(&[("token", token)]).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    assert_eq!(again.headers()["content-type"], "text/html;charset=UTF-8");
}

#[tokio::test]
async fn consent_is_given_by_redirect() {
    let sim = Sim::start(Settings::on_loopback()).await.unwrap();
    let answer = send(
        client()
            .get(format!("{}/oauth/v2/auth", sim.base_url()))
            .query(&[
                ("client_id", "1000.SIM"),
                ("redirect_uri", "http://127.0.0.1:9/back"),
                ("state", "s1"),
            ]),
    )
    .await;
    assert_eq!(answer.status, StatusCode::FOUND);
    let to = answer.headers["location"].to_str().unwrap();
    assert!(to.starts_with("http://127.0.0.1:9/back?state=s1&location=us&code=1000."));
}

#[tokio::test]
async fn a_call_without_a_good_token_gets_401() {
    let org = Org::start().await;
    let path = "/crm/v8/users?type=CurrentUser";
    let bare = send(org.http.get(format!("{}{path}", org.sim.base_url()))).await;
    assert_eq!(bare.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        bare.body,
        json!({"code": "AUTHENTICATION_FAILURE", "details": {}, "message": "Authentication failed", "status": "error"})
    );
    assert_eq!(org.get(path).await.status, StatusCode::OK);
    org.sim.expire_access_tokens();
    let expired = send(org.request(Method::GET, path)).await;
    assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        expired.body,
        json!({"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"})
    );
    assert_eq!(org.sim.counters().unauthorized, 2);
    assert_ne!(expired.body, Value::Null);
}
