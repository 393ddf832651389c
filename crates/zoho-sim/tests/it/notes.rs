//! Notes, on one record and of many.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::Org;

fn lead(org: &Org) -> String {
    org.sim
        .insert(
            "Leads",
            json!({"Last_Name": "Marsh", "Company": "Reed Ltd"}),
        )
        .unwrap()
}

#[tokio::test]
async fn notes_of_a_record_are_written_listed_changed_and_deleted() {
    let org = Org::start().await;
    let lead = lead(&org);
    let path = format!("/crm/v8/Leads/{lead}/Notes");
    let list = format!("{path}?fields=Note_Title,Note_Content,Parent_Id");
    assert_eq!(org.get(&list).await.status, StatusCode::NO_CONTENT);
    let made = org
        .post(
            &path,
            &json!({"data": [{"Note_Title": "Call", "Note_Content": "Spoke."},
                             {"Note_Title": "no content"}]}),
        )
        .await;
    assert_eq!(made.status, StatusCode::MULTI_STATUS);
    assert_eq!(made.body["data"][0]["message"], "record added");
    assert_eq!(made.body["data"][1]["code"], "MANDATORY_NOT_FOUND");
    let id = made.body["data"][0]["details"]["id"].as_str().unwrap();

    assert_eq!(org.get(&path).await.body["code"], "REQUIRED_PARAM_MISSING");
    let listed = org.get(&list).await.body;
    let module = &listed["data"][0]["Parent_Id"]["module"];
    assert_eq!(module["api_name"], "Leads");
    assert_eq!(
        listed["data"],
        json!([{
            "Note_Title": "Call",
            "Note_Content": "Spoke.",
            "Parent_Id": {"module": module, "name": "Marsh", "id": lead},
            "id": id,
        }])
    );
    let one = format!("/crm/v8/Notes/{id}");
    assert_eq!(org.get(&one).await.body["code"], "REQUIRED_PARAM_MISSING");
    let change = json!({"data": [{"Note_Content": "Spoke twice."}]});
    assert_eq!(org.put(&one, &change).await.status, StatusCode::OK);
    let read = org.get(&format!("{one}?fields=Note_Content")).await.body;
    assert_eq!(read["data"][0]["Note_Content"], "Spoke twice.");
    assert_eq!(org.delete(&one).await.body["data"][0]["code"], "SUCCESS");
    assert_eq!(org.get(&list).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn notes_of_many_records_are_written_at_once_and_go_with_their_parents() {
    let org = Org::start().await;
    let lead = lead(&org);
    let deal = json!({"Deal_Name": "Pumps", "Stage": "Closed Won"});
    let deal = org.sim.insert("Deals", deal).unwrap();
    let note = |module: &str, id: &str| json!({"Note_Content": "x", "Parent_Id": {"module": {"api_name": module}, "id": id}});
    let made = org
        .post(
            "/crm/v8/Notes",
            &json!({"data": [note("Leads", &lead), note("Deals", &deal), note("Deals", &lead),
                             {"Note_Content": "of nobody"}]}),
        )
        .await;
    assert_eq!(made.status, StatusCode::MULTI_STATUS);
    let codes: Vec<&Value> = made.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["code"])
        .collect();
    assert_eq!(
        codes,
        ["SUCCESS", "SUCCESS", "INVALID_DATA", "MANDATORY_NOT_FOUND"]
    );
    let all = org
        .get("/crm/v8/Notes?fields=Parent_Id&sort_order=asc")
        .await;
    assert_eq!(all.body["data"][0]["Parent_Id"]["name"], "Marsh");
    assert_eq!(all.body["data"][1]["Parent_Id"]["name"], "Pumps");
    org.sim.delete("Leads", &[&lead]).unwrap();
    let left = org.get("/crm/v8/Notes?fields=Parent_Id").await;
    assert_eq!(left.body["info"]["count"], 1);
    assert_eq!(left.body["data"][0]["Parent_Id"]["id"], deal);
}
