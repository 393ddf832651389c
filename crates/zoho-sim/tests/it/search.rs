//! Search: criteria, e-mail, phone, word, and an index that lags behind.

use std::time::Duration;

use clock::Clock;
use reqwest::StatusCode;
use serde_json::json;
use zoho_sim::Settings;

use crate::support::{Answer, Org};

async fn search(org: &Org, parameters: &[(&str, &str)]) -> Answer {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    org.get(&format!("/crm/v8/Leads/search?{query}")).await
}

async fn people() -> Org {
    let org = Org::start().await;
    let snapshot = json!({"Leads": [
        {"Last_Name": "Marsh", "Company": "Reed (Holding), Ltd", "Email": "ann@reed.example",
         "Phone": "+1 555-0100", "Annual_Revenue": 10, "Lead_Status": "Contacted",
         "Created_Time": "2026-01-01T00:00:00Z", "Tag": [{"name": "Hot"}]},
        {"Last_Name": "Marshall", "Company": r"Back\Slash", "Email": "bob@reed.example",
         "Annual_Revenue": 20, "Lead_Status": "Not Contacted", "Created_Time": "2026-02-01T00:00:00Z"},
        {"Last_Name": "Zed", "Company": "Pier", "Mobile": "(555) 777", "Created_Time": "2026-03-01T00:00:00Z"},
    ]});
    org.sim.load(&snapshot).unwrap();
    org
}

