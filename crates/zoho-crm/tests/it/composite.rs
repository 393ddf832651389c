//! Composite calls.

use serde_json::{Value, json};
use zoho_crm::{
    Action, Error,
    composite::{Composite, SubRequest},
};

use crate::{
    records::{self, values},
    support::{
        error, json as answer,
        literal::{answering, asked},
        sim::{client, simulator},
    },
};

const ACCOUNT: &str = "4150868000000376008";

fn entry(status: u16, body: &str) -> String {
    format!(
        r#"{{"code":"SUCCESS","message":"composite sub request executed successfully","status":"success","details":{{"response":{{"headers":{{"content-type":"application/json;charset=UTF-8"}},"body":{body},"status_code":{status}}}}}}}"#
    )
}

fn whole(entries: &[String]) -> String {
    format!(r#"{{"__composite_requests":[{}]}}"#, entries.join(","))
}

fn written(id: &str) -> String {
    format!(
        r#"{{"data":[{{"code":"SUCCESS","details":{{"Modified_Time":"2026-11-22T21:15:26+05:30","id":"{id}"}},"message":"record added","status":"success"}}]}}"#
    )
}

/// An account, a contact of it, the account as it is then, and a search for contacts.
fn chain(mut batch: Composite) -> Composite {
    let account = values(&json!({"Account_Name": "Reed Ltd"}));
    let account = batch.add(SubRequest::insert("Accounts", account)).unwrap();
    let id = account.written_id();
    let contact = values(&json!({"Last_Name": "Doe", "Account_Name": {"id": id.to_string()}}));
    batch
        .add(SubRequest::upsert("Contacts", contact).uses(&id))
        .unwrap();
    batch
        .add(SubRequest::record("Accounts", &id).uses(&id))
        .unwrap();
    let query = "select Last_Name from Contacts where id is not null";
    batch.add(SubRequest::coql(query)).unwrap();
    let gone = SubRequest::delete("Leads", "17").param("wf_trigger", false);
    batch
        .add(gone.header("X-EXTERNAL", "Leads.External_Id"))
        .unwrap();
    batch
}

#[tokio::test]
async fn a_composite_call_is_sent_and_read_as_the_contract_says() {
    let account = format!(r#"{{"data":[{{"Account_Name":"Reed Ltd","id":"{ACCOUNT}"}}]}}"#);
    let gone = r#"{"code":"INVALID_DATA","details":{"id":"17"},"message":"the id given seems to be invalid","status":"error"}"#;
    let body = whole(&[
        entry(201, &written(ACCOUNT)),
        entry(
            200,
            &written("4150868000000376009").replace(
                r#""message":"record added""#,
                r#""action":"update","duplicate_field":"Email","message":"record updated""#,
            ),
        ),
        entry(200, &account),
        entry(204, "null"),
        entry(400, &format!(r#"{{"data":[{gone}]}}"#)).replace(
            r#""status":"success","details":{"response""#,
            r#""status":"error","details":{"response""#,
        ),
    ]);
    let zoho = answering(vec![answer(207, &body)]).await;
    let (client, _hand) = zoho.client();
    let answers = client.composite(&chain(Composite::new())).await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let inserted = answers[0].written().unwrap();
    let inserted = inserted[0].as_ref().unwrap();
    assert_eq!(
        (inserted.id.as_str(), inserted.action),
        (ACCOUNT, Action::Inserted)
    );
    let upserted = answers[1].written().unwrap();
    let upserted = upserted[0].as_ref().unwrap();
    assert_eq!(upserted.action, Action::Updated);
    assert_eq!(upserted.duplicate_field.as_deref(), Some("Email"));
    assert_eq!(answers[2].records().unwrap()[0]["Account_Name"], "Reed Ltd");
    assert_eq!(
        answers[2].headers["content-type"],
        "application/json;charset=UTF-8"
    );
    assert_eq!((answers[3].status, answers[3].body().unwrap()), (204, None));
    assert!(answers[3].records().unwrap().is_empty());
    assert_eq!(answers[4].body().unwrap_err().class(), "invalid");
    let deleted = answers[4].written().unwrap();
    assert_eq!(
        deleted[0].as_ref().unwrap_err().code.as_str(),
        "INVALID_DATA"
    );
    let id = "@{1:$.data[0].details.id}";
    let sent = json!({
        "rollback_on_fail": false,
        "parallel_execution": false,
        "__composite_requests": [
            {"sub_request_id": "1", "method": "POST", "uri": "/crm/v8/Accounts",
             "body": {"data": [{"Account_Name": "Reed Ltd"}]}},
            {"sub_request_id": "2", "method": "POST", "uri": "/crm/v8/Contacts/upsert",
             "body": {"data": [{"Last_Name": "Doe", "Account_Name": {"id": id}}]}},
            {"sub_request_id": "3", "method": "GET", "uri": format!("/crm/v8/Accounts/{id}")},
            {"sub_request_id": "4", "method": "POST", "uri": "/crm/v8/coql",
             "body": {"select_query": "select Last_Name from Contacts where id is not null"}},
            {"sub_request_id": "5", "method": "DELETE", "uri": "/crm/v8/Leads/17",
             "params": {"wf_trigger": "false"}, "headers": {"X-EXTERNAL": "Leads.External_Id"}},
        ],
    });
    let path = "/crm/v8/__composite_requests".to_owned();
    assert_eq!(asked(&zoho).await, [("POST".to_owned(), path, sent)]);
}

#[tokio::test]
async fn what_was_not_carried_out_says_why() {
    let failed = |code: &str| {
        format!(r#"{{"code":"{code}","details":{{}},"message":"m","status":"error"}}"#)
    };
    let wrong = r#"{"code":"INVALID_DATA","details":{"expected_data_type":"text","api_name":"uri","json_path":"$.__composite_requests[1].uri"},"message":"invalid data","status":"error"}"#;
    let undone = [
        failed("ROLLBACK_PERFORMED"),
        entry(400, &failed("DUPLICATE_DATA")),
        failed("PROCESSING_STOPPED"),
        failed("PROCESSING_STOPPED"),
        failed("LOOPING_FOUND"),
    ];
    let zoho = answering(vec![
        answer(207, &whole(&undone)),
        answer(400, &whole(&[wrong.to_owned()])),
        error(400, "AMBIGUITY_DURING_PROCESSING"),
        answer(200, &whole(&[entry(204, "null")])),
        error(401, "OAUTH_SCOPE_MISMATCH"),
        answer(200, &whole(&vec![entry(202, &failed("INVALID_MODULE")); 5])),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let batch = chain(Composite::new().rollback_on_fail());
    let answers = client.composite(&batch).await.unwrap();
    let code = |at: usize| answers[at].as_ref().unwrap_err().code.as_str();
    assert_eq!(
        (code(0), code(2), code(4)),
        ("ROLLBACK_PERFORMED", "PROCESSING_STOPPED", "LOOPING_FOUND")
    );
    let duplicate = answers[1].as_ref().unwrap().written().unwrap_err();
    assert_eq!(duplicate.code().unwrap().as_str(), "DUPLICATE_DATA");
    let refused = client.composite(&batch).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused}");
    let refused = client.composite(&batch).await.unwrap_err();
    assert_eq!(
        refused.code().unwrap().as_str(),
        "AMBIGUITY_DURING_PROCESSING"
    );
    let short = client.composite(&batch).await.unwrap_err();
    assert_eq!(short.class(), "malformed");
    let forbidden = client
        .composite(&chain(Composite::new().parallel()))
        .await
        .unwrap_err();
    assert_eq!(forbidden.class(), "forbidden");
    let hidden = client.composite(&batch).await.unwrap();
    let hidden = hidden[0].as_ref().unwrap().records().unwrap_err();
    assert_eq!(hidden.class(), "invalid", "whatever its status says");
    let flags = |body: &Value| {
        (
            body["rollback_on_fail"].clone(),
            body["parallel_execution"].clone(),
        )
    };
    let asked = asked(&zoho).await;
    assert_eq!(flags(&asked[0].2), (json!(true), json!(false)));
    assert_eq!(flags(&asked[4].2), (json!(false), json!(true)));
    let nothing = client.composite(&Composite::new()).await.unwrap_err();
    assert_eq!(nothing.class(), "misuse");
    assert_eq!(zoho.calls(), 6);
}

#[tokio::test]
async fn a_chain_is_carried_out_by_the_simulator() {
    let sim = simulator().await;
    let lead = sim.insert("Leads", json!({"Last_Name": "Poe"})).unwrap();
    let client = client(&sim);
    let mut batch = Composite::new();
    let account = values(&json!({"Account_Name": "Reed Ltd"}));
    let account = batch.add(SubRequest::insert("Accounts", account)).unwrap();
    let id = account.written_id();
    let contact = values(&json!({"Last_Name": "Doe", "Account_Name": {"id": id.to_string()}}));
    let contact = SubRequest::insert("Contacts", contact).uses(&id);
    batch.add(contact).unwrap();
    let change = values(&json!({"Phone": "555-7001"}));
    let change = SubRequest::update("Accounts", &id, change).uses(&id);
    batch.add(change).unwrap();
    batch
        .add(SubRequest::record("Accounts", &id).uses(&id))
        .unwrap();
    batch.add(SubRequest::delete("Leads", &lead)).unwrap();
    let answers = client.composite(&batch).await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let written = |at: usize| answers[at].written().unwrap().remove(0).unwrap();
    assert_eq!(
        (written(0).action, written(2).action),
        (Action::Inserted, Action::Updated)
    );
    assert_eq!(written(0).id, written(2).id);
    assert_eq!(written(4).id, lead);
    assert_eq!(answers[3].records().unwrap()[0]["Phone"], "555-7001");
    let contact = client.record("Contacts", &written(1).id).await.unwrap();
    assert_eq!(
        contact.record.unwrap()["Account_Name"]["id"],
        *written(0).id
    );
    assert!(sim.records("Leads").is_empty());
    assert_eq!(sim.counters().credits_used, 1 + 5 + 1);
    assert_eq!(sim.counters().sub_concurrent_max, 1);
}

#[tokio::test]
async fn all_or_nothing_leaves_nothing_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = |values: Value| SubRequest::insert("Leads", records::values(&values));
    let chain = |mut batch: Composite| {
        for sub in [
            lead(json!({"Last_Name": "Doe", "Company": "Reed"})),
            lead(json!({"Company": "nobody's"})),
            SubRequest::coql("select id from Leads where id is not null limit 25"),
        ] {
            batch.add(sub).unwrap();
        }
        batch
    };
    let answers = client
        .composite(&chain(Composite::new().rollback_on_fail()))
        .await
        .unwrap();
    let code = |at: usize| answers[at].as_ref().unwrap_err().code.as_str();
    assert_eq!(
        (code(0), code(2)),
        ("ROLLBACK_PERFORMED", "PROCESSING_STOPPED")
    );
    let failed = answers[1].as_ref().unwrap().written().unwrap();
    assert_eq!(
        failed[0].as_ref().unwrap_err().code.as_str(),
        "MANDATORY_NOT_FOUND"
    );
    assert!(sim.records("Leads").is_empty());
    for batch in [Composite::new(), Composite::new().parallel()] {
        let answers = client.composite(&chain(batch)).await.unwrap();
        assert!(answers[0].as_ref().unwrap().body().is_ok());
        assert!(answers[1].as_ref().unwrap().body().is_err());
        assert!(!answers[2].as_ref().unwrap().records().unwrap().is_empty());
    }
    assert_eq!(sim.records("Leads").len(), 2);
}
