//! Conditional updates, locks, timelines, deletions for good.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, send};

fn lead(org: &Org) -> String {
    let made = org
        .sim
        .insert("Leads", json!({"Last_Name": "A", "City": "Rome"}));
    made.unwrap()
}

#[tokio::test]
async fn a_record_modified_since_is_not_updated() {
    let org = Org::start().await;
    let id = lead(&org);
    let update = |since: &'static str| {
        send(
            org.request(Method::PUT, &format!("/crm/v8/Leads/{id}"))
                .header("If-Unmodified-Since", since)
                .body(json!({"data": [{"City": "Oslo"}]}).to_string()),
        )
    };
    let refused = update("2019-07-25T15:26:49+05:30").await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    let item = &refused.body["data"][0];
    assert_eq!(item["code"], "RECORD_MODIFIED");
    assert_eq!(item["details"]["id"], id.as_str());
    assert_eq!(item["details"]["Modified_By"]["name"], "Jane Doe");
    assert_eq!(org.sim.records("Leads")[0]["City"], "Rome");
    let done = update("2100-01-01T00:00:00+05:30").await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(org.sim.records("Leads")[0]["City"], "Oslo");
}

#[tokio::test]
async fn triggers_must_be_known() {
    let org = Org::start().await;
    let body =
        |trigger: Value| json!({"data": [{"Last_Name": "A", "Company": "C"}], "trigger": trigger});
    for good in [json!([]), json!(["workflow", "approval", "blueprint"])] {
        let answer = org.post("/crm/v8/Leads", &body(good)).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    let answer = org.post("/crm/v8/Leads", &body(json!(["all"]))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["code"], "INVALID_DATA");
    assert_eq!(answer.body["details"]["json_path"], "$.trigger");
    let id = lead(&org);
    let wrong = org
        .delete(&format!("/crm/v8/Leads/{id}?wf_trigger=perhaps"))
        .await;
    assert_eq!(wrong.body["details"]["param_name"], "wf_trigger");
    let right = org
        .delete(&format!("/crm/v8/Leads/{id}?wf_trigger=false"))
        .await;
    assert_eq!(right.status, StatusCode::OK);
}

#[tokio::test]
async fn a_locked_record_is_not_written_until_unlocked() {
    let org = Org::start().await;
    let id = lead(&org);
    let record = format!("/crm/v8/Leads/{id}");
    let locks = format!("{record}/Locking_Information__s");
    let none = org.get(&format!("{locks}?fields=Locked_Reason__s")).await;
    assert_eq!(none.status, StatusCode::NO_CONTENT);
    let empty = org.post(&locks, &json!({"data": [{}]})).await;
    assert_eq!(
        empty.body["data"][0],
        json!({"code": "MANDATORY_NOT_FOUND", "message": "required field not found", "status": "error",
               "details": {"api_name": "Locked_Reason__s", "json_path": "$.data[0].Locked_Reason__s"}})
    );
    let reason = json!({"data": [{"Locked_Reason__s": "deal in progress"}]});
    let made = org.post(&locks, &reason).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.body["data"][0]["message"], "record added");
    let lock = made.body["data"][0]["details"]["id"].as_str().unwrap();
    let again = org.post(&locks, &reason).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert_eq!(again.body["code"], "NOT_ALLOWED");
    let shown = org
        .get(&format!(
            "{locks}?fields=Locked_For__s,Locked_Reason__s,Lock_Source__s"
        ))
        .await;
    let leads = org.get("/crm/v8/settings/modules/Leads").await.body["modules"][0]["id"].clone();
    assert_eq!(
        shown.body,
        json!({
            "data": [{
                "id": lock,
                "Locked_For__s": {"name": "A", "id": id, "module": {"api_name": "Leads", "id": leads}},
                "Locked_Reason__s": "deal in progress",
                "Lock_Source__s": "Manual",
            }],
            "info": {"per_page": 200, "count": 1, "page": 1, "more_records": false},
        })
    );
    let one = org.get(&record).await.body["data"][0].clone();
    assert_eq!(
        (&one["Locked__s"], &one["$locked_for_me"]),
        (&json!(true), &json!(true))
    );
    let update = org.put(&record, &json!({"data": [{"City": "Oslo"}]})).await;
    assert_eq!(update.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        update.body["data"][0],
        json!({
            "code": "RECORD_LOCKED",
            "details": {"api_name": "id", "json_path": "$.data[0].id", "action": "record_locking"},
            "message": "Sorry, you cannot perform this operation as the record is locked.",
            "status": "error",
        })
    );
    let delete = org.delete(&record).await;
    assert_eq!(delete.body["data"][0]["code"], "RECORD_LOCKED");
    assert_eq!(
        delete.body["data"][0]["details"],
        json!({"action": "record_locking", "id": id})
    );
}

