//! Attachments, photos and files.

use std::io::Write;

use futures_util::TryStreamExt;
use serde_json::json;
use wiremock::ResponseTemplate;
use zoho_crm::{Error, files::Upload};
use zoho_sim::{Fault, On, What};

use crate::support::{
    Zoho, error, json as answer,
    literal::{answering, asked, header, last_asked, parts},
    sim::{client, simulator},
    while_time_runs,
};

const LEAD: &str = "4150868000000376008";
const ATTACHMENT: &str = "4150868000002748039";
const FILE: &str = "ae9c7cefa418aec1d6a5cc2d7d5e00a54b7563c0dd42b0d8d2b6c7f5b1d1a6b7";

const ATTACHED: &str = r#"{"data":[{"code":"SUCCESS","details":{"Modified_Time":"2026-11-22T21:15:26+05:30","Modified_By":{"name":"Pat Example","id":"4150868000000225013"},"Created_Time":"2026-11-22T21:15:26+05:30","id":"4150868000002748039","Created_By":{"name":"Pat Example","id":"4150868000000225013"}},"message":"attachment uploaded successfully","status":"success"}]}"#;

const LISTED: &str = r#"{"data":[{"File_Name":"offer.pdf","Size":"160448","Created_Time":"2026-11-22T21:15:26+05:30","Modified_Time":"2026-11-22T21:15:26+05:30","id":"4150868000002748039","$file_id":"ae9c7c","$type":"Attachment","$link_url":null,"$se_module":"Leads"},{"File_Name":"https://example.com/offer","Size":null,"id":"4150868000002748040","$type":"Link URL","$link_url":"https://example.com/offer"}],"info":{"per_page":200,"count":2,"page":1,"more_records":false}}"#;

/// An answer that is a file.
fn file(name: &str, bytes: &[u8]) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_raw(bytes.to_vec(), "application/x-download")
        .insert_header(
            "content-disposition",
            format!("attachment;filename={name}").as_str(),
        )
}

