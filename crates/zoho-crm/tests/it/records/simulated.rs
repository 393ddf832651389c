//! The record family on a simulated org.

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use zoho_crm::{
    Action, Client, Condition, Converted, DeletedKind, DeletedQuery, Error, IfModified, ListQuery,
    OneQuery, PageAt, RecordQuery, Sort, SortBy, WriteOptions,
};
use zoho_sim::Sim;

use super::values;
use crate::support::sim::{client, simulator};

const PLAIN: WriteOptions<'_> = WriteOptions {
    trigger: None,
    duplicate_check_fields: &[],
    condition: None,
};

async fn org() -> (Sim, Client) {
    let sim = simulator().await;
    let client = client(&sim);
    (sim, client)
}

async fn name_of(client: &Client, id: &str) -> Option<Value> {
    let one = client.record("Leads", id).await.unwrap();
    one.record?.get("Last_Name").cloned()
}

#[tokio::test]
async fn fifty_thousand_records_are_listed_with_one_page_in_memory() {
    const RECORDS: u64 = 50_000;
    let (sim, client) = org().await;
    sim.generate("Leads", usize::try_from(RECORDS).unwrap())
        .unwrap();
    let query = ListQuery::of("Leads", &["Last_Name"]);
    let mut listing = client.list(&query);
    let (mut taken, mut held_max) = (0_u64, 0);
    let mut last = None;
    while let Some(record) = listing.try_next().await.unwrap() {
        let id: u64 = record["id"].as_str().unwrap().parse().unwrap();
        assert!(last.is_none_or(|it| id < it), "the newest first, each once");
        last = Some(id);
        held_max = held_max.max(sim.counters().records_read - taken);
        taken += 1;
    }
    assert_eq!(taken, RECORDS);
    assert_eq!(held_max, 200, "no page is asked for ahead");
    assert_eq!(sim.counters().credits_used, RECORDS / 200);
}

#[tokio::test]
async fn lists_are_sorted_and_paged() {
    let (sim, client) = org().await;
    for name in ["Abbot", "Birch", "Crane"] {
        sim.insert("Leads", json!({"Last_Name": name})).unwrap();
    }
    let query = ListQuery {
        sort: Some(Sort {
            by: SortBy::Id,
            ascending: true,
        }),
        per_page: 2,
        ..ListQuery::of("Leads", &["Last_Name"])
    };
    let names = |records: &[zoho_crm::Values]| -> Vec<String> {
        let name = |it: &zoho_crm::Values| it["Last_Name"].as_str().unwrap().to_owned();
        records.iter().map(name).collect()
    };
    let first = client.list_page(&query, PageAt::Number(1)).await.unwrap();
    assert_eq!(names(&first.items), ["Abbot", "Birch"]);
    assert!(first.more);
    let token = first.next_page_token.unwrap();
    let second = client
        .list_page(&query, PageAt::Token(&token))
        .await
        .unwrap();
    assert_eq!(names(&second.items), ["Crane"]);
    assert!(!second.more);
    let other = ListQuery {
        per_page: 3,
        ..query
    };
    let mismatch = client.list_page(&other, PageAt::Token(&token)).await;
    assert!(matches!(mismatch, Err(Error::RestartPaging { .. })));
    let beyond = client.list_page(&query, PageAt::Number(1001)).await;
    assert_eq!(beyond.unwrap_err().class(), "misuse");
}

#[tokio::test]
async fn any_number_of_ids_is_read() {
    let (sim, client) = org().await;
    let rows = (0..250).map(|n| json!({"Last_Name": n.to_string()}));
    let ids = sim.insert_many("Leads", rows.collect()).unwrap();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let query = RecordQuery {
        module: "Leads",
        ids: &ids,
        fields: &["Last_Name"],
        converted: Converted::Hidden,
    };
    let found: Vec<_> = client.records_by_ids(&query).try_collect().await.unwrap();
    assert_eq!(found.len(), 250);
    assert_eq!(sim.counters().ids_asked_max, 100);
    assert_eq!(client.count("Leads").await.unwrap(), 250);
}

