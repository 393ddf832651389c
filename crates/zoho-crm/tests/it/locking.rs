//! Locks of records.

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use zoho_crm::{WriteOptions, locking::Lock};

use crate::{
    records::values,
    support::{
        error, json as answer,
        literal::{answering, asked},
        sim::{client, simulator},
    },
};

const LEAD: &str = "4150868000000376008";
const LOCK: &str = "4150868000000800001";

#[tokio::test]
async fn locks_are_written_and_read_as_the_contract_says() {
    let done = r#"{"data":[{"code":"SUCCESS","details":{"Modified_Time":"2026-11-22T21:15:26+05:30","id":"4150868000000800001"},"message":"record added","status":"success"}]}"#;
    let list = r#"{"data":[{"Locked_Reason__s":"under audit","Lock_Source__s":"Manual","Locked_Time__s":"2026-11-22T21:15:26+05:30","Locked_By__s":{"name":"Jane Doe","id":"4150868000000225013"},"id":"4150868000000800001"},{"locked_reason__s":null,"lock_source__s":"Automatic","Locked_time__s":"2026-11-22T21:15:26+05:30","locked_by__s":null,"id":4150868000000800002}],"info":{"per_page":200,"count":2,"page":1,"more_records":false}}"#;
    let zoho = answering(vec![
        answer(201, done),
        answer(200, list),
        ResponseTemplate::new(204),
        answer(200, &done.replace("record added", "relation updated")),
        answer(200, &done.replace("record added", "relation removed")),
        error(403, "NOT_ALLOWED"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let id = client.lock("Leads", LEAD, "under audit").await.unwrap();
    assert_eq!(id, LOCK);
    let locks = || client.locks("Leads", LEAD).try_collect::<Vec<Lock>>();
    let found = locks().await.unwrap();
    assert_eq!(found[0].id, LOCK);
    assert_eq!(found[0].reason.as_deref(), Some("under audit"));
    assert_eq!(found[0].by.as_ref().unwrap().name, "Jane Doe");
    assert_eq!(found[1].id, "4150868000000800002");
    assert_eq!(found[1].source.as_deref(), Some("Automatic"));
    assert_eq!(found[1].at, "2026-11-22T15:45:26Z".parse().ok());
    assert!(locks().await.unwrap().is_empty());
    client
        .change_lock("Leads", LEAD, LOCK, "still")
        .await
        .unwrap();
    client.unlock("Leads", LEAD, LOCK).await.unwrap();
    assert!(client.lock("Leads", LEAD, "again").await.is_err());
    let path = format!("/crm/v8/Leads/{LEAD}/Locking_Information__s");
    let single = format!("{path}/{LOCK}");
    let list = format!(
        "{path}?fields=Locked_Reason__s%2CLock_Source__s%2CLocked_Time__s%2CLocked_By__s&per_page=200&page=1"
    );
    let read = ("GET".to_owned(), list, Value::Null);
    let reason = |text: &str| json!({"data": [{"Locked_Reason__s": text}]});
    assert_eq!(
        asked(&zoho).await,
        [
            ("POST".to_owned(), path.clone(), reason("under audit")),
            read.clone(),
            read,
            ("PUT".to_owned(), single.clone(), reason("still")),
            ("DELETE".to_owned(), single, Value::Null),
            ("POST".to_owned(), path, reason("again")),
        ]
    );
    for reason in ["", &"x".repeat(251)] {
        let failed = client.lock("Leads", LEAD, reason).await.unwrap_err();
        assert_eq!(failed.class(), "misuse");
    }
    assert_eq!(zoho.calls(), 6);
}

#[tokio::test]
async fn a_locked_record_is_not_written_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let locks = || client.locks("Leads", &lead).try_collect::<Vec<Lock>>();
    assert!(locks().await.unwrap().is_empty());
    let lock = client.lock("Leads", &lead, "under audit").await.unwrap();
    assert!(client.lock("Leads", &lead, "twice").await.is_err());
    client
        .change_lock("Leads", &lead, &lock, "still")
        .await
        .unwrap();
    let found = locks().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].id, found[0].reason.as_deref()),
        (&lock, Some("still"))
    );
    assert!(found[0].at.is_some() && found[0].by.is_some());
    let record = client.record("Leads", &lead).await.unwrap().record.unwrap();
    assert_eq!(record["Locked__s"], true);
    let change = values(&json!({"Company": "Reed"}));
    let plain = WriteOptions::default();
    let failed = client.update_one("Leads", &lead, &change, &plain).await;
    let failed = failed.unwrap_err();
    assert_eq!(
        (failed.code.as_str(), failed.error.class()),
        ("RECORD_LOCKED", "record_state")
    );
    let tagged = client
        .add_tags("Leads", &[&lead], &["Hot".into()], false)
        .await;
    assert_eq!(
        tagged.unwrap()[0].as_ref().unwrap_err().code.as_str(),
        "RECORD_LOCKED"
    );
    client.unlock("Leads", &lead, &lock).await.unwrap();
    client
        .update_one("Leads", &lead, &change, &plain)
        .await
        .unwrap();
    assert!(locks().await.unwrap().is_empty());
    assert!(client.unlock("Leads", &lead, &lock).await.is_err());
}
