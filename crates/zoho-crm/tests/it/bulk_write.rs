//! Bulk writes: rows zipped, uploaded, written by a job, and told apart afterwards.

use std::{collections::BTreeSet, io::Write, time::Duration};

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use zoho_crm::{
    Client, Error, Limits, MemoryTokenStore, Settings,
    bulk::{
        BulkWrite, ColumnMapping, CsvZip, JobState, JobStep, JobWait, RowState, WRITE_ROWS_MAX,
        WriteJob, WriteOperation, WriteResource, WriteRow,
    },
};
use zoho_sim::{Fault, On, Sim, What};

use crate::support::{
    Zoho, client_with, error, json as answer,
    literal::{answering, asked, header, last_asked, parts, unzipped, zipped},
    sim, while_time_runs,
};

const JOB: &str = "111111000001541958";
const FILE: &str = "111111000001541957";
const ZGID: &str = "60001234";

const UPLOADED: &str = r#"{"status":"success","code":"FILE_UPLOAD_SUCCESS","message":"file uploaded.","details":{"file_id":"111111000001541957","created_time":"2026-11-22T21:15:26+05:30"}}"#;

const CREATED: &str = r#"{"status":"success","code":"SUCCESS","message":"success","details":{"id":"111111000001541958","created_by":{"id":"111111000000035795","name":"Pat Example"}}}"#;

fn job(state: &str, file: &str, result: &str) -> String {
    format!(
        r#"{{"status":"{state}","character_encoding":"UTF-8","resource":[{{"status":"{state}","type":"data","module":"Leads","code":"SUCCESS","field_mappings":[{{"api_name":"Last_Name","index":0}}],"file":{{"status":"{state}","name":"leads.csv",{file}}}}}],"id":"{JOB}","callback":{{"url":"https://hooks.example.com/bulk?secret=s","method":"post"}}{result},"created_by":{{"id":"111111000000035795","name":"Pat Example"}},"operation":"insert","created_time":"2026-11-22T21:15:26+05:30"}}"#
    )
}

const NONE_YET: &str = r#""added_count":0,"skipped_count":0,"updated_count":0,"total_count":0"#;
const COUNTED: &str = r#""added_count":1,"skipped_count":1,"updated_count":1,"total_count":3"#;

fn completed(url: &str) -> String {
    job(
        "COMPLETED",
        COUNTED,
        &format!(r#","result":{{"download_url":"{url}"}}"#),
    )
}

fn leads() -> CsvZip {
    let rows = [["Doe", "doe@example.com"], ["Roe, \"R\"", ""]];
    CsvZip::of_rows("leads.csv", &["Last_Name", "Email"], rows).unwrap()
}

#[tokio::test]
async fn rows_are_uploaded_as_a_zip_of_csv_with_the_headers_of_the_contract() {
    let zoho = answering(vec![answer(200, UPLOADED)]).await;
    let (client, _hand) = zoho.client();
    assert_eq!(client.upload_csv(&leads(), ZGID).await.unwrap(), FILE);
    let request = last_asked(&zoho).await;
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(request.url.path(), "/crm/v8/upload");
    assert_eq!(header(&request, "feature"), "bulk-write");
    assert_eq!(header(&request, "x-crm-org"), ZGID);
    let sent = parts(&request);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].0,
        r#"Content-Disposition: form-data; name="file"; filename="leads.zip""#
    );
    let (name, text) = unzipped(&sent[0].1);
    assert_eq!(name, "leads.csv");
    assert_eq!(
        text,
        "Last_Name,Email\nDoe,doe@example.com\n\"Roe, \"\"R\"\"\",\n"
    );
}