fn done(message: &str) -> ResponseTemplate {
    answer(
        200,
        &format!(r#"{{"code":"SUCCESS","details":{{}},"message":"{message}","status":"success"}}"#),
    )
}

/// The calls that came: method, and path with query.
async fn paths(zoho: &Zoho) -> Vec<(String, String)> {
    let calls = asked(zoho).await.into_iter();
    calls.map(|it| (it.0, it.1)).collect()
}

fn owned((method, path): (&str, String)) -> (String, String) {
    (method.to_owned(), path)
}

/// More bytes than are read from a disk at once.
fn long() -> Vec<u8> {
    (0..200_000_u32).map(|it| it.to_le_bytes()[0]).collect()
}

fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".bin").tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[tokio::test]
async fn an_attachment_is_sent_as_the_contract_says_from_memory_and_from_a_disk() {
    let zoho = answering(vec![answer(200, ATTACHED)]).await;
    let (client, _hand) = zoho.client();
    let upload = Upload::of_bytes("offer.pdf", "the offer").unwrap();
    let id = client.attach("Leads", LEAD, &upload).await.unwrap();
    assert_eq!(id, ATTACHMENT);
    let request = last_asked(&zoho).await;
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(
        request.url.path(),
        format!("/crm/v8/Leads/{LEAD}/Attachments")
    );
    let sent = parts(&request);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].0,
        r#"Content-Disposition: form-data; name="file"; filename="offer.pdf""#
    );
    assert_eq!(sent[0].1, b"the offer");
    let length: usize = header(&request, "content-length").parse().unwrap();
    assert_eq!(length, request.body.len(), "its length is told beforehand");

    let disk = on_disk(&long());
    let upload = Upload::of_file(disk.path()).await.unwrap();
    assert_eq!(upload.bytes(), 200_000);
    let upload = upload.named("other.bin").unwrap();
    client.attach("Leads", LEAD, &upload).await.unwrap();
    let sent = parts(&last_asked(&zoho).await);
    assert!(sent[0].0.ends_with(r#"filename="other.bin""#));
    assert!(sent[0].1 == long());
}

#[tokio::test]
async fn a_link_and_a_list_are_what_the_contract_says() {
    let zoho = answering(vec![answer(200, ATTACHED), answer(200, LISTED)]).await;
    let (client, _hand) = zoho.client();
    let url = "https://example.com/offer?a=1&b=2";
    let id = client.attach_link("Leads", LEAD, url).await.unwrap();
    assert_eq!(id, ATTACHMENT);
    let listed: Vec<_> = client
        .attachments_of("Leads", LEAD)
        .try_collect()
        .await
        .unwrap();
    let [attachment, link] = listed.as_slice() else {
        panic!("{listed:?}")
    };
    assert_eq!(attachment.id, ATTACHMENT);
    assert_eq!(attachment.file_name.as_deref(), Some("offer.pdf"));
    assert_eq!((attachment.bytes, &attachment.link), (Some(160_448), &None));
    assert_eq!(attachment.raw["$file_id"], "ae9c7c");
    assert_eq!(link.link.as_deref(), Some("https://example.com/offer"));
    assert_eq!(link.bytes, None);
    let all = format!("/crm/v8/Leads/{LEAD}/Attachments");
    let linked = format!("{all}?attachmentUrl=https%3A%2F%2Fexample.com%2Foffer%3Fa%3D1%26b%3D2");
    let fields = "File_Name%2CSize%2CCreated_Time%2CModified_Time";
    let list = format!("{all}?fields={fields}&per_page=200&page=1");
    assert_eq!(
        paths(&zoho).await,
        [("POST", linked), ("GET", list)].map(owned)
    );
}

#[tokio::test]
async fn a_download_and_a_delete_are_what_the_contract_says() {
    let deleted = format!(
        r#"{{"data":[{{"code":"SUCCESS","details":{{"id":"{ATTACHMENT}"}},"message":"record deleted","status":"success"}}]}}"#
    );
    let zoho = answering(vec![
        file("offer.pdf", b"the offer"),
        ResponseTemplate::new(204),
        error(404, "RESOURCE_NOT_FOUND"),
        error(400, "INVALID_DATA"),
        error(403, "NO_PERMISSION"),
        answer(200, &deleted),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let opened = client.attachment("Leads", LEAD, ATTACHMENT).await.unwrap();
    let opened = opened.unwrap();
    assert_eq!(opened.file_name.as_deref(), Some("offer.pdf"));
    assert_eq!(opened.bytes, Some(9));
    assert_eq!(opened.into_bytes().await.unwrap(), "the offer");
    for _ in 0..3 {
        let nothing = client.attachment("Leads", LEAD, ATTACHMENT).await.unwrap();
        assert!(nothing.is_none());
    }
    let refused = client.attachment("Leads", LEAD, ATTACHMENT).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })));
    client
        .delete_attachment("Leads", LEAD, ATTACHMENT)
        .await
        .unwrap();
    let one = format!("/crm/v8/Leads/{LEAD}/Attachments/{ATTACHMENT}");
    let expected = ["GET", "GET", "GET", "GET", "GET", "DELETE"].map(|it| owned((it, one.clone())));
    assert_eq!(paths(&zoho).await, expected);
}

