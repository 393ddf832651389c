//! Composite calls: up to five in one, the later ones with what the earlier ones answered.

use std::time::Duration;

use clock::Clock;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use zoho_sim::{Fault, Kind, On, Settings, What};

use crate::support::{Answer, Org, Receiver, ids};

const PATH: &str = "/crm/v8/__composite_requests";

async fn send(org: &Org, subs: Value) -> Answer {
    org.post(PATH, &json!({"__composite_requests": subs})).await
}

/// What each sub-request was answered, or its error code.
fn outcomes(answer: &Answer) -> Vec<Value> {
    let items = answer.body["__composite_requests"].as_array().unwrap();
    let outcome = |it: &Value| {
        let status = &it["details"]["response"]["status_code"];
        let told = if status.is_null() {
            &it["code"]
        } else {
            status
        };
        told.clone()
    };
    items.iter().map(outcome).collect()
}

fn insert(id: &str, lead: &Value) -> Value {
    json!({"sub_request_id": id, "method": "POST", "uri": "/crm/v8/Leads", "body": {"data": [lead]}})
}

#[tokio::test]
async fn sub_requests_use_what_earlier_ones_answered() {
    let org = Org::start().await;
    let before = org.sim.counters().credits_used;
    let answer = org
        .post(
            PATH,
            &json!({
                "rollback_on_fail": true,
                "parallel_execution": false,
                "__composite_requests": [
                    {"sub_request_id": "1", "method": "POST", "uri": "/crm/v8/Leads", "headers": {},
                     "body": {"data": [{"Last_Name": "Marsh", "Company": "Reed Ltd"}]}},
                    {"sub_request_id": "2", "method": "PUT",
                     "uri": "/crm/v8/Leads/@{1:$.data[0].details.id}",
                     "body": {"data": [{"Company": "Fen Ltd"}]}},
                    {"sub_request_id": "3", "method": "GET", "uri": "/crm/v8/Leads",
                     "params": {"fields": "Last_Name,Company", "ids": "@{1:$.data[0].details.id}"}},
                ],
            }),
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(org.sim.counters().credits_used - before, 4);
    let items = &answer.body["__composite_requests"];
    let response = &items[0]["details"]["response"];
    let written = &response["body"]["data"][0]["details"];
    assert_eq!(
        items[0],
        json!({
            "code": "SUCCESS",
            "details": {"response": {
                "headers": {
                    "X-ACCESSTOKEN-RESET": response["headers"]["X-ACCESSTOKEN-RESET"],
                    "Content-Disposition": "attachment; filename=response.json",
                    "content-type": "application/json;charset=utf-8",
                },
                "status_code": 201,
                "body": {"data": [{
                    "code": "SUCCESS", "details": written, "message": "record added", "status": "success",
                }]},
            }},
            "message": "composite sub request executed successfully",
            "status": "success",
        })
    );
    assert_eq!(
        items[1]["details"]["response"]["body"]["data"][0]["details"]["id"],
        written["id"]
    );
    assert_eq!(
        items[2]["details"]["response"]["body"]["data"],
        json!([{"Last_Name": "Marsh", "Company": "Fen Ltd", "id": written["id"]}])
    );
}

#[tokio::test]
async fn all_is_taken_back_when_one_fails_and_no_channel_hears_of_it() {
    let org = Org::start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    org.sim.watch(&json!({"watch": [
        {"channel_id": "1", "events": ["Leads.all"], "notify_url": receiver.url},
    ]}));
    let kept = json!({"Last_Name": "Marsh", "Company": "Reed Ltd"});
    let kept = org.sim.insert("Leads", kept).unwrap();
    let answer = org
        .post(
            PATH,
            &json!({"rollback_on_fail": true, "__composite_requests": [
                insert("1", &json!({"Last_Name": "Sedge", "Company": "Reed Ltd"})),
                {"method": "DELETE", "uri": format!("/crm/v8/Leads/{kept}")},
                {"method": "GET", "uri": format!("/crm/v8/Leads/{kept}")},
                insert("4", &json!({"Company": "Reed Ltd"})),
                {"method": "GET", "uri": "/crm/v8/org"},
            ]}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        outcomes(&answer),
        [
            "ROLLBACK_PERFORMED",
            "ROLLBACK_PERFORMED",
            "ROLLBACK_PERFORMED"
        ]
        .map(Value::from)
        .into_iter()
        .chain([json!(400), json!("PROCESSING_STOPPED")])
        .collect::<Vec<_>>()
    );
    let items = &answer.body["__composite_requests"];
    let message =
        "the transaction was rolled back since another sub request in the same transaction failed.";
    assert_eq!(
        items[4],
        json!({
            "code": "PROCESSING_STOPPED", "details": {"rollbacked_by_sub_request_index": 3},
            "message": message, "status": "error",
        })
    );
    assert_eq!(
        items[3]["details"]["response"]["body"]["data"][0]["code"],
        "MANDATORY_NOT_FOUND"
    );
    let left = org.sim.records("Leads");
    assert_eq!(ids(&json!({ "data": left })), [kept]);
    let told = receiver.all(&org.sim).await;
    let operations: Vec<&Value> = told.iter().map(|it| &it["operation"]).collect();
    assert_eq!(operations, ["insert"]);
}

#[tokio::test]
async fn without_rollback_each_stands_alone_and_the_status_says_whether_all_were_made() {
    let org = Org::start().await;
    let lead = json!({"Last_Name": "Marsh", "Company": "Reed Ltd"});
    let failing = insert("2", &json!({"Company": "Reed Ltd"}));
    let all = send(&org, json!([insert("1", &lead), failing])).await;
    assert_eq!(all.status, StatusCode::OK);
    assert_eq!(outcomes(&all), [json!(201), json!(400)]);
    let nowhere = json!({"method": "GET", "uri": "/crm/v8/Leads/@{9:$.data[0].id}"});
    let some = send(&org, json!([insert("1", &lead), nowhere])).await;
    assert_eq!(some.status, StatusCode::MULTI_STATUS);
    assert_eq!(outcomes(&some), [json!(201), json!("INVALID_REFERENCE")]);
    assert_eq!(
        some.body["__composite_requests"][1]["details"],
        json!({
            "api_name": "uri", "json_path": "$.__composite_requests[1].uri",
            "reference": "@{9:$.data[0].id}",
        })
    );
    let none = send(&org, json!([nowhere])).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    assert_eq!(org.sim.records("Leads").len(), 2);
}

#[tokio::test]
async fn in_parallel_references_may_point_ahead_but_not_in_a_circle() {
    let org = Org::start().await;
    let lead = json!({"Last_Name": "Marsh", "Company": "Reed Ltd"});
    let ahead = json!([
        {"method": "GET", "uri": "/crm/v8/Leads/@{lead:$.data[0].details.id}"},
        insert("lead", &lead),
    ]);
    let answer = send(&org, ahead.clone()).await;
    assert_eq!(outcomes(&answer), [json!(200), json!(201)]);
    let body = json!({"concurrent_execution": false, "__composite_requests": ahead});
    let in_order = org.post(PATH, &body).await;
    assert_eq!(
        outcomes(&in_order),
        [json!("INVALID_REFERENCE"), json!(201)]
    );
    let circle = json!([
        {"sub_request_id": "a", "method": "GET", "uri": "/crm/v8/Leads/@{b:$.data[0].id}"},
        {"sub_request_id": "b", "method": "GET", "uri": "/crm/v8/Leads/@{a:$.data[0].id}"},
        {"sub_request_id": "c", "method": "GET", "uri": "/crm/v8/org"},
    ]);
    let answer = send(&org, circle).await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let looping = json!("LOOPING_FOUND");
    assert_eq!(outcomes(&answer), [looping.clone(), looping, json!(200)]);
    let first = &answer.body["__composite_requests"][0];
    assert_eq!(first["details"]["sub_request_indexes"], json!([0, 1]));
}

#[tokio::test]
async fn what_is_no_composite_call_is_refused_and_makes_none() {
    let org = Org::start().await;
    let get = json!({"method": "GET", "uri": "/crm/v8/org"});
    for (body, code) in [
        (json!({}), "MANDATORY_NOT_FOUND"),
        (json!({"__composite_requests": []}), "INVALID_DATA"),
        (
            json!({"__composite_requests": vec![&get; 6]}),
            "INVALID_DATA",
        ),
        (
            json!({"rollback_on_fail": "yes", "__composite_requests": [get]}),
            "INVALID_DATA",
        ),
        (
            json!({"rollback_on_fail": true, "parallel_execution": true,
                   "__composite_requests": [get]}),
            "AMBIGUITY_DURING_PROCESSING",
        ),
    ] {
        let answer = org.post(PATH, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.body["code"], code, "{body}");
    }
}

#[tokio::test]
async fn sub_requests_that_cannot_be_are_refused_each_on_its_own() {
    let org = Org::start().await;
    for (sub, outcome) in [
        (json!({"uri": "/crm/v8/org"}), json!("MANDATORY_NOT_FOUND")),
        (json!({"method": "GET"}), json!("MANDATORY_NOT_FOUND")),
        (
            json!({"method": "HEAD", "uri": "/crm/v8/org"}),
            json!("INVALID_DATA"),
        ),
        (
            json!({"method": "GET", "uri": "/org"}),
            json!("INVALID_DATA"),
        ),
        (
            json!({"method": "GET", "uri": "/crm/v8/org", "sub_request_id": "_"}),
            json!("INVALID_DATA"),
        ),
        (
            json!({"method": "GET", "uri": "/crm/v8/org", "headers": {"Authorization": "x"}}),
            json!("INVALID_DATA"),
        ),
        (
            json!({"method": "POST", "uri": PATH}),
            json!("NOT_SUPPORTED"),
        ),
        (
            json!({"method": "DELETE", "uri": "/crm/v8/Leads", "params": {"ids": "1"}}),
            json!("NOT_SUPPORTED"),
        ),
        (
            json!({"method": "GET", "uri": "/crm/v8/a/b/c/d"}),
            json!(404),
        ),
        (
            json!({"method": "POST", "uri": "/crm/v8/Leads", "body": {"data": [{}, {}]}}),
            json!(400),
        ),
        (
            json!({"method": "POST", "uri": "/crm/v8/coql", "body":
                   {"select_query": "select id from Leads where id is not null limit 26"}}),
            json!(400),
        ),
        (
            json!({"method": "GET", "uri": "/crm/v8/Leads?fields=id"}),
            json!(204),
        ),
    ] {
        let answer = send(&org, json!([sub])).await;
        assert_eq!(outcomes(&answer), [outcome], "{sub}");
    }
    let twice = json!([
        {"sub_request_id": "1", "method": "GET", "uri": "/crm/v8/org"},
        {"sub_request_id": "1", "method": "GET", "uri": "/crm/v8/org"},
    ]);
    let answer = send(&org, twice).await;
    assert_eq!(outcomes(&answer), [json!(200), json!("DUPLICATE_DATA")]);
}

#[tokio::test]
async fn a_token_needs_the_scopes_of_the_sub_requests_too() {
    let mut org = Org::start().await;
    let code = org
        .sim
        .issue_code_for(&["ZohoCRM.composite_requests.CUSTOM", "ZohoCRM.org.READ"]);
    let answer = crate::support::send(
        org.http
            .post(format!("{}/oauth/v2/token", org.sim.base_url()))
            .form(&[
                ("grant_type", "authorization_code"),
                ("client_id", "1000.SIM"),
                ("client_secret", "sim"),
                ("code", code.as_str()),
            ]),
    )
    .await;
    org.token = answer.body["access_token"].as_str().unwrap().to_owned();
    let subs = json!([
        {"method": "GET", "uri": "/crm/v8/org"},
        {"method": "GET", "uri": "/crm/v8/Leads?fields=id"},
    ]);
    let answer = send(&org, subs).await;
    assert_eq!(outcomes(&answer), [json!(200), json!(401)]);
    let second = &answer.body["__composite_requests"][1]["details"]["response"]["body"];
    assert_eq!(second["code"], "OAUTH_SCOPE_MISMATCH");
}

#[tokio::test]
async fn ten_composite_calls_may_run_at_once() {
    let (clock, hand) = Clock::simulated("2026-11-22T12:00:00Z".parse().unwrap());
    let org = Org::with(Settings {
        clock,
        ..Settings::on_loopback()
    })
    .await;
    let latency = Duration::from_secs(1);
    org.sim.set_latency(latency);
    let subs = json!([{"method": "GET", "uri": "/crm/v8/org"}]);
    let all = join_all((0..12).map(|_| send(&org, subs.clone())));
    let release = async {
        while org.sim.counters().calls(Kind::Composite) < 12 {
            tokio::task::yield_now().await;
        }
        hand.advance(latency);
    };
    let (answers, ()) = tokio::join!(all, release);
    let refused = answers
        .iter()
        .filter(|it| it.status == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.count(), 2);
    assert_eq!(org.sim.counters().sub_concurrent_max, 11);
}

#[tokio::test]
async fn faults_on_a_kind_hit_the_sub_requests_of_that_kind() {
    let org = Org::start().await;
    let lead = json!({"Last_Name": "Marsh", "Company": "Reed Ltd"});
    let kept = org.sim.insert("Leads", lead.clone()).unwrap();
    let read =
        json!({"sub_request_id": "r", "method": "GET", "uri": format!("/crm/v8/Leads/{kept}")});
    let subs = json!([insert("w", &lead), read]);
    for (on, what, expected) in [
        (On::Write, What::Status(503), json!([503, 200])),
        (On::ReadOne, What::TooManyRequests, json!([201, 429])),
        (On::Read, What::Missing(vec![]), json!([201, 204])),
        // These are of a whole call and its connection.
        (On::Write, What::DropAnswer, json!([201, 200])),
    ] {
        org.sim.faults().add(Fault {
            on,
            what: what.clone(),
            times: Some(1),
            chance: 1.0,
        });
        let answer = send(&org, subs.clone()).await;
        assert_eq!(json!(outcomes(&answer)), expected, "{what:?}");
    }
    org.sim.faults().clear();
    org.sim.faults().add(Fault {
        on: On::Write,
        what: What::Status(500),
        times: Some(1),
        chance: 1.0,
    });
    let before = org.sim.records("Leads").len();
    let rolled_back = json!({"rollback_on_fail": true, "__composite_requests": [insert("a", &lead), {"sub_request_id": "b", "method": "GET", "uri": "/crm/v8/Leads/1"}]});
    let answer = org.post(PATH, &rolled_back).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(outcomes(&answer)[0], 500);
    assert_eq!(org.sim.records("Leads").len(), before);
    assert_eq!(org.sim.counters().faults, 4);
}
