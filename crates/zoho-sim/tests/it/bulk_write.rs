//! Bulk writes: a zip is uploaded, a job writes its rows, a zip says what became of each.

use std::{
    fmt::Write as _,
    io::{Cursor, Read, Write},
    time::Duration,
};

use clock::Clock;
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};
use zoho_sim::{Fault, On, Settings, What};

use crate::support::{Answer, DEADLINE, Org, Receiver, send};

const ROWS: &str = "Last name,Company,Employees,Rating,Notes\n\
                Marsh,Reed Ltd,17,Hot,x\n\
                ,Fen Ltd,,,y\n\
                Sedge,\"Carr, Sons\",many,,z\n";

fn mappings() -> Value {
    json!([
        {"api_name": "Last_Name", "index": 0},
        {"api_name": "Company", "index": 1},
        {"api_name": "No_of_Employees", "index": 2},
        {"api_name": "Lead_Source", "default_value": {"value": "Cold Call"}},
    ])
}

fn quick() -> Settings {
    let mut settings = Settings::on_loopback();
    settings.bulk_time = Duration::from_millis(1);
    settings
}

fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

async fn zgid(org: &Org) -> String {
    let answer = org.get("/crm/v8/org").await;
    answer.body["org"][0]["zgid"].as_str().unwrap().to_owned()
}

