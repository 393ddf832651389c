//! What is sent, and what is made of the answer, as the contract has them word for word.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};
use zoho_crm::{
    Action, Approved, Condition, Converted, DeletedKind, DeletedQuery, Error, IfModified,
    ListQuery, OneQuery, PageAt, RecordQuery, Sort, SortBy, Trigger, Values, WriteOptions,
};

use super::values;
use crate::support::{Zoho, error, granted, json as answer, while_time_runs};

const ID: &str = "4150868000000376008";
const OTHER: &str = "4150868000000376011";

/// Zoho that gives these answers to the calls one after another, the last again and again.
async fn zoho(answers: Vec<ResponseTemplate>) -> Zoho {
    Zoho::start(
        |n, _| granted(n),
        move |n, _| answers.get(n - 1).or(answers.last()).unwrap().clone(),
    )
    .await
}

/// The calls that came: method, path with query, body.
async fn calls(zoho: &Zoho) -> Vec<(String, String, Value)> {
    let requests = zoho.server.received_requests().await.unwrap();
    let calls = requests
        .iter()
        .filter(|it| it.url.path().starts_with("/crm"));
    calls.map(shown).collect()
}

fn shown(request: &Request) -> (String, String, Value) {
    let query = request.url.query().map(|it| format!("?{it}"));
    (
        request.method.to_string(),
        format!("{}{}", request.url.path(), query.unwrap_or_default()),
        serde_json::from_slice(&request.body).unwrap_or_default(),
    )
}

