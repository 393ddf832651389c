//! `zohook crm bulk` against the simulator, and imports against literal answers written from the contract too.

use std::{io::Write, time::Duration};

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};
use zip::{ZipWriter, write::SimpleFileOptions};

use zoho_sim::Kind;

use crate::support::{
    cli::Org,
    router::{WAIT_MAX, until},
};

#[tokio::test]
async fn an_export_is_csv_however_many_pages_it_takes() {
    let org = Org::start().await;
    org.sim.generate("Leads", 250).unwrap();
    let row = json!({"Last_Name": "Doe", "Company": "Example, \"Inc\"", "City": "Old Town"});
    org.sim.insert("Leads", row).unwrap();
    let all = org
        .run(&[
            "crm",
            "bulk",
            "read",
            "Leads",
            "--fields",
            "Last_Name,Company",
        ])
        .await;
    assert_eq!(all.code, 0, "{all:?}");
    assert_eq!(all.out.lines().count(), 252);
    assert_eq!(all.err, "251 rows\n");

    let some = org
        .run(&[
            "crm",
            "bulk",
            "read",
            "Leads",
            "--fields",
            "Last_Name,Company",
            "--where",
            "City equal Old Town",
            "--out",
            "leads.csv",
        ])
        .await;
    assert_eq!((some.code, some.out.as_str()), (0, ""), "{some:?}");
    let text = std::fs::read_to_string(org.folder().join("leads.csv")).unwrap();
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let company = csv
        .headers()
        .unwrap()
        .iter()
        .position(|it| it == "Company")
        .unwrap();
    let found: Vec<_> = csv
        .records()
        .map(|it| it.unwrap()[company].to_owned())
        .collect();
    assert_eq!(found, ["Example, \"Inc\""]);

    let over = org
        .run(&["crm", "bulk", "read", "Leads", "--out", "leads.csv"])
        .await;
    assert_eq!(over.code, 1, "{over:?}");
    let lines = org
        .run(&[
            "crm",
            "bulk",
            "read",
            "Leads",
            "--where",
            "City equal Old Town",
            "--json",
        ])
        .await;
    let row: Value = serde_json::from_str(lines.out.trim()).unwrap();
    assert_eq!(row["Last_Name"], "Doe");
    let wrong = org
        .run(&["crm", "bulk", "read", "Leads", "--where", "City is x"])
        .await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[tokio::test]
async fn an_interrupted_export_names_its_job_and_leaves_no_file() {
    let org = Org::start().await;
    org.sim.generate("Leads", 3).unwrap();
    org.sim.set_bulk_time(Duration::from_hours(1));
    let read = ["crm", "bulk", "read", "Leads", "--out", "leads.csv"];
    let child = org.command(&read).spawn().unwrap();
    // Who asks how far a job is has heard its id.
    until("the job is asked about", WAIT_MAX, async || {
        org.sim.counters().calls(Kind::BulkJob) > 0
    })
    .await;
    let pid = child.id().unwrap().to_string();
    let signal = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(signal.unwrap().success());
    let output = tokio::time::timeout(WAIT_MAX, child.wait_with_output());
    let output = output.await.unwrap().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains("goes on at Zoho") && err.contains("--job"),
        "{err}"
    );
    assert!(err.ends_with("error: interrupted\n"), "{err}");
    let left = std::fs::read_dir(org.folder()).unwrap();
    let left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["state"]);
}

#[tokio::test]
async fn an_export_goes_on_by_the_job_of_one_that_was_stopped() {
    let org = Org::start().await;
    org.sim.generate("Leads", 30).unwrap();
    let order =
        json!({"query": {"module": {"api_name": "Leads"}, "fields": ["Last_Name"], "page": 1}});
    org.write("order.json", &order.to_string());
    let made = org
        .crm(&["raw", "POST", "/crm/bulk/v8/read", "--body", "@order.json"])
        .await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let job = made["data"][0]["details"]["id"].as_str().unwrap();
    let read = ["crm", "bulk", "read", "Leads", "--fields", "Last_Name"];
    let resumed = org.run(&[&read[..], &["--job", job]].concat()).await;
    assert_eq!((resumed.code, resumed.err.as_str()), (0, "30 rows\n"));
    assert_eq!(resumed.out.lines().count(), 31);
    assert_eq!(org.sim.counters().calls(Kind::BulkRead), 1);
    let none = org
        .run(&[&read[..], &["--job", "5725768000009999999"]].concat())
        .await;
    assert_eq!(none.code, 1, "{none:?}");
    assert!(!none.err.contains("goes on"), "{none:?}");
}