#[tokio::test]
async fn a_lock_is_changed_and_taken_away() {
    let org = Org::start().await;
    let id = lead(&org);
    let record = format!("/crm/v8/Leads/{id}");
    let locks = format!("{record}/Locking_Information__s");
    let reason = json!({"data": [{"Locked_Reason__s": "deal in progress"}]});
    let made = org.post(&locks, &reason).await;
    let lock = made.body["data"][0]["details"]["id"].as_str().unwrap();
    let changed = json!({"data": [{"Locked_Reason__s": "signed"}]});
    let updated = org.put(&format!("{locks}/{lock}"), &changed).await;
    assert_eq!(updated.body["data"][0]["message"], "relation updated");
    let one = org.get(&format!("{locks}/{lock}")).await;
    assert_eq!(one.body["data"][0]["Locked_Reason__s"], "signed");
    let removed = org.delete(&format!("{locks}/{lock}")).await;
    assert_eq!(
        removed.body["data"][0],
        json!({"code": "SUCCESS", "details": {"id": lock}, "message": "relation removed", "status": "success"})
    );
    let update = org.put(&record, &json!({"data": [{"City": "Oslo"}]})).await;
    assert_eq!(update.status, StatusCode::OK);
}

#[tokio::test]
async fn a_timeline_tells_who_changed_what() {
    let org = Org::start().await;
    let id = lead(&org);
    let path = format!("/crm/v8/Leads/{id}");
    org.put(
        &path,
        &json!({"data": [{"City": "Oslo", "Annual_Revenue": 5}]}),
    )
    .await;
    org.sim
        .update("Leads", &id, json!({"City": "Oslo"}))
        .unwrap();
    let answer = org
        .get(&format!(
            "{path}/__timeline?include_inner_details=field_history.data_type"
        ))
        .await;
    let entries = answer.body["__timeline"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "a change that changed nothing is none");
    assert_eq!(entries[0]["action"], "updated");
    assert_eq!(entries[0]["source"], "crm_api");
    assert_eq!(entries[0]["done_by"]["name"], "Rosa Lark");
    assert_eq!(entries[0]["record"]["id"], id.as_str());
    let mut fields = entries[0]["field_history"].as_array().unwrap().clone();
    fields.sort_by_key(|it| it["api_name"].to_string());
    assert_eq!(fields[0]["_value"], json!({"old": null, "new": "5"}));
    assert_eq!(fields[1]["api_name"], "City");
    assert_eq!(fields[1]["data_type"], "text");
    assert_eq!(fields[1]["_value"], json!({"old": "Rome", "new": "Oslo"}));
    assert_eq!(entries[1]["action"], "added");
    assert_eq!(entries[1]["source"], "crm_ui");
    assert_eq!(entries[1]["field_history"], Value::Null);
    let info = &answer.body["info"];
    assert_eq!(
        (&info["count"], &info["more_records"]),
        (&json!(2), &json!(false))
    );
    let wrong = org.get("/crm/v8/Leads/1/__timeline").await;
    assert_eq!(wrong.body["code"], "INVALID_DATA");
    let module = org.get("/crm/v8/Boats/1/__timeline").await;
    assert_eq!(module.body["code"], "INVALID_MODULE");
}

fn is(field: &str, comparator: &str, value: impl Into<Value>) -> Value {
    let value: Value = value.into();
    json!({"field": {"api_name": field}, "comparator": comparator, "value": value})
}