#[tokio::test]
async fn an_upload_goes_to_the_upload_host_and_is_never_repeated_blindly() {
    let api = answering(vec![error(500, "INTERNAL_ERROR")]).await;
    let uploads = answering(vec![
        answer(200, UPLOADED),
        error(500, "INTERNAL_ERROR"),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let mut settings = api.settings();
    let url = uploads.server.uri().parse().unwrap();
    settings.data_center = settings.data_center.with_upload_url(url).unwrap();
    let (client, _hand) = client_with(settings, std::sync::Arc::new(MemoryTokenStore::default()));
    assert_eq!(client.upload_csv(&leads(), ZGID).await.unwrap(), FILE);
    let request = last_asked(&uploads).await;
    assert_eq!(
        header(&request, "authorization"),
        "Zoho-oauthtoken 1000.access.1"
    );
    let failed = client.upload_csv(&leads(), ZGID).await.unwrap_err();
    assert!(failed.may_be_done());
    let refused = client.upload_csv(&leads(), ZGID).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }));
    assert_eq!((api.calls(), uploads.calls()), (0, 3));
}

/// All that an upsert can say.
fn upsert_of(resource: WriteResource) -> BulkWrite {
    let account = ColumnMapping {
        find_by: Some("Account_Name".into()),
        ..ColumnMapping::of("Company_Account", 2)
    };
    let source = ColumnMapping {
        index: None,
        default_value: Some("Web".into()),
        ..ColumnMapping::of("Lead_Source", 0)
    };
    let day = ColumnMapping {
        format: Some("dd-MM-yyyy".into()),
        ..ColumnMapping::of("Founded", 3)
    };
    BulkWrite {
        ignore_empty: Some(true),
        character_encoding: Some("ISO-8859-1".into()),
        callback: Some("https://hooks.example.com/bulk?secret=s".into()),
        ..BulkWrite::new(
            WriteOperation::Upsert,
            WriteResource {
                file_names: vec!["leads.csv".into()],
                find_by: Some("Email".into()),
                columns: vec![ColumnMapping::of("Email", 1), account, source, day],
                ..resource
            },
        )
    }
}