#[tokio::test]
async fn records_are_inserted_updated_and_deleted_each_with_its_own_result() {
    let (sim, client) = org().await;
    let mut records: Vec<_> = (0..230)
        .map(|n| values(&json!({"Last_Name": format!("Lead {n}"), "Company": "Example"})))
        .collect();
    records[120].remove("Last_Name");
    let batch = client.insert("Leads", &records, &PLAIN).await.unwrap();
    assert_eq!(batch.len(), 230);
    let failed: Vec<_> = (0..230).filter(|n| batch[*n].is_err()).collect();
    assert_eq!(failed, [120]);
    let error = batch[120].as_ref().unwrap_err();
    assert_eq!(error.code.as_str(), "MANDATORY_NOT_FOUND");
    assert_eq!(error.api_name.as_ref().unwrap().as_str(), "Last_Name");
    assert_eq!(sim.records("Leads").len(), 229);
    assert_eq!(sim.counters().credits_used, 10 + 10 + 3);

    let ids: Vec<String> = batch.into_iter().flatten().map(|it| it.id).collect();
    assert_eq!(name_of(&client, &ids[7]).await.unwrap(), "Lead 7");
    let changes = [
        values(&json!({"id": ids[0], "Last_Name": "Changed"})),
        values(&json!({"id": "999", "Last_Name": "Nobody"})),
    ];
    let batch = client.update("Leads", &changes, &PLAIN).await.unwrap();
    assert_eq!(batch[0].as_ref().unwrap().id, ids[0]);
    assert_eq!(batch[1].as_ref().unwrap_err().error.class(), "invalid");
    assert_eq!(name_of(&client, &ids[0]).await.unwrap(), "Changed");
    let one = values(&json!({"Last_Name": "Again"}));
    let written = client.update_one("Leads", &ids[0], &one, &PLAIN).await;
    assert_eq!(written.unwrap().action, Action::Updated);
    assert_eq!(name_of(&client, &ids[0]).await.unwrap(), "Again");
    let nobody = client.update_one("Leads", "999", &one, &PLAIN).await;
    assert_eq!(nobody.unwrap_err().error.class(), "invalid");

    client.delete_one("Leads", &ids[0], false).await.unwrap();
    assert!(client.delete_one("Leads", &ids[0], true).await.is_err());
    let rest: Vec<&str> = ids.iter().map(String::as_str).collect();
    let batch = client.delete("Leads", &rest, true).await.unwrap();
    assert_eq!(batch.iter().filter(|it| it.is_err()).count(), 1);
    assert_eq!(sim.records("Leads").len(), 0);
}

#[tokio::test]
async fn an_upsert_finds_who_is_there_and_a_duplicate_names_them() {
    let (_sim, client) = org().await;
    let doe =
        values(&json!({"Last_Name": "Doe", "Company": "Example", "Email": "doe@example.com"}));
    let roe =
        values(&json!({"Last_Name": "Roe", "Company": "Example", "Email": "roe@example.com"}));
    let options = WriteOptions {
        duplicate_check_fields: &["Email"],
        ..PLAIN
    };
    let first = client
        .upsert("Leads", std::slice::from_ref(&doe), &options)
        .await
        .unwrap();
    let first = first[0].as_ref().unwrap();
    assert_eq!(first.action, Action::Inserted);
    let both = client.upsert("Leads", &[doe, roe], &options).await.unwrap();
    let again = both[0].as_ref().unwrap();
    assert_eq!((&again.id, again.action), (&first.id, Action::Updated));
    assert_eq!(again.duplicate_field.as_deref(), Some("Email"));
    assert_eq!(both[1].as_ref().unwrap().action, Action::Inserted);
}

