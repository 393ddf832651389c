//! Bulk reads: jobs that take time and give a zip of one file.

use std::{
    io::{Cursor, Read},
    time::Duration,
};

use clock::Clock;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zoho_sim::{Fault, On, Settings, What};

use crate::support::{DEADLINE, Org, Receiver};

/// Makes a job, waits for its end, and gives its detail.
async fn run(org: &Org, body: &Value) -> Value {
    let made = org.post("/crm/bulk/v8/read", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["data"][0]["details"]["id"].clone();
    ended(org, id.as_str().unwrap()).await
}

async fn ended(org: &Org, id: &str) -> Value {
    let ended = async {
        loop {
            let job = org.get(&format!("/crm/bulk/v8/read/{id}")).await.body;
            let state = job["data"][0]["state"].as_str().unwrap();
            if matches!(state, "COMPLETED" | "FAILURE") {
                return job["data"][0].clone();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.unwrap()
}

/// The name and the lines of the one file in a job's result.
async fn result(org: &Org, job: &Value) -> (String, Vec<String>) {
    let path = job["result"]["download_url"].as_str().unwrap();
    let answer = org.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/x-download");
    let zip = Cursor::new(answer.bytes().await.unwrap());
    let mut zip = zip::ZipArchive::new(zip).unwrap();
    assert_eq!(zip.len(), 1);
    let mut file = zip.by_index(0).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    (
        file.name().unwrap().into_owned(),
        text.lines().map(ToOwned::to_owned).collect(),
    )
}

fn quick() -> Settings {
    let mut settings = Settings::on_loopback();
    settings.bulk_time = Duration::from_millis(1);
    settings
}

#[tokio::test]
async fn a_job_is_added_queued_in_progress_and_completed_and_costs_fifty_credits() {
    let start: Timestamp = "2026-11-22T21:10:00Z".parse().unwrap();
    let (clock, hand) = Clock::simulated(start);
    let mut settings = Settings::on_loopback();
    settings.clock = clock;
    settings.bulk_time = Duration::from_mins(3);
    let org = Org::with(settings).await;
    let contact = json!({"Last_Name": "Marsh"});
    org.sim.insert("Contacts", contact).unwrap();
    let before = org.sim.counters().credits_used;
    let query = json!({"module": {"api_name": "Contacts"}, "fields": ["Last_Name"]});
    let made = org
        .post("/crm/bulk/v8/read", &json!({"query": query}))
        .await;
    assert_eq!(org.sim.counters().credits_used - before, 50);
    let details = &made.body["data"][0]["details"];
    let user = json!({"name": "Rosa Lark", "id": details["created_by"]["id"]});
    assert_eq!(
        made.body,
        json!({"data": [{
            "status": "success",
            "code": "ADDED_SUCCESSFULLY",
            "message": "Added successfully.",
            "details": {
                "id": details["id"],
                "operation": "read",
                "state": "ADDED",
                "created_by": user,
                "created_time": "2026-11-23T02:40:00+05:30",
            },
        }], "info": {}})
    );
    let id = details["id"].as_str().unwrap();
    let path = format!("/crm/bulk/v8/read/{id}");
    for state in ["ADDED", "QUEUED", "IN PROGRESS"] {
        let job = org.get(&path).await.body;
        assert_eq!(job["data"][0]["state"], state);
        assert_eq!(job["data"][0].get("result"), None);
        let early = org.get(&format!("{path}/result")).await;
        assert_eq!(early.status, StatusCode::NOT_FOUND);
        hand.advance(Duration::from_mins(1));
    }
    let job = ended(&org, id).await;
    let module = &job["query"]["module"]["id"];
    assert_eq!(
        job,
        json!({
            "id": id,
            "operation": "read",
            "state": "COMPLETED",
            "query": {"module": {"api_name": "Contacts", "id": module}, "page": 1,
                      "fields": query["fields"]},
            "created_by": user,
            "created_time": "2026-11-23T02:40:00+05:30",
            "file_type": "csv",
            "result": {"page": 1, "per_page": 200_000, "count": 1, "more_records": false,
                       "download_url": format!("{path}/result")},
        })
    );
}

#[tokio::test]
async fn rows_have_the_id_first_lookups_as_ids_and_times_with_offsets() {
    let org = Org::with(quick()).await;
    let account = json!({"Account_Name": "Reed, \"Ltd\"", "Industry": "Retail"});
    let account = org.sim.insert("Accounts", account).unwrap();
    let contact = json!({"Last_Name": "Marsh", "Account_Name": {"id": account},
                         "Email_Opt_Out": true, "Interests": ["a", "b"]});
    let contact = org.sim.insert("Contacts", contact).unwrap();
    let fields = [
        "Last_Name",
        "Account_Name",
        "Account_Name.Account_Name",
        "Owner",
        "Owner.email",
        "Email_Opt_Out",
        "Interests",
        "Email",
        "Created_Time",
    ];
    let query = json!({"module": {"api_name": "Contacts"}, "fields": fields});
    let job = run(&org, &json!({"query": query})).await;
    let (name, lines) = result(&org, &job).await;
    assert_eq!(name, format!("{}.csv", job["id"].as_str().unwrap()));
    assert_eq!(lines[0], format!("Id,{}", fields.join(",")));
    let record = &org.sim.records("Contacts")[0];
    let (owner, created) = (&record["Owner"]["id"], &record["Created_Time"]);
    let (owner, created) = (owner.as_str().unwrap(), created.as_str().unwrap());
    assert_eq!(
        lines[1],
        format!(
            "{contact},Marsh,{account},\"Reed, \"\"Ltd\"\"\",{owner},jane.doe@example.com,true,a;b,,{created}"
        )
    );
    let all = json!({"query": {"module": {"api_name": "Contacts"}}});
    let job = run(&org, &all).await;
    let (_, lines) = result(&org, &job).await;
    assert!(lines[0].starts_with("Id,Owner,"), "{}", lines[0]);
}

#[tokio::test]
async fn a_result_is_kept_for_a_day() {
    let start: Timestamp = "2026-11-22T21:10:00Z".parse().unwrap();
    let (clock, hand) = Clock::simulated(start);
    let mut settings = Settings::on_loopback();
    settings.clock = clock;
    settings.bulk_time = Duration::ZERO;
    let mut org = Org::with(settings).await;
    let body = json!({"query": {"module": {"api_name": "Leads"}}});
    let job = run(&org, &body).await;
    let path = job["result"]["download_url"].as_str().unwrap();
    hand.advance(Duration::from_hours(23));
    org.renew().await;
    let kept = org.request(Method::GET, path).send().await.unwrap();
    assert_eq!(kept.status(), StatusCode::OK);
    hand.advance(Duration::from_hours(1));
    org.renew().await;
    let gone = org.request(Method::GET, path).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn criteria_choose_the_rows() {
    let org = Org::with(quick()).await;
    for (name, revenue, city, day) in [
        ("A", json!(10), "Rome", "2026-01-05T10:00:00+00:00"),
        ("B", json!(20), "Oslo", "2026-02-05T10:00:00+00:00"),
        ("C", json!(30), "", "2026-03-05T10:00:00+00:00"),
    ] {
        let lead = json!({"Last_Name": name, "Company": "Reed Ltd", "Annual_Revenue": revenue,
                          "City": city, "Seen_At": day});
        org.sim.insert("Leads", lead).unwrap();
    }
    let compare = |field: &str, comparator: &str, value: Value| json!({"field": {"api_name": field}, "comparator": comparator, "value": value});
    let group =
        |operator: &str, members: Value| json!({"group_operator": operator, "group": members});
    for (criteria, expected) in [
        (compare("Annual_Revenue", "greater_equal", json!(20)), "BC"),
        (
            compare("Annual_Revenue", "between", json!(["5", "20"])),
            "AB",
        ),
        (compare("Last_Name", "in", json!(["a", "C"])), "AC"),
        (compare("City", "equal", json!("${EMPTY}")), "C"),
        (compare("City", "starts_with", json!("ro")), "A"),
        (compare("Company", "not_contains", json!("reed")), ""),
        (
            group(
                "or",
                json!([
                    compare("City", "equal", json!("Rome")),
                    group(
                        "and",
                        json!([
                            compare("Annual_Revenue", "less_than", json!(25)),
                            compare("Annual_Revenue", "greater_than", json!(15)),
                        ])
                    ),
                ]),
            ),
            "AB",
        ),
        (
            compare(
                "Created_Time",
                "greater_than",
                json!("2026-01-01T00:00:00+05:30"),
            ),
            "ABC",
        ),
        (
            compare("Owner.email", "equal", json!("jane.doe@example.com")),
            "ABC",
        ),
    ] {
        let query = json!({"module": {"api_name": "Leads"}, "fields": ["Last_Name"],
                           "criteria": criteria});
        let job = run(&org, &json!({"query": query})).await;
        let (_, lines) = result(&org, &job).await;
        let names: String = lines[1..]
            .iter()
            .map(|it| it.split_once(',').unwrap().1)
            .collect();
        assert_eq!(names, expected, "{criteria}");
        assert_eq!(job["result"]["count"], names.len());
    }
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused() {
    let org = Org::with(quick()).await;
    let leads = json!({"api_name": "Leads"});
    let many =
        vec![json!({"field": {"api_name": "City"}, "comparator": "equal", "value": "x"}); 26];
    for (body, code) in [
        (json!({"query": {}}), "MANDATORY_NOT_FOUND"),
        (
            json!({"query": {"module": {"api_name": "Llamas"}}}),
            "MODULE_NOT_AVAILABLE",
        ),
        (
            json!({"query": {"module": {"api_name": "Notes"}}}),
            "MODULE_NOT_SUPPORTED",
        ),
        (
            json!({"query": {"module": leads, "fields": ["Fur"]}}),
            "FIELD_NOT_AVAILABLE",
        ),
        (
            json!({"query": {"module": leads}, "file_type": "ics"}),
            "NOT_SUPPORTED_FEATURE",
        ),
        (
            json!({"query": {"module": leads}, "callback": {"url": "nowhere", "method": "post"}}),
            "INVALID_CALLBACK_URL",
        ),
        (
            json!({"query": {"module": leads}, "callback": {"url": "https://example.com", "method": "get"}}),
            "INVALID_CALLBACK_METHOD",
        ),
        (
            json!({"query": {"module": leads, "criteria": {"group_operator": "and", "group": many}}}),
            "CRITERIA_LIMIT_EXCEEDED",
        ),
        (
            json!({"query": {"module": leads, "criteria": {"field": {"api_name": "City"}, "comparator": "like", "value": "x"}}}),
            "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED",
        ),
    ] {
        let answer = org.post("/crm/bulk/v8/read", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.body["code"], code, "{body}");
    }
    let unknown = org.get("/crm/bulk/v8/read/17").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.body["code"], "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn beyond_one_page_a_token_or_the_page_number_goes_on() {
    let mut settings = quick();
    settings.bulk_page_rows = 2;
    let org = Org::with(settings).await;
    let rows = (0..5).map(|n| json!({"Last_Name": n.to_string(), "Company": "C"}));
    let ids = org.sim.insert_many("Leads", rows.collect()).unwrap();
    let query = json!({"module": {"api_name": "Leads"}, "fields": ["Last_Name"]});
    let mut job = run(&org, &json!({"query": query})).await;
    let mut seen = vec![];
    for page in 1..=3 {
        assert_eq!(job["result"]["page"], page);
        let (_, lines) = result(&org, &job).await;
        seen.extend(
            lines[1..]
                .iter()
                .map(|it| it.split_once(',').unwrap().0.to_owned()),
        );
        assert_eq!(job["result"]["more_records"], page < 3);
        if let Some(token) = job["result"].get("next_page_token") {
            let next = json!({"module": {"api_name": "Leads"}, "page_token": token});
            job = run(&org, &json!({"query": next})).await;
        }
    }
    assert_eq!(seen, ids);
    let second = json!({"module": {"api_name": "Leads"}, "page": 2});
    let job = run(&org, &json!({"query": second})).await;
    let (_, lines) = result(&org, &job).await;
    assert!(lines[1].starts_with(&ids[2]));

    let first = run(&org, &json!({"query": query})).await;
    let token = &first["result"]["next_page_token"];
    let other = json!({"query": {"module": {"api_name": "Deals"}, "page_token": token}});
    let answer = org.post("/crm/bulk/v8/read", &other).await;
    assert_eq!(answer.body["code"], "TOKEN_BOUND_DATA_MISMATCH");
}

#[tokio::test]
async fn the_callback_is_the_jobs_detail_be_it_done_or_failed() {
    let org = Org::with(quick()).await;
    let receiver = Receiver::start(StatusCode::OK).await;
    let body = json!({"query": {"module": {"api_name": "Leads"}, "fields": ["City"]},
                      "callback": {"url": receiver.url, "method": "post"}});
    let done = run(&org, &body).await;
    assert_eq!(done["state"], "COMPLETED");
    let failing = Fault {
        on: On::Bulk,
        what: What::FailJob,
        times: Some(1),
        chance: 1.0,
    };
    assert!(org.sim.faults().add(failing));
    let failed = run(&org, &body).await;
    assert_eq!(failed["state"], "FAILURE");
    assert_eq!(
        failed["result"]["error_message"]["code"],
        "INTERNAL_SERVER_ERROR"
    );
    let mut told = receiver.all(&org.sim).await;
    told.sort_by_key(|it| it["data"][0]["id"].to_string());
    assert_eq!(told, [json!({"data": [done]}), json!({"data": [failed]})]);
}

#[tokio::test]
async fn meetings_can_be_exported_as_a_calendar() {
    let org = Org::with(quick()).await;
    let meeting = json!({"Event_Title": "Plan", "Start_DateTime": "2026-11-22T10:00:00+00:00",
                         "End_DateTime": "2026-11-22T11:00:00+00:00"});
    let id = org.sim.insert("Events", meeting).unwrap();
    let body = json!({"query": {"module": {"api_name": "Events"}}, "file_type": "ics"});
    let job = run(&org, &body).await;
    let (name, lines) = result(&org, &job).await;
    assert_eq!(name.rsplit_once('.').unwrap().1, "ics");
    assert_eq!(lines.first().unwrap(), "BEGIN:VCALENDAR");
    for line in [
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{id}"),
        "DTSTART:20261122T100000Z".to_owned(),
    ] {
        assert!(lines.contains(&line), "{line} in {lines:?}");
    }
}
