//! Credits and concurrency.

use std::time::Duration;

use clock::Clock;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use zoho_sim::{Edition, Settings};

use crate::support::Org;

#[tokio::test]
async fn credits_are_told_from_half_on_and_then_run_out() {
    let org = Org::with(Settings {
        daily_credits: 10,
        ..Settings::on_loopback()
    })
    .await;
    let rows: Vec<Value> = vec![json!({"Last_Name": "A", "Company": "C"}); 31];
    // 31 records: 4 credits.
    let written = org.post("/crm/v8/Leads", &json!({"data": rows})).await;
    assert_eq!(written.status, StatusCode::CREATED);
    assert_eq!(written.headers.get("x-api-credits-remaining"), None);
    let deleted = org.get("/crm/v8/Leads/deleted").await;
    assert_eq!(deleted.headers["x-api-credits-remaining"], "4");
    for left in ["3", "2", "1", "0"] {
        let read = org.get("/crm/v8/Leads?fields=id&per_page=1").await;
        assert_eq!(read.status, StatusCode::OK);
        assert_eq!(read.headers["x-api-credits-remaining"], left);
    }
    let refused = org.get("/crm/v8/Leads?fields=id").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.body["code"], "TOO_MANY_REQUESTS");
    let counters = org.sim.counters();
    assert_eq!(counters.credits_used, 10);
    assert_eq!(counters.refused_for_credits, 1);
}

/// Makes `calls` calls at once, of which none ends before all have begun; gives the answers 429.
async fn refused_at_once(edition: Edition, path: &str, calls: usize, allowed: u64) -> (Org, usize) {
    let (clock, hand) = Clock::simulated("2026-11-22T12:00:00Z".parse().unwrap());
    let org = Org::with(Settings {
        edition,
        clock,
        ..Settings::on_loopback()
    })
    .await;
    let latency = Duration::from_secs(1);
    org.sim.set_latency(latency);
    let all = join_all((0..calls).map(|_| org.get(path)));
    let release = async {
        while org.sim.counters().calls.values().sum::<u64>() < 1 + u64::try_from(calls).unwrap() {
            tokio::task::yield_now().await;
        }
        hand.advance(latency);
    };
    let (answers, ()) = tokio::join!(all, release);
    let refused = answers
        .iter()
        .filter(|it| it.status == StatusCode::TOO_MANY_REQUESTS)
        .count();
    assert_eq!(org.sim.counters().concurrent_max, allowed + 1);
    org.sim.set_latency(Duration::ZERO);
    (org, refused)
}

#[tokio::test]
async fn calls_beyond_the_editions_concurrency_get_429() {
    let (org, refused) = refused_at_once(Edition::Free, "/crm/v8/org", 8, 5).await;
    assert_eq!(refused, 3);
    assert_eq!(org.sim.counters().refused_for_concurrency, 3);
    assert_eq!(org.get("/crm/v8/org").await.status, StatusCode::OK);
}

#[tokio::test]
async fn ten_sorted_lists_may_run_at_once_in_any_edition() {
    let path = "/crm/v8/Leads?fields=id&sort_by=Modified_Time";
    let (org, refused) = refused_at_once(Edition::Ultimate, path, 13, 10).await;
    assert_eq!(refused, 3);
    assert_eq!(org.sim.counters().sub_concurrent_max, 11);
}

#[tokio::test]
async fn searches_share_that_limit() {
    let path = "/crm/v8/Leads/search?word=marsh";
    let (org, refused) = refused_at_once(Edition::Ultimate, path, 12, 10).await;
    assert_eq!(refused, 2);
    assert_eq!(org.sim.counters().calls(zoho_sim::Kind::Search), 12);
}

#[tokio::test]
async fn reads_by_ids_are_counted() {
    let org = Org::start().await;
    let ids = org
        .sim
        .insert_many("Leads", vec![json!({"Last_Name": "A"}); 100])
        .unwrap();
    let answer = org
        .get(&format!(
            "/crm/v8/Leads?fields=Last_Name&ids={}",
            ids.join(",")
        ))
        .await;
    assert_eq!(answer.body["info"]["count"], 100);
    let counters = org.sim.counters();
    assert_eq!(counters.calls(zoho_sim::Kind::ReadIds), 1);
    assert_eq!((counters.ids_asked, counters.ids_asked_max), (100, 100));
    assert_eq!(counters.records_read, 100);
    assert_eq!(counters.credits_used, 1);
}

#[tokio::test]
async fn answers_have_the_headers_of_the_service_and_none_that_it_has_not() {
    let (clock, hand) = Clock::simulated("2026-11-22T12:00:00Z".parse().unwrap());
    let org = Org::with(Settings {
        clock,
        ..Settings::on_loopback()
    })
    .await;
    hand.advance(Duration::from_mins(10));
    let answer = org.get("/crm/v8/org").await;
    for (name, value) in [
        ("content-type", "application/json;charset=UTF-8"),
        ("content-disposition", "attachment; filename=response.json"),
        ("x-accesstoken-reset", "2026-11-22T18:30:00+05:30"),
        ("date", "Sun, 22 Nov 2026 12:10:00 GMT"),
        ("server", "ZGS"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    for name in [
        "x-api-credits-remaining",
        "x-ratelimit-remaining",
        "retry-after",
    ] {
        assert_eq!(answer.headers.get(name), None, "{name}");
    }
    let nothing = org.get("/crm/v8/Leads?fields=id").await;
    assert_eq!(nothing.status, StatusCode::NO_CONTENT);
    assert_eq!(nothing.headers.get("content-type"), None);
    assert_eq!(nothing.body, Value::Null);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_tokens_and_ids() {
    let run = async |seed| {
        let org = Org::with(Settings {
            seed,
            ..Settings::on_loopback()
        })
        .await;
        let lead = json!({"data": [{"Last_Name": "Marsh", "Company": "Reed Ltd"}]});
        let lead = org.post("/crm/v8/Leads", &lead).await;
        let id = lead.body["data"][0]["details"]["id"].clone();
        (org.token.clone(), org.sim.issue_code(), id)
    };
    let (one, same, other) = (run(7).await, run(7).await, run(8).await);
    assert_eq!(one, same);
    assert_ne!(one.0, other.0);
    assert_ne!(one.2, other.2);
}

#[tokio::test]
async fn two_orgs_in_one_process_share_nothing() {
    let one = Org::start().await;
    let two = Org::with(Settings {
        seed: 2,
        ..Settings::on_loopback()
    })
    .await;
    let id = one.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap();
    assert_eq!(one.sim.records("Leads").len(), 1);
    assert_eq!(two.sim.records("Leads").len(), 0);
    assert_ne!(
        two.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap(),
        id
    );
    one.sim.shutdown().await;
    assert_eq!(two.get("/crm/v8/org").await.status, StatusCode::OK);
}