#[tokio::test]
async fn what_was_deleted_can_be_listed_and_purged() {
    let (sim, client) = org().await;
    let rows = (0..205).map(|n| json!({"Last_Name": n.to_string()}));
    let ids = sim.insert_many("Leads", rows.collect()).unwrap();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    client.delete("Leads", &all, true).await.unwrap();
    let query = DeletedQuery {
        module: "Leads",
        kind: DeletedKind::All,
        since: None,
    };
    let listed: Vec<_> = client.deleted(&query).try_collect().await.unwrap();
    assert_eq!(listed.len(), 205);
    assert!(listed.iter().all(|it| it.kind == DeletedKind::Recycle));
    assert!(
        listed
            .iter()
            .all(|it| it.deleted_time.is_some() && it.deleted_by.is_some())
    );

    let (one, two) = (all[0], &all[1..3]);
    client.delete_one_from_recycle_bin(one).await.unwrap();
    let batch = client.delete_from_recycle_bin(two).await.unwrap();
    assert!(batch.iter().all(Result::is_ok));
    let permanent = DeletedQuery {
        kind: DeletedKind::Permanent,
        ..query
    };
    let gone: Vec<_> = client.deleted(&permanent).try_collect().await.unwrap();
    assert_eq!(gone.len(), 3);
    let future = DeletedQuery {
        since: Some("2100-01-01T00:00:00Z".parse().unwrap()),
        ..query
    };
    let later: Vec<_> = client.deleted(&future).try_collect().await.unwrap();
    assert_eq!(later, []);
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again() {
    let (sim, client) = org().await;
    let id = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let ask = |since: &str| {
        let since: Timestamp = since.parse().unwrap();
        let (client, id) = (client.clone(), id.clone());
        async move {
            let query = OneQuery {
                fields: &["Last_Name"],
                modified_since: Some(since),
                ..OneQuery::of("Leads", &id)
            };
            client.record_if(&query).await.unwrap()
        }
    };
    assert_eq!(ask("2100-01-01T00:00:00Z").await, IfModified::NotModified);
    let IfModified::Is(one) = ask("2000-01-01T00:00:00Z").await else {
        panic!("it is newer");
    };
    let record = one.record.unwrap();
    assert_eq!(record["Last_Name"], "Doe");
    assert_eq!(record.get("Company"), None, "only what was asked for");
}

#[tokio::test]
async fn full_data_is_read_alone_and_together() {
    let (sim, client) = org().await;
    let long = "x".repeat(2_000);
    let rows = (0..3).map(|_| json!({"Last_Name": "Doe", "Description": long}));
    let ids = sim.insert_many("Leads", rows.collect()).unwrap();
    let one = client
        .full_data("Leads", &ids[0], &[])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(one["Description"], *long);
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let listing = client.full_data_by_ids("Leads", &all, &["Description"]);
    let all: Vec<_> = listing.try_collect().await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|it| it["Description"] == *long));
    assert_eq!(client.full_data("Leads", "999", &[]).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_since_a_time_has_only_what_is_newer() {
    let (sim, client) = org().await;
    sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let since = |text: &str| ListQuery {
        modified_since: Some(text.parse().unwrap()),
        ..ListQuery::of("Leads", &["Last_Name"])
    };
    let newer = client.list(&since("2000-01-01T00:00:00Z"));
    assert_eq!(newer.try_collect::<Vec<_>>().await.unwrap().len(), 1);
    let none = client.list(&since("2100-01-01T00:00:00Z"));
    assert!(none.try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert_eq!(sim.counters().answers[&304], 1);
}

#[tokio::test]
async fn an_update_from_an_old_version_is_refused() {
    let (sim, client) = org().await;
    let id = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let since = |text: &str| WriteOptions {
        condition: Some(Condition::unmodified_since(text.parse().unwrap())),
        ..PLAIN
    };
    let change = values(&json!({"Last_Name": "Roe"}));
    let old = since("2000-01-01T00:00:00Z");
    let failed = client.update_one("Leads", &id, &change, &old).await;
    assert!(matches!(failed.unwrap_err().error, Error::Modified { .. }));
    assert_eq!(name_of(&client, &id).await.unwrap(), "Doe");
    let new = since("2100-01-01T00:00:00Z");
    client
        .update_one("Leads", &id, &change, &new)
        .await
        .unwrap();
    assert_eq!(name_of(&client, &id).await.unwrap(), "Roe");
}