/// The status of a timeline's answer, and the action and source of each entry.
async fn entries(
    org: &Org,
    path: &str,
    query: &str,
    filters: Option<&Value>,
) -> (u16, Vec<String>) {
    let mut url = reqwest::Url::parse("http://localhost").unwrap();
    url.set_query(Some(query));
    if let Some(filters) = filters {
        url.query_pairs_mut()
            .append_pair("filters", &filters.to_string());
    }
    let query = url.query().unwrap_or_default();
    let answer = org.get(&format!("{path}/__timeline?{query}")).await;
    let shown = answer.body["__timeline"].as_array().cloned();
    let shown = shown.iter().flatten().map(|it| {
        let (action, source) = (&it["action"], &it["source"]);
        format!("{} {}", action.as_str().unwrap(), source.as_str().unwrap())
    });
    (answer.status.as_u16(), shown.collect())
}

#[tokio::test]
async fn a_timeline_is_filtered_and_sorted() {
    let org = Org::start().await;
    let id = lead(&org);
    let path = format!("/crm/v8/Leads/{id}");
    org.put(&path, &json!({"data": [{"City": "Oslo"}]})).await;
    org.sim
        .update("Leads", &id, json!({"City": "Bern"}))
        .unwrap();
    let (added, by_api, by_person) = ("added crm_ui", "updated crm_api", "updated crm_ui");
    let both = json!({"group_operator": "and", "group": [
        is("source", "equal", json!("crm_ui")),
        is("action", "not_equal", json!("added")),
    ]});
    let ages = json!(["2000-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"]);
    let person = json!({"id": org.sim.records("Leads")[0]["Created_By"]["id"]});
    for (query, filters, expected) in [
        ("", None, vec![by_person, by_api, added]),
        (
            "sort_by=audited_time&sort_order=asc",
            None,
            vec![added, by_api, by_person],
        ),
        (
            "",
            Some(is("source", "equal", json!("crm_api"))),
            vec![by_api],
        ),
        (
            "",
            Some(is("action", "in", json!(["added", "deleted"]))),
            vec![added],
        ),
        ("", Some(both), vec![by_person]),
        (
            "",
            Some(is("done_by", "equal", person)),
            vec![by_person, added],
        ),
        (
            "sort_order=asc",
            Some(is("audited_time", "between", ages)),
            vec![added, by_api, by_person],
        ),
        (
            "",
            Some(is(
                "audited_time",
                "less_than",
                json!("2000-01-01T00:00:00Z"),
            )),
            vec![],
        ),
    ] {
        let shown = entries(&org, &path, query, filters.as_ref()).await;
        let status = if expected.is_empty() { 204 } else { 200 };
        let expected: Vec<String> = expected.into_iter().map(Into::into).collect();
        assert_eq!(shown, (status, expected), "{query} {filters:?}");
    }
}

#[tokio::test]
async fn filters_and_orders_that_a_timeline_does_not_know_are_refused() {
    let org = Org::start().await;
    let path = format!("/crm/v8/Leads/{}", lead(&org));
    for (query, filters) in [
        ("sort_by=id", None),
        ("sort_order=up", None),
        ("", Some(json!([]))),
        ("", Some(is("weather", "equal", json!("fine")))),
        ("", Some(is("source", "less_than", json!("x")))),
        ("", Some(is("audited_time", "equal", json!("yesterday")))),
    ] {
        assert_eq!(
            entries(&org, &path, query, filters.as_ref()).await.0,
            400,
            "{query} {filters:?}"
        );
    }
}