#[tokio::test]
async fn photos_and_files_are_what_the_contract_says() {
    let uploaded = |id: &str| {
        format!(
            r#"{{"code":"SUCCESS","details":{{"name":"a.txt","id":"{id}"}},"message":"file uploaded Succesfully","status":"success"}}"#
        )
    };
    let failed = r#"{"code":"FILE_SIZE_MORE_THAN_ALLOWED_SIZE","details":{"api_name":"file"},"message":"too large","status":"error"}"#;
    let zoho = answering(vec![
        done("photo uploaded successfully"),
        file("face.png", b"picture"),
        ResponseTemplate::new(204),
        done("photo deleted successfully"),
        ResponseTemplate::new(204),
        answer(207, &format!(r#"{{"data":[{},{failed}]}}"#, uploaded(FILE))),
        file("a.txt", b"one"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let photo = Upload::of_bytes("face.png", &b"picture"[..]).unwrap();
    client.set_photo("Leads", LEAD, &photo).await.unwrap();
    assert_eq!(parts(&last_asked(&zoho).await)[0].1, b"picture");
    let seen = client.photo("Leads", LEAD).await.unwrap().unwrap();
    assert_eq!(seen.into_bytes().await.unwrap(), "picture");
    assert!(client.photo("Leads", LEAD).await.unwrap().is_none());
    client.delete_photo("Leads", LEAD).await.unwrap();
    client.delete_photo("Leads", LEAD).await.unwrap();

    let files = ["one", "two"].map(|it| Upload::of_bytes("a.txt", it).unwrap());
    let results = client.upload_files(&files).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap(), FILE);
    let refused = results[1].as_ref().unwrap_err();
    assert_eq!(refused.code.as_str(), "FILE_SIZE_MORE_THAN_ALLOWED_SIZE");
    let sent: Vec<_> = parts(&last_asked(&zoho).await);
    assert!(sent.iter().all(|it| it.0.contains(r#"name="file"; "#)));
    assert_eq!(sent.len(), 2);
    let fetched = client.file(FILE).await.unwrap().unwrap();
    assert_eq!(fetched.into_bytes().await.unwrap(), "one");
    let photo = format!("/crm/v8/Leads/{LEAD}/photo");
    let expected = [
        ("POST", photo.clone()),
        ("GET", photo.clone()),
        ("GET", photo.clone()),
        ("DELETE", photo.clone()),
        ("DELETE", photo),
        ("POST", "/crm/v8/files".to_owned()),
        ("GET", format!("/crm/v8/files?id={FILE}")),
    ];
    assert_eq!(paths(&zoho).await, expected.map(owned));
}

#[tokio::test]
async fn an_upload_is_never_repeated_blindly() {
    let zoho = answering(vec![error(500, "INTERNAL_ERROR")]).await;
    let (client, hand) = zoho.client();
    let upload = Upload::of_bytes("a.txt", "one").unwrap();
    let failures = [
        client.attach("Leads", LEAD, &upload).await.unwrap_err(),
        client.set_photo("Leads", LEAD, &upload).await.unwrap_err(),
        client.upload_file(&upload).await.unwrap_err(),
    ];
    assert!(failures.iter().all(Error::may_be_done));
    assert_eq!(zoho.calls(), 3);
    // What only reads is.
    let opened = while_time_runs(&hand, client.photo("Leads", LEAD)).await;
    assert!(opened.is_err());
    assert_eq!(zoho.calls(), 8);
}

#[tokio::test]
async fn what_zoho_would_refuse_is_not_sent() {
    let zoho = answering(vec![error(500, "INTERNAL_ERROR")]).await;
    let (client, _hand) = zoho.client();
    let large = Upload::of_bytes("a.bin", vec![0; 20 * 1024 * 1024 + 1]).unwrap();
    let small = Upload::of_bytes("a.txt", "one").unwrap();
    let many = vec![small.clone(); 11];
    let failures = [
        client.attach("Leads", LEAD, &large).await.err(),
        client.set_photo("Leads", LEAD, &large).await.err(),
        client.upload_files(&[]).await.err(),
        client.upload_files(&many).await.err(),
        client.attach("Leads", "../1", &small).await.err(),
        client
            .attach_link("Leads", LEAD, "ftp://example.com")
            .await
            .err(),
        Upload::of_bytes("", "one").err(),
        Upload::of_bytes("a.txt", "").err(),
    ];
    for failure in failures {
        assert!(matches!(failure, Some(Error::Misuse { .. })), "{failure:?}");
    }
    let missing = Upload::of_file("/nowhere/at/all").await.unwrap_err();
    assert_eq!((missing.class(), missing.retry_after()), ("file", None));
    assert_eq!(zoho.calls(), 0);
}

#[tokio::test]
async fn a_file_that_has_become_shorter_is_not_taken_for_whole() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let disk = on_disk(&long());
    let upload = Upload::of_file(disk.path()).await.unwrap();
    disk.as_file().set_len(1000).unwrap();
    assert!(client.attach("Leads", &lead, &upload).await.is_err());
    let listed: Vec<_> = client
        .attachments_of("Leads", &lead)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed, []);
}

#[tokio::test]
async fn attachments_come_and_go_on_a_simulated_record() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let disk = on_disk(&long());
    let upload = Upload::of_file(disk.path()).await.unwrap();
    let file = client.attach("Leads", &lead, &upload).await.unwrap();
    let link = "https://example.com/offer";
    let link_id = client.attach_link("Leads", &lead, link).await.unwrap();

    let listed: Vec<_> = client
        .attachments_of("Leads", &lead)
        .try_collect()
        .await
        .unwrap();
    let ids: Vec<_> = listed.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, [&link_id, &file]);
    assert_eq!(listed[0].link.as_deref(), Some(link));
    assert_eq!(listed[1].bytes, Some(200_000));
    assert_eq!(listed[1].file_name.as_deref(), Some(upload.name()));

    let opened = client.attachment("Leads", &lead, &file).await.unwrap();
    let opened = opened.unwrap();
    assert_eq!(opened.file_name.as_deref(), Some(upload.name()));
    let pieces: Vec<_> = opened.into_stream().try_collect().await.unwrap();
    assert!(pieces.concat() == long());
    let of_link = client.attachment("Leads", &lead, &link_id).await.unwrap();
    assert!(of_link.is_none());

    for id in [&file, &link_id] {
        client.delete_attachment("Leads", &lead, id).await.unwrap();
    }
    let left: Vec<_> = client
        .attachments_of("Leads", &lead)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(left, []);
    let none = client.attachment("Leads", &lead, &file).await.unwrap();
    assert!(none.is_none());
}

#[tokio::test]
async fn photos_and_files_are_kept_by_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    assert!(client.photo("Leads", &lead).await.unwrap().is_none());
    for bytes in ["first", "second"] {
        let photo = Upload::of_bytes("face.png", bytes).unwrap();
        client.set_photo("Leads", &lead, &photo).await.unwrap();
        let seen = client.photo("Leads", &lead).await.unwrap().unwrap();
        assert_eq!(seen.content_type.as_deref(), Some("image/png"));
        assert_eq!(seen.into_bytes().await.unwrap(), bytes);
    }
    client.delete_photo("Leads", &lead).await.unwrap();
    client.delete_photo("Leads", &lead).await.unwrap();
    assert!(client.photo("Leads", &lead).await.unwrap().is_none());
    let text = Upload::of_bytes("face.txt", "no picture").unwrap();
    let refused = client.set_photo("Leads", &lead, &text).await.unwrap_err();
    assert_eq!(refused.code().unwrap().as_str(), "INVALID_DATA");

    let files: Vec<_> = (0..10)
        .map(|it| Upload::of_bytes("a.txt", format!("file {it}")).unwrap())
        .collect();
    let ids = client.upload_files(&files).await.unwrap();
    for (at, id) in ids.into_iter().enumerate() {
        let file = client.file(&id.unwrap()).await.unwrap().unwrap();
        assert_eq!(file.into_bytes().await.unwrap(), format!("file {at}"));
    }
}

#[tokio::test]
async fn a_download_is_asked_for_again_and_holds_its_place_until_it_is_read() {
    let sim = simulator().await;
    let client = client(&sim);
    let file = Upload::of_bytes("a.txt", "one").unwrap();
    let id = client.upload_file(&file).await.unwrap();
    for what in [What::Status(503), What::DropConnection, What::InvalidToken] {
        let fault = Fault {
            on: On::Files,
            what,
            times: Some(1),
            chance: 1.0,
        };
        assert!(sim.faults().add(fault));
        let again = client.file(&id).await.unwrap().unwrap();
        assert_eq!(again.into_bytes().await.unwrap(), "one");
    }
    assert_eq!(sim.counters().faults, 3);
    let mut open = vec![];
    for _ in 0..10 {
        open.push(client.file(&id).await.unwrap().unwrap());
    }
    let mut eleventh = Box::pin(client.file(&id));
    let waits = futures_util::poll!(&mut eleventh);
    assert!(waits.is_pending());
    open.clear();
    eleventh.await.unwrap().unwrap();
}
