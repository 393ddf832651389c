//! Converting leads.

use std::time::Duration;

use serde_json::{Value, json};
use zoho_crm::{
    Client, Error, RawRequest, Values,
    convert::{Conversion, ConversionJob, Converted, LeadTarget, Target},
};
use zoho_sim::{Fault, On, Sim, What};

use crate::{
    records::values,
    support::{
        error, json as answer,
        literal::{answering, asked},
        sim::{client, simulator},
    },
};

const LEAD: &str = "4150868000000376008";
/// Longer than any conversion takes.
const DEADLINE: Duration = Duration::from_secs(20);

fn deal() -> Values {
    values(&json!({"Deal_Name": "Pumps", "Stage": "Qualification", "Amount": 12}))
}

/// A conversion with all that can be said of one.
fn everything() -> Conversion {
    Conversion {
        account: Some(Target::Existing("12".to_owned())),
        contact: Some(Target::New(values(&json!({"Phone": "555-7001"})))),
        deal: Some(deal()),
        overwrite: Some(true),
        notify_lead_owner: Some(false),
        notify_new_entity_owner: Some(true),
        assign_to: Some("4150868000000225013".to_owned()),
        move_attachments_to: Some(LeadTarget::Deal),
        carry_over_tags: vec![(LeadTarget::Contact, vec!["hot".to_owned()])],
    }
}