#[tokio::test]
async fn what_leaves_the_recycle_bin_is_gone_for_good() {
    let org = Org::start().await;
    let (first, second) = (lead(&org), lead(&org));
    org.sim.delete("Leads", &[&first, &second]).unwrap();
    let purged = org
        .delete(&format!("/crm/v8/settings/recycle_bin?ids={first},1"))
        .await;
    assert_eq!(purged.status, StatusCode::MULTI_STATUS);
    assert_eq!(
        purged.body["recycle_bin"],
        json!([
            {"code": "SUCCESS", "details": {"id": first}, "message": "record deleted", "status": "success"},
            {"code": "INVALID_DATA", "details": {"id": "1"}, "message": "the id given seems to be invalid", "status": "error"},
        ])
    );
    let list = async |kind: &str| org.get(&format!("/crm/v8/Leads/deleted?type={kind}")).await;
    let permanent = list("permanent").await.body["data"].clone();
    assert_eq!(permanent.as_array().unwrap().len(), 1);
    assert_eq!(permanent[0]["id"], first.as_str());
    assert_eq!(permanent[0]["display_name"], Value::Null);
    assert_eq!(permanent[0]["deleted_by"], Value::Null);
    assert_eq!(list("recycle").await.body["data"][0]["display_name"], "A");
    assert_eq!(list("all").await.body["info"]["count"], 2);
    assert_eq!(list("lost").await.body["code"], "PATTERN_NOT_MATCHED");
    let one = org
        .delete(&format!("/crm/v8/settings/recycle_bin/{second}"))
        .await;
    assert_eq!(one.body["recycle_bin"][0]["message"], "Deleted permanently");
    assert_eq!(list("recycle").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn many_are_deleted_with_one_call() {
    let org = Org::start().await;
    let kept = lead(&org);
    let locks = format!("/crm/v8/Leads/{kept}/Locking_Information__s");
    org.post(&locks, &json!({"data": [{"Locked_Reason__s": "no"}]}))
        .await;
    let rows = vec![json!({"Last_Name": "B"}); 250];
    let mut all = org.sim.insert_many("Leads", rows).unwrap();
    all.push(kept);
    let before = org.sim.counters().credits_used;
    let answer = org
        .post("/crm/v8/Leads/actions/mass_delete", &json!({"ids": all}))
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(org.sim.counters().credits_used, before + 3);
    assert_eq!(answer.body["data"][0]["code"], "SCHEDULED");
    let job = answer.body["data"][0]["details"]["job_id"]
        .as_str()
        .unwrap();
    let status = org
        .get(&format!("/crm/v8/Leads/actions/mass_delete?job_id={job}"))
        .await;
    assert_eq!(
        status.body["data"],
        json!([{"Status": "COMPLETED", "Deleted_Count": 250, "Failed_Count": 1, "Total_Count": 251}])
    );
    assert_eq!(org.sim.records("Leads").len(), 1);
}

#[tokio::test]
async fn a_related_list_gives_what_looks_the_record_up() {
    let org = Org::start().await;
    let account = org
        .sim
        .insert("Accounts", json!({"Account_Name": "Reed Ltd"}))
        .unwrap();
    let looks_up = json!({"id": account});
    let contact = org
        .sim
        .insert(
            "Contacts",
            json!({"Last_Name": "Marsh", "Account_Name": looks_up}),
        )
        .unwrap();
    org.sim
        .insert("Contacts", json!({"Last_Name": "No"}))
        .unwrap();
    org.sim
        .insert(
            "Deals",
            json!({"Deal_Name": "Pier", "Account_Name": looks_up}),
        )
        .unwrap();
    let lists = org
        .get("/crm/v8/settings/related_lists?module=Accounts")
        .await;
    let lists = lists.body["related_lists"].as_array().unwrap();
    let names: Vec<&str> = lists
        .iter()
        .map(|it| it["api_name"].as_str().unwrap())
        .collect();
    for expected in [
        "Notes",
        "Attachments",
        "Contacts",
        "Deals",
        "Accounts_Parent_Account",
    ] {
        assert!(names.contains(&expected), "{expected} in {names:?}");
    }
    let path = format!("/crm/v8/Accounts/{account}/Contacts");
    let answer = org.get(&format!("{path}?fields=Last_Name")).await;
    assert_eq!(
        answer.body["data"],
        json!([{"id": contact, "Last_Name": "Marsh"}])
    );
    assert_eq!(answer.body["info"]["count"], 1);
    let deals = org
        .get(&format!(
            "/crm/v8/Accounts/{account}/Deals?fields=Deal_Name"
        ))
        .await;
    assert_eq!(deals.body["data"][0]["Deal_Name"], "Pier");
    let none = org
        .get(&format!("/crm/v8/Accounts/{account}/Quotes?fields=Subject"))
        .await;
    assert_eq!(none.status, StatusCode::NO_CONTENT);
    assert_eq!(org.get(&path).await.body["code"], "REQUIRED_PARAM_MISSING");
    let unknown = org
        .get(&format!("/crm/v8/Accounts/{account}/Boats?fields=Name"))
        .await;
    assert_eq!(
        unknown.body,
        json!({"code": "INVALID_DATA", "details": {"resource_path_index": 2},
               "message": "the relation name given seems to be invalid", "status": "error"})
    );
}