async fn post_file(org: &Org, file: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
    let part = Part::bytes(file).file_name("rows.zip");
    let mut request = org
        .request(Method::POST, "/crm/v8/upload")
        .multipart(Form::new().part("file", part));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

async fn upload(org: &Org, files: &[(&str, &str)]) -> String {
    let headers = [("feature", "bulk-write"), ("X-CRM-ORG", &zgid(org).await)];
    let answer = post_file(org, zipped(files), &headers).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let id = answer.body["details"]["file_id"].as_str().unwrap();
    id.to_owned()
}

async fn ended(org: &Org, id: &str) -> Value {
    let ended = async {
        loop {
            let job = org.get(&format!("/crm/bulk/v8/write/{id}")).await.body;
            if matches!(job["status"].as_str(), Some("COMPLETED" | "FAILED")) {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.unwrap()
}

/// Makes a job and waits for its end.
async fn run(org: &Org, body: &Value) -> Value {
    let made = org.post("/crm/bulk/v8/write", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    ended(org, made.body["details"]["id"].as_str().unwrap()).await
}

/// The names and texts of the files in a job's result.
async fn result(org: &Org, job: &Value) -> Vec<(String, String)> {
    let url = job["result"]["download_url"].as_str().unwrap();
    let token = format!("Zoho-oauthtoken {}", org.token);
    let answer = org
        .http
        .get(url)
        .header("Authorization", token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut zip = ZipArchive::new(Cursor::new(answer.bytes().await.unwrap())).unwrap();
    (0..zip.len())
        .map(|at| {
            let mut file = zip.by_index(at).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.name().unwrap().into_owned(), text)
        })
        .collect()
}

#[tokio::test]
async fn a_zip_is_uploaded_with_the_feature_and_the_org_in_its_headers() {
    let org = Org::start().await;
    let zgid = zgid(&org).await;
    let file = zipped(&[("leads.csv", "Last_Name\nMarsh\n")]);
    let (feature, of) = (("feature", "bulk-write"), ("X-CRM-ORG", zgid.as_str()));
    let answer = post_file(&org, file.clone(), &[feature, of]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let details = &answer.body["details"];
    assert!(details["file_id"].is_string());
    assert_eq!(
        answer.body,
        json!({
            "status": "success",
            "code": "FILE_UPLOAD_SUCCESS",
            "message": "file uploaded.",
            "details": {"file_id": details["file_id"], "created_time": details["created_time"]},
        })
    );
    for headers in [&[feature][..], &[of], &[feature, ("X-CRM-ORG", "17")]] {
        let answer = post_file(&org, file.clone(), headers).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{headers:?}");
    }
    let bare = b"Last_Name\nMarsh\n".to_vec();
    let answer = post_file(&org, bare, &[feature, of]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["code"], "INVALID_FILE_FORMAT");
}

#[tokio::test]
async fn a_job_is_added_in_progress_and_completed_and_costs_five_hundred_credits() {
    let (clock, hand) = Clock::simulated("2026-11-22T21:10:00Z".parse().unwrap());
    let mut settings = Settings::on_loopback();
    settings.clock = clock;
    settings.bulk_time = Duration::from_mins(3);
    let org = Org::with(settings).await;
    let file = upload(&org, &[("leads.csv", ROWS)]).await;
    let before = org.sim.counters().credits_used;
    let mappings = mappings();
    let made = org
        .post(
            "/crm/bulk/v8/write",
            &json!({
                "operation": "insert",
                "ignore_empty": true,
                "resource": [{"type": "data", "module": {"api_name": "Leads"}, "file_id": file,
                              "field_mappings": mappings}],
            }),
        )
        .await;
    assert_eq!(org.sim.counters().credits_used - before, 500);
    let details = &made.body["details"];
    let user = json!({"name": "Rosa Lark", "id": details["created_by"]["id"]});
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(
        made.body,
        json!({
            "status": "success", "code": "SUCCESS", "message": "success",
            "details": {"id": details["id"], "created_by": user},
        })
    );
    let id = details["id"].as_str().unwrap();
    let path = format!("/crm/bulk/v8/write/{id}");
    for status in ["ADDED", "ADDED", "IN PROGRESS"] {
        let job = org.get(&path).await.body;
        assert_eq!(job["status"], status);
        assert_eq!(job.get("result"), None);
        hand.advance(Duration::from_mins(1));
    }
    let job = ended(&org, id).await;
    let resource = &job["resource"][0];
    assert_eq!(
        job,
        json!({
            "status": "COMPLETED",
            "character_encoding": "UTF-8",
            "resource": [{
                "status": "COMPLETED", "code": "SUCCESS", "message": "success", "type": "data",
                "module": {"api_name": "Leads", "id": resource["module"]["id"]},
                "field_mappings": mappings, "find_by": null, "ignore_empty": true,
                "file": {"status": "COMPLETED", "name": "leads.csv", "added_count": 1,
                         "skipped_count": 2, "updated_count": 0, "total_count": 3},
            }],
            "id": id,
            "callback": null,
            "result": {"download_url": job["result"]["download_url"]},
            "created_by": user,
            "operation": "insert",
            "created_time": "2026-11-23T02:40:00+05:30",
        })
    );
}

#[tokio::test]
async fn the_result_says_what_became_of_each_row() {
    let org = Org::with(quick()).await;
    let file = upload(&org, &[("leads.csv", ROWS)]).await;
    let job = run(
        &org,
        &json!({
            "operation": "insert",
            "ignore_empty": true,
            "resource": [{"type": "data", "module": {"api_name": "Leads"}, "file_id": file,
                          "field_mappings": mappings()}],
        }),
    )
    .await;
    let leads = org.sim.records("Leads");
    assert_eq!(leads.len(), 1);
    let lead = &leads[0];
    assert_eq!(
        (
            &lead["Last_Name"],
            &lead["No_of_Employees"],
            &lead["Lead_Source"]
        ),
        (&json!("Marsh"), &json!(17), &json!("Cold Call"))
    );
    let id = lead["id"].as_str().unwrap();
    let expected = format!(
        "Last name,Company,Employees,STATUS,RECORD_ID,ERRORS\n\
         Marsh,Reed Ltd,17,ADDED,{id},\n\
         ,Fen Ltd,,SKIPPED,,MANDATORY_NOT_FOUND-Last name\n\
         Sedge,\"Carr, Sons\",many,SKIPPED,,INVALID_DATA-Employees\n"
    );
    assert_eq!(
        result(&org, &job).await,
        [("Leads-leads.csv".to_owned(), expected)]
    );
}

#[tokio::test]
async fn updates_and_upserts_find_records_and_empty_cells_are_ignored_when_asked() {
    let org = Org::with(quick()).await;
    let insert = |name: &str, email: &str| {
        let contact = json!({"Last_Name": name, "Email": email, "Phone": "555-555-1111"});
        org.sim.insert("Contacts", contact).unwrap()
    };
    let (marsh, sedge) = (
        insert("Marsh", "marsh@example.com"),
        insert("Sedge", "sedge@example.com"),
    );
    let account = org
        .sim
        .insert("Accounts", json!({"Account_Name": "Reed Ltd"}))
        .unwrap();
    let job = |operation: &str, find_by: &str, file: String, ignore: bool| {
        json!({
            "operation": operation, "ignore_empty": ignore,
            "resource": [{"type": "data", "module": {"api_name": "Contacts"}, "file_id": file,
                "find_by": find_by, "field_mappings": [
                    {"api_name": find_by, "index": 0}, {"api_name": "Phone", "index": 1},
                    {"api_name": "Last_Name", "index": 2},
                    {"api_name": "Account_Name", "index": 3, "find_by": "Account_Name"},
                ]}],
        })
    };
    let rows = format!("id,Phone,Name,Account\n{marsh},,Marsh,Reed Ltd\n17,5,Fen,\n");
    let file = upload(&org, &[("a.csv", &rows)]).await;
    let done = run(&org, &job("update", "id", file, true)).await;
    let counts = &done["resource"][0]["file"];
    assert_eq!(
        (&counts["updated_count"], &counts["skipped_count"]),
        (&json!(1), &json!(1))
    );
    let (_, text) = result(&org, &done).await.remove(0);
    assert!(
        text.ends_with("17,5,Fen,SKIPPED,,RESOURCE_NOT_FOUND-id\n"),
        "{text}"
    );
    let rows = "Email,Phone,Name,Account\nSEDGE@example.com,,Sedge,\nfen@example.com,7,Fen,\n";
    let file = upload(&org, &[("b.csv", rows)]).await;
    let done = run(&org, &job("upsert", "Email", file, false)).await;
    let (_, text) = result(&org, &done).await.remove(0);
    let contacts = org.sim.records("Contacts");
    let shown: Vec<_> = contacts
        .iter()
        .map(|it| (&it["Last_Name"], &it["Phone"], &it["Account_Name"]["id"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("Marsh"), &json!("555-555-1111"), &json!(account)),
            (&json!("Sedge"), &Value::Null, &Value::Null),
            (&json!("Fen"), &json!("7"), &Value::Null),
        ]
    );
    let fen = contacts[2]["id"].as_str().unwrap();
    assert_eq!(
        text,
        format!(
            "Email,Phone,Name,STATUS,RECORD_ID,ERRORS\n\
             SEDGE@example.com,,Sedge,UPDATED,{sedge},\n\
             fen@example.com,7,Fen,ADDED,{fen},\n"
        )
    );
}

#[tokio::test]
async fn channels_hear_of_the_written_records_and_the_callback_is_the_job() {
    let org = Org::with(quick()).await;
    let (channel, end) = (
        Receiver::start(StatusCode::OK).await,
        Receiver::start(StatusCode::OK).await,
    );
    org.sim.watch(&json!({"watch": [
        {"channel_id": "1", "events": ["Leads.all"], "notify_url": channel.url},
    ]}));
    let mut rows = "Last_Name,Company,Not_A_Field\n".to_owned();
    for number in 0..250 {
        writeln!(rows, "Marsh {number},Reed Ltd,x").unwrap();
    }
    let file = upload(&org, &[("leads.csv", &rows)]).await;
    let callback = json!({"url": end.url, "method": "post"});
    let body = json!({
        "operation": "insert", "callback": callback,
        "resource": [{"type": "data", "module": {"api_name": "Leads"}, "file_id": file}],
    });
    let job = run(&org, &body).await;
    assert_eq!(job["resource"][0]["file"]["added_count"], 250);
    let told = channel.all(&org.sim).await;
    let ids: Vec<&Value> = told
        .iter()
        .flat_map(|it| it["ids"].as_array().unwrap())
        .collect();
    assert!(told.iter().all(|it| it["operation"] == "insert"));
    let records = org.sim.records("Leads");
    assert_eq!(ids, records.iter().map(|it| &it["id"]).collect::<Vec<_>>());
    assert_eq!(end.all(&org.sim).await, [job]);
}

#[tokio::test]
async fn too_many_rows_and_scripted_faults_fail_the_job() {
    let org = Org::with(quick()).await;
    let body = |file: String| {
        json!({"operation": "insert", "resource": [
            {"type": "data", "module": {"api_name": "Leads"}, "file_id": file,
             "field_mappings": [{"api_name": "Last_Name", "index": 0}]},
        ]})
    };
    let long = format!("Last_Name\n{}", "Marsh\n".repeat(25_001));
    let file = upload(&org, &[("leads.csv", &long)]).await;
    let job = run(&org, &body(file)).await;
    assert_eq!(job["status"], "FAILED");
    let resource = &job["resource"][0];
    assert_eq!(
        (
            &resource["status"],
            &resource["code"],
            &resource["file"]["total_count"]
        ),
        (&json!("SKIPPED"), &json!("LIMIT_EXCEEDED"), &json!(0))
    );
    let file = upload(
        &org,
        &[("leads.csv", "Last_Name,Company\nMarsh,Reed Ltd\n")],
    )
    .await;
    org.sim.faults().add(Fault {
        on: On::Bulk,
        what: What::FailJob,
        times: Some(1),
        chance: 1.0,
    });
    let job = run(&org, &body(file)).await;
    assert_eq!(job["status"], "FAILED");
    assert_eq!(job.get("result"), None);
}

#[tokio::test]
async fn jobs_that_cannot_be_are_refused() {
    let org = Org::with(quick()).await;
    let one = upload(&org, &[("a.csv", "Last_Name\nMarsh\n")]).await;
    let two = upload(&org, &[("a.csv", "Last_Name\nMarsh\n"), ("b.csv", "x\n")]).await;
    let job = |operation: &str, more: Value| {
        let mut resource = json!({"type": "data", "module": {"api_name": "Leads"}, "file_id": one});
        for (key, value) in more.as_object().unwrap() {
            resource[key] = value.clone();
        }
        json!({"operation": operation, "resource": [resource]})
    };
    let mapped =
        |name: &str, index: u64| json!({"field_mappings": [{"api_name": name, "index": index}]});
    for (body, code) in [
        (json!({}), "MANDATORY_NOT_FOUND"),
        (json!({"operation": "insert"}), "MANDATORY_NOT_FOUND"),
        (job("merge", json!({})), "INVALID_DATA"),
        (job("insert", json!({"type": "notes"})), "INVALID_DATA"),
        (
            job("insert", json!({"module": {"api_name": "Nothing"}})),
            "MODULE_NOT_AVAILABLE",
        ),
        (job("insert", json!({"file_id": "17"})), "INVALID_DATA"),
        (
            job("insert", json!({"file_id": two})),
            "MANDATORY_NOT_FOUND",
        ),
        (
            job("insert", json!({"file_names": ["c.csv"]})),
            "INVALID_DATA",
        ),
        (job("insert", mapped("Nothing", 0)), "FIELD_NOT_AVAILABLE"),
        (job("insert", mapped("Last_Name", 200)), "INVALID_DATA"),
        (job("update", mapped("Last_Name", 0)), "MANDATORY_NOT_FOUND"),
        (job("upsert", json!({"find_by": "Nothing"})), "INVALID_DATA"),
    ] {
        let answer = org.post("/crm/bulk/v8/write", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.body["code"], code, "{body}");
    }
    let unknown = org.get("/crm/bulk/v8/write/17").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let named = job("insert", json!({"file_id": two, "file_names": ["a.csv"]}));
    let done = run(&org, &named).await;
    assert_eq!(done["resource"][0]["file"]["name"], "a.csv");
}
