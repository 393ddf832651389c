//! Tokens that may not do everything.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Org, send};

/// An org whose client has a token with these scopes.
async fn with_scopes(scopes: &[&str]) -> Org {
    let mut org = Org::start().await;
    let code = org.sim.issue_code_for(scopes);
    let answer = send(
        org.http
            .post(format!("{}/oauth/v2/token", org.sim.base_url()))
            .form(&[
                ("grant_type", "authorization_code"),
                ("client_id", "1000.SIM"),
                ("client_secret", "sim"),
                ("code", &code),
            ]),
    )
    .await;
    assert_eq!(answer.body["scope"], scopes.join(" "));
    let token = answer.body["access_token"].as_str().unwrap();
    token.clone_into(&mut org.token);
    org
}

#[tokio::test]
async fn what_the_scopes_do_not_grant_is_refused_with_401() {
    let org = with_scopes(&["ZohoCRM.modules.leads.READ", "ZohoCRM.coql.READ"]).await;
    let id = org.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap();
    let refused = org.get("/crm/v8/Deals?fields=id").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused.body,
        json!({"code": "OAUTH_SCOPE_MISMATCH", "details": {},
               "message": "invalid oauth scope to access this URL", "status": "error"})
    );
    for (method, path, body, allowed) in [
        (Method::GET, "/crm/v8/Leads?fields=id", json!({}), true),
        (Method::GET, "/crm/v8/Leads/deleted", json!({}), true),
        (
            Method::GET,
            "/crm/v8/Leads/search?word=aa",
            json!({}),
            false,
        ),
        (
            Method::POST,
            "/crm/v8/Leads",
            json!({"data": [{"Last_Name": "A"}]}),
            false,
        ),
        (Method::DELETE, "/crm/v8/Leads?ids=1", json!({}), false),
        (
            Method::POST,
            "/crm/v8/coql",
            json!({"select_query": "select id from Leads where id > 0"}),
            true,
        ),
        (
            Method::POST,
            "/crm/v8/coql",
            json!({"select_query": "select id from Deals where id > 0"}),
            false,
        ),
        (
            Method::GET,
            "/crm/v8/users?type=CurrentUser",
            json!({}),
            false,
        ),
        (Method::GET, "/crm/v8/org", json!({}), false),
        (
            Method::GET,
            "/crm/v8/settings/fields?module=Leads",
            json!({}),
            false,
        ),
        (
            Method::GET,
            "/crm/v8/settings/tags?module=Leads",
            json!({}),
            false,
        ),
        (Method::POST, "/crm/v8/actions/watch", json!({}), false),
        (
            Method::POST,
            "/crm/v8/Leads/actions/mass_delete",
            json!({"ids": [id]}),
            false,
        ),
    ] {
        let answer = send(org.request(method.clone(), path).body(body.to_string())).await;
        let refused = answer.body["code"] == "OAUTH_SCOPE_MISMATCH";
        assert_eq!(!refused, allowed, "{method} {path}: {}", answer.body);
    }
    assert_eq!(org.sim.records("Leads").len(), 1);
}

#[tokio::test]
async fn a_refreshed_token_keeps_the_scopes() {
    let org = Org::start().await;
    let consent = "/oauth/v2/auth?client_id=1000.SIM&redirect_uri=https://a.example/&scope=ZohoCRM.org.READ,ZohoCRM.users.READ&state=s";
    let answer = org.get(consent).await;
    let to = url::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let code = to
        .query_pairs()
        .find(|it| it.0 == "code")
        .unwrap()
        .1
        .into_owned();
    let token = async |form: &[(&str, &str)]| {
        let common = [("client_id", "1000.SIM"), ("client_secret", "sim")];
        let request = org
            .http
            .post(format!("{}/oauth/v2/token", org.sim.base_url()));
        send(request.form(&[&common, form].concat())).await.body
    };
    let first = token(&[
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://a.example/"),
        ("code", &code),
    ])
    .await;
    let refresh = first["refresh_token"].as_str().unwrap();
    let second = token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    assert_eq!(second["scope"], "ZohoCRM.org.READ ZohoCRM.users.READ");
    for (path, status) in [
        ("/crm/v8/org", StatusCode::OK),
        ("/crm/v8/Leads?fields=id", StatusCode::UNAUTHORIZED),
    ] {
        let token = second["access_token"].as_str().unwrap();
        let request = org.http.get(format!("{}{path}", org.sim.base_url()));
        let request = request.header("Authorization", format!("Zoho-oauthtoken {token}"));
        assert_eq!(send(request).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_control_plane_issues_codes_with_scopes() {
    let org = Org::start().await;
    let code = org
        .post("/sim/code", &json!({"scopes": ["ZohoCRM.org.READ"]}))
        .await;
    assert!(code.body["code"].is_string());
    let plain = send(org.request(Method::POST, "/sim/code")).await;
    assert!(plain.body["code"].is_string());
}