async fn header(zoho: &Zoho, name: &str) -> Option<String> {
    let requests = zoho.server.received_requests().await.unwrap();
    let value = requests.last()?.headers.get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn done(id: &str) -> String {
    format!(
        r#"{{"code":"SUCCESS","details":{{"Modified_Time":"2026-11-22T21:15:26+05:30","Modified_By":{{"name":"Pat Example","id":"4150868000000225013"}},"Created_Time":"2026-11-22T21:15:26+05:30","id":"{id}","Created_By":{{"name":"Pat Example","id":"4150868000000225013"}},"$approval_state":"approved"}},"message":"record added","status":"success"}}"#
    )
}

fn many(number: usize) -> (Vec<Values>, String) {
    let records = (0..number).map(|n| values(&json!({"Last_Name": n.to_string()})));
    let items: Vec<_> = (0..number).map(|n| done(&(1000 + n).to_string())).collect();
    (
        records.collect(),
        format!(r#"{{"data":[{}]}}"#, items.join(",")),
    )
}

#[tokio::test]
async fn a_list_asks_for_what_the_query_says() {
    let body = format!(
        r#"{{"data":[{{"id":"{ID}","Last_Name":"Doe"}}],"info":{{"call":false,"per_page":10,"next_page_token":"c8582e","count":1,"sort_by":"Modified_Time","page":2,"previous_page_token":null,"page_token_expiry":"2026-11-23T21:15:26+05:30","sort_order":"asc","email":false,"more_records":true}}}}"#
    );
    let zoho = zoho(vec![answer(200, &body)]).await;
    let (client, _hand) = zoho.client();
    let query = ListQuery {
        sort: Some(Sort {
            by: SortBy::ModifiedTime,
            ascending: true,
        }),
        converted: Converted::Both,
        approved: Some(Approved::Both),
        per_page: 10,
        modified_since: Some(at("2026-11-20T10:00:00.75Z")),
        ..ListQuery::of("Leads", &["Last_Name", "Company"])
    };
    let page = client.list_page(&query, PageAt::Number(2)).await.unwrap();
    assert_eq!(page.items[0]["Last_Name"], "Doe");
    assert_eq!(page.next_page_token.as_deref(), Some("c8582e"));
    assert!(page.more);
    assert_eq!(
        calls(&zoho).await[0].1,
        "/crm/v8/Leads?fields=Last_Name%2CCompany&per_page=10&sort_by=Modified_Time&sort_order=asc&converted=both&approved=both&page=2"
    );
    assert_eq!(
        header(&zoho, "if-modified-since").await.unwrap(),
        "2026-11-20T10:00:00+00:00"
    );

    let view = ListQuery {
        view: Some("4150868000000087501"),
        converted: Converted::Only,
        ..ListQuery::of("Leads", &["Last_Name"])
    };
    client
        .list_page(&view, PageAt::Token("c8582e"))
        .await
        .unwrap();
    assert_eq!(
        calls(&zoho).await[1].1,
        "/crm/v8/Leads?fields=Last_Name&per_page=200&cvid=4150868000000087501&converted=true&page_token=c8582e"
    );
}

#[tokio::test]
async fn a_stream_follows_pages_and_then_page_tokens() {
    let page = |n: usize| {
        let token = (n < 12).then(|| format!("token{n}"));
        let body = json!({"data": [{"id": n.to_string()}],
            "info": {"more_records": n < 12, "next_page_token": token}});
        answer(200, &body.to_string())
    };
    let zoho = Zoho::start(|n, _| granted(n), move |n, _| page(n)).await;
    let (client, _hand) = zoho.client();
    let query = ListQuery::of("Leads", &["Last_Name"]);
    let all: Vec<_> = client.list(&query).try_collect().await.unwrap();
    assert_eq!(all.len(), 12);
    let asked: Vec<_> = calls(&zoho).await.into_iter().map(|it| it.1).collect();
    assert!(asked[0].ends_with("&page=1"), "{}", asked[0]);
    assert!(asked[9].ends_with("&page=10"), "{}", asked[9]);
    assert!(asked[10].ends_with("&page_token=token10"), "{}", asked[10]);
    assert!(asked[11].ends_with("&page_token=token11"), "{}", asked[11]);
    assert!(!asked[10].contains("page=1"), "{}", asked[10]);
}

#[tokio::test]
async fn a_listing_that_must_be_started_again_says_so() {
    for code in ["EXPIRED_VALUE", "TOKEN_BOUND_DATA_MISMATCH"] {
        let zoho = zoho(vec![error(400, code)]).await;
        let (client, _hand) = zoho.client();
        let query = ListQuery::of("Leads", &["Last_Name"]);
        let failed = client.list_page(&query, PageAt::Token("t")).await;
        assert!(matches!(failed, Err(Error::RestartPaging { .. })));
        assert_eq!(zoho.calls(), 1);
    }
}

#[tokio::test]
async fn what_was_not_modified_is_told_apart_from_what_is_not_there() {
    let zoho = zoho(vec![
        ResponseTemplate::new(304),
        ResponseTemplate::new(204),
        answer(200, &format!(r#"{{"data":[{{"id":"{ID}"}}]}}"#)),
        ResponseTemplate::new(304),
        ResponseTemplate::new(304),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let query = OneQuery {
        fields: &["Last_Name"],
        modified_since: Some(at("2026-11-20T10:00:00Z")),
        ..OneQuery::of("Leads", ID)
    };
    let same = client.record_if(&query).await.unwrap();
    assert_eq!(same, IfModified::NotModified);
    assert_eq!(
        calls(&zoho).await[0].1,
        format!("/crm/v8/Leads/{ID}?fields=Last_Name")
    );
    assert_eq!(
        header(&zoho, "if-modified-since").await.unwrap(),
        "2026-11-20T10:00:00+00:00"
    );
    for there in [false, true] {
        match client.record_if(&query).await.unwrap() {
            IfModified::Is(one) => assert_eq!(one.record.is_some(), there),
            IfModified::NotModified => panic!("it was"),
        }
    }
    let list = ListQuery {
        modified_since: query.modified_since,
        ..ListQuery::of("Leads", &["Last_Name"])
    };
    let page = client.list_page(&list, PageAt::Number(1)).await.unwrap();
    assert!(page.items.is_empty() && !page.more);
    let odd = client.record("Leads", ID).await.unwrap_err();
    assert!(
        matches!(odd, Error::Malformed { .. }),
        "nobody asked: {odd}"
    );
}

#[tokio::test]
async fn any_number_of_ids_is_asked_for_a_hundred_at_a_time() {
    let record = |id: &str| answer(200, &format!(r#"{{"data":[{{"id":"{id}"}}]}}"#));
    let zoho = zoho(vec![record("1"), ResponseTemplate::new(204), record("3")]).await;
    let (client, _hand) = zoho.client();
    let ids: Vec<String> = (0..250).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let query = RecordQuery {
        module: "Leads",
        ids: &ids,
        fields: &["Last_Name"],
        converted: Converted::Hidden,
    };
    let found: Vec<_> = client.records_by_ids(&query).try_collect().await.unwrap();
    assert_eq!(found.len(), 2, "a batch with nothing is not the last");
    let asked = calls(&zoho).await;
    let commas: Vec<_> = asked.iter().map(|it| it.1.matches("%2C").count()).collect();
    assert_eq!(commas, [99, 99, 49]);
    let full: Vec<_> = client
        .full_data_by_ids("Leads", &ids[..101], &["Notes_Text"])
        .try_collect()
        .await
        .unwrap();
    assert_eq!(full.len(), 2);
    assert_eq!(
        calls(&zoho).await[4].1,
        "/crm/v8/Leads/actions/fetch_full_data?ids=100&fields=Notes_Text"
    );
}

#[tokio::test]
async fn an_insert_sends_the_records_and_tells_each_one_s_fate() {
    let body = format!(
        r#"{{"data":[{},{{"code":"MANDATORY_NOT_FOUND","details":{{"api_name":"Last_Name","json_path":"$.data[1].Last_Name"}},"message":"required field not found","status":"error"}},{{"code":"DUPLICATE_DATA","details":{{"api_name":"Email","json_path":"$.data[2].Email","id":"{OTHER}"}},"message":"duplicate data","status":"error"}}]}}"#,
        done(ID)
    );
    let zoho = zoho(vec![answer(207, &body)]).await;
    let (client, _hand) = zoho.client();
    let records = [
        json!({"Last_Name": "Doe"}),
        json!({"Company": "Example"}),
        json!({"Last_Name": "Roe", "Email": "roe@example.com"}),
    ];
    let sent: Vec<_> = records.iter().map(values).collect();
    let options = WriteOptions {
        trigger: Some(&[Trigger::Workflow, Trigger::Blueprint]),
        duplicate_check_fields: &["Email"],
        condition: Some(Condition::unmodified_since(at("2026-11-22T00:00:00Z"))),
    };
    let batch = client.insert("Leads", &sent, &options).await.unwrap();
    let first = batch[0].as_ref().unwrap();
    assert_eq!((first.id.as_str(), first.action), (ID, Action::Inserted));
    assert_eq!(first.modified_time, Some(at("2026-11-22T15:45:26Z")));
    let second = batch[1].as_ref().unwrap_err();
    assert_eq!(second.error.class(), "invalid");
    assert_eq!(second.json_path.as_deref(), Some("$.data[1].Last_Name"));
    let third = batch[2].as_ref().unwrap_err();
    assert_eq!(third.code.as_str(), "DUPLICATE_DATA");
    assert_eq!(third.duplicate_id.as_deref(), Some(OTHER));
    assert_eq!(
        calls(&zoho).await,
        [(
            "POST".to_owned(),
            "/crm/v8/Leads".to_owned(),
            json!({"data": records, "trigger": ["workflow", "blueprint"]}),
        )],
        "what belongs to upsert and update is not sent"
    );
    assert_eq!(header(&zoho, "if-unmodified-since").await, None);
    assert_eq!(
        header(&zoho, "content-type").await.unwrap(),
        "application/json"
    );
}

#[tokio::test]
async fn a_batch_refused_with_a_status_of_its_own_is_read_too() {
    let item =
        r#"{"code":"INVALID_DATA","details":{"api_name":"data"},"message":"m","status":"error"}"#;
    for (status, body) in [
        (400, format!(r#"{{"data":[{item}]}}"#)),
        (202, format!(r#"{{"data":[{item}]}}"#)),
        (400, format!(r#"{{"data":{item}}}"#)),
    ] {
        let zoho = zoho(vec![answer(status, &body)]).await;
        let (client, _hand) = zoho.client();
        let sent = [values(&json!({"Last_Name": "Doe"}))];
        let options = WriteOptions::default();
        let batch = client.insert("Leads", &sent, &options).await.unwrap();
        assert_eq!(batch[0].as_ref().unwrap_err().error.class(), "invalid");
        assert_eq!(zoho.calls(), 1);
    }
    let zoho = zoho(vec![error(400, "INVALID_MODULE")]).await;
    let (client, _hand) = zoho.client();
    let sent = [values(&json!({"Last_Name": "Doe"}))];
    let failed = client.insert("Nope", &sent, &WriteOptions::default()).await;
    assert_eq!(
        failed.unwrap_err().code().unwrap().as_str(),
        "INVALID_MODULE"
    );
}

#[tokio::test]
async fn updates_name_their_records_and_may_be_conditional() {
    let body = format!(r#"{{"data":[{}]}}"#, done(ID).replace("added", "updated"));
    let zoho = zoho(vec![
        answer(200, &body),
        answer(200, &body),
        error(412, "RECORD_MODIFIED"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let record = values(&json!({"id": ID, "Company": "Example"}));
    let none: &[Trigger] = &[];
    let quiet = WriteOptions {
        trigger: Some(none),
        ..WriteOptions::default()
    };
    let batch = client
        .update("Leads", std::slice::from_ref(&record), &quiet)
        .await
        .unwrap();
    assert_eq!(batch[0].as_ref().unwrap().action, Action::Updated);
    let one = values(&json!({"Company": "Example"}));
    let plain = WriteOptions::default();
    let written = client.update_one("Leads", ID, &one, &plain).await.unwrap();
    assert_eq!(written.id, ID);
    let since = at("2026-11-22T15:45:26Z");
    let conditional = WriteOptions {
        condition: Some(Condition::unmodified_since(since)),
        ..plain
    };
    let failed = client.update_one("Leads", ID, &one, &conditional).await;
    assert!(matches!(failed.unwrap_err().error, Error::Modified { .. }));
    assert_eq!(
        header(&zoho, "if-unmodified-since").await.unwrap(),
        "2026-11-22T15:45:26+00:00"
    );
    let expected = [
        ("/crm/v8/Leads", json!({"data": [record], "trigger": []})),
        ("/crm/v8/Leads/4150868000000376008", json!({"data": [one]})),
        ("/crm/v8/Leads/4150868000000376008", json!({"data": [one]})),
    ];
    let expected = expected.map(|(path, body)| ("PUT".to_owned(), path.to_owned(), body));
    assert_eq!(calls(&zoho).await, expected);
    let nameless = client.update("Leads", &[one], &plain).await.unwrap_err();
    assert_eq!(nameless.class(), "misuse");
}

#[tokio::test]
async fn an_upsert_says_what_it_did() {
    let body = format!(
        r#"{{"data":[{{"code":"SUCCESS","duplicate_field":"Email","action":"update","details":{{"id":"{ID}"}},"message":"record updated","status":"success"}},{{"code":"SUCCESS","duplicate_field":null,"action":"insert","details":{{"id":"{OTHER}"}},"message":"record added","status":"success"}}]}}"#
    );
    let zoho = zoho(vec![answer(200, &body)]).await;
    let (client, _hand) = zoho.client();
    let sent = [
        json!({"Email": "a@example.com"}),
        json!({"Email": "b@example.com"}),
    ];
    let records: Vec<_> = sent.iter().map(values).collect();
    let options = WriteOptions {
        duplicate_check_fields: &["Email", "Phone"],
        ..WriteOptions::default()
    };
    let batch = client.upsert("Leads", &records, &options).await.unwrap();
    let (first, second) = (batch[0].as_ref().unwrap(), batch[1].as_ref().unwrap());
    assert_eq!(first.action, Action::Updated);
    assert_eq!(first.duplicate_field.as_deref(), Some("Email"));
    assert_eq!(second.action, Action::Inserted);
    assert_eq!(
        calls(&zoho).await,
        [(
            "POST".to_owned(),
            "/crm/v8/Leads/upsert".to_owned(),
            json!({"data": sent, "duplicate_check_fields": ["Email", "Phone"]}),
        )]
    );
}

#[tokio::test]
async fn a_later_call_that_fails_does_not_hide_what_was_done() {
    let (records, body) = many(100);
    let records: Vec<_> = records.iter().cycle().take(300).cloned().collect();
    let zoho = zoho(vec![answer(201, &body), error(500, "INTERNAL_ERROR")]).await;
    let (client, hand) = zoho.client();
    let options = WriteOptions::default();
    let work = client.insert("Leads", &records, &options);
    let batch = while_time_runs(&hand, work).await.unwrap();
    assert_eq!(
        zoho.calls(),
        2,
        "an insert of unknown fate is not sent again"
    );
    assert_eq!(batch.len(), 300);
    assert!(batch[..100].iter().all(Result::is_ok));
    let may_be_done = |it: &Result<_, zoho_crm::ItemError>| it.as_ref().unwrap_err().may_be_done;
    assert!(batch[100..200].iter().all(may_be_done));
    assert!(!batch[200..].iter().any(may_be_done), "never sent");
}

#[tokio::test]
async fn an_insert_is_sent_again_only_if_it_was_not_carried_out() {
    let (records, body) = many(1);
    let cases = [
        (error(429, "TOO_MANY_REQUESTS"), 2),
        (error(401, "INVALID_TOKEN"), 2),
        (error(500, "INTERNAL_ERROR"), 1),
        (error(503, "SERVICE_UNAVAILABLE"), 1),
    ];
    for (first, expected) in cases {
        let zoho = zoho(vec![first, answer(201, &body)]).await;
        let (client, hand) = zoho.client();
        let options = WriteOptions::default();
        let work = client.insert("Leads", &records, &options);
        let result = while_time_runs(&hand, work).await;
        assert_eq!(zoho.calls(), expected);
        assert_eq!(result.is_ok(), expected == 2);
    }
    let update = [values(&json!({"id": ID}))];
    let zoho = zoho(vec![error(500, "INTERNAL_ERROR"), answer(200, &body)]).await;
    let (client, hand) = zoho.client();
    let options = WriteOptions::default();
    let work = client.update("Leads", &update, &options);
    while_time_runs(&hand, work).await.unwrap();
    assert_eq!(zoho.calls(), 2, "an update may be done twice");
}

#[tokio::test]
async fn an_answer_lost_on_the_way_leaves_an_insert_s_fate_open() {
    let (records, body) = many(1);
    let slow = answer(201, &body).set_delay(Duration::from_mins(1));
    let zoho = zoho(vec![slow]).await;
    let mut settings = zoho.settings();
    settings.timeout = Duration::from_millis(200);
    let (client, _hand) = crate::support::client_with(
        settings,
        std::sync::Arc::new(zoho_crm::MemoryTokenStore::default()),
    );
    let options = WriteOptions::default();
    let failed = client
        .insert("Leads", &records, &options)
        .await
        .unwrap_err();
    assert!(failed.may_be_done(), "{failed}");
    assert_eq!(zoho.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn deletes_name_their_records_in_the_query() {
    let item = |id: &str| {
        format!(
            r#"{{"code":"SUCCESS","details":{{"id":"{id}"}},"message":"record deleted","status":"success"}}"#
        )
    };
    let gone = r#"{"code":"INVALID_DATA","details":{"id":"4150868000000376011"},"message":"the id given seems to be invalid","status":"error"}"#;
    let zoho = zoho(vec![
        answer(207, &format!(r#"{{"data":[{},{gone}]}}"#, item(ID))),
        answer(200, &format!(r#"{{"data":[{}]}}"#, item(ID))),
        answer(200, &format!(r#"{{"recycle_bin":[{}]}}"#, item(ID))),
        answer(200, &format!(r#"{{"recycle_bin":[{}]}}"#, item(ID))),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let batch = client.delete("Leads", &[ID, OTHER], false).await.unwrap();
    assert_eq!(batch[0].as_ref().unwrap(), ID);
    assert_eq!(batch[1].as_ref().unwrap_err().error.class(), "invalid");
    client.delete_one("Leads", ID, true).await.unwrap();
    client.delete_from_recycle_bin(&[ID]).await.unwrap();
    client.delete_one_from_recycle_bin(ID).await.unwrap();
    let expected = [
        format!("/crm/v8/Leads?ids={ID}%2C{OTHER}&wf_trigger=false"),
        format!("/crm/v8/Leads/{ID}?wf_trigger=true"),
        format!("/crm/v8/settings/recycle_bin?ids={ID}"),
        format!("/crm/v8/settings/recycle_bin/{ID}"),
    ];
    let expected = expected.map(|it| ("DELETE".to_owned(), it, Value::Null));
    assert_eq!(calls(&zoho).await, expected);
    client.delete_from_recycle_bin(&[]).await.unwrap();
    client.delete("Leads", &[], true).await.unwrap();
    assert_eq!(zoho.calls(), 4, "no ids, no call: it would empty the bin");
}

#[tokio::test]
async fn deleted_records_are_read_as_they_are_told() {
    let page = |more| {
        let body = format!(
            r#"{{"data":[{{"deleted_by":{{"name":"Pat Example","id":"4150868000000225013"}},"id":"{ID}","display_name":null,"type":"permanent","created_by":{{"name":"Pat Example","id":"4150868000000225013"}},"deleted_time":"2026-11-22T21:15:26+05:30"}}],"info":{{"per_page":200,"count":1,"page":1,"more_records":{more}}}}}"#
        );
        answer(200, &body)
    };
    let zoho = zoho(vec![page(true), page(false)]).await;
    let (client, _hand) = zoho.client();
    let query = DeletedQuery {
        module: "Leads",
        kind: DeletedKind::Permanent,
        since: Some(at("2026-11-20T10:00:00Z")),
    };
    let all: Vec<_> = client.deleted(&query).try_collect().await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].id, ID);
    assert_eq!(all[0].display_name, None);
    assert_eq!(all[0].kind, DeletedKind::Permanent);
    assert_eq!(all[0].deleted_time, Some(at("2026-11-22T15:45:26Z")));
    assert_eq!(all[0].deleted_by.as_ref().unwrap().name, "Pat Example");
    let asked: Vec<_> = calls(&zoho).await.into_iter().map(|it| it.1).collect();
    let path = "/crm/v8/Leads/deleted?type=permanent";
    assert_eq!(
        asked,
        [
            format!("{path}&page=1&per_page=200"),
            format!("{path}&page=2&per_page=200")
        ]
    );
    assert_eq!(
        header(&zoho, "if-modified-since").await.unwrap(),
        "2026-11-20T10:00:00+00:00"
    );
}

#[tokio::test]
async fn full_data_and_counts_have_their_own_addresses() {
    let zoho = zoho(vec![
        answer(
            200,
            &format!(r#"{{"data":[{{"id":"{ID}","Description":"long"}}]}}"#),
        ),
        error(400, "INVALID_DATA"),
        answer(200, r#"{"count":42}"#),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let full = client.full_data("Leads", ID, &[]).await.unwrap().unwrap();
    assert_eq!(full["Description"], "long");
    assert_eq!(
        client
            .full_data("Leads", OTHER, &["Description"])
            .await
            .unwrap(),
        None
    );
    assert_eq!(client.count("Leads").await.unwrap(), 42);
    let asked = calls(&zoho).await;
    assert_eq!(
        asked[0].1,
        format!("/crm/v8/Leads/{ID}/actions/fetch_full_data")
    );
    assert_eq!(
        asked[1].1,
        format!("/crm/v8/Leads/{OTHER}/actions/fetch_full_data?fields=Description")
    );
    assert_eq!(asked[2].1, "/crm/v8/Leads/actions/count");
}

#[tokio::test]
async fn any_call_at_all_can_be_made() {
    let zoho = zoho(vec![
        answer(200, r#"{"count":42}"#),
        error(400, "INVALID_DATA"),
        ResponseTemplate::new(204),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let get = zoho_crm::RawRequest::get("Leads/actions/count");
    let found = client.raw(&get).await.unwrap();
    assert_eq!(
        (found.status, found.body.unwrap()),
        (200, json!({"count": 42}))
    );
    let body = json!({"data": []});
    let post = zoho_crm::RawRequest {
        method: &http::Method::POST,
        path: "/crm/v8/Leads",
        query: &[("a b", "c&d")],
        body: Some(&body),
    };
    let refused = client.raw(&post).await.unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body.unwrap()["code"], "INVALID_DATA");
    assert_eq!(client.raw(&get).await.unwrap().body, None);
    let asked = calls(&zoho).await;
    assert_eq!(asked[0].1, "/crm/v8/Leads/actions/count");
    assert_eq!(asked[1].1, "/crm/v8/Leads?a+b=c%26d");
    assert_eq!(asked[1].2, body);
    for bad in [
        "",
        "/",
        "//evil.example/crm",
        "Leads/../org",
        "/oauth/v2/token",
    ] {
        let failed = client.raw(&zoho_crm::RawRequest::get(bad)).await;
        assert_eq!(failed.unwrap_err().class(), "misuse", "{bad}");
    }
}
