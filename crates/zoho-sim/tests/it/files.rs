//! Attachments, photos, files.

use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::support::{Answer, Org, send};

/// A download: status, content type, disposition, bytes.
async fn fetch(org: &Org, path: &str) -> (StatusCode, String, String, Vec<u8>) {
    let answer = org.request(Method::GET, path).send().await.unwrap();
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map_or_else(String::new, |it| it.to_str().unwrap().to_owned())
    };
    let (content_type, disposition) = (header("content-type"), header("content-disposition"));
    let status = answer.status();
    (
        status,
        content_type,
        disposition,
        answer.bytes().await.unwrap().to_vec(),
    )
}

async fn upload(org: &Org, path: &str, name: &str, bytes: &[u8]) -> Answer {
    let part = Part::bytes(bytes.to_vec()).file_name(name.to_owned());
    let form = Form::new().part("file", part);
    send(org.request(Method::POST, path).multipart(form)).await
}

fn lead(org: &Org) -> String {
    org.sim
        .insert(
            "Leads",
            json!({"Last_Name": "Marsh", "Company": "Reed Ltd"}),
        )
        .unwrap()
}

#[tokio::test]
async fn an_attachment_is_listed_downloaded_and_deleted() {
    let org = Org::start().await;
    let lead = lead(&org);
    let path = format!("/crm/v8/Leads/{lead}/Attachments");
    let list = format!("{path}?fields=File_Name,Size,Parent_Id,Created_Time");
    assert_eq!(org.get(&list).await.status, StatusCode::NO_CONTENT);

    let added = upload(&org, &path, "a plan é.txt", b"dig").await;
    assert_eq!(added.status, StatusCode::OK);
    let details = &added.body["data"][0]["details"];
    let user = json!({"name": "Rosa Lark", "id": details["Created_By"]["id"]});
    let at = &details["Created_Time"];
    assert_eq!(
        added.body,
        json!({"data": [{
            "code": "SUCCESS",
            "details": {"Modified_Time": at, "Modified_By": user, "Created_Time": at,
                        "id": details["id"], "Created_By": user},
            "message": "attachment uploaded successfully",
            "status": "success",
        }]})
    );
    let id = details["id"].as_str().unwrap();

    assert_eq!(org.get(&path).await.body["code"], "REQUIRED_PARAM_MISSING");
    let listed = org.get(&list).await.body;
    let item = &listed["data"][0];
    assert_eq!(item["id"], id);
    assert_eq!(item["File_Name"], "a plan é.txt");
    assert_eq!(item["Size"], "3");
    assert_eq!(item["Parent_Id"], json!({"name": "Marsh", "id": lead}));
    assert_eq!(item["$se_module"], "Leads");
    assert_eq!(item["Owner"], Value::Null);
    assert_eq!(listed["info"]["count"], 1);
    assert_eq!(listed["info"]["more_records"], false);

    let (status, content_type, disposition, bytes) = fetch(&org, &format!("{path}/{id}")).await;
    assert_eq!(
        (status, content_type.as_str()),
        (StatusCode::OK, "application/x-download")
    );
    assert_eq!(
        disposition,
        "attachment; filename*=UTF-8''a%20plan%20%C3%A9.txt"
    );
    assert_eq!(bytes, b"dig");

    let gone = org.delete(&format!("{path}/{id}")).await;
    assert_eq!(gone.body["data"][0]["message"], "record deleted");
    let again = org.get(&format!("{path}/{id}")).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(again.body["code"], "INVALID_DATA");
}

#[tokio::test]
async fn a_link_is_attached_by_its_url() {
    let org = Org::start().await;
    let lead = lead(&org);
    let path = format!("/crm/v8/Leads/{lead}/Attachments");
    let link = format!("{path}?attachmentUrl=https%3A%2F%2Fexample.com%2Fplan.pdf");
    let added = send(org.request(Method::POST, &link)).await;
    assert_eq!(added.body["data"][0]["code"], "SUCCESS");
    let listed = org.get(&format!("{path}?fields=File_Name")).await.body;
    assert_eq!(listed["data"][0]["$type"], "Link URL");
    assert_eq!(
        listed["data"][0]["$link_url"],
        "https://example.com/plan.pdf"
    );
    let nothing = send(org.request(Method::POST, &path)).await;
    assert_eq!(nothing.body["code"], "REQUIRED_PARAM_MISSING");
}

#[tokio::test]
async fn attachments_belong_to_their_record_and_go_with_it() {
    let org = Org::start().await;
    let (first, second) = (lead(&org), lead(&org));
    let of = |lead: &str| format!("/crm/v8/Leads/{lead}/Attachments");
    let added = upload(&org, &of(&first), "a.txt", b"a").await;
    let id = added.body["data"][0]["details"]["id"].as_str().unwrap();
    let other = org.get(&format!("{}/{id}", of(&second))).await;
    assert_eq!(other.body["code"], "INVALID_DATA");
    let unknown = upload(&org, &of("17"), "a.txt", b"a").await;
    assert_eq!(unknown.body["code"], "INVALID_DATA");
    org.delete(&format!("/crm/v8/Leads/{first}")).await;
    let gone = org.get(&format!("{}?fields=id", of(&first))).await;
    assert_eq!(gone.body["code"], "INVALID_DATA");
}

#[tokio::test]
async fn a_photo_is_put_fetched_and_deleted() {
    let org = Org::start().await;
    let lead = lead(&org);
    let path = format!("/crm/v8/Leads/{lead}/photo");
    assert_eq!(org.get(&path).await.status, StatusCode::NO_CONTENT);
    let put = upload(&org, &path, "face.png", b"\x89PNG").await;
    assert_eq!(
        put.body,
        json!({"code": "SUCCESS", "details": {}, "message": "photo uploaded successfully",
               "status": "success"})
    );
    let (_, content_type, _, bytes) = fetch(&org, &path).await;
    assert_eq!(content_type, "image/png");
    assert_eq!(bytes, b"\x89PNG");
    let gone = org.delete(&path).await;
    assert_eq!(gone.body["message"], "photo deleted successfully");
    assert_eq!(org.get(&path).await.status, StatusCode::NO_CONTENT);

    let text = upload(&org, &path, "face.txt", b"no").await;
    assert_eq!(text.body["code"], "INVALID_DATA");
    let deal = json!({"Deal_Name": "D", "Stage": "Closed Won"});
    let deal = org.sim.insert("Deals", deal).unwrap();
    let deal = upload(&org, &format!("/crm/v8/Deals/{deal}/photo"), "f.png", b"p").await;
    assert_eq!(deal.body["code"], "NOT_SUPPORTED");
}

#[tokio::test]
async fn an_uploaded_file_is_fetched_by_its_id() {
    let org = Org::start().await;
    let kept = upload(&org, "/crm/v8/files", "a.txt", b"hello").await;
    let id = kept.body["data"][0]["details"]["id"].as_str().unwrap();
    assert_eq!(id.len(), 64);
    assert_eq!(
        kept.body,
        json!({"data": [{"code": "SUCCESS", "details": {"name": "a.txt", "id": id},
               "message": "file uploaded Succesfully", "status": "success"}]})
    );
    let (status, _, _, bytes) = fetch(&org, &format!("/crm/v8/files?id={id}")).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, &b"hello"[..]));
    let unknown = org.get("/crm/v8/files?id=17").await;
    assert_eq!(unknown.body["code"], "INVALID_DATA");
}
