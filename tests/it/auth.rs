//! `zohook auth`: the real binary against the simulator's accounts server.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use zoho_sim::Sim;

use crate::support::{
    cli::{Org, ran},
    router::client,
};

#[tokio::test]
async fn a_code_of_a_self_client_gives_a_refresh_token_that_works() {
    let org = Org::start().await;
    let code = org.sim.issue_code_for(&[
        "ZohoCRM.modules.ALL",
        "ZohoCRM.users.ALL",
        "ZohoCRM.org.ALL",
    ]);
    let given = ran(&mut org.stranger(&["auth", "code"]), &format!("{code}\n")).await;
    assert_eq!(given.code, 0, "{given:?}");
    let token = given.out.trim();
    assert!(token.starts_with("1000."), "{given:?}");
    assert!(
        !given.err.contains(token) && !given.err.contains(&code),
        "{given:?}"
    );

    // The access token that came with it is used: no other is asked for.
    let asked = org.sim.counters().token_requests();
    let mut command = org.stranger(&["auth", "status", "--json"]);
    let status = ran(command.env("ZOHO_REFRESH_TOKEN", token), "").await;
    assert_eq!(status.code, 0, "{status:?}");
    assert_eq!(org.sim.counters().token_requests(), asked);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["credentials"], "accepted");
    assert_eq!(status["org"], "Simulated Ltd");
    assert_eq!(status["user"], "rosa.lark@example.com");
    assert!(
        status["scopes"]
            .as_str()
            .unwrap()
            .contains("ZohoCRM.modules.ALL"),
        "{status}"
    );
    assert!(
        status["credits"]
            .as_str()
            .unwrap()
            .starts_with("more than half of"),
        "{status}"
    );

    let again = ran(&mut org.stranger(&["auth", "code"]), &format!("{code}\n")).await;
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("invalid_code"), "{again:?}");
}

#[tokio::test]
async fn a_new_user_needs_no_refresh_token_in_the_file() {
    let org = Org::start().await;
    let url = org.sim.base_url();
    let file = format!(
        "version: 1\nconnections:\n  acme:\n    api_url: {url}\n    accounts_url: {url}\n    client_id: {}\n    client_secret: {}\n",
        Sim::CLIENT_ID,
        Sim::CLIENT_SECRET
    );
    org.write("routes.yaml", &file);
    let code = org.sim.issue_code();
    let arguments = ["auth", "code", "--routes", "routes.yaml", "--out", "token"];
    let given = ran(&mut org.stranger(&arguments), &code).await;
    assert_eq!(given.code, 0, "{given:?}");
    let missed = org
        .run(&["auth", "status", "--routes", "routes.yaml"])
        .await;
    assert_eq!(missed.code, 64, "{missed:?}");
    assert!(missed.err.contains("refresh_token"), "{missed:?}");
    org.write(
        "routes.yaml",
        &format!("{file}    refresh_token: ${{file:token}}\n"),
    );
    let status = org
        .run(&["auth", "status", "--routes", "routes.yaml"])
        .await;
    assert_eq!(status.code, 0, "{status:?}");
    // What is named is not passed over for what the environment says.
    let other = org.run(&["auth", "status", "--connection", "other"]).await;
    assert_eq!(other.code, 64, "{other:?}");
    assert!(other.err.contains("`other`"), "{other:?}");
    let none = org.run(&["auth", "status", "--routes", "none.yaml"]).await;
    assert_eq!(none.code, 64, "{none:?}");
    assert!(none.err.contains("there is no file none.yaml"), "{none:?}");
}

#[tokio::test]
async fn a_consent_in_the_browser_comes_back_to_the_listener() {
    let org = Org::start().await;
    let mut child = org
        .stranger(&["auth", "login", "--port", "0", "--out", "token"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("it shows a url");
        if line.starts_with(&org.sim.base_url()) {
            break line;
        }
    };
    let url: url::Url = url.parse().unwrap();
    let redirect = url
        .query_pairs()
        .find(|(key, _)| key == "redirect_uri")
        .unwrap()
        .1
        .into_owned();
    let back = redirect.replace("localhost", "127.0.0.1");

    // What does not answer the question does not end the wait.
    for (other, status) in [("?code=1000.evil&state=guessed", 400), ("x", 404)] {
        let answer = client().get(format!("{back}{other}")).send().await.unwrap();
        assert_eq!(answer.status(), status, "{other}");
    }
    let consent = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let agreed = consent.get(url).send().await.unwrap();
    let location = agreed.headers()["location"]
        .to_str()
        .unwrap()
        .replace("localhost", "127.0.0.1");
    let page = client().get(location).send().await.unwrap();
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("this page can be closed")
    );

    let status = tokio::time::timeout(Duration::from_mins(1), child.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success());
    let mut out = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .await
        .unwrap();
    assert_eq!(out, "");
    let path = org.folder().join("token");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut command = org.stranger(&["crm", "org", "--refresh-token-file", "token"]);
    assert_eq!(ran(&mut command, "").await.code, 0);

    // A second login does not write over it.
    let second = ran(
        &mut org.stranger(&["auth", "login", "--port", "0", "--out", "token"]),
        "",
    )
    .await;
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("token is there already"), "{second:?}");
}

#[tokio::test]
async fn a_revoked_token_is_told_as_such_and_is_revoked_only_when_that_is_certain() {
    let org = Org::start().await;
    let unsure = org.run(&["auth", "revoke"]).await;
    assert_eq!(unsure.code, 2, "{unsure:?}");
    assert!(unsure.err.contains("--yes"), "{unsure:?}");
    assert_eq!(org.run(&["auth", "status"]).await.code, 0);

    let revoked = org.run(&["auth", "revoke", "--yes"]).await;
    assert_eq!((revoked.code, revoked.err.as_str()), (0, "Revoked.\n"));
    let status = org.run(&["auth", "status"]).await;
    assert_eq!(status.code, 1, "{status:?}");
    for words in [
        "Zoho does not take the credentials",
        "invalid_code",
        "zohook auth login",
    ] {
        assert!(status.err.contains(words), "{words}: {status:?}");
    }
    assert!(!status.err.contains(Sim::REFRESH_TOKEN), "{status:?}");
    let twice = org.run(&["auth", "revoke", "--yes"]).await;
    assert!(twice.err.contains("no such token"), "{twice:?}");
}

#[tokio::test]
async fn a_token_without_a_scope_says_which_way_to_get_it() {
    let org = Org::start().await;
    let code = org.sim.issue_code_for(&["ZohoCRM.org.READ"]);
    let given = ran(&mut org.stranger(&["auth", "code"]), &code).await;
    let token = given.out.trim().to_owned();
    let mut command = org.stranger(&["auth", "status", "--json"]);
    let status = ran(command.env("ZOHO_REFRESH_TOKEN", &token), "").await;
    assert_eq!(status.code, 0, "{status:?}");
    assert!(
        status.out.contains("not known: zoho does not allow this"),
        "{status:?}"
    );
    let mut command = org.stranger(&["crm", "modules"]);
    let refused = ran(command.env("ZOHO_REFRESH_TOKEN", &token), "").await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("auth login --scopes"), "{refused:?}");
}

#[tokio::test]
async fn a_wrong_client_is_told_apart_from_a_wrong_token() {
    let org = Org::start().await;
    let mut command = org.command(&["auth", "status"]);
    let status = ran(command.env("ZOHO_CLIENT_SECRET", "wrong"), "").await;
    assert_eq!(status.code, 1, "{status:?}");
    assert!(
        status.err.contains("the client's id or secret is wrong"),
        "{status:?}"
    );
}
