//! Troubles on request, and the control plane that asks for them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zoho_sim::{Fault, On, What};

use crate::support::{Org, Receiver, send};

const LEADS: &str = "/crm/v8/Leads?fields=Last_Name,Modified_Time";

fn fault(on: On, what: What, times: u32) -> Fault {
    Fault {
        on,
        what,
        times: Some(times),
        chance: 1.0,
    }
}

#[tokio::test]
async fn a_call_gets_the_status_asked_for_as_often_as_asked_for() {
    let org = Org::start().await;
    org.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap();
    for (what, status, code) in [
        (
            What::TooManyRequests,
            StatusCode::TOO_MANY_REQUESTS,
            "TOO_MANY_REQUESTS",
        ),
        (
            What::InvalidToken,
            StatusCode::UNAUTHORIZED,
            "INVALID_TOKEN",
        ),
        (
            What::Status(500),
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
        ),
        (
            What::Status(503),
            StatusCode::SERVICE_UNAVAILABLE,
            "SERVICE_UNAVAILABLE",
        ),
    ] {
        org.sim.faults().add(fault(On::ReadList, what, 1));
        assert_eq!(org.get("/crm/v8/org").await.status, StatusCode::OK);
        let spoiled = org.get(LEADS).await;
        assert_eq!(spoiled.status, status);
        assert_eq!(spoiled.body["code"], code);
        assert_eq!(org.get(LEADS).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_dropped_connection_has_no_answer_with_or_without_the_deed_done() {
    let org = Org::start().await;
    let body = json!({"data": [{"Last_Name": "A", "Company": "C"}]}).to_string();
    let write = || {
        org.request(Method::POST, "/crm/v8/Leads")
            .body(body.clone())
            .send()
    };
    for (what, records) in [(What::DropConnection, 0), (What::DropAnswer, 1)] {
        org.sim.faults().add(fault(On::Write, what, 1));
        assert!(write().await.is_err());
        assert_eq!(org.sim.records("Leads").len(), records);
    }
    assert_eq!(write().await.unwrap().status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_stale_read_shows_the_record_before_its_last_change() {
    let org = Org::start().await;
    let id = org
        .sim
        .insert("Leads", json!({"Last_Name": "Old"}))
        .unwrap();
    org.sim
        .update("Leads", &id, json!({"Last_Name": "New"}))
        .unwrap();
    org.sim
        .faults()
        .add(fault(On::Read, What::StaleMs(600_000), 2));
    let one = format!("/crm/v8/Leads/{id}");
    assert_eq!(org.get(LEADS).await.body["data"][0]["Last_Name"], "Old");
    assert_eq!(org.get(&one).await.body["data"][0]["Last_Name"], "Old");
    assert_eq!(org.get(&one).await.body["data"][0]["Last_Name"], "New");
}

#[tokio::test]
async fn a_missing_id_is_not_in_lists_but_alone() {
    let org = Org::start().await;
    let ids = org
        .sim
        .insert_many(
            "Leads",
            vec![json!({"Last_Name": "A"}), json!({"Last_Name": "B"})],
        )
        .unwrap();
    let path = format!("{LEADS}&ids={}", ids.join(","));
    org.sim
        .faults()
        .add(fault(On::ReadIds, What::Missing(vec![ids[0].clone()]), 2));
    let answer = org.get(&path).await;
    assert_eq!(answer.body["info"]["count"], 1);
    assert_eq!(answer.body["data"][0]["id"], ids[1].as_str());
    let one = org.get(&format!("/crm/v8/Leads/{}", ids[0])).await;
    assert_eq!(one.status, StatusCode::OK);
    org.sim.faults().clear();
    assert_eq!(org.get(&path).await.body["info"]["count"], 2);
}

#[tokio::test]
async fn callbacks_are_lost_doubled_and_overtaken() {
    let org = Org::start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    org.sim.watch(&json!({"watch": [
        {"channel_id": "1", "events": ["Leads.all"], "notify_url": receiver.url},
    ]}));
    let id = org.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap();
    let edit = |n: i32| {
        org.sim
            .update("Leads", &id, json!({"No_of_Employees": n}))
            .unwrap();
    };
    receiver.all(&org.sim).await;

    org.sim.faults().add(fault(On::Callback, What::Drop, 1));
    edit(1);
    assert_eq!(receiver.all(&org.sim).await.len(), 1);

    org.sim
        .faults()
        .add(fault(On::Callback, What::Duplicate, 1));
    edit(2);
    let told = receiver.all(&org.sim).await;
    assert_eq!(told.len(), 3);
    assert_eq!(told[1], told[2]);

    org.sim.faults().add(fault(On::Callback, What::Reorder, 1));
    edit(3);
    edit(4);
    let told = receiver.all(&org.sim).await;
    let time = |at: usize| told[at]["server_time"].as_i64().unwrap();
    assert_eq!(told.len(), 5);
    assert!(time(3) > time(4));

    // Overtaken by nothing, it comes nevertheless.
    org.sim.faults().add(fault(On::Callback, What::Reorder, 1));
    edit(5);
    assert_eq!(receiver.all(&org.sim).await.len(), 6);

    org.sim
        .faults()
        .add(fault(On::Callback, What::DelayMs(300), 1));
    edit(6);
    edit(7);
    let told = receiver.all(&org.sim).await;
    assert!(told[6]["server_time"].as_i64() > told[7]["server_time"].as_i64());
    let counters = org.sim.counters().callbacks;
    assert_eq!(
        (counters.dropped, counters.duplicated, counters.reordered),
        (1, 1, 2)
    );
}

#[tokio::test]
async fn the_control_plane_needs_no_token() {
    let org = Org::start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    let call = |method: Method, path: &str, body: Value| {
        let url = format!("{}/sim/{path}", org.sim.base_url());
        send(org.http.request(method, url).body(body.to_string()))
    };
    let fault = json!({"on": "metadata", "what": {"status": 503}, "times": 1});
    assert_eq!(
        call(Method::POST, "faults", fault).await.status,
        StatusCode::OK
    );
    assert_eq!(
        org.get("/crm/v8/org").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let wrong = call(Method::POST, "faults", json!({"on": "tea"})).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

    let loaded = call(Method::POST, "load", json!({"Leads": [{"Last_Name": "A"}]})).await;
    assert_eq!(loaded.body, json!({"records": 1}));
    let made = call(
        Method::POST,
        "records/Leads",
        json!({"data": [{"Last_Name": "B"}]}),
    )
    .await;
    let id = made.body["ids"][0].as_str().unwrap().to_owned();
    let listed = call(Method::GET, "records/Leads", json!({})).await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 2);

    org.sim.watch(&json!({"watch": [
        {"channel_id": "1", "events": ["Leads.all"], "notify_url": receiver.url},
    ]}));
    let fired = call(
        Method::POST,
        "fire",
        json!({"module": "Leads", "operation": "update", "ids": [id, "1"], "values": {"City": "Rome"}}),
    )
    .await;
    assert_eq!(fired.body, json!({"callbacks": 1}));
    assert_eq!(
        call(Method::GET, "settled", json!({})).await.body,
        json!({"settled": true})
    );
    let told = receiver.all(&org.sim).await;
    assert_eq!(told[0]["ids"], json!([id, "1"]));

    assert_eq!(
        call(Method::PUT, "latency", json!({"ms": 1})).await.status,
        StatusCode::OK
    );
    assert_eq!(
        call(Method::POST, "tokens/expire", json!({})).await.status,
        StatusCode::OK
    );
    assert_eq!(org.get("/crm/v8/org").await.body["code"], "INVALID_TOKEN");
    let counters = call(Method::GET, "counters", json!({})).await;
    assert_eq!(counters.body["calls"]["metadata"], 2);
    assert_eq!(counters.body["callbacks"]["answered"], json!({"200": 1}));
}
