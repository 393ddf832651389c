//! Tags of modules and on records.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::Org;

const TAGS: &str = "/crm/v8/settings/tags?module=Leads";

async fn make(org: &Org, name: &str) -> String {
    let made = org.post(TAGS, &json!({"tags": [{"name": name}]})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    made.body["tags"][0]["details"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn tags_of(org: &Org, at: usize) -> Vec<String> {
    let record = org.sim.records("Leads")[at].clone();
    let tags = record["Tag"].as_array().unwrap().clone();
    tags.iter()
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn tags_are_made_listed_changed_and_deleted() {
    let org = Org::start().await;
    assert_eq!(org.get(TAGS).await.status, StatusCode::NO_CONTENT);
    let made = org
        .post(
            TAGS,
            &json!({"tags": [{"name": "Hot", "color_code": "#AAFE62"}]}),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let details = &made.body["tags"][0]["details"];
    let (id, at) = (details["id"].as_str().unwrap(), &details["created_time"]);
    let user = json!({"name": "Rosa Lark", "id": details["created_by"]["id"]});
    let shown = json!({
        "id": id, "name": "Hot", "color_code": "#AAFE62", "created_time": at, "modified_time": at,
        "created_by": user, "modified_by": user,
    });
    assert_eq!(
        made.body["tags"][0],
        json!({"code": "SUCCESS", "details": shown, "message": "tags created successfully", "status": "success"})
    );
    let list = org.get(TAGS).await;
    assert_eq!(list.body["tags"], json!([shown]));
    assert_eq!(list.body["info"]["count"], 1);
    let path = format!("/crm/v8/settings/tags/{id}");
    let one = org
        .put(
            &format!("{path}?module=Leads"),
            &json!({"tags": [{"name": "Warm"}]}),
        )
        .await;
    assert_eq!(one.body["tags"][0]["message"], "tags updated successfully");
    assert_eq!(one.body["tags"][0]["details"]["color_code"], "#AAFE62");
    let many = org
        .put(
            TAGS,
            &json!({"tags": [{"id": id, "name": "Cold"}, {"id": "7", "name": "No"}]}),
        )
        .await;
    assert_eq!(many.status, StatusCode::MULTI_STATUS);
    assert_eq!(many.body["tags"][0]["details"]["name"], "Cold");
    assert_eq!(many.body["tags"][1]["code"], "INVALID_DATA");
    let deleted = org.delete(&path).await;
    assert_eq!(
        deleted.body,
        json!({"tags": [{"code": "SUCCESS", "details": {"id": id}, "message": "tags deleted successfully", "status": "success"}]})
    );
    assert_eq!(
        org.delete(&path).await.body,
        json!({"code": "INVALID_DATA", "details": {"id": id}, "message": "tags not found", "status": "error"})
    );
}

#[tokio::test]
async fn names_are_short_and_unique() {
    let org = Org::start().await;
    let id = make(&org, "Hot").await;
    let long = "x".repeat(26);
    let answer = org
        .post(TAGS, &json!({"tags": [{"name": "hot"}, {"name": long}, {}, {"name": "New", "color_code": "#1234567"}, {"name": "Good"}]}))
        .await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let items = answer.body["tags"].as_array().unwrap();
    assert_eq!(
        items[..4],
        [
            json!({"code": "DUPLICATE_DATA", "message": "duplicate data", "status": "error",
                   "details": {"api_name": "name", "json_path": "$.tags[0].name", "id": id}}),
            json!({"code": "INVALID_DATA", "message": "invalid data", "status": "error",
                   "details": {"api_name": "name", "json_path": "$.tags[1].name", "maximum_length": 25}}),
            json!({"code": "MANDATORY_NOT_FOUND", "message": "required field not found", "status": "error",
                   "details": {"api_name": "name", "json_path": "$.tags[2].name"}}),
            json!({"code": "INVALID_DATA", "message": "invalid data", "status": "error",
                   "details": {"api_name": "color_code", "json_path": "$.tags[3].color_code", "maximum_length": 7}}),
        ]
    );
    assert_eq!(items[4]["code"], "SUCCESS");
    let other = org
        .post(
            "/crm/v8/settings/tags?module=Deals",
            &json!({"tags": [{"name": "Hot"}]}),
        )
        .await;
    assert_eq!(other.status, StatusCode::CREATED, "another module's");
    let no_module = org.get("/crm/v8/settings/tags").await;
    assert_eq!(no_module.body["code"], "REQUIRED_PARAM_MISSING");
    assert_eq!(
        org.get("/crm/v8/settings/tags?module=Boats").await.body["code"],
        "INVALID_MODULE"
    );
}

#[tokio::test]
async fn records_get_and_lose_tags() {
    let org = Org::start().await;
    let id = org.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap();
    let path = format!("/crm/v8/Leads/{id}/actions");
    let hot = make(&org, "Hot").await;
    let added = org
        .post(
            &format!("{path}/add_tags"),
            &json!({"tags": [{"name": "hot"}, {"name": "New", "color_code": "#63C57E"}]}),
        )
        .await;
    assert_eq!(added.status, StatusCode::OK);
    let new = org.get(TAGS).await.body["tags"][1]["id"].clone();
    assert_eq!(
        added.body,
        json!({"data": [{
            "code": "SUCCESS",
            "details": {"id": id, "tags": [
                {"name": "Hot", "id": hot, "color_code": null},
                {"name": "New", "id": new, "color_code": "#63C57E"},
            ]},
            "message": "tags updated successfully",
            "status": "success",
        }]})
    );
    assert_eq!(tags_of(&org, 0), ["Hot", "New"]);
    org.post(
        &format!("{path}/remove_tags"),
        &json!({"tags": [{"name": "HOT"}]}),
    )
    .await;
    assert_eq!(tags_of(&org, 0), ["New"]);
    org.post(
        &format!("{path}/add_tags"),
        &json!({"tags": [{"name": "Only"}], "over_write": true}),
    )
    .await;
    assert_eq!(tags_of(&org, 0), ["Only"]);
    let list = org.get(&format!("/crm/v8/Leads?ids={id}&fields=Tag")).await;
    assert_eq!(list.body["data"][0]["Tag"][0]["name"], "Only");
    let found = org
        .post(
            "/crm/v8/coql",
            &json!({"select_query": "select id from Leads where Tag = 'only'"}),
        )
        .await;
    assert_eq!(found.body["info"]["count"], 1);
}

#[tokio::test]
async fn many_records_are_tagged_with_a_result_each() {
    let org = Org::start().await;
    let mut ids = org
        .sim
        .insert_many("Leads", vec![json!({"Last_Name": "A"}); 101])
        .unwrap();
    let locks = format!("/crm/v8/Leads/{}/Locking_Information__s", ids[0]);
    org.post(&locks, &json!({"data": [{"Locked_Reason__s": "no"}]}))
        .await;
    ids.push("7".into());
    let before = org.sim.counters().credits_used;
    let answer = org
        .post(
            "/crm/v8/Leads/actions/add_tags",
            &json!({"tags": [{"name": "Hot"}], "ids": ids}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    assert_eq!(org.sim.counters().credits_used, before + 3);
    assert_eq!(answer.body["locked_count"], 1);
    assert_eq!(
        answer.body["data"][0],
        json!({"code": "RECORD_LOCKED", "details": {"action": "record_locking", "id": ids[0]},
               "message": "Sorry, you cannot perform this operation as the record is locked.", "status": "error"})
    );
    assert_eq!(answer.body["data"][1]["code"], "SUCCESS");
    assert_eq!(answer.body["data"][101]["code"], "INVALID_DATA");
    let tag = org.get(TAGS).await.body["tags"][0]["id"].clone();
    let count = org
        .get(&format!(
            "/crm/v8/settings/tags/{}/actions/records_count?module=Leads",
            tag.as_str().unwrap()
        ))
        .await;
    assert_eq!(count.body, json!({"count": "100"}));
    let in_a_string = json!({"tags": [{"name": "Hot"}], "ids": format!("[\"{}\"]", ids[1])});
    let removed = org
        .post("/crm/v8/Leads/actions/remove_tags", &in_a_string)
        .await;
    assert_eq!(removed.body["data"][0]["details"]["tags"], json!([]));
    let too_many: Vec<String> = (0..501).map(|it| it.to_string()).collect();
    let answer = org
        .post(
            "/crm/v8/Leads/actions/add_tags",
            &json!({"tags": [{"name": "Hot"}], "ids": too_many}),
        )
        .await;
    assert_eq!(
        answer.body["details"],
        json!({"api_name": "ids", "json_path": "$.ids", "maximum_length": 500})
    );
    let as_parameters = org
        .post(
            "/crm/v8/Leads/actions/add_tags?ids=1&tag_names=Hot",
            &json!({}),
        )
        .await;
    assert_eq!(as_parameters.body["code"], "MANDATORY_NOT_FOUND");
}

#[tokio::test]
async fn a_renamed_or_deleted_tag_changes_its_records() {
    let org = Org::start().await;
    let written = org
        .post(
            "/crm/v8/Leads",
            &json!({"data": [{"Last_Name": "A", "Company": "C", "Tag": [{"name": "Hot"}]}]}),
        )
        .await;
    assert_eq!(written.status, StatusCode::CREATED);
    let id = org.get(TAGS).await.body["tags"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/crm/v8/settings/tags/{id}");
    org.put(
        &format!("{path}?module=Leads"),
        &json!({"tags": [{"name": "Warm"}]}),
    )
    .await;
    assert_eq!(tags_of(&org, 0), ["Warm"]);
    org.delete(&path).await;
    assert!(tags_of(&org, 0).is_empty());
    let long = json!([{"name": "x".repeat(26)}]);
    let refused = org
        .post(
            "/crm/v8/Leads",
            &json!({"data": [{"Last_Name": "A", "Company": "C", "Tag": long}]}),
        )
        .await;
    assert_eq!(refused.body["data"][0]["details"]["maximum_length"], 25);
}

#[tokio::test]
async fn a_snapshot_brings_tags() {
    let org = Org::start().await;
    let snapshot = json!({
        "$tags": {"Leads": [{"name": "Hot", "color_code": "#63C57E"}]},
        "Leads": [{"Last_Name": "A", "Tag": [{"name": "hot"}, {"name": "New"}]}],
    });
    assert_eq!(org.sim.load(&snapshot).unwrap(), 1);
    let tags: Value = org.get(TAGS).await.body["tags"].clone();
    assert_eq!(
        (&tags[0]["name"], &tags[0]["color_code"]),
        (&json!("Hot"), &json!("#63C57E"))
    );
    assert_eq!(tags[1]["name"], "New");
    assert_eq!(tags_of(&org, 0), ["Hot", "New"]);
}
