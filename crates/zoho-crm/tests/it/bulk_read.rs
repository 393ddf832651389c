//! Bulk reads: jobs that are made, waited for, and read as rows.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;
use wiremock::ResponseTemplate;
use zoho_crm::{
    Client, Error, Limits, Settings,
    bulk::{
        BulkRead, Comparator, FileType, JobState, JobStep, JobWait, ReadCriteria, ReadJob,
        ReadPage, Row, Unzipped,
    },
};
use zoho_sim::{Fault, On, Sim, What};

use crate::support::{
    error, json as answer,
    literal::{answering, asked, zipped},
    sim::{client, client_with, settings},
    while_time_runs,
};

const JOB: &str = "554023000000568002";

const CREATED: &str = r#"{"data":[{"status":"success","code":"ADDED_SUCCESSFULLY","message":"Added successfully.","details":{"id":"554023000000568002","operation":"read","state":"ADDED","created_by":{"id":"554023000000235011","name":"Pat Example"},"created_time":"2026-11-22T21:15:26+05:30"}}],"info":{}}"#;

const FAILED: &str = r#"{"data":[{"id":"554023000000568002","operation":"read","state":"FAILURE","result":{"error_message":{"status":"error","code":"INTERNAL_SERVER_ERROR","message":"m","details":{}}},"query":{"module":{"api_name":"Leads"}},"created_by":{"id":"554023000000235011","name":"Pat Example"},"created_time":"2026-11-22T21:15:26+05:30","file_type":"csv"}]}"#;

fn state(state: &str) -> ResponseTemplate {
    answer(
        200,
        &format!(
            r#"{{"data":[{{"id":"{JOB}","operation":"read","state":"{state}","query":{{"module":{{"api_name":"Leads"}},"page":1}},"created_by":{{"id":"554023000000235011","name":"Pat Example"}},"created_time":"2026-11-22T21:15:26+05:30","file_type":"csv"}}]}}"#
        ),
    )
}

fn completed(count: u32, next: &str) -> String {
    format!(
        r#"{{"data":[{{"id":"{JOB}","operation":"read","state":"COMPLETED","result":{{"page":1,"per_page":200000,"count":{count},"download_url":"/crm/bulk/v7/read/{JOB}/result",{next}}},"query":{{"module":{{"api_name":"Leads"}},"page":1}},"created_by":{{"id":"554023000000235011","name":"Pat Example"}},"created_time":"2026-11-22T21:15:26+05:30","file_type":"csv"}}]}}"#
    )
}

fn zip(files: &[(&str, &str)]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(zipped(files), "application/x-download")
}

/// Tells every step to a list, and never gives up: simulated time runs while real answers are on their way.
fn watched() -> (JobWait, Arc<Mutex<Vec<JobStep>>>) {
    let steps: Arc<Mutex<Vec<JobStep>>> = Arc::default();
    let list = Arc::clone(&steps);
    let wait = JobWait {
        progress: Some(Arc::new(move |step| {
            list.lock().unwrap().push(step.clone());
        })),
        total: Duration::MAX,
        ..JobWait::default()
    };
    (wait, steps)
}

fn cells(rows: &[Row]) -> Vec<Vec<&str>> {
    rows.iter().map(|it| it.cells().collect()).collect()
}

