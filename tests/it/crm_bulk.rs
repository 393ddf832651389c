//! `zohook crm bulk`: exports against the simulator, imports against literal answers written from the contract.

use std::io::Write;

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::support::cli::Org;

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
        failures.err.ends_with("1 rows written, 1 not written\n"),
        "{failures:?}"
    );
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