#[tokio::test]
async fn a_job_is_asked_for_as_the_contract_says() {
    let zoho = answering(vec![
        answer(201, CREATED),
        answer(201, CREATED),
        error(500, "INTERNAL_ERROR"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let resource = WriteResource::of("Leads", FILE, &leads());
    let insert = BulkWrite::new(WriteOperation::Insert, resource.clone());
    assert_eq!(client.create_bulk_write(&insert).await.unwrap(), JOB);
    let upsert = upsert_of(resource);
    client.create_bulk_write(&upsert).await.unwrap();
    let failed = client.create_bulk_write(&insert).await.unwrap_err();
    assert!(failed.may_be_done());
    let calls = asked(&zoho).await;
    assert_eq!(calls.len(), 3, "never repeated blindly");
    let bodies: Vec<Value> = calls
        .into_iter()
        .map(|(method, path, body)| {
            assert_eq!(
                (method.as_str(), path.as_str()),
                ("POST", "/crm/bulk/v8/write")
            );
            body
        })
        .collect();
    assert_eq!(
        bodies[0],
        json!({
            "operation": "insert",
            "resource": [{
                "type": "data",
                "module": {"api_name": "Leads"},
                "file_id": FILE,
                "field_mappings": [
                    {"api_name": "Last_Name", "index": 0},
                    {"api_name": "Email", "index": 1},
                ],
            }],
        })
    );
    assert_eq!(
        bodies[1],
        json!({
            "operation": "upsert",
            "ignore_empty": true,
            "character_encoding": "ISO-8859-1",
            "callback": {"url": "https://hooks.example.com/bulk?secret=s", "method": "post"},
            "resource": [{
                "type": "data",
                "module": {"api_name": "Leads"},
                "file_id": FILE,
                "file_names": ["leads.csv"],
                "find_by": "Email",
                "field_mappings": [
                    {"api_name": "Email", "index": 1},
                    {"api_name": "Company_Account", "index": 2, "find_by": "Account_Name"},
                    {"api_name": "Lead_Source", "default_value": {"value": "Web"}},
                    {"api_name": "Founded", "index": 3, "format": "dd-MM-yyyy"},
                ],
            }],
        })
    );
    let shown = format!("{upsert:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

/// Zoho that has a job which is done, and the zip of its result.
async fn done(url: &str, csv: &str) -> Zoho {
    let zip = zipped(&[("Leads-leads.csv", csv)]);
    answering(vec![
        answer(200, &job("ADDED", NONE_YET, "")),
        answer(200, &job("INPROGRESS", NONE_YET, "")),
        answer(200, &completed(url)),
        ResponseTemplate::new(200).set_body_raw(zip, "application/x-download"),
    ])
    .await
}

#[tokio::test]
async fn a_job_is_waited_for_and_its_rows_are_told_apart() {
    let csv = "Last_Name,Email,STATUS,RECORD_ID,ERRORS\nDoe,doe@example.com,ADDED,111111000001541960,\nRoe,roe@example.com,UPDATED,111111000001541961,\n,poe,SKIPPED,,MANDATORY_NOT_FOUND-Last_Name:INVALID_DATA-Email\n";
    let url = format!("/crm/bulk/v8/write/{JOB}/download");
    let zoho = done(&url, csv).await;
    let (client, hand) = zoho.client();
    let steps = std::sync::Arc::new(std::sync::Mutex::new(vec![]));
    let list = std::sync::Arc::clone(&steps);
    let wait = JobWait {
        progress: Some(std::sync::Arc::new(move |step: &JobStep| {
            list.lock().unwrap().push(step.clone());
        })),
        total: Duration::MAX,
        ..JobWait::default()
    };
    let waited = while_time_runs(&hand, client.wait_for_bulk_write(JOB, &wait)).await;
    let job = waited.unwrap();
    assert_eq!((job.id.as_str(), job.state), (JOB, JobState::Completed));
    assert_eq!(job.operation.as_deref(), Some("insert"));
    assert_eq!(job.rows(), Some(3));
    let resource = &job.resources[0];
    assert_eq!(resource.code.as_str(), "SUCCESS");
    assert_eq!(resource.module.as_deref(), Some("Leads"));
    let file = resource.file.as_ref().unwrap();
    assert_eq!(
        (file.added, file.updated, file.skipped, file.total),
        (1, 1, 1, 3)
    );
    assert_eq!(file.name.as_deref(), Some("leads.csv"));
    assert!(!format!("{job:?}").contains("secret"));

    let rows = client.bulk_write_rows(&job, &wait).await.unwrap();
    let rows: Vec<WriteRow> = rows.try_collect().await.unwrap();
    assert_eq!(rows[0].state, RowState::Added);
    assert_eq!(rows[1].state, RowState::Updated);
    assert_eq!(rows[2].state, RowState::Skipped);
    assert_eq!(rows[1].record_id.as_deref(), Some("111111000001541961"));
    assert_eq!(rows[1].row.get("Last_Name"), Some("Roe"));
    assert_eq!(rows[2].record_id, None);
    let errors = rows[2].errors.iter();
    let errors: Vec<_> = errors
        .map(|it| (it.code.as_str(), it.column.as_deref()))
        .collect();
    assert_eq!(
        errors,
        [
            ("MANDATORY_NOT_FOUND", Some("Last_Name")),
            ("INVALID_DATA", Some("Email"))
        ]
    );
    let asks = format!("/crm/bulk/v8/write/{JOB}");
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    assert_eq!(paths, [asks.clone(), asks.clone(), asks, url]);
    let states: Vec<_> = steps
        .lock()
        .unwrap()
        .iter()
        .filter_map(|it| {
            let JobStep::Asked { state, .. } = it else {
                return None;
            };
            Some(*state)
        })
        .collect();
    assert_eq!(
        states,
        [JobState::Added, JobState::InProgress, JobState::Completed]
    );
    let end = steps.lock().unwrap().last().cloned();
    assert!(matches!(end, Some(JobStep::Downloaded { .. })));
}

#[tokio::test]
async fn a_result_is_fetched_from_where_zoho_says_and_from_nowhere_else() {
    for (url, class) in [
        ("https://evil.example/result.zip", "malformed"),
        ("//evil.example/result.zip", "malformed"),
        ("", "misuse"),
    ] {
        let body = if url.is_empty() {
            job("COMPLETED", COUNTED, "")
        } else {
            completed(url)
        };
        let job = WriteJob::parse(body.as_bytes()).unwrap();
        let zoho = answering(vec![error(500, "INTERNAL_ERROR")]).await;
        let (client, _hand) = zoho.client();
        let refused = client.bulk_write_result(&job).await.unwrap_err();
        assert_eq!(refused.class(), class, "{url}");
        assert_eq!(zoho.calls(), 0);
    }
    // A whole URL of the API's own host.
    let zoho = answering(vec![error(404, "RESOURCE_NOT_FOUND")]).await;
    let (client, _hand) = zoho.client();
    let whole = completed(&format!("{}/crm/v8/result.zip", zoho.server.uri()));
    let job = WriteJob::parse(whole.as_bytes()).unwrap();
    let gone = client.bulk_write_result(&job).await.unwrap_err();
    assert!(matches!(gone, Error::Gone { .. }), "{gone}");
}

#[tokio::test]
async fn a_callback_is_read_with_and_without_an_envelope() {
    for state in ["FAILED", "SKIPPED", "COMPLETED", "IN PROGRESS"] {
        let flat = job(state, NONE_YET, "");
        let read = WriteJob::parse(flat.as_bytes()).unwrap();
        let wrapped = format!(r#"{{"data":[{flat}]}}"#);
        assert_eq!(WriteJob::parse(wrapped.as_bytes()).unwrap(), read);
        assert_eq!(read.state.is_over(), state != "IN PROGRESS");
    }
    assert!(WriteJob::parse(b"[]").is_err());
}

#[tokio::test]
async fn what_breaks_a_limit_is_not_sent() {
    let zoho = answering(vec![answer(201, CREATED)]).await;
    let (client, _hand) = zoho.client();
    let resource = WriteResource::of("Leads", FILE, &leads());
    let with = |resource| BulkWrite::new(WriteOperation::Insert, resource);
    let bad = [
        BulkWrite::new(WriteOperation::Update, resource.clone()),
        BulkWrite::new(WriteOperation::Upsert, resource.clone()),
        BulkWrite {
            resources: vec![],
            ..with(resource.clone())
        },
        BulkWrite {
            callback: Some("mailto:x".into()),
            ..with(resource.clone())
        },
        with(WriteResource {
            module: "a/b".into(),
            ..resource.clone()
        }),
        with(WriteResource {
            file_id: String::new(),
            ..resource.clone()
        }),
        with(WriteResource {
            columns: vec![ColumnMapping::of("a b", 0)],
            ..resource
        }),
    ];
    for write in bad {
        let failed = client.create_bulk_write(&write).await.unwrap_err();
        assert!(matches!(failed, Error::Misuse { .. }), "{write:?}");
    }
    let unknown = client.upload_csv(&leads(), "../1").await.unwrap_err();
    assert!(matches!(unknown, Error::Misuse { .. }));
    assert_eq!(zoho.calls(), 0);
}

#[test]
fn a_zip_keeps_to_zohos_limits() {
    let column = ["Last_Name"];
    let most = CsvZip::of_rows("a.csv", &column, vec![["Doe"]; WRITE_ROWS_MAX]).unwrap();
    assert_eq!(most.rows(), WRITE_ROWS_MAX);
    let misuses = [
        CsvZip::of_rows("a.csv", &column, vec![["Doe"]; WRITE_ROWS_MAX + 1]),
        CsvZip::of_rows("a.csv", &["F"; 201], Vec::<[&str; 201]>::new()),
        CsvZip::of_rows("a.csv", &[], Vec::<[&str; 0]>::new()),
        CsvZip::of_rows("a.csv", &column, [["Doe", "doe"]]),
        CsvZip::of_rows("../a.csv", &column, [["Doe"]]),
        CsvZip::of_rows(".csv", &column, [["Doe"]]),
    ];
    for misuse in misuses {
        assert!(matches!(misuse, Err(Error::Misuse { .. })), "{misuse:?}");
    }
    // What cannot be packed any smaller.
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_le_bytes()[7]
    };
    let bytes: Vec<u8> = (0..26 * 1024 * 1024).map(|_| noise()).collect();
    let large = CsvZip::of_rows("a.csv", &column, [[bytes]]);
    assert!(matches!(large, Err(Error::Misuse { .. })), "{large:?}");
}

#[tokio::test]
async fn a_file_becomes_as_many_parts_as_its_rows_need() {
    let mut file = tempfile::Builder::new()
        .prefix("leads")
        .suffix(".csv")
        .tempfile()
        .unwrap();
    let rows = 2 * WRITE_ROWS_MAX + 7;
    writeln!(file, "Last_Name,Email").unwrap();
    for at in 0..rows {
        writeln!(file, "Doe {at},doe{at}@example.com").unwrap();
    }
    file.flush().unwrap();
    let parts: Vec<CsvZip> = CsvZip::parts_of_file(file.path())
        .try_collect()
        .await
        .unwrap();
    let sizes: Vec<_> = parts.iter().map(CsvZip::rows).collect();
    assert_eq!(sizes, [WRITE_ROWS_MAX, WRITE_ROWS_MAX, 7]);
    assert!(
        parts
            .iter()
            .all(|it| it.columns() == ["Last_Name", "Email"])
    );
    assert!(parts[1].name().ends_with("-2.csv"));
    let (_, text) = unzipped(&parts[2].zip());
    assert_eq!(text.lines().count(), 8);
    assert!(text.ends_with(&format!("Doe {0},doe{0}@example.com\n", rows - 1)));

    let ragged = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ragged.path(), "a,b\n1\n").unwrap();
    let failed = CsvZip::parts_of_file(ragged.path()).try_next().await;
    assert!(matches!(failed, Err(Error::Misuse { .. })), "{failed:?}");
    let missing = CsvZip::parts_of_file("/nowhere/at/all").try_next().await;
    assert!(matches!(missing, Err(Error::File { .. })), "{missing:?}");
}

async fn org() -> (Sim, Client, String) {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = zoho_sim::Settings {
        bulk_time: Duration::from_millis(30),
        ..zoho_sim::Settings::on_loopback()
    };
    let sim = Sim::start(settings).await.unwrap();
    let client = sim::client(&sim);
    let zgid = client.org().await.unwrap().zgid.unwrap();
    (sim, client, zgid)
}

fn quick() -> JobWait {
    JobWait {
        first: Duration::from_millis(100),
        total: Duration::from_secs(30),
        ..JobWait::default()
    }
}

/// Uploads, writes, waits, and gives what became of each row.
async fn write(
    (client, zgid): (&Client, &str),
    operation: WriteOperation,
    find_by: Option<&str>,
    csv: &CsvZip,
) -> (WriteJob, Vec<WriteRow>) {
    let file = client.upload_csv(csv, zgid).await.unwrap();
    let resource = WriteResource {
        find_by: find_by.map(ToOwned::to_owned),
        ..WriteResource::of("Leads", &file, csv)
    };
    let write = BulkWrite::new(operation, resource);
    let id = client.create_bulk_write(&write).await.unwrap();
    let job = client.wait_for_bulk_write(&id, &quick()).await.unwrap();
    let rows = client.bulk_write_rows(&job, &quick()).await.unwrap();
    let rows = rows.try_collect().await.unwrap();
    (job, rows)
}

#[tokio::test]
async fn rows_become_records_and_are_changed_and_each_is_told() {
    let (sim, client, zgid) = org().await;
    let org = (&client, zgid.as_str());
    let columns = ["Last_Name", "Company", "Email"];
    let new = [
        ["Doe", "Example", "doe@example.com"],
        ["Roe", "Example", "roe@example.com"],
        ["", "Example", "poe@example.com"],
    ];
    let csv = CsvZip::of_rows("leads.csv", &columns, new).unwrap();
    let (job, rows) = write(org, WriteOperation::Insert, None, &csv).await;
    assert_eq!(job.state, JobState::Completed);
    let file = job.resources[0].file.as_ref().unwrap();
    assert_eq!((file.added, file.skipped, file.total), (2, 1, 3));
    let states: Vec<_> = rows.iter().map(|it| it.state).collect();
    assert_eq!(
        states,
        [RowState::Added, RowState::Added, RowState::Skipped]
    );
    assert_eq!(rows[2].errors[0].code.as_str(), "MANDATORY_NOT_FOUND");
    assert_eq!(rows[2].errors[0].column.as_deref(), Some("Last_Name"));
    let doe = rows[0].record_id.clone().unwrap();
    let seen = client.record("Leads", &doe).await.unwrap().record.unwrap();
    assert_eq!(seen["Email"], "doe@example.com");
    assert_eq!(sim.records("Leads").len(), 2);

    let known = [
        ["Doe", "Example", "doe@example.com"],
        ["Moe", "Example", "moe@example.com"],
    ];
    let csv = CsvZip::of_rows("leads.csv", &columns, known).unwrap();
    let (_, rows) = write(org, WriteOperation::Upsert, Some("Email"), &csv).await;
    let states: Vec<_> = rows.iter().map(|it| it.state).collect();
    assert_eq!(states, [RowState::Updated, RowState::Added]);
    assert_eq!(rows[0].record_id.as_deref(), Some(doe.as_str()));

    let ids = [[doe.as_str(), "555-1"], ["1", "555-2"]];
    let csv = CsvZip::of_rows("leads.csv", &["id", "Phone"], ids).unwrap();
    let (_, rows) = write(org, WriteOperation::Update, Some("id"), &csv).await;
    assert_eq!(rows[0].state, RowState::Updated);
    assert_eq!(rows[1].state, RowState::Skipped);
    let seen = client.record("Leads", &doe).await.unwrap().record.unwrap();
    assert_eq!(seen["Phone"], "555-1");
    assert_eq!(sim.records("Leads").len(), 3);
}

#[tokio::test]
async fn a_whole_file_of_25000_rows_is_written_and_every_row_is_told() {
    let (sim, client, zgid) = org().await;
    let rows = (0..WRITE_ROWS_MAX).map(|at| [format!("Doe {at}"), "Example".to_owned()]);
    let csv = CsvZip::of_rows("leads.csv", &["Last_Name", "Company"], rows).unwrap();
    let (job, rows) = write((&client, &zgid), WriteOperation::Insert, None, &csv).await;
    assert_eq!(job.rows(), Some(25_000));
    let ids: BTreeSet<_> = rows.iter().filter_map(|it| it.record_id.as_ref()).collect();
    assert_eq!(ids.len(), WRITE_ROWS_MAX);
    assert_eq!(sim.records("Leads").len(), WRITE_ROWS_MAX);
}

#[tokio::test]
async fn a_job_that_fails_and_an_upload_of_another_org_are_told() {
    let (sim, client, zgid) = org().await;
    let refused = client.upload_csv(&leads(), "1").await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused}");
    let file = client.upload_csv(&leads(), &zgid).await.unwrap();
    let fault = Fault {
        on: On::Bulk,
        what: What::FailJob,
        times: Some(1),
        chance: 1.0,
    };
    assert!(sim.faults().add(fault));
    let resource = WriteResource::of("Leads", &file, &leads());
    let write = BulkWrite::new(WriteOperation::Insert, resource);
    let id = client.create_bulk_write(&write).await.unwrap();
    let job = client.wait_for_bulk_write(&id, &quick()).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    let asked = client.bulk_write_job(&id).await.unwrap();
    assert_eq!((asked.id, asked.state), (id, JobState::Failed));
    let nothing = client.bulk_write_rows(&job, &quick()).await.err();
    assert!(matches!(nothing, Some(Error::Misuse { .. })), "{nothing:?}");
    assert_eq!(sim.records("Leads").len(), 0);
}

#[tokio::test]
async fn a_job_costs_500_credits_and_is_not_made_when_they_are_not_there() {
    let (sim, _client, zgid) = org().await;
    let client = sim::client_with(Settings {
        limits: Limits {
            credits_daily: Some(1000),
            credits_reserve_percent: 0,
            ..Limits::default()
        },
        ..sim::settings(&sim)
    });
    let before = sim.counters().credits_used;
    let file = client.upload_csv(&leads(), &zgid).await.unwrap();
    let resource = WriteResource::of("Leads", &file, &leads());
    let write = BulkWrite::new(WriteOperation::Insert, resource);
    client.create_bulk_write(&write).await.unwrap();
    let refused = client.create_bulk_write(&write).await.unwrap_err();
    assert!(matches!(refused, Error::CreditsSpent { .. }), "{refused}");
    assert_eq!(sim.counters().credits_used - before, 501);
}