#[tokio::test]
async fn a_lead_is_converted_as_the_contract_says() {
    let done = r#"{"data":[{"code":"SUCCESS","details":{"Contacts":{"name":"Ann Marsh","id":"11"},"Deals":{"name":"Pumps","id":"13"},"Accounts":{"name":"Reed Ltd","id":"12"}},"message":"The record has been converted successfully","status":"success"}]}"#;
    let older = r#"{"data":[{"Contacts":"11","Deals":null,"Accounts":"12","code":"SUCCESS","details":{},"message":"lead converted","status":"success"}]}"#;
    let later = r#"{"data":[{"code":"SCHEDULED","details":{"job_id":"77"},"message":"The conversion has been scheduled","status":"success"}]}"#;
    let zoho = answering(vec![
        answer(200, done),
        answer(200, older),
        answer(202, later),
        error(400, "ID_ALREADY_CONVERTED"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let how = everything();
    let Converted::Done {
        contact,
        account,
        deal: made,
    } = client.convert_lead(LEAD, &how).await.unwrap()
    else {
        panic!("it is done");
    };
    let (contact, account, made) = (contact.unwrap(), account.unwrap(), made.unwrap());
    assert_eq!((contact.id.as_str(), account.id.as_str()), ("11", "12"));
    assert_eq!(
        (made.id.as_str(), made.name.as_deref()),
        ("13", Some("Pumps"))
    );
    let plain = Conversion::default();
    let Converted::Done { contact, deal, .. } = client.convert_lead(LEAD, &plain).await.unwrap()
    else {
        panic!("it is done");
    };
    assert_eq!((contact.unwrap().id.as_str(), deal), ("11", None));
    let scheduled = client.convert_lead(LEAD, &plain).await.unwrap();
    let job_id = "77".to_owned();
    assert_eq!(scheduled, Converted::Scheduled { job_id });
    let failed = client.convert_lead(LEAD, &plain).await.unwrap_err();
    assert!(
        matches!(&failed, Error::Invalid { code, .. } if code.as_str() == "ID_ALREADY_CONVERTED"),
        "{failed}"
    );
    let sent = |body: Value| {
        let path = format!("/crm/v8/Leads/{LEAD}/actions/convert");
        ("POST".to_owned(), path, json!({"data": [body]}))
    };
    assert_eq!(
        asked(&zoho).await,
        [
            sent(json!({
                "overwrite": true,
                "notify_lead_owner": false,
                "notify_new_entity_owner": true,
                "Accounts": {"id": "12"},
                "Contacts": {"Phone": "555-7001"},
                "Deals": {"Deal_Name": "Pumps", "Stage": "Qualification", "Amount": 12},
                "assign_to": {"id": "4150868000000225013"},
                "move_attachments_to": {"api_name": "Deals"},
                "carry_over_tags": {"Contacts": [{"name": "hot"}]},
            })),
            sent(json!({})),
            sent(json!({})),
            sent(json!({})),
        ]
    );
    let elsewhere = client.convert_lead("1/../2", &plain).await.unwrap_err();
    assert_eq!(elsewhere.class(), "misuse");
}

#[tokio::test]
async fn many_leads_are_converted_as_the_contract_says() {
    let taken = r#"{"code":"SCHEDULED","details":{"job_id":"77"},"message":"Mass Convert scheduled successfully","status":"success"}"#;
    let status = r#"{"data":[{"Status":"in progress","Total_Count":2,"Converted_Count":1,"Not_Converted_Count":1,"Failed_Count":0}]}"#;
    let zoho = answering(vec![
        answer(202, taken),
        answer(202, &format!(r#"{{"data":[{taken}]}}"#)),
        answer(200, status),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let job = client.convert_leads(&["1", "2"], Some(&deal())).await;
    assert_eq!(job.unwrap(), "77");
    assert_eq!(client.convert_leads(&["1"], None).await.unwrap(), "77");
    let job = client.conversion_status("77").await.unwrap();
    assert_eq!((job.status.as_str(), job.total), ("in progress", 2));
    assert_eq!((job.converted, job.waiting, job.failed), (1, 1, 0));
    assert!(client.conversion_status("78").await.is_err());
    let path = || "/crm/v8/Leads/actions/mass_convert".to_owned();
    let asked = asked(&zoho).await;
    let all = json!({"ids": ["1", "2"], "Deals": deal()});
    assert_eq!(asked[0], ("POST".to_owned(), path(), all));
    assert_eq!(asked[1], ("POST".to_owned(), path(), json!({"ids": ["1"]})));
    let status = format!("{}?job_id=77", path());
    assert_eq!(asked[2], ("GET".to_owned(), status, Value::Null));
    for ids in [&[][..], &["1"; 51]] {
        let wrong = client.convert_leads(ids, None).await.unwrap_err();
        assert_eq!(wrong.class(), "misuse");
    }
}

#[tokio::test]
async fn a_conversion_is_not_made_twice() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = lead(&sim);
    let lost = Fault {
        on: On::Write,
        what: What::DropAnswer,
        times: Some(1),
        chance: 1.0,
    };
    assert!(sim.faults().add(lost));
    let failed = client.convert_lead(&lead, &Conversion::default()).await;
    assert!(failed.unwrap_err().may_be_done());
    assert_eq!(sim.counters().calls(zoho_sim::Kind::Convert), 1);
    assert_eq!(sim.records("Contacts").len(), 1);
}

fn lead(sim: &Sim) -> String {
    let lead = json!({"Last_Name": "Marsh", "First_Name": "Ann", "Company": "Reed Ltd",
        "Email": "ann@example.com", "Tag": [{"name": "hot"}, {"name": "new"}]});
    sim.insert("Leads", lead).unwrap()
}

#[tokio::test]
async fn a_lead_becomes_new_records_with_tags_and_attachments_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = lead(&sim);
    let path = format!("Leads/{lead}/Attachments");
    let attach = RawRequest {
        method: &http::Method::POST,
        query: &[("attachmentUrl", "https://example.com/plan.pdf")],
        ..RawRequest::get(&path)
    };
    assert_eq!(client.raw(&attach).await.unwrap().status, 200);
    let before = sim.counters().credits_used;
    let how = Conversion {
        account: Some(Target::New(values(&json!({"Industry": "Retail"})))),
        contact: Some(Target::New(values(&json!({"Phone": "555-7001"})))),
        deal: Some(deal()),
        move_attachments_to: Some(LeadTarget::Deal),
        carry_over_tags: vec![
            (LeadTarget::Contact, vec!["hot".to_owned()]),
            (
                LeadTarget::Account,
                vec!["hot".to_owned(), "new".to_owned()],
            ),
        ],
        ..Conversion::default()
    };
    let Converted::Done {
        contact,
        account,
        deal,
    } = client.convert_lead(&lead, &how).await.unwrap()
    else {
        panic!("it is done");
    };
    assert_eq!(sim.counters().credits_used - before, 5);
    assert_eq!(sim.counters().sub_concurrent_max, 1);
    let (contact, account, deal) = (contact.unwrap(), account.unwrap(), deal.unwrap());
    assert_eq!(contact.name.as_deref(), Some("Ann Marsh"));
    let record = |module: &'static str, id: String| {
        let client = client.clone();
        async move { client.record(module, &id).await.unwrap().record.unwrap() }
    };
    let contact = record("Contacts", contact.id).await;
    assert_eq!(contact["Phone"], "555-7001");
    assert_eq!(contact["Account_Name"]["id"], account.id);
    assert_eq!(contact["Tag"].as_array().unwrap().len(), 1);
    let account = record("Accounts", account.id).await;
    assert_eq!(account["Industry"], "Retail");
    assert_eq!(account["Tag"].as_array().unwrap().len(), 2);
    let list = format!("Deals/{}/Attachments", deal.id);
    let list = RawRequest {
        query: &[("fields", "id")],
        ..RawRequest::get(&list)
    };
    let moved = client.raw(&list).await.unwrap().body.unwrap();
    assert_eq!(moved["info"]["count"], 1);
    let again = client.convert_lead(&lead, &how).await.unwrap_err();
    assert_eq!(again.code().unwrap().as_str(), "ID_ALREADY_CONVERTED");
}

#[tokio::test]
async fn a_lead_joins_existing_records_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let account = json!({"Account_Name": "Reed"});
    let account = sim.insert("Accounts", account).unwrap();
    let contact = json!({"Last_Name": "M", "Account_Name": {"id": account}});
    let contact = sim.insert("Contacts", contact).unwrap();
    let how = |account: &str, overwrite: bool| Conversion {
        account: Some(Target::Existing(account.to_owned())),
        contact: Some(Target::Existing(contact.clone())),
        overwrite: Some(overwrite),
        ..Conversion::default()
    };
    client
        .convert_lead(&lead(&sim), &how(&account, false))
        .await
        .unwrap();
    assert_eq!(sim.records("Accounts")[0]["Account_Name"], "Reed");
    client
        .convert_lead(&lead(&sim), &how(&account, true))
        .await
        .unwrap();
    assert_eq!(sim.records("Accounts")[0]["Account_Name"], "Reed Ltd");
    assert_eq!(sim.records("Contacts").len(), 1);
    let other = sim
        .insert("Accounts", json!({"Account_Name": "Other"}))
        .unwrap();
    let failed = client.convert_lead(&lead(&sim), &how(&other, false)).await;
    assert_eq!(
        failed.unwrap_err().code().unwrap().as_str(),
        "MAPPING_MISMATCH"
    );
}

/// The job's status once no lead is left.
async fn ended(client: &Client, job_id: &str) -> ConversionJob {
    let ended = async {
        loop {
            let job = client.conversion_status(job_id).await.unwrap();
            if job.waiting == 0 {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.unwrap()
}

#[tokio::test]
async fn leads_are_converted_in_the_background_by_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let scheduled = Fault {
        on: On::Write,
        what: What::Schedule,
        times: Some(1),
        chance: 1.0,
    };
    assert!(sim.faults().add(scheduled));
    let first = lead(&sim);
    let later = client.convert_lead(&first, &Conversion::default()).await;
    let Converted::Scheduled { job_id } = later.unwrap() else {
        panic!("it is scheduled");
    };
    assert_eq!(ended(&client, &job_id).await.converted, 1);
    let second = lead(&sim);
    let job_id = client
        .convert_leads(&[&first, &second], Some(&deal()))
        .await
        .unwrap();
    let job = ended(&client, &job_id).await;
    assert_eq!((job.total, job.converted, job.failed), (2, 1, 1));
    assert_eq!(job.status, "completed");
    assert_eq!(sim.records("Deals").len(), 1);
    assert!(client.convert_leads(&["17"], None).await.is_err());
}