#[tokio::test]
async fn a_job_is_asked_for_as_the_contract_says() {
    let zoho = answering(vec![answer(201, CREATED)]).await;
    let (client, _hand) = zoho.client();
    let plain = BulkRead::of("Leads", &[]);
    assert_eq!(client.create_bulk_read(&plain).await.unwrap(), JOB);
    let full = BulkRead {
        criteria: Some(ReadCriteria::All(vec![
            ReadCriteria::is("Lead_Status", Comparator::In, json!(["Open", "Contacted"])),
            ReadCriteria::Any(vec![
                ReadCriteria::is("Owner.email", Comparator::Equal, "pat@example.com"),
                ReadCriteria::is(
                    "Modified_Time",
                    Comparator::GreaterEqual,
                    "2026-11-20T10:00:00+00:00",
                ),
            ]),
        ])),
        cvid: Some("554023000000087501".into()),
        page: ReadPage::Number(2),
        callback: Some("https://hooks.example.com/bulk?secret=s".into()),
        ..BulkRead::of("Leads", &["Last_Name", "Owner.email"])
    };
    client.create_bulk_read(&full).await.unwrap();
    let calendar = BulkRead {
        file_type: FileType::Ics,
        page: ReadPage::Token("c8582e".into()),
        ..BulkRead::of("Events", &[])
    };
    client.create_bulk_read(&calendar).await.unwrap();
    let bodies: Vec<_> = asked(&zoho)
        .await
        .into_iter()
        .map(|(method, path, body)| {
            assert_eq!(
                (method.as_str(), path.as_str()),
                ("POST", "/crm/bulk/v8/read")
            );
            body
        })
        .collect();
    let expected = [
        json!({"query": {"module": {"api_name": "Leads"}}}),
        json!({
            "callback": {"url": "https://hooks.example.com/bulk?secret=s", "method": "post"},
            "query": {
                "module": {"api_name": "Leads"},
                "fields": ["Last_Name", "Owner.email"],
                "criteria": {"group_operator": "and", "group": [
                    {"field": {"api_name": "Lead_Status"}, "comparator": "in", "value": ["Open", "Contacted"]},
                    {"group_operator": "or", "group": [
                        {"field": {"api_name": "Owner.email"}, "comparator": "equal", "value": "pat@example.com"},
                        {"field": {"api_name": "Modified_Time"}, "comparator": "greater_equal", "value": "2026-11-20T10:00:00+00:00"},
                    ]},
                ]},
                "cvid": "554023000000087501",
                "page": 2,
            },
        }),
        json!({
            "query": {"module": {"api_name": "Events"}, "page_token": "c8582e"},
            "file_type": "ics",
        }),
    ];
    assert_eq!(bodies, expected);
    let shown = format!("{full:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("Contacted"),
        "{shown}"
    );
}

#[tokio::test]
async fn what_breaks_a_limit_is_not_sent() {
    let zoho = answering(vec![answer(201, CREATED)]).await;
    let (client, _hand) = zoho.client();
    let comparison = ReadCriteria::is("Phone", Comparator::Equal, "1");
    let deep = (0..9).fold(comparison.clone(), |inner, _| {
        ReadCriteria::All(vec![inner])
    });
    let with = |criteria| BulkRead {
        criteria: Some(criteria),
        ..BulkRead::of("Leads", &[])
    };
    let bad = [
        BulkRead::of("../Leads", &[]),
        BulkRead::of("Leads", &["Last Name"]),
        BulkRead::of("Leads", &["F"; 201]),
        with(ReadCriteria::Any(vec![comparison; 26])),
        with(ReadCriteria::Any(vec![])),
        with(ReadCriteria::is("a b", Comparator::Equal, "1")),
        with(deep),
        BulkRead {
            page: ReadPage::Number(0),
            ..BulkRead::of("Leads", &[])
        },
        BulkRead {
            file_type: FileType::Ics,
            ..BulkRead::of("Leads", &[])
        },
        BulkRead {
            callback: Some("ftp://example.com".into()),
            ..BulkRead::of("Leads", &[])
        },
    ];
    for read in bad {
        let failed = client.create_bulk_read(&read).await.unwrap_err();
        assert!(matches!(failed, Error::Misuse { .. }), "{read:?}");
    }
    assert_eq!(zoho.calls(), 0);
}

