//! Notes: on a record, of many, listed, changed and deleted.

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use zoho_crm::notes::{Note, NoteOf};

use crate::support::{
    error, json as answer,
    literal::{answering, asked},
    sim::{client, simulator},
};

const LEAD: &str = "4150868000000376008";
const NOTE: &str = "4150868000000488001";
const DONE: &str = r#"{"code":"SUCCESS","details":{"Modified_Time":"2026-11-22T21:15:26+05:30","id":"4150868000000488001"},"message":"record added","status":"success"}"#;

fn note(title: Option<&str>, content: &str) -> Note {
    Note {
        title: title.map(ToOwned::to_owned),
        content: content.to_owned(),
    }
}

#[tokio::test]
async fn notes_are_written_as_the_contract_says() {
    let one = format!(r#"{{"data":[{DONE}]}}"#);
    let wrong = r#"{"code":"INVALID_DATA","details":{"api_name":"Parent_Id","json_path":"$.data[1].Parent_Id"},"message":"invalid data","status":"error"}"#;
    let zoho = answering(vec![
        answer(201, &one),
        answer(207, &format!(r#"{{"data":[{DONE},{wrong}]}}"#)),
        answer(200, &one.replace("added", "updated")),
        answer(200, &one.replace("added", "deleted")),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let spoke = note(Some("Call"), "Spoke.");
    let id = client.add_note("Leads", LEAD, &spoke).await.unwrap();
    assert_eq!(id, NOTE);
    let of = |module: &str| NoteOf {
        module: module.to_owned(),
        record: LEAD.to_owned(),
        note: note(None, "Both."),
    };
    let batch = client.add_notes(&[of("Leads"), of("Deals")]).await.unwrap();
    assert_eq!(batch[0].as_ref().unwrap(), NOTE);
    let failed = batch[1].as_ref().unwrap_err();
    assert_eq!(failed.json_path.as_deref(), Some("$.data[1].Parent_Id"));
    client
        .update_note(NOTE, &note(None, "Twice."))
        .await
        .unwrap();
    client.delete_note(NOTE).await.unwrap();
    assert_eq!(
        client.delete_note(NOTE).await.unwrap_err().class(),
        "invalid"
    );
    let parent = |module: &str| json!({"module": {"api_name": module}, "id": LEAD});
    let single = format!("/crm/v8/Notes/{NOTE}");
    let delete = ("DELETE".to_owned(), single.clone(), Value::Null);
    assert_eq!(
        asked(&zoho).await,
        [
            (
                "POST".to_owned(),
                format!("/crm/v8/Leads/{LEAD}/Notes"),
                json!({"data": [{"Note_Title": "Call", "Note_Content": "Spoke."}]}),
            ),
            (
                "POST".to_owned(),
                "/crm/v8/Notes".to_owned(),
                json!({"data": [
                    {"Note_Content": "Both.", "Parent_Id": parent("Leads")},
                    {"Note_Content": "Both.", "Parent_Id": parent("Deals")},
                ]}),
            ),
            (
                "PUT".to_owned(),
                single,
                json!({"data": [{"Note_Content": "Twice."}]}),
            ),
            delete.clone(),
            delete,
        ]
    );
    assert_eq!(client.add_notes(&[]).await.unwrap_err().class(), "misuse");
    let elsewhere = client.delete_note("1/../2").await.unwrap_err();
    assert_eq!(elsewhere.class(), "misuse");
    assert_eq!(zoho.calls(), 5);
}

#[tokio::test]
async fn notes_are_read_as_the_contract_says() {
    let page = |more: bool, token: &str| {
        let body = format!(
            r#"{{"data":[{{"Note_Title":"Call","Note_Content":"Spoke.","Parent_Id":{{"module":{{"api_name":"Leads","id":"2"}},"name":"Doe","id":"{LEAD}"}},"id":"{NOTE}"}}],"info":{{"per_page":200,"next_page_token":{token},"count":1,"page":1,"more_records":{more}}}}}"#
        );
        answer(200, &body)
    };
    let zoho = answering(vec![
        page(true, r#""abc""#),
        page(false, "null"),
        page(true, "null"),
        ResponseTemplate::new(204),
        page(false, "null"),
        ResponseTemplate::new(204),
        error(400, "INVALID_DATA"),
        page(true, r#""abc""#),
        page(true, "null"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let fields = ["Note_Title", "Note_Content"];
    let of = client.notes_of("Leads", LEAD, &fields);
    let of: Vec<_> = of.try_collect().await.unwrap();
    assert_eq!((of.len(), &of[0]["Note_Content"]), (2, &json!("Spoke.")));
    let all: Vec<_> = client.notes(&fields).try_collect().await.unwrap();
    assert_eq!(all[0]["Parent_Id"]["id"], LEAD);
    let one = client.note(NOTE, &fields).await.unwrap().unwrap();
    assert_eq!(one["Note_Title"], "Call");
    for _ in 0..2 {
        assert_eq!(client.note(NOTE, &fields).await.unwrap(), None);
    }
    let cut_short: Result<Vec<_>, _> = client.notes(&fields).try_collect().await;
    assert_eq!(cut_short.unwrap_err().class(), "malformed", "no way on");
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    let names = "fields=Note_Title%2CNote_Content";
    let one = format!("/crm/v8/Notes/{NOTE}?{names}");
    assert_eq!(
        paths,
        [
            format!("/crm/v8/Leads/{LEAD}/Notes?{names}&per_page=200&page=1"),
            format!("/crm/v8/Leads/{LEAD}/Notes?{names}&per_page=200&page_token=abc"),
            format!("/crm/v8/Notes?{names}&per_page=200&page=1"),
            format!("/crm/v8/Notes?{names}&per_page=200&page=2"),
            one.clone(),
            one.clone(),
            one,
            format!("/crm/v8/Notes?{names}&per_page=200&page=1"),
            format!("/crm/v8/Notes?{names}&per_page=200&page_token=abc"),
        ]
    );
    let nothing: Result<Vec<_>, _> = client.notes(&[]).try_collect().await;
    assert_eq!(nothing.unwrap_err().class(), "misuse");
}

#[tokio::test]
async fn notes_live_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let deal = json!({"Deal_Name": "Pumps", "Stage": "Closed Won"});
    let deal = sim.insert("Deals", deal).unwrap();
    let fields = ["Note_Title", "Note_Content", "Parent_Id"];
    let of_lead = || {
        client
            .notes_of("Leads", &lead, &fields)
            .try_collect::<Vec<_>>()
    };
    assert!(of_lead().await.unwrap().is_empty());
    let id = client
        .add_note("Leads", &lead, &note(Some("Call"), "Spoke."))
        .await
        .unwrap();
    let of = |module: &str, record: &str| NoteOf {
        module: module.to_owned(),
        record: record.to_owned(),
        note: note(None, "Sent."),
    };
    let notes: Vec<_> = (0..98).map(|_| of("Leads", &lead)).collect();
    let notes = [&notes[..], &[of("Deals", &deal), of("Deals", &lead)]].concat();
    let batch = client.add_notes(&notes).await.unwrap();
    let failed: Vec<_> = (0..100).filter(|at| batch[*at].is_err()).collect();
    assert_eq!(failed, [99], "a lead is no deal");
    for _ in 0..2 {
        client.add_notes(&notes[..98]).await.unwrap();
    }
    assert_eq!(of_lead().await.unwrap().len(), 1 + 3 * 98, "over pages");
    let all: Vec<_> = client.notes(&fields).try_collect().await.unwrap();
    assert_eq!(all.len(), 2 + 3 * 98);

    client
        .update_note(&id, &note(None, "Spoke twice."))
        .await
        .unwrap();
    let read = client.note(&id, &fields).await.unwrap().unwrap();
    assert_eq!(read["Note_Content"], "Spoke twice.");
    assert_eq!(read["Note_Title"], "Call");
    client.delete_note(&id).await.unwrap();
    assert_eq!(client.note(&id, &fields).await.unwrap(), None);
    assert!(client.delete_note(&id).await.is_err());
}