#[tokio::test]
async fn an_import_writes_its_rows_and_its_job_tells_of_them_again() {
    let org = Org::start().await;
    org.write(
        "leads.csv",
        "Last_Name,Company,Email\nDoe,Example,doe@example.com\n,Example,\nRoe,Example,roe@example.com\n",
    );
    let write = ["crm", "bulk", "write", "Leads"];
    let inserted = org.run(&[&write[..], &["leads.csv"]].concat()).await;
    assert_eq!(inserted.code, 1, "{inserted:?}");
    assert!(
        inserted.err.ends_with("2 rows written, 1 not written\n"),
        "{inserted:?}"
    );
    assert!(
        inserted.out.starts_with("2\tfailed\t\t") && inserted.out.contains("Last_Name"),
        "{inserted:?}"
    );
    assert_eq!(org.sim.records("Leads").len(), 2);

    org.write(
        "more.csv",
        "Email,Last_Name,Company\nroe@example.com,Roe,Other\npoe@example.com,Poe,Other\n",
    );
    let upsert = [
        "more.csv",
        "--operation",
        "upsert",
        "--by",
        "Email",
        "--each",
    ];
    let upserted = org.json(&[&write[1..], &upsert].concat()).await;
    let did: Vec<&Value> = upserted
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["status"])
        .collect();
    assert_eq!(did, ["updated", "inserted"]);
    let leads = org.sim.records("Leads");
    let companies = |name| leads.iter().filter(|it| it["Company"] == name).count();
    assert_eq!((companies("Example"), companies("Other")), (1, 2));

    org.write("semicolons.csv", "Last_Name;Company\nDoe;Example\n");
    org.write("empty.csv", "");
    for (file, words) in [
        ("semicolons.csv", "`Last_Name;Company` in the header"),
        ("empty.csv", "empty.csv has no rows"),
        ("none.csv", "none.csv: "),
    ] {
        let refused = org.run(&[&write[..], &[file]].concat()).await;
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.err.contains(words), "{refused:?}");
    }
    assert_eq!(org.sim.counters().calls(Kind::BulkWrite), 2);

    let both = org
        .run(&[&write[..], &["leads.csv", "--job", "1"]].concat())
        .await;
    assert_eq!(both.code, 2, "{both:?}");
    let neither = org.run(&["crm", "bulk", "write"]).await;
    assert_eq!(neither.code, 2, "{neither:?}");
}

/// A zip of one CSV file, as Zoho gives it.
fn zipped(csv: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("result.csv", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(csv.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn an_import_tells_which_rows_were_not_written() {
    let server = MockServer::start().await;
    let answers = [
        (
            "POST",
            "/oauth/v2/token",
            json!({"access_token": "1000.a", "api_domain": server.uri(), "expires_in": 3600}),
        ),
        (
            "GET",
            "/crm/v8/org",
            json!({"org": [{"id": "554023000000000001", "zgid": "987"}]}),
        ),
        (
            "POST",
            "/crm/v8/upload",
            json!({"status": "success", "code": "FILE_UPLOAD_SUCCESS", "message": "file uploaded.", "details": {"file_id": "111", "created_time": "2026-11-01T00:00:00+00:00"}}),
        ),
        (
            "POST",
            "/crm/bulk/v8/write",
            json!({"status": "success", "code": "SUCCESS", "message": "success", "details": {"id": "222", "created_by": {"id": "1", "name": "Ada"}}}),
        ),
        (
            "GET",
            "/crm/bulk/v8/write/222",
            json!({
                "status": "COMPLETED", "character_encoding": "UTF-8",
                "resource": [{"status": "COMPLETED", "message": "completed", "type": "data", "module": "Leads", "code": "SUCCESS", "file": {"status": "COMPLETED", "name": "leads-1.csv", "added_count": 1, "skipped_count": 1, "updated_count": 0, "total_count": 2}}],
                "id": "222", "result": {"download_url": "/v2/crm/987/bulk-write/222/222.zip"}, "created_by": {"id": "1", "name": "Ada"}, "operation": "upsert", "created_time": "2026-11-01T00:00:00+00:00",
            }),
        ),
    ];
    for (verb, at, body) in answers {
        Mock::given(method(verb))
            .and(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    let result = "Last_Name,Company,STATUS,RECORD_ID,ERRORS\nDoe,Example,ADDED,554023000000000333,\n,Example,SKIPPED,,MANDATORY_NOT_FOUND-Last_Name\n";
    Mock::given(path("/v2/crm/987/bulk-write/222/222.zip"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(zipped(result), "application/zip"))
        .mount(&server)
        .await;
    let org = Org::answered_by(server.uri()).await;
    org.write("leads.csv", "Last_Name,Company\nDoe,Example\n,Example\n");

    let write = [
        "crm",
        "bulk",
        "write",
        "Leads",
        "leads.csv",
        "--operation",
        "upsert",
        "--by",
        "Email",
    ];
    let failures = org.run(&write).await;
    assert_eq!(failures.code, 1, "{failures:?}");
    assert_eq!(
        failures.out,
        "2\tfailed\t\tMANDATORY_NOT_FOUND (Last_Name)\n"
    );
    assert!(
        failures.err.ends_with("1 row written, 1 not written\n"),
        "{failures:?}"
    );
    let again = org.run(&["crm", "bulk", "write", "--job", "222"]).await;
    assert_eq!((again.code, &again.out), (1, &failures.out), "{again:?}");
    let each = org.run(&[&write[..], &["--each"]].concat()).await;
    assert!(
        each.out.starts_with("1\tinserted\t554023000000000333\t\n"),
        "{each:?}"
    );

    let sent = server.received_requests().await.unwrap();
    let order = sent
        .iter()
        .find(|it| it.url.path() == "/crm/bulk/v8/write")
        .unwrap();
    let order: Value = order.body_json().unwrap();
    assert_eq!(
        (&order["operation"], &order["resource"][0]["find_by"]),
        (&json!("upsert"), &json!("Email"))
    );

    let aimless = org
        .run(&[
            "crm",
            "bulk",
            "write",
            "Leads",
            "leads.csv",
            "--operation",
            "update",
        ])
        .await;
    assert_eq!(aimless.code, 2, "{aimless:?}");
    let absent = org
        .run(&["crm", "bulk", "write", "Leads", "none.csv"])
        .await;
    assert_eq!(absent.code, 1, "{absent:?}");
}
