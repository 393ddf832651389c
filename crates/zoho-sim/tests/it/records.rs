//! Reads and writes of records.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, ids, send};

#[tokio::test]
async fn an_inserted_record_is_read_back_both_ways() {
    let org = Org::start().await;
    let answer = org
        .post(
            "/crm/v8/Leads",
            &json!({"data": [{"Last_Name": "Marsh", "First_Name": "Ann", "Company": "Reed Ltd", "Annual_Revenue": 12.5}]}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let item = &answer.body["data"][0];
    let (id, created) = (&item["details"]["id"], &item["details"]["Created_Time"]);
    let user = json!({"name": "Rosa Lark", "id": item["details"]["Created_By"]["id"]});
    assert_eq!(
        item,
        &json!({
            "code": "SUCCESS",
            "details": {
                "Modified_Time": created, "Modified_By": user, "Created_Time": created,
                "id": id, "Created_By": user, "$approval_state": "approved",
            },
            "message": "record added",
            "status": "success",
        })
    );
    let id = id.as_str().unwrap();
    assert_eq!(id.len(), 19);
    assert!(created.as_str().unwrap().ends_with("+05:30"));

    let list = org
        .get(&format!(
            "/crm/v8/Leads?ids={id}&fields=Full_Name,Annual_Revenue,Email,Modified_Time"
        ))
        .await;
    assert_eq!(list.status, StatusCode::OK);
    assert_eq!(
        list.body["data"],
        json!([{"id": id, "Full_Name": "Ann Marsh", "Annual_Revenue": 12.5, "Email": null, "Modified_Time": created}])
    );
    assert!(list.headers.contains_key("date"));
    let one = org.get(&format!("/crm/v8/Leads/{id}")).await;
    assert_eq!(one.body["data"][0]["Company"], "Reed Ltd");
    assert_eq!(one.body["data"][0]["Owner"]["name"], "Rosa Lark");
    assert_eq!(one.body["data"][0]["$approval_state"], "approved");
    let few = org.get(&format!("/crm/v8/Leads/{id}?fields=Company")).await;
    assert_eq!(few.body["data"], json!([{"id": id, "Company": "Reed Ltd"}]));
}

#[tokio::test]
async fn lists_need_fields_fifty_at_most_and_a_hundred_ids() {
    let org = Org::start().await;
    let missing = org.get("/crm/v8/Leads").await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        missing.body,
        json!({"code": "REQUIRED_PARAM_MISSING", "details": {"param_name": "fields"},
               "message": "One of the expected parameter is missing", "status": "error"})
    );
    let many = |count: usize| vec!["City"; count].join(",");
    let fields = org.get(&format!("/crm/v8/Leads?fields={}", many(51))).await;
    assert_eq!(fields.body["code"], "LIMIT_EXCEEDED");
    let fields = org.get(&format!("/crm/v8/Leads?fields={}", many(50))).await;
    assert_eq!(fields.status, StatusCode::NO_CONTENT);
    let ids = (1..=101)
        .map(|it: i32| it.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let answer = org
        .get(&format!("/crm/v8/Leads?fields=City&ids={ids}"))
        .await;
    assert_eq!(answer.body["code"], "LIMIT_EXCEEDED");
    let sorted = org.get("/crm/v8/Leads?fields=City&sort_by=Amount").await;
    assert_eq!(sorted.body["code"], "INVALID_DATA");
}

#[tokio::test]
async fn a_mixed_write_is_answered_207_with_a_result_per_record_in_order() {
    let org = Org::start().await;
    let answer = org
        .post(
            "/crm/v8/Leads",
            &json!({"data": [
                {"Last_Name": "A", "Company": "C", "External_Id": "x1"},
                {"Company": "C"},
                {"Last_Name": "B", "Company": "C", "External_Id": "X1"},
                {"Last_Name": 7, "Company": "C"},
                {"Last_Name": "D", "Company": "C", "Email": "nobody"},
            ]}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    let first = &answer.body["data"][0]["details"]["id"];
    assert_eq!(answer.body["data"][0]["code"], "SUCCESS");
    assert_eq!(
        answer.body["data"].as_array().unwrap()[1..],
        [
            json!({"code": "MANDATORY_NOT_FOUND", "message": "required field not found", "status": "error",
                   "details": {"api_name": "Last_Name", "json_path": "$.data[1].Last_Name"}}),
            json!({"code": "DUPLICATE_DATA", "message": "duplicate data", "status": "error",
                   "details": {"api_name": "External_Id", "id": first, "json_path": "$.data[2].External_Id"}}),
            json!({"code": "INVALID_DATA", "message": "invalid data", "status": "error",
                   "details": {"api_name": "Last_Name", "expected_data_type": "text", "json_path": "$.data[3].Last_Name"}}),
            json!({"code": "INVALID_DATA", "message": "invalid data", "status": "error",
                   "details": {"api_name": "Email", "expected_data_type": "email", "json_path": "$.data[4].Email"}}),
        ]
    );
    let failed = org.post("/crm/v8/Leads", &json!({"data": [{}]})).await;
    assert_eq!(failed.status, StatusCode::BAD_REQUEST);
    let too_many: Vec<Value> = vec![json!({"Last_Name": "A", "Company": "C"}); 101];
    let answer = org.post("/crm/v8/Leads", &json!({"data": too_many})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(org.sim.records("Leads").len(), 1);
}

#[tokio::test]
async fn records_are_updated_and_deleted_and_then_listed_as_deleted() {
    let org = Org::start().await;
    let id = org
        .sim
        .insert(
            "Deals",
            json!({"Deal_Name": "Pier", "Stage": "Qualification"}),
        )
        .unwrap();
    let path = format!("/crm/v8/Deals/{id}");
    let answer = org.put(&path, &json!({"data": [{"Amount": 60000}]})).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["data"][0]["message"], "record updated");
    let shown = org.get(&path).await.body["data"][0].clone();
    assert_eq!(shown["Amount"], 60000);
    assert_eq!(shown["Created_By"]["name"], "Jane Doe");
    assert_eq!(shown["Modified_By"]["name"], "Rosa Lark");
    let wrong = org
        .put(
            "/crm/v8/Deals",
            &json!({"data": [{"id": "1", "Amount": 1}]}),
        )
        .await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        wrong.body["data"][0],
        json!({"code": "INVALID_DATA", "details": {"api_name": "id", "json_path": "$.data[0].id"},
               "message": "the id given seems to be invalid", "status": "error"})
    );
    let deleted = org.delete(&format!("/crm/v8/Deals?ids={id},1")).await;
    assert_eq!(deleted.status, StatusCode::MULTI_STATUS);
    assert_eq!(
        deleted.body["data"][0],
        json!({"code": "SUCCESS", "details": {"id": id}, "message": "record deleted", "status": "success"})
    );
    assert_eq!(org.get(&path).await.status, StatusCode::NO_CONTENT);
    let never = org.get("/crm/v8/Deals/1").await;
    assert_eq!(never.body["code"], "INVALID_DATA");
    let list = org.get("/crm/v8/Deals/deleted?type=all").await;
    let row = &list.body["data"][0];
    assert_eq!(row["id"], id.as_str());
    assert_eq!(row["display_name"], "Pier");
    assert_eq!(row["type"], "recycle");
    assert_eq!(row["deleted_by"]["name"], "Rosa Lark");
    assert_eq!(
        list.body["info"],
        json!({"per_page": 200, "count": 1, "page": 1, "more_records": false})
    );
    let none = org.get("/crm/v8/Leads/deleted?type=all").await;
    assert_eq!(none.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_upsert_says_what_it_did() {
    let org = Org::start().await;
    let body = |company: &str| json!({"data": [{"Last_Name": "A", "Company": company, "Email": "a@b.example"}], "duplicate_check_fields": ["Email"]});
    let first = org.post("/crm/v8/Leads/upsert", &body("One")).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.body["data"][0]["action"], "insert");
    assert_eq!(first.body["data"][0]["duplicate_field"], Value::Null);
    let second = org.post("/crm/v8/Leads/upsert", &body("Two")).await;
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.body["data"][0]["action"], "update");
    assert_eq!(second.body["data"][0]["duplicate_field"], "Email");
    assert_eq!(org.sim.records("Leads").len(), 1);
}

#[tokio::test]
async fn pages_reach_two_thousand_rows_and_tokens_the_rest() {
    let org = Org::start().await;
    let rows = (0..2_350)
        .map(|n| json!({"Last_Name": n.to_string()}))
        .collect();
    let inserted = org.sim.insert_many("Contacts", rows).unwrap();
    let mut seen = vec![];
    let mut path = "/crm/v8/Contacts?fields=Last_Name&page=1".to_owned();
    loop {
        let answer = org.get(&path).await;
        seen.extend(ids(&answer.body));
        let info = &answer.body["info"];
        let Some(token) = info["next_page_token"].as_str() else {
            assert_eq!(info["more_records"], false);
            assert_eq!(info["count"], 150);
            break;
        };
        assert_eq!(info["more_records"], true);
        path = format!("/crm/v8/Contacts?fields=Last_Name&page_token={token}");
    }
    let mut expected = inserted;
    expected.reverse();
    assert_eq!(seen, expected);
    let last = org.get("/crm/v8/Contacts?fields=Last_Name&page=10").await;
    assert_eq!(last.status, StatusCode::OK);
    let beyond = org.get("/crm/v8/Contacts?fields=Last_Name&page=11").await;
    assert_eq!(beyond.body["code"], "DISCRETE_PAGINATION_LIMIT_EXCEEDED");
    let other = org.get(&path.replace("Last_Name", "Email")).await;
    assert_eq!(other.body["code"], "TOKEN_BOUND_DATA_MISMATCH");
    let both = org.get(&format!("{path}&page=2")).await;
    assert_eq!(both.body["code"], "AMBIGUITY_DURING_PROCESSING");
    assert_eq!(
        org.get("/crm/v8/Contacts/actions/count").await.body,
        json!({"count": 2350})
    );
}

#[tokio::test]
async fn what_has_not_changed_since_is_304() {
    let org = Org::start().await;
    let id = org
        .sim
        .insert("Leads", json!({"Last_Name": "A", "Company": "C"}))
        .unwrap();
    let since = |path: String, at: &'static str| {
        send(
            org.request(Method::GET, &path)
                .header("If-Modified-Since", at),
        )
    };
    for path in [
        format!("/crm/v8/Leads?fields=id&ids={id}"),
        format!("/crm/v8/Leads/{id}"),
    ] {
        let old = since(path.clone(), "2019-07-25T15:26:49+05:30").await;
        assert_eq!(old.status, StatusCode::OK);
        let new = since(path, "2100-01-01T00:00:00+05:30").await;
        assert_eq!(new.status, StatusCode::NOT_MODIFIED);
        assert_eq!(new.body, Value::Null);
    }
}

#[tokio::test]
async fn lists_cut_rich_text_and_leave_out_subforms() {
    let org = Org::start().await;
    let text = "x".repeat(800);
    let lead = org
        .sim
        .insert("Leads", json!({"Last_Name": "A", "Background": text}))
        .unwrap();
    let list = org
        .get(&format!("/crm/v8/Leads?ids={lead}&fields=Background"))
        .await;
    assert_eq!(
        list.body["data"][0]["Background"].as_str().unwrap().len(),
        500
    );
    let one = org.get(&format!("/crm/v8/Leads/{lead}")).await;
    assert_eq!(
        one.body["data"][0]["Background"].as_str().unwrap().len(),
        800
    );

    let items = json!([{"Product_Name": {"name": "Oar", "id": "1"}, "Quantity": 2}]);
    let quote = org
        .sim
        .insert("Quotes", json!({"Subject": "Q", "Quoted_Items": items}))
        .unwrap();
    let list = org
        .get(&format!(
            "/crm/v8/Quotes?ids={quote}&fields=Subject,Quoted_Items"
        ))
        .await;
    assert_eq!(list.body["data"], json!([{"id": quote, "Subject": "Q"}]));
    let one = org.get(&format!("/crm/v8/Quotes/{quote}")).await;
    assert_eq!(one.body["data"][0]["Quoted_Items"], items);
}

#[tokio::test]
async fn a_converted_lead_is_hidden_unless_asked_for() {
    let org = Org::start().await;
    let id = org
        .sim
        .insert(
            "Leads",
            json!({"Last_Name": "Marsh", "Company": "Reed Ltd"}),
        )
        .unwrap();
    let path = format!("/crm/v8/Leads/{id}/actions/convert");
    let answer = org.post(&path, &json!({"data": [{}]})).await;
    assert_eq!(answer.status, StatusCode::OK);
    let details = &answer.body["data"][0]["details"];
    assert_eq!(
        answer.body["data"][0]["message"],
        "The record has been converted successfully"
    );
    assert_eq!(details["Contacts"]["name"], "Marsh");
    assert_eq!(details["Accounts"]["name"], "Reed Ltd");
    assert_eq!(
        org.post(&path, &json!({"data": [{}]})).await.body["code"],
        "ID_ALREADY_CONVERTED"
    );
    let list = format!("/crm/v8/Leads?fields=Last_Name,Converted__s&ids={id}");
    assert_eq!(org.get(&list).await.status, StatusCode::NO_CONTENT);
    for converted in ["true", "both"] {
        let answer = org.get(&format!("{list}&converted={converted}")).await;
        assert_eq!(answer.body["data"][0]["Converted__s"], true);
    }
    assert_eq!(
        org.get(&format!("/crm/v8/Leads/{id}")).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn a_snapshot_brings_ids_custom_fields_and_custom_modules() {
    let org = Org::start().await;
    let snapshot = json!({
        "Leads": [{"id": "4876876000001234567", "Last_Name": "Old", "Score__c": 7}],
        "Boats": [{"Name": "Tern"}, {"Name": "Gull"}],
    });
    assert_eq!(org.sim.load(&snapshot).unwrap(), 3);
    let lead = org
        .get("/crm/v8/Leads?ids=4876876000001234567&fields=Last_Name,Score__c")
        .await;
    assert_eq!(
        lead.body["data"],
        json!([{"id": "4876876000001234567", "Last_Name": "Old", "Score__c": 7}])
    );
    assert_eq!(
        org.get("/crm/v8/Boats?fields=Name").await.body["info"]["count"],
        2
    );
    let fields = org.get("/crm/v8/settings/fields?module=Boats").await;
    assert_eq!(fields.status, StatusCode::OK);
}

#[tokio::test]
async fn a_lookup_is_written_as_an_object_or_an_id_of_text_or_number() {
    let org = Org::start().await;
    let account = org
        .sim
        .insert("Accounts", json!({"Account_Name": "Reed Ltd"}))
        .unwrap();
    let number: u64 = account.parse().unwrap();
    let ways = [
        json!(account),
        json!(number),
        json!({"id": account}),
        json!({"id": number}),
    ];
    let contacts: Vec<Value> = ways
        .iter()
        .map(|way| json!({"Last_Name": "Marsh", "Account_Name": way}))
        .collect();
    let answer = org
        .post("/crm/v8/Contacts", &json!({"data": contacts}))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
    for contact in org.sim.records("Contacts") {
        assert_eq!(
            contact["Account_Name"],
            json!({"name": "Reed Ltd", "id": account})
        );
    }
}