#[tokio::test]
async fn criteria_find_what_they_should() {
    let org = people().await;
    for (criteria, expected) in [
        ("(Last_Name:equals:marsh)", "Marsh Marshall"),
        ("Last_Name:equals:Zed", "Zed"),
        ("(Last_Name:not_equal:Marsh)", "Zed"),
        ("(Last_Name:starts_with:Marsha)", "Marshall"),
        (r"(Company:equals:Reed \(Holding\)\, Ltd)", "Marsh"),
        (r"(Company:equals:Back\\Slash)", "Marshall"),
        ("(Lead_Status:equals:Contacted)", "Marsh"),
        ("(Lead_Status:in:Contacted,Not Contacted)", "Marsh Marshall"),
        ("(Annual_Revenue:between:5,15)", "Marsh"),
        ("(Annual_Revenue:greater_than:10)", "Marshall"),
        ("(Annual_Revenue:greater_equal:10)", "Marsh Marshall"),
        ("(Annual_Revenue:less_than:20)", "Marsh"),
        ("(Annual_Revenue:equals:${EMPTY})", "Zed"),
        (
            "(Created_Time:greater_equal:2026-02-01T05:30:00+05:30)",
            "Marshall Zed",
        ),
        ("(Tag:equals:hot)", "Marsh"),
        (
            "((Last_Name:equals:Marsh) and (Annual_Revenue:equals:20))",
            "Marshall",
        ),
        (
            "((Last_Name:equals:Zed)or(Annual_Revenue:equals:20))",
            "Marshall Zed",
        ),
        (
            "(((Last_Name:equals:Marsh)and(Annual_Revenue:equals:10))or(Company:starts_with:Pie))",
            "Marsh Zed",
        ),
        ("(Last_Name:equals:nobody)", ""),
    ] {
        let answer = search(&org, &[("criteria", criteria)]).await;
        let rows = answer.body["data"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<&str> = rows
            .iter()
            .map(|it| it["Last_Name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), expected, "{criteria}: {}", answer.body);
        let status = if expected.is_empty() {
            StatusCode::NO_CONTENT
        } else {
            StatusCode::OK
        };
        assert_eq!(answer.status, status, "{criteria}");
    }
}

#[tokio::test]
async fn email_phone_and_word_look_in_their_fields() {
    let org = people().await;
    for (parameter, text, count) in [
        ("email", "ann@reed.example", 1),
        ("email", "@reed.example", 2),
        ("phone", "15550100", 1),
        ("phone", "(555) 777", 1),
        ("word", "pier", 1),
        ("word", "contacted", 2),
    ] {
        let answer = search(&org, &[(parameter, text), ("fields", "Last_Name")]).await;
        assert_eq!(answer.body["info"]["count"], count, "{parameter}={text}");
    }
    let one = search(&org, &[("word", "pier"), ("fields", "Last_Name,Company")]).await;
    let id = one.body["data"][0]["id"].clone();
    assert_eq!(
        one.body,
        json!({
            "data": [{"id": id, "Last_Name": "Zed", "Company": "Pier"}],
            "info": {"per_page": 200, "count": 1, "page": 1, "more_records": false},
        })
    );
}

#[tokio::test]
async fn what_a_search_refuses() {
    let org = people().await;
    let none = search(&org, &[]).await;
    assert_eq!(
        none.body,
        json!({"code": "EXPECTED_PARAM_MISSING", "message": "one of the expected parameter is missing", "status": "error",
               "details": {"param_names": ["criteria", "email", "phone", "word"]}})
    );
    let eleven = format!("({})", ["(Last_Name:equals:Marsh)"; 11].join("or"));
    for (parameter, text, code) in [
        ("word", "x", "INVALID_DATA"),
        ("criteria", eleven.as_str(), "LIMIT_EXCEEDED"),
        ("criteria", "(Last_Name:like:Marsh)", "INVALID_QUERY"),
        (
            "criteria",
            "(Last_Name:greater_than:Marsh)",
            "INVALID_QUERY",
        ),
        ("criteria", "(Nothing:equals:Marsh)", "INVALID_QUERY"),
        ("criteria", "(Annual_Revenue:equals:ten)", "INVALID_QUERY"),
        ("criteria", "(Last_Name:equals:M)", "INVALID_QUERY"),
        ("criteria", "(Last_Name:equals:Marsh", "INVALID_QUERY"),
        ("criteria", "(Last_Name:equals:(Marsh))", "INVALID_QUERY"),
    ] {
        let answer = search(&org, &[(parameter, text)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{text}");
        assert_eq!(answer.body["code"], code, "{text}: {}", answer.body);
    }
    let deep = search(&org, &[("word", "pier"), ("page", "11")]).await;
    assert_eq!(deep.body["code"], "LIMIT_REACHED");
}

#[tokio::test]
async fn two_thousand_results_are_paged() {
    let org = Org::start().await;
    org.sim.generate("Leads", 2_100).unwrap();
    let page = async |page: &str| {
        search(
            &org,
            &[
                ("email", "@example.com"),
                ("page", page),
                ("fields", "Email"),
            ],
        )
        .await
    };
    let first = page("1").await;
    assert_eq!(
        first.body["info"],
        json!({"per_page": 200, "count": 200, "page": 1, "more_records": true})
    );
    assert_eq!(page("10").await.body["info"]["count"], 200);
    assert_eq!(page("11").await.body["code"], "LIMIT_REACHED");
}

#[tokio::test]
async fn a_change_is_found_only_after_a_while() {
    let (clock, hand) = Clock::simulated("2026-11-22T12:00:00Z".parse().unwrap());
    let org = Org::with(Settings {
        clock,
        ..Settings::on_loopback()
    })
    .await;
    let id = org
        .sim
        .insert("Leads", json!({"Last_Name": "Marsh"}))
        .unwrap();
    let found = async |name: &str| {
        let criteria = format!("(Last_Name:equals:{name})");
        let answer = search(&org, &[("criteria", &criteria), ("fields", "Last_Name")]).await;
        answer.body["data"][0]["Last_Name"]
            .as_str()
            .map(ToOwned::to_owned)
    };
    assert_eq!(found("Marsh").await, None);
    hand.advance(Duration::from_millis(1_999));
    assert_eq!(found("Marsh").await, None);
    hand.advance(Duration::from_millis(3_001));
    assert_eq!(found("Marsh").await, Some("Marsh".into()));
    org.sim
        .update("Leads", &id, json!({"Last_Name": "Reed"}))
        .unwrap();
    assert_eq!(found("Reed").await, None);
    assert_eq!(
        found("Marsh").await,
        Some("Reed".into()),
        "found as it was, shown as it is"
    );
    hand.advance(Duration::from_secs(5));
    assert_eq!(found("Reed").await, Some("Reed".into()));
    assert_eq!(found("Marsh").await, None);
    org.sim.delete("Leads", &[&id]).unwrap();
    assert_eq!(found("Reed").await, None);
}