#[tokio::test]
async fn all_pages_are_made_waited_for_and_read_and_every_step_is_told() {
    let zoho = answering(vec![
        answer(201, CREATED),
        state("ADDED"),
        state("QUEUED"),
        error(503, "SERVICE_UNAVAILABLE"),
        state("IN PROGRESS"),
        answer(
            200,
            &completed(2, r#""more_records":true,"next_page_token":"c8582e""#),
        ),
        zip(&[(
            "1.csv",
            "\u{feff}Id,Last_Name\n1,Doe\n2,\"Roe, \"\"R\"\"\nJr\"\n",
        )]),
        answer(201, CREATED),
        answer(200, &completed(1, r#""more_records":false"#)),
        zip(&[("2.csv", "Id,Last_Name\n3,\n")]),
    ])
    .await;
    let (client, hand) = zoho.client();
    let (wait, steps) = watched();
    let read = BulkRead::of("Leads", &["Last_Name"]);
    let rows = client.bulk_read_rows(&read, &wait).try_collect();
    let rows: Vec<Row> = while_time_runs(&hand, rows).await.unwrap();
    assert_eq!(
        cells(&rows),
        [vec!["1", "Doe"], vec!["2", "Roe, \"R\"\nJr"], vec!["3", ""]]
    );
    assert_eq!(rows[1].get("Last_Name"), Some("Roe, \"R\"\nJr"));
    assert_eq!(rows[0].get("Id"), Some("1"), "a byte order mark is no name");
    assert_eq!(rows[0].get("Phone"), None);
    assert_eq!(
        rows[2].iter().collect::<Vec<_>>(),
        [("Id", "3"), ("Last_Name", "")]
    );

    let calls = asked(&zoho).await;
    let paths: Vec<_> = calls
        .iter()
        .map(|it| (it.0.as_str(), it.1.as_str()))
        .collect();
    let (job, result) = (
        format!("/crm/bulk/v8/read/{JOB}"),
        format!("/crm/bulk/v8/read/{JOB}/result"),
    );
    let create = ("POST", "/crm/bulk/v8/read");
    let asks = ("GET", job.as_str());
    let fetches = ("GET", result.as_str());
    assert_eq!(
        paths,
        [
            create, asks, asks, asks, asks, asks, fetches, create, asks, fetches
        ]
    );
    assert_eq!(
        calls[7].2,
        json!({"query": {"module": {"api_name": "Leads"}, "fields": ["Last_Name"], "page_token": "c8582e"}})
    );

    let steps: Vec<String> = steps.lock().unwrap().iter().map(told).collect();
    let first = [
        "created",
        "added",
        "queued",
        "in progress",
        "completed, 2 rows",
        "downloaded",
    ];
    let second = ["created", "completed, 1 rows", "downloaded"];
    assert_eq!(steps, [&first[..], &second[..]].concat());
}

fn told(step: &JobStep) -> String {
    match step {
        JobStep::Created { job } => {
            assert_eq!(job, JOB);
            "created".to_owned()
        }
        JobStep::Asked { state, rows, .. } => match rows {
            Some(rows) => format!("{state}, {rows} rows"),
            None => state.to_string(),
        },
        JobStep::Downloaded { bytes, of, .. } => {
            assert_eq!(Some(*bytes), *of);
            "downloaded".to_owned()
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_page_without_a_way_to_the_next_is_an_error_and_never_the_end() {
    let job =
        completed(1, r#""more_records":true"#).replace(r#""page":1,"per_page""#, r#""per_page""#);
    let zoho = answering(vec![
        answer(201, CREATED),
        answer(200, &job),
        zip(&[("1.csv", "Id\n1\n")]),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let (wait, _) = watched();
    let mut rows = client.bulk_read_rows(&BulkRead::of("Leads", &["id"]), &wait);
    assert!(rows.try_next().await.unwrap().is_some());
    assert_eq!(rows.try_next().await.unwrap_err().class(), "malformed");
}

#[tokio::test]
async fn waiting_ends_in_time_and_with_what_the_job_failed_of() {
    let zoho = answering(vec![state("QUEUED")]).await;
    let (client, hand) = zoho.client();
    let wait = JobWait {
        total: Duration::from_mins(3),
        ..JobWait::default()
    };
    let waited = while_time_runs(&hand, client.wait_for_bulk_read(JOB, &wait)).await;
    let late = waited.unwrap_err();
    assert!(
        matches!(
            &late,
            Error::Unreachable {
                problem: "timeout",
                ..
            }
        ),
        "{late}"
    );
    // 2, 4, 8, 16, 30, 30, …: ten questions in three minutes, fewer when answers take long.
    assert!((1..=10).contains(&zoho.calls()), "{}", zoho.calls());

    let zoho = answering(vec![answer(200, FAILED)]).await;
    let (client, _hand) = zoho.client();
    let job = client.wait_for_bulk_read(JOB, &wait).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(
        job.error.as_ref().unwrap().as_str(),
        "INTERNAL_SERVER_ERROR"
    );
    let failed = client.bulk_read_files(&job, &wait).await.unwrap_err();
    assert!(matches!(failed, Error::Unavailable { .. }), "{failed}");

    let zoho = answering(vec![error(404, "RESOURCE_NOT_FOUND")]).await;
    let (client, _hand) = zoho.client();
    let gone = client.wait_for_bulk_read(JOB, &wait).await.unwrap_err();
    assert!(matches!(gone, Error::Gone { .. }), "{gone}");
}

#[tokio::test]
async fn a_callback_is_read_like_an_answer_and_no_envelope_is_needed() {
    let body = completed(127, r#""more_records":true"#);
    let job = ReadJob::parse(body.as_bytes()).unwrap();
    assert_eq!((job.id.as_str(), job.state), (JOB, JobState::Completed));
    let result = job.result.as_ref().unwrap();
    assert_eq!(
        (result.count, result.page, result.more),
        (127, Some(1), true)
    );
    assert_eq!(
        result.download_url.as_deref(),
        Some(format!("/crm/bulk/v7/read/{JOB}/result").as_str())
    );
    assert_eq!(job.next_page(), Some(ReadPage::Number(2)));
    let bare = serde_json::from_str::<serde_json::Value>(&body).unwrap()["data"][0].to_string();
    assert_eq!(ReadJob::parse(bare.as_bytes()).unwrap(), job);
    assert!(ReadJob::parse(b"{}").is_err());
}

#[tokio::test]
async fn a_damaged_result_is_an_error_and_never_a_shorter_one() {
    let rows: Vec<_> = (0..2000).map(|it| format!("{it},Doe\n")).collect();
    let rows = rows.concat();
    let whole = zipped(&[("1.csv", &format!("Id,Last_Name\n{rows}"))]);
    let mut stored = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    stored.start_file("1.csv", options).unwrap();
    std::io::Write::write_all(&mut stored, b"Id,Last_Name\n1,Doe\n2,Roe\n").unwrap();
    let stored = stored.finish().unwrap().into_inner();
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let half = whole.len() / 2;
    let roe = stored.windows(3).position(|it| it == b"Roe").unwrap();
    for (bytes, fine) in [
        (whole.clone(), true),
        (stored.clone(), true),
        (flip(&whole, half), false),
        (flip(&stored, roe), false),
        (whole[..half].to_vec(), false),
        (b"not a zip".to_vec(), false),
        (
            zipped(&[("1.csv", &format!("Id\n{}", "1".repeat(17 << 20)))]),
            false,
        ),
        (zipped(&[("1.csv", "Id\n\"1")]), true),
        (zipped(&[("a.csv", ""), ("b.csv", "Id\n")]), true),
    ] {
        let result = ResponseTemplate::new(200).set_body_raw(bytes, "application/x-download");
        let zoho = answering(vec![result]).await;
        let (client, _hand) = zoho.client();
        let download = client.bulk_read_result(JOB).await.unwrap();
        let read = async { Unzipped::of(download).await?.rows().try_collect().await };
        let read: Result<Vec<Row>, Error> = read.await;
        match read {
            Ok(_) => assert!(fine),
            Err(failed) => {
                assert!(!fine, "{failed}");
                assert!(matches!(failed, Error::Malformed { .. }), "{failed}");
            }
        }
    }
}

/// A simulator whose bulk reads have pages of so many rows, and take no time.
async fn org(page_rows: usize) -> Sim {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = zoho_sim::Settings {
        bulk_page_rows: page_rows,
        bulk_time: Duration::from_millis(30),
        ..zoho_sim::Settings::on_loopback()
    };
    Sim::start(settings).await.unwrap()
}

fn quick() -> JobWait {
    JobWait {
        first: Duration::from_millis(100),
        total: Duration::from_secs(30),
        ..JobWait::default()
    }
}

async fn all(client: &Client, read: &BulkRead) -> Vec<Row> {
    let rows = client.bulk_read_rows(read, &quick());
    rows.try_collect().await.unwrap()
}

#[tokio::test]
async fn every_record_is_read_once_over_any_number_of_jobs() {
    let sim = org(1000).await;
    sim.generate("Leads", 3500).unwrap();
    let client = client(&sim);
    let rows = all(
        &client,
        &BulkRead::of("Leads", &["Last_Name", "Owner.email"]),
    )
    .await;
    let ids: BTreeSet<_> = rows.iter().map(|it| it.get("Id").unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (3500, 3500));
    let columns: Vec<_> = rows[0].columns().collect();
    assert_eq!(columns, ["Id", "Last_Name", "Owner.email"]);
    let lead = client
        .record("Leads", rows[7].get("Id").unwrap())
        .await
        .unwrap();
    let name = lead.record.unwrap()["Last_Name"].clone();
    assert_eq!(rows[7].get("Last_Name"), name.as_str());
    // Four jobs of 50, and each asked about and fetched for one.
    let jobs_alone = sim.counters().credits_used / 50;
    assert_eq!(jobs_alone, 4);
}

#[tokio::test]
async fn criteria_and_single_pages_are_kept_to() {
    let sim = org(10).await;
    for at in 0..25 {
        let phone = if at % 2 == 0 { "555-1" } else { "555-2" };
        let lead = json!({"Last_Name": format!("Doe {at:02}"), "Phone": phone});
        sim.insert("Leads", lead).unwrap();
    }
    let client = client(&sim);
    let even = BulkRead {
        criteria: Some(ReadCriteria::All(vec![
            ReadCriteria::is("Phone", Comparator::Equal, "555-1"),
            ReadCriteria::is("Last_Name", Comparator::StartsWith, "Doe"),
        ])),
        ..BulkRead::of("Leads", &["Last_Name"])
    };
    let rows = all(&client, &even).await;
    assert_eq!(rows.len(), 13);
    assert!(
        rows.iter()
            .all(|it| it.get("Last_Name").unwrap().starts_with("Doe "))
    );

    let third = BulkRead {
        page: ReadPage::Number(3),
        ..BulkRead::of("Leads", &["Last_Name"])
    };
    assert_eq!(all(&client, &third).await.len(), 5);
    let none = BulkRead {
        criteria: Some(ReadCriteria::is("Phone", Comparator::Equal, "0")),
        ..BulkRead::of("Leads", &[])
    };
    assert_eq!(all(&client, &none).await.len(), 0);
}

#[tokio::test]
async fn a_calendar_comes_as_bytes() {
    let sim = org(100).await;
    let event = json!({"Event_Title": "Demo", "Start_DateTime": "2026-12-01T10:00:00+00:00", "End_DateTime": "2026-12-01T11:00:00+00:00"});
    sim.insert("Events", event).unwrap();
    let client = client(&sim);
    let read = BulkRead {
        file_type: FileType::Ics,
        ..BulkRead::of("Events", &[])
    };
    let id = client.create_bulk_read(&read).await.unwrap();
    let job = client.wait_for_bulk_read(&id, &quick()).await.unwrap();
    assert_eq!(client.bulk_read_job(&id).await.unwrap(), job);
    let files = client.bulk_read_files(&job, &quick()).await.unwrap();
    let names: Vec<_> = files.names().map(ToOwned::to_owned).collect();
    assert_eq!(names, [format!("{id}.ics")]);
    let text: Vec<_> = files.into_stream().try_collect().await.unwrap();
    let text = String::from_utf8(text.concat()).unwrap();
    assert!(text.starts_with("BEGIN:VCALENDAR") && text.contains("SUMMARY:Demo"));
}

#[tokio::test]
async fn a_job_that_fails_is_not_made_again_and_one_that_may_be_made_neither() {
    let sim = org(100).await;
    let client = client(&sim);
    let read = BulkRead::of("Leads", &[]);
    let fault = |what| Fault {
        on: On::Bulk,
        what,
        times: Some(1),
        chance: 1.0,
    };
    assert!(sim.faults().add(fault(What::FailJob)));
    let mut rows = client.bulk_read_rows(&read, &quick());
    let failed = rows.next().await.unwrap().unwrap_err();
    assert!(matches!(failed, Error::Unavailable { .. }), "{failed}");
    assert!(rows.next().await.is_none());
    assert!(sim.faults().add(fault(What::DropAnswer)));
    let failed = client.create_bulk_read(&read).await.unwrap_err();
    assert!(failed.may_be_done(), "{failed}");
    // The job that failed cost 50 and some questions; the one that may be there 50.
    let spent = sim.counters().credits_used;
    assert!((100..150).contains(&spent), "{spent}");
}

#[tokio::test]
async fn a_job_costs_50_credits_and_is_not_made_when_they_are_not_there() {
    let sim = org(100).await;
    let client = client_with(Settings {
        limits: Limits {
            credits_daily: Some(99),
            credits_reserve_percent: 0,
            ..Limits::default()
        },
        ..settings(&sim)
    });
    let read = BulkRead::of("Leads", &[]);
    client.create_bulk_read(&read).await.unwrap();
    let refused = client.create_bulk_read(&read).await.unwrap_err();
    assert!(matches!(refused, Error::CreditsSpent { .. }), "{refused}");
    assert_eq!(sim.counters().credits_used, 50);
}

#[tokio::test]
async fn a_stream_that_is_dropped_leaves_nothing_behind() {
    let sim = org(5000).await;
    sim.generate("Leads", 5000).unwrap();
    let client = client(&sim);
    for _ in 0..3 {
        let mut rows = client.bulk_read_rows(&BulkRead::of("Leads", &[]), &quick());
        assert!(rows.next().await.unwrap().is_ok());
        drop(rows);
    }
    // All permits are back: as many calls at once as are allowed still work.
    let calls = (0..10).map(|_| client.current_user());
    let done = futures_util::future::join_all(calls).await;
    assert!(done.iter().all(Result::is_ok));
}
