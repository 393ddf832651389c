//! Tags of modules and on records.

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use zoho_crm::tags::{NewTag, Tag};

use crate::support::{
    error, json as answer,
    literal::{answering, asked},
    sim::{client, simulator},
};

const TAG: &str = "4150868000000487001";
const DONE: &str = r##"{"code":"SUCCESS","details":{"created_time":"2026-11-22T21:15:26+05:30","modified_time":"2026-11-22T21:15:26+05:30","name":"Hot","color_code":"#FD87BD","id":"4150868000000487001"},"message":"tags created successfully","status":"success"}"##;

fn hot() -> NewTag {
    NewTag {
        name: "Hot".to_owned(),
        color_code: Some("#FD87BD".to_owned()),
    }
}

fn tag(id: &str, name: &str) -> Tag {
    Tag {
        id: id.to_owned(),
        name: name.to_owned(),
        color_code: None,
    }
}

#[tokio::test]
async fn tags_are_made_changed_and_deleted_as_the_contract_says() {
    let duplicate = r#"{"code":"DUPLICATE_DATA","details":{"id":"4150868000000487002"},"message":"duplicate data","status":"error"}"#;
    let one = format!(r#"{{"tags":[{DONE}]}}"#);
    let zoho = answering(vec![
        answer(207, &format!(r#"{{"tags":[{DONE},{duplicate}]}}"#)),
        answer(
            200,
            &one.replace("created successfully", "updated successfully"),
        ),
        answer(
            200,
            &one.replace("created successfully", "updated successfully"),
        ),
        answer(
            200,
            &one.replace("created successfully", "deleted successfully"),
        ),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let made = client
        .create_tags("Leads", &[hot(), "New".into()])
        .await
        .unwrap();
    assert_eq!(made[0].as_ref().unwrap(), TAG);
    let failed = made[1].as_ref().unwrap_err();
    assert_eq!(failed.code.as_str(), "DUPLICATE_DATA");
    assert_eq!(failed.duplicate_id.as_deref(), Some("4150868000000487002"));
    let warm = tag(TAG, "Warm");
    let changed = client
        .update_tags("Leads", std::slice::from_ref(&warm))
        .await;
    assert_eq!(changed.unwrap()[0].as_ref().unwrap(), TAG);
    client.update_tag("Leads", &warm).await.unwrap();
    client.delete_tag(TAG).await.unwrap();
    assert_eq!(client.delete_tag(TAG).await.unwrap_err().class(), "invalid");
    let path = || "/crm/v8/settings/tags?module=Leads".to_owned();
    let single = format!("/crm/v8/settings/tags/{TAG}");
    let delete = ("DELETE".to_owned(), single.clone(), Value::Null);
    assert_eq!(
        asked(&zoho).await,
        [
            (
                "POST".to_owned(),
                path(),
                json!({"tags": [{"name": "Hot", "color_code": "#FD87BD"}, {"name": "New"}]}),
            ),
            (
                "PUT".to_owned(),
                path(),
                json!({"tags": [{"id": TAG, "name": "Warm"}]})
            ),
            (
                "PUT".to_owned(),
                format!("{single}?module=Leads"),
                json!({"tags": [{"name": "Warm"}]}),
            ),
            delete.clone(),
            delete,
        ]
    );
    let long = NewTag::from("a name of 26 characters ..");
    for tags in [&[long][..], &[]] {
        let failed = client.create_tags("Leads", tags).await.unwrap_err();
        assert_eq!(failed.class(), "misuse");
    }
    assert_eq!(zoho.calls(), 5);
}

#[tokio::test]
async fn tags_are_read_as_the_contract_says() {
    let list = r##"{"tags":[{"created_time":"2026-11-22T21:15:26+05:30","name":"Hot","modified_time":"2026-11-22T21:15:26+05:30","created_by":{"name":"Jane Doe","id":"3"},"color_code":"#FD87BD","id":"4150868000000487001"},{"name":"New","color_code":null,"id":"4150868000000487003"}],"info":{"count":2,"allowed_count":1000}}"##;
    let zoho = answering(vec![
        answer(200, list),
        ResponseTemplate::new(204),
        answer(200, r#"{"count":"42"}"#),
        answer(
            200,
            r#"{"data":[{"id":"1"}],"info":{"count":1,"more_records":false}}"#,
        ),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let tags = client.tags("Leads").await.unwrap().items;
    assert_eq!(tags[0].color_code.as_deref(), Some("#FD87BD"));
    assert_eq!(tags[1], tag("4150868000000487003", "New"));
    assert!(client.tags("Leads").await.unwrap().items.is_empty());
    assert_eq!(client.tag_count("Leads", TAG).await.unwrap(), 42);
    let tagged = client.tagged("Leads", "It's hot", &["id"]);
    assert_eq!(tagged.try_collect::<Vec<_>>().await.unwrap().len(), 1);
    let asked = asked(&zoho).await;
    let list = || {
        (
            "GET".to_owned(),
            "/crm/v8/settings/tags?module=Leads".to_owned(),
            Value::Null,
        )
    };
    let count = format!("/crm/v8/settings/tags/{TAG}/actions/records_count?module=Leads");
    assert_eq!(
        asked[..3],
        [list(), list(), ("GET".to_owned(), count, Value::Null)]
    );
    assert_eq!(
        asked[3].2,
        json!({"select_query": "select id from Leads where Tag = 'It''s hot' order by id asc limit 2000 offset 0"})
    );
}

#[tokio::test]
async fn records_are_tagged_as_the_contract_says() {
    let done = r#"{"code":"SUCCESS","details":{"id":"1","tags":[{"name":"Hot","id":"9","color_code":null}]},"message":"tags updated successfully","status":"success"}"#;
    let locked = r#"{"code":"RECORD_LOCKED","details":{"id":"2"},"message":"record is locked","status":"error"}"#;
    let five_hundred = [done; 500].join(",");
    let zoho = answering(vec![
        answer(
            207,
            &format!(r#"{{"data":[{done},{locked}],"locked_count":1}}"#),
        ),
        answer(200, &format!(r#"{{"data":[{done}],"locked_count":0}}"#)),
        answer(
            200,
            &format!(r#"{{"data":[{five_hundred}],"locked_count":0}}"#),
        ),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let batch = client
        .add_tags("Leads", &["1", "2"], &[hot()], false)
        .await
        .unwrap();
    assert!(batch[0].is_ok());
    let failed = batch[1].as_ref().unwrap_err();
    assert_eq!(failed.error.class(), "record_state");
    client.remove_tags("Leads", &["1"], &["Hot"]).await.unwrap();
    let many: Vec<String> = (0..1100).map(|it| it.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let batch = client
        .add_tags("Leads", &many, &[hot()], true)
        .await
        .unwrap();
    assert!(batch[..500].iter().all(Result::is_ok));
    let codes = batch[500..].iter().map(|it| it.as_ref().unwrap_err());
    assert!(codes.clone().all(|it| it.code.as_str() == "INVALID_DATA"));
    assert_eq!(codes.count(), 600, "what was not sent has the same reason");
    let asked = asked(&zoho).await;
    assert_eq!(asked.len(), 4);
    let posted = |action: &str, body: Value| {
        (
            "POST".to_owned(),
            format!("/crm/v8/Leads/actions/{action}"),
            body,
        )
    };
    let tags = json!([{"name": "Hot", "color_code": "#FD87BD"}]);
    assert_eq!(
        asked[..2],
        [
            posted(
                "add_tags",
                json!({"tags": tags, "over_write": false, "ids": ["1", "2"]})
            ),
            posted(
                "remove_tags",
                json!({"tags": [{"name": "Hot"}], "ids": ["1"]})
            ),
        ]
    );
    assert_eq!(asked[2].2["ids"].as_array().unwrap().len(), 500);
    assert_eq!(asked[2].2["over_write"], true);
    let failed = client.add_tags("Leads", &["1"], &[], false).await;
    assert_eq!(failed.unwrap_err().class(), "misuse");
}

#[tokio::test]
async fn tags_live_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    assert!(client.tags("Leads").await.unwrap().items.is_empty());
    let made = client
        .create_tags("Leads", &[hot(), "New".into(), "hot".into()])
        .await
        .unwrap();
    let ids: Vec<&String> = made.iter().flatten().collect();
    let failed = made[2].as_ref().unwrap_err();
    assert_eq!(failed.duplicate_id.as_deref(), Some(ids[0].as_str()));
    let changed = [tag(ids[0], "Warm"), tag("7", "Nobody")];
    let changed = client.update_tags("Leads", &changed).await.unwrap();
    assert!(changed[0].is_ok() && changed[1].is_err());
    client
        .update_tag("Leads", &tag(ids[1], "Newer"))
        .await
        .unwrap();
    let mut names = client.tags("Leads").await.unwrap().items;
    names.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<_> = names.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Newer", "Warm"]);
    client.delete_tag(ids[1]).await.unwrap();
    let gone = client.delete_tag(ids[1]).await.unwrap_err();
    assert_eq!(gone.class(), "invalid");
}

#[tokio::test]
async fn tags_are_put_on_records_of_the_simulator_and_taken_off() {
    let sim = simulator().await;
    let client = client(&sim);
    let pair = ["Warm".into(), "Newer".into()];
    let made = client.create_tags("Leads", &pair).await.unwrap();
    let ids: Vec<&String> = made.iter().flatten().collect();
    let rows = (0..600).map(|n| json!({"Last_Name": n.to_string()}));
    let leads = sim.insert_many("Leads", rows.collect()).unwrap();
    let leads: Vec<&str> = leads.iter().map(String::as_str).chain(["17"]).collect();
    let before = sim.counters().credits_used;
    let warm = ["Warm".into()];
    let batch = client
        .add_tags("Leads", &leads, &warm, false)
        .await
        .unwrap();
    let failed: Vec<_> = (0..601).filter(|at| batch[*at].is_err()).collect();
    assert_eq!(failed, [600]);
    assert_eq!(sim.counters().credits_used - before, 10 + 3);
    assert_eq!(client.tag_count("Leads", ids[0]).await.unwrap(), 600);
    let newer = ["Newer".into()];
    client
        .add_tags("Leads", &leads[..2], &newer, true)
        .await
        .unwrap();
    client
        .add_tags("Leads", &leads[2..3], &newer, false)
        .await
        .unwrap();
    client
        .remove_tags("Leads", &leads[1..2], &["Newer"])
        .await
        .unwrap();
    assert_eq!(client.tag_count("Leads", ids[0]).await.unwrap(), 598);
    let found = client.tagged("Leads", "Newer", &["Last_Name"]);
    let found: Vec<_> = found.try_collect().await.unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|it| it["Last_Name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["0", "2"]);
    client.delete_tag(ids[1]).await.unwrap();
    let found = client.tagged("Leads", "Newer", &["id"]);
    assert!(found.try_collect::<Vec<_>>().await.unwrap().is_empty());
}
