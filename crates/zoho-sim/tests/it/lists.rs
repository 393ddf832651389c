//! Lists of records: views, filters, pages that nothing moves, many records.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zoho_sim::{Settings, Sim};

use crate::support::{Org, ids, send};

#[tokio::test]
async fn a_custom_view_is_found_and_listed_for_three_credits() {
    let org = Org::start().await;
    let mine = org
        .post(
            "/crm/v8/Leads",
            &json!({"data": [{"Last_Name": "Own", "Company": "C"}]}),
        )
        .await;
    let mine = mine.body["data"][0]["details"]["id"].clone();
    org.sim.insert("Leads", json!({"Last_Name": "B"})).unwrap();
    let views = org.get("/crm/v8/settings/custom_views?module=Leads").await;
    let view = |name: &str| {
        let views = views.body["custom_views"].as_array().unwrap();
        let view = views.iter().find(|it| it["system_name"] == name).unwrap();
        view["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(views.body["info"]["default"], view("ALLVIEWS"));
    let one = format!(
        "/crm/v8/settings/custom_views/{}?module=Leads",
        view("MYVIEWS")
    );
    assert_eq!(
        org.get(&one).await.body["custom_views"][0]["name"],
        "My Leads"
    );
    let before = org.sim.counters().credits_used;
    let list = |id: String| format!("/crm/v8/Leads?fields=Last_Name&cvid={id}");
    let answer = org.get(&list(view("MYVIEWS"))).await;
    assert_eq!(
        answer.body["data"],
        json!([{"id": mine, "Last_Name": "Own"}])
    );
    assert_eq!(org.sim.counters().credits_used, before + 3);
    let all = org.get(&list(view("ALLVIEWS"))).await;
    assert_eq!(all.body["info"]["count"], 2);
    let unknown = org.get(&list("7".into())).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        unknown.body,
        json!({"code": "INVALID_DATA", "details": {"param_name": "cvid"}, "message": "invalid data", "status": "error"})
    );
    let both = format!("{}&sort_by=Modified_Time", list(view("ALLVIEWS")));
    assert_eq!(
        org.get(&both).await.body["code"],
        "AMBIGUITY_DURING_PROCESSING"
    );
    let waiting = org.get("/crm/v8/Leads?fields=id&approved=false").await;
    assert_eq!(waiting.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn records_that_come_or_go_move_no_page() {
    let org = Org::start().await;
    org.sim.generate("Contacts", 500).unwrap();
    for order in ["id", "Created_Time", "Modified_Time"] {
        let base = format!("/crm/v8/Contacts?fields=Last_Name&sort_by={order}&per_page=100");
        let first = org.get(&base).await.body;
        let inserted = org
            .sim
            .insert("Contacts", json!({"Last_Name": "New"}))
            .unwrap();
        let token = first["info"]["next_page_token"].as_str().unwrap();
        let second = org.get(&format!("{base}&page_token={token}")).await.body;
        let last_of_first = ids(&first).pop().unwrap();
        assert!(ids(&second)[0] < last_of_first, "{order}");
        assert!(!ids(&second).contains(&inserted));
        assert_eq!(second["info"]["page"], 2);
        let back = second["info"]["previous_page_token"].as_str().unwrap();
        let again = org.get(&format!("{base}&page_token={back}")).await.body;
        assert_eq!(ids(&again), ids(&first));
    }
}

#[tokio::test]
async fn fifty_thousand_records_are_listed_in_any_order() {
    let org = Org::start().await;
    assert_eq!(org.sim.generate("Leads", 50_000).unwrap(), 50_000);
    for (order, direction) in [("id", "asc"), ("Modified_Time", "desc")] {
        let base = format!(
            "/crm/v8/Leads?fields=Last_Name,Email&per_page=200&sort_by={order}&sort_order={direction}"
        );
        let mut path = base.clone();
        let mut seen = BTreeSet::new();
        loop {
            let body = org.get(&path).await.body;
            seen.extend(ids(&body));
            match body["info"]["next_page_token"].as_str() {
                Some(token) => path = format!("{base}&page_token={token}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 50_000);
    }
    let count = org.get("/crm/v8/Leads/actions/count").await;
    assert_eq!(count.body, json!({"count": 50_000}));
}

#[tokio::test]
async fn only_what_was_modified_since_is_listed() {
    let org = Org::start().await;
    let snapshot = json!({"Leads": [
        {"Last_Name": "Old", "Modified_Time": "2026-01-01T00:00:00Z", "Created_Time": "2025-01-01T00:00:00Z"},
        {"Last_Name": "New", "Modified_Time": "2026-03-01T00:00:00Z", "Created_Time": "2025-01-01T00:00:00Z"},
    ]});
    org.sim.load(&snapshot).unwrap();
    let path = "/crm/v8/Leads?fields=Last_Name,Created_Time";
    let since = |at: &'static str| {
        send(
            org.request(Method::GET, path)
                .header("If-Modified-Since", at),
        )
    };
    let some = since("2026-02-01T00:00:00+00:00").await;
    assert_eq!(some.body["info"]["count"], 1);
    assert_eq!(some.body["data"][0]["Last_Name"], "New");
    assert_eq!(
        some.body["data"][0]["Created_Time"],
        "2025-01-01T05:30:00+05:30"
    );
    assert_eq!(
        since("2026-03-01T00:00:00+00:00").await.status,
        StatusCode::NOT_MODIFIED
    );
    let none = org.get("/crm/v8/Deals?fields=Deal_Name").await;
    assert_eq!(none.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_records() {
    let make = async |seed| {
        let sim = Sim::start(Settings {
            seed,
            ..Settings::on_loopback()
        })
        .await
        .unwrap();
        sim.generate("Accounts", 20).unwrap();
        let loaded = sim.load(&json!({"$generate": {"Contacts": 30}}));
        assert_eq!(loaded.unwrap(), 30);
        let shown: Vec<Value> = ["Accounts", "Contacts"]
            .iter()
            .flat_map(|it| sim.records(it))
            .map(|mut it| {
                // The clock is real.
                for name in ["Created_Time", "Modified_Time", "Last_Activity_Time"] {
                    it[name].take();
                }
                it
            })
            .collect();
        shown
    };
    let first = make(7).await;
    assert_eq!(first.len(), 50);
    assert_eq!(first, make(7).await);
    assert_ne!(first, make(8).await);
    assert!(first[30]["Account_Name"]["id"].is_string());
}

#[tokio::test]
async fn loaded_records_are_numbered_and_found_at_once() {
    let org = Org::start().await;
    let cases = json!({"Cases": [{"Subject": "Leak"}, {"Subject": "Rust"}]});
    org.sim.load(&cases).unwrap();
    let answer = org
        .get("/crm/v8/Cases/search?word=rust&fields=Case_Number")
        .await;
    assert_eq!(answer.body["data"][0]["Case_Number"], "2");
}

#[tokio::test]
async fn the_control_plane_generates_too() {
    let org = Org::start().await;
    let made = org.post("/sim/generate", &json!({"Deals": 12})).await;
    assert_eq!(made.body, json!({"records": 12}));
    assert_eq!(org.sim.records("Deals").len(), 12);
    let unknown = org.post("/sim/generate", &json!({"Boats": 12})).await;
    assert_eq!(unknown.body, json!({"error": "no such module: Boats"}));
}

#[tokio::test]
async fn long_texts_come_in_full_for_several_records() {
    let org = Org::start().await;
    let text = "x".repeat(800);
    let id = org
        .sim
        .insert("Leads", json!({"Last_Name": "A", "Background": text}))
        .unwrap();
    let expected = json!({"data": [{"id": id, "Background": text}]});
    for path in [
        format!("/crm/v8/Leads/{id}/actions/fetch_full_data?fields=Background"),
        format!("/crm/v8/Leads/actions/fetch_full_data?fields=Background&ids={id},9"),
    ] {
        assert_eq!(org.get(&path).await.body, expected);
    }
    let missing = org
        .get(&format!("/crm/v8/Leads/actions/fetch_full_data?ids={id}"))
        .await;
    assert_eq!(
        missing.body,
        json!({"code": "REQUIRED_PARAM_MISSING", "details": {"param_name": "fields"},
               "message": "One of the expected parameter is missing", "status": "error"})
    );
}
