//! Zoho that gives the answers a test has, one after another, and what it was asked.

use serde_json::Value;
use wiremock::{Request, ResponseTemplate};

use super::{Zoho, granted};

/// Gives these answers to the calls in turn, the last again and again.
pub(crate) async fn answering(answers: Vec<ResponseTemplate>) -> Zoho {
    Zoho::start(
        |n, _| granted(n),
        move |n, _| answers.get(n - 1).or(answers.last()).unwrap().clone(),
    )
    .await
}

/// The calls that came: method, path with query, body.
pub(crate) async fn asked(zoho: &Zoho) -> Vec<(String, String, Value)> {
    let requests = zoho.server.received_requests().await.unwrap();
    let of_api = |it: &&Request| it.url.path().starts_with("/crm");
    requests.iter().filter(of_api).map(shown).collect()
}

fn shown(request: &Request) -> (String, String, Value) {
    let query = request.url.query().map(|it| format!("?{it}"));
    (
        request.method.to_string(),
        format!("{}{}", request.url.path(), query.unwrap_or_default()),
        serde_json::from_slice(&request.body).unwrap_or_default(),
    )
}
