//! Timelines of records.

use futures_util::TryStreamExt;
use serde_json::json;
use wiremock::ResponseTemplate;
use zoho_crm::{WriteOptions, timeline::TimelineQuery};

use crate::{
    records::values,
    support::{
        error, json as answer,
        literal::{answering, asked},
        sim::{client, simulator},
    },
};

const LEAD: &str = "4150868000000376008";

#[tokio::test]
async fn a_timeline_is_read_as_the_contract_says() {
    let first = r#"{"__timeline":[{"done_by":{"name":"Jane Doe","id":"4150868000000225013"},"related_record":null,"automation_details":{"rule":{"name":"Raise the priority","id":"4150868000000600001"},"type":"workflow_rule"},"record":{"module":{"api_name":"Leads","id":"2"},"name":"Doe","id":"4150868000000376008"},"audited_time":"2026-11-22T21:15:26+05:30","action":"updated","id":"4150868000000700002","source":"workflow","extension":null,"type":"timeline","field_history":[{"data_type":"picklist","api_name":"Lead_Status","id":"5","_value":{"new":"Contacted","old":null}}]}],"info":{"next_page_token":"abc","previous_page_token":null,"count":1,"more_records":true,"page":1,"per_page":200}}"#;
    let second = r#"{"__timeline":[{"done_by":null,"automation_details":null,"record":null,"audited_time":"2026-11-22T20:15:26+05:30","action":"added","id":"4150868000000700001","source":"crm_api","type":"timeline","field_history":null}],"info":{"next_page_token":null,"count":1,"more_records":false,"page":2,"per_page":200}}"#;
    let zoho = answering(vec![
        answer(200, first),
        answer(200, second),
        ResponseTemplate::new(204),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let timeline = |query: TimelineQuery| {
        let listing = client.timeline("Leads", LEAD, &query);
        listing.try_collect::<Vec<_>>()
    };
    let entries = timeline(TimelineQuery::default()).await.unwrap();
    let updated = &entries[0];
    assert_eq!(
        (updated.id.as_str(), updated.action.as_str()),
        ("4150868000000700002", "updated")
    );
    assert_eq!(updated.at, "2026-11-22T15:45:26Z".parse().ok());
    assert_eq!(updated.by.as_ref().unwrap().name, "Jane Doe");
    assert_eq!(updated.source.as_deref(), Some("workflow"));
    assert_eq!(
        updated.automation.as_ref().unwrap()["type"],
        "workflow_rule"
    );
    let change = &updated.changes[0];
    assert_eq!(change.api_name, "Lead_Status");
    assert_eq!(
        (&change.old, &change.new),
        (&json!(null), &json!("Contacted"))
    );
    assert_eq!(updated.values["record"]["id"], LEAD);
    let added = &entries[1];
    assert_eq!((&added.by, &added.automation), (&None, &None));
    assert!(added.changes.is_empty());
    let filters =
        json!({"comparator": "equal", "field": {"api_name": "source"}, "value": "crm_api"});
    let query = TimelineQuery {
        filters: Some(filters),
        oldest_first: true,
    };
    assert!(timeline(query.clone()).await.unwrap().is_empty());
    assert_eq!(timeline(query).await.unwrap_err().class(), "invalid");
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    let path = format!("/crm/v8/Leads/{LEAD}/__timeline");
    assert_eq!(paths[0], format!("{path}?per_page=200&page=1"));
    assert_eq!(paths[1], format!("{path}?per_page=200&page_token=abc"));
    let filtered = "filters=%7B%22comparator%22%3A%22equal%22%2C%22field%22%3A%7B%22api_name%22%3A%22source%22%7D%2C%22value%22%3A%22crm_api%22%7D&sort_by=audited_time&sort_order=asc&per_page=200&page=1";
    assert_eq!(paths[2], format!("{path}?{filtered}"));
    let elsewhere = client.timeline("Leads", "1/..", &TimelineQuery::default());
    let failed = elsewhere.try_collect::<Vec<_>>().await;
    assert_eq!(failed.unwrap_err().class(), "misuse");
}

#[tokio::test]
async fn what_happened_to_a_record_is_in_its_timeline_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = json!({"Last_Name": "Doe", "Company": "Reed", "City": "Rome"});
    let lead = sim.insert("Leads", lead).unwrap();
    let plain = WriteOptions::default();
    let change = values(&json!({"Company": "Marsh"}));
    client
        .update_one("Leads", &lead, &change, &plain)
        .await
        .unwrap();
    for n in 0..199 {
        sim.update("Leads", &lead, json!({"City": n.to_string()}))
            .unwrap();
    }
    let listing = client.timeline("Leads", &lead, &TimelineQuery::default());
    let entries: Vec<_> = listing.try_collect().await.unwrap();
    assert_eq!(entries.len(), 201, "over two pages");
    let [.., updated, added] = &entries[..] else {
        panic!("there are two at least");
    };
    assert_eq!(updated.source.as_deref(), Some("crm_api"));
    assert_eq!(updated.changes[0].api_name, "Company");
    assert_eq!(updated.changes[0].old, "Reed");
    assert_eq!(updated.changes[0].new, "Marsh");
    assert_eq!((added.action.as_str(), added.changes.len()), ("added", 0));
    assert_eq!(entries[0].source.as_deref(), Some("crm_ui"));
    assert!(entries[0].by.is_some() && entries[0].at.is_some());
    let nobody = client.timeline("Leads", "17", &TimelineQuery::default());
    assert!(nobody.try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn a_timeline_is_filtered_and_turned_round_by_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let plain = WriteOptions::default();
    for city in ["Rome", "Oslo", "Bern"] {
        let change = values(&json!({"City": city}));
        client
            .update_one("Leads", &lead, &change, &plain)
            .await
            .unwrap();
        sim.update("Leads", &lead, json!({"Company": city}))
            .unwrap();
    }
    let ours = json!({"comparator": "equal", "field": {"api_name": "source"}, "value": "crm_api"});
    for (oldest_first, expected) in [
        (true, ["Rome", "Oslo", "Bern"]),
        (false, ["Bern", "Oslo", "Rome"]),
    ] {
        let query = TimelineQuery {
            filters: Some(ours.clone()),
            oldest_first,
        };
        let entries = client.timeline("Leads", &lead, &query);
        let entries: Vec<_> = entries.try_collect().await.unwrap();
        let changed = entries.iter().map(|it| it.changes[0].new.clone());
        assert_eq!(changed.collect::<Vec<_>>(), expected);
    }
    let query = TimelineQuery {
        filters: None,
        oldest_first: true,
    };
    let entries = client.timeline("Leads", &lead, &query);
    let entries: Vec<_> = entries.try_collect().await.unwrap();
    assert_eq!((entries.len(), entries[0].action.as_str()), (7, "added"));
    let nonsense = TimelineQuery {
        filters: Some(json!({"comparator": "resembles"})),
        oldest_first: false,
    };
    let refused = client.timeline("Leads", &lead, &nonsense);
    let refused = refused.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(refused.class(), "invalid");
}
