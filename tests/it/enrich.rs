//! Reading records: from a stand-in that speaks the contract's literal JSON, and from the simulator.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use clock::{Clock, Simulated};
use futures_util::future::join_all;
use jiff::Timestamp;
use prometheus::Registry;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};
use zoho_crm::{DataCenter, MemoryTokenStore, OAuth, OAuthClient};
use zoho_sim::{Edition, Fault, Kind, On, Sim, What};
use zohook::{
    enrich::{Connection, EnrichError, Enricher, Fields, Metrics, ReadAnswer, ReadRequest},
    event::{ConnectionName, ModuleName, QuarantineReason, RecordId},
};

const NOW: &str = "2026-11-22T12:00:00Z";
const MODIFIED: &str = "2026-11-22T11:00:00+00:00";

/// One call as Zoho saw it.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    path: String,
    ids: Vec<String>,
    fields: Vec<String>,
    converted: bool,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let get = |name: &str| {
            let pairs = request.url.query_pairs();
            let found = pairs.into_iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        let list = |name: &str| {
            let text = get(name).unwrap_or_default();
            text.split(',')
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect()
        };
        Self {
            path: request.url.path().trim_start_matches("/crm/v8/").to_owned(),
            ids: list("ids"),
            fields: list("fields"),
            converted: get("converted").as_deref() == Some("both"),
        }
    }

    /// All the ids asked for, each with the fields asked for.
    fn records(&self, value: impl Fn(&str, &str) -> Value) -> ResponseTemplate {
        let record = |id: &String| {
            let mut record = json!({"id": id});
            for field in &self.fields {
                record[field] = match field.as_str() {
                    "Modified_Time" => json!(MODIFIED),
                    field => value(id, field),
                };
            }
            record
        };
        let data: Vec<Value> = self.ids.iter().map(record).collect();
        ok(&json!({"data": data, "info": {"more_records": false}}))
    }

    fn every_record(&self) -> ResponseTemplate {
        self.records(|id, field| json!(format!("{field} of {id}")))
    }
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/json;charset=UTF-8")
}

fn error(status: u16, code: &str, details: &Value) -> ResponseTemplate {
    let body = json!({"code": code, "details": details, "message": "m", "status": "error"});
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/json;charset=UTF-8")
}

/// A module with so many text fields F000, F001, …, and what no list gives.
fn metadata(fields: usize) -> ResponseTemplate {
    let field = |name: String, data_type: &str| json!({"api_name": name, "data_type": data_type});
    let mut all: Vec<Value> = (0..fields)
        .map(|it| field(format!("F{it:03}"), "text"))
        .collect();
    all.push(field("Modified_Time".into(), "datetime"));
    all.push(field("Product_Details".into(), "subform"));
    ok(&json!({"fields": all}))
}

struct Bench {
    enricher: Arc<Enricher>,
    asked: Arc<Mutex<Vec<Asked>>>,
    registry: Registry,
    server: MockServer,
}

impl Bench {
    /// Zoho answers each call by `answer(the call, how many came before)`.
    async fn start(
        clock: &Clock,
        answer: impl Fn(&Asked, usize) -> ResponseTemplate + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::start().await;
        let asked = Arc::new(Mutex::new(vec![]));
        let log = Arc::clone(&asked);
        Mock::given(any())
            .respond_with(move |request: &Request| {
                if request.url.path() == "/oauth/v2/token" {
                    return ok(&json!({"access_token": "1000.a", "expires_in": 3600}));
                }
                let call = Asked::of(request);
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(call.clone());
                    log.len() - 1
                };
                answer(&call, before)
            })
            .mount(&server)
            .await;
        let (enricher, registry) = enricher(&server.uri(), clock);
        Self {
            enricher,
            asked,
            registry,
            server,
        }
    }

    async fn read(&self, request: ReadRequest) -> Result<ReadAnswer, EnrichError> {
        self.enricher.read(request).await
    }

    async fn read_all(&self, requests: Vec<ReadRequest>) -> Vec<Result<ReadAnswer, EnrichError>> {
        join_all(requests.into_iter().map(|it| self.read(it))).await
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The sum of a counter's values whose labels hold `label`.
    fn counted(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|it| it.name() == name).unwrap();
        let metrics = family.get_metric().iter();
        metrics
            .filter(|it| label.is_empty() || it.get_label().iter().any(|it| it.value() == label))
            .map(|it| it.get_counter().get_value())
            .sum()
    }
}

/// An enricher of one connection, `acme`, to whoever listens at `url`.
fn enricher(url: &str, clock: &Clock) -> (Arc<Enricher>, Registry) {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let store = Arc::new(MemoryTokenStore::default());
    let enricher = Enricher::new(vec![(acme(url), store)], clock, &metrics).unwrap();
    (Arc::new(enricher), registry)
}

fn acme(url: &str) -> Connection {
    let url: url::Url = url.parse().unwrap();
    Connection {
        name: ConnectionName::new("acme"),
        api_url: url.clone(),
        accounts_url: url,
        client_id: Sim::CLIENT_ID.into(),
        client_secret: vec![Sim::CLIENT_SECRET.into()],
        refresh_token: vec![Sim::REFRESH_TOKEN.into()],
        credits_daily: None,
        credits_reserve_percent: 20,
        concurrency: 10,
        timeout: Duration::from_secs(30),
    }
}

fn only(fields: &[&str]) -> Fields {
    Fields::Only(fields.iter().map(ToString::to_string).collect())
}

fn request(module: &str, id: usize, fields: Fields) -> ReadRequest {
    ReadRequest {
        connection: ConnectionName::new("acme"),
        module: ModuleName::new(module),
        record: RecordId::new(format!("{id}")),
        fields,
        full: false,
        server_time: "2026-11-22T11:00:00Z".parse().unwrap(),
        modified_at_least: None,
    }
}

fn requests(ids: impl IntoIterator<Item = usize>) -> Vec<ReadRequest> {
    ids.into_iter()
        .map(|id| request("Deals", id, only(&["Stage"])))
        .collect()
}

#[expect(clippy::panic, reason = "a failing helper should fail the test")]
fn values(answer: &Result<ReadAnswer, EnrichError>) -> Value {
    match answer {
        Ok(ReadAnswer::Found { record, .. }) => serde_json::to_value(&record.values).unwrap(),
        other => panic!("not found: {other:?}"),
    }
}

#[expect(clippy::panic, reason = "a failing helper should fail the test")]
fn refused(answer: &Result<ReadAnswer, EnrichError>) -> QuarantineReason {
    match answer {
        Err(EnrichError::Refuse { reason, .. }) => *reason,
        other => panic!("not refused: {other:?}"),
    }
}

fn simulated() -> (Clock, Simulated) {
    Clock::simulated(NOW.parse().unwrap())
}

/// Lets the simulated time run while `work` sleeps.
async fn while_time_runs<T>(hand: &Simulated, work: impl Future<Output = T>) -> T {
    let run = async {
        loop {
            tokio::task::yield_now().await;
            if hand.sleepers() > 0 {
                hand.advance(Duration::from_millis(5));
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = run => unreachable!("time never ends"),
    }
}

#[tokio::test]
async fn reads_of_one_moment_share_calls_of_a_hundred() {
    let bench = Bench::start(&Clock::real(), |call, _| {
        call.every_record().set_delay(Duration::from_millis(100))
    })
    .await;
    let answers = bench.read_all(requests(0..250)).await;
    for (id, answer) in answers.iter().enumerate() {
        assert_eq!(
            values(answer),
            json!({"id": id.to_string(), "Stage": format!("Stage of {id}"), "Modified_Time": MODIFIED})
        );
    }
    let sizes: Vec<usize> = bench.asked().iter().map(|it| it.ids.len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(bench.asked()[0].path, "Deals");
    assert_eq!(bench.asked()[0].fields, ["Stage", "Modified_Time"]);
    let found = bench.counted("zohook_enrich_records_total", "found");
    assert_eq!(found.to_string(), "250");
    let calls = bench.counted("zohook_enrich_calls_total", "list");
    assert_eq!(calls.to_string(), "3");
    let tokens = bench.counted("zohook_token_requests_total", "granted");
    assert_eq!(tokens.to_string(), "1");
}

#[tokio::test]
async fn a_record_wanted_often_is_asked_for_once_and_each_caller_gets_its_own_fields() {
    let bench = Bench::start(&Clock::real(), |call, _| {
        call.every_record()
            .insert_header("Date", "Sun, 22 Nov 2026 15:45:30 GMT")
    })
    .await;
    let wishes = [
        only(&["Stage"]),
        only(&["Amount"]),
        only(&["Amount", "id"]),
        only(&[]),
    ];
    let wanted = wishes.map(|it| request("Deals", 7, it));
    let answers = bench.read_all(wanted.into()).await;
    let asked = bench.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].ids, ["7"]);
    assert_eq!(asked[0].fields, ["Amount", "Stage", "Modified_Time"]);
    let stage = json!({"id": "7", "Stage": "Stage of 7", "Modified_Time": MODIFIED});
    let amount = json!({"id": "7", "Amount": "Amount of 7", "Modified_Time": MODIFIED});
    let none = json!({"id": "7", "Modified_Time": MODIFIED});
    let got: Vec<Value> = answers.iter().map(values).collect();
    assert_eq!(got, [stage, amount.clone(), amount, none]);
    let Ok(ReadAnswer::Found {
        read_at,
        modified_at,
        record,
    }) = &answers[0]
    else {
        panic!("not found");
    };
    assert_eq!(read_at.to_string(), "2026-11-22T15:45:30Z");
    assert_eq!(modified_at.unwrap().to_string(), "2026-11-22T11:00:00Z");
    assert!(record.fields.iter().eq(["Modified_Time", "Stage", "id"]));
}

#[tokio::test]
async fn a_read_never_rides_on_a_request_sent_before_it() {
    let bench = Bench::start(&Clock::real(), |call, before| {
        call.records(move |_, _| json!(before))
            .set_delay(Duration::from_millis(300))
    })
    .await;
    let first = tokio::spawn({
        let enricher = Arc::clone(&bench.enricher);
        async move { enricher.read(request("Deals", 1, only(&["N"]))).await }
    });
    while bench.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = bench.read(request("Deals", 1, only(&["N"]))).await;
    assert_eq!(values(&first.await.unwrap())["N"], json!(0));
    assert_eq!(values(&second)["N"], json!(1));
}

#[tokio::test]
async fn callers_whose_fields_do_not_fit_one_call_are_served_by_several() {
    let bench = Bench::start(&Clock::real(), |call, _| {
        assert!(call.fields.len() <= 50);
        call.every_record()
    })
    .await;
    let wish = |from: usize| {
        let names: Vec<String> = (from..from + 40).map(|it| format!("F{it:03}")).collect();
        Fields::Only(names.into_iter().collect::<BTreeSet<_>>())
    };
    let wanted = (0..6)
        .map(|it| request("Deals", it, wish(it % 2 * 100)))
        .collect();
    for answer in bench.read_all(wanted).await {
        assert_eq!(values(&answer).as_object().unwrap().len(), 42);
    }
    assert_eq!(bench.asked().len(), 2);
}

#[tokio::test]
async fn all_fields_are_read_in_groups_of_49_and_settle_first() {
    let (clock, hand) = simulated();
    let bench = Bench::start(&clock, |call, _| match call.path.as_str() {
        "settings/fields" => metadata(120),
        _ => call.every_record(),
    })
    .await;
    let mut wanted = request("Deals", 1, Fields::All);
    wanted.server_time = NOW.parse().unwrap();
    let started = clock.now();
    let log = Arc::clone(&bench.asked);
    let (answer, ()) = while_time_runs(&hand, async {
        tokio::join!(bench.read(wanted), async {
            while log.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            let pause = clock.now().duration_since(started);
            assert!(pause.as_millis() >= 2000, "asked after {pause}");
        })
    })
    .await;
    let record = values(&answer);
    assert_eq!(record.as_object().unwrap().len(), 122);
    assert_eq!(record["F119"], "F119 of 1");
    assert!(
        record.get("Product_Details").is_none(),
        "no list gives a subform"
    );
    let asked = bench.asked();
    let groups: Vec<usize> = asked[1..].iter().map(|it| it.fields.len()).collect();
    assert_eq!(groups, [50, 50, 23]);
    for group in &asked[1..] {
        assert_eq!(group.fields.last().unwrap(), "Modified_Time");
    }
}

/// Groups whose `Modified_Time` differs in the first `torn` rounds.
fn torn_rounds(torn: usize) -> impl Fn(&Asked, usize) -> ResponseTemplate + Send + Sync + 'static {
    move |call, before| {
        if call.path == "settings/fields" {
            return metadata(60);
        }
        let round = (before - 1) / 2;
        let second = call.fields.contains(&"F059".to_owned());
        let time = if second && round < torn {
            "2026-11-22T11:00:01+00:00"
        } else {
            MODIFIED
        };
        let mut record = json!({"id": "1", "Modified_Time": time});
        for field in call.fields.iter().filter(|it| *it != "Modified_Time") {
            record[field] = json!(round);
        }
        ok(&json!({"data": [record]}))
    }
}

#[tokio::test]
async fn a_torn_read_is_repeated_until_its_groups_agree() {
    let (clock, hand) = simulated();
    let bench = Bench::start(&clock, torn_rounds(2)).await;
    let answer = while_time_runs(&hand, bench.read(request("Deals", 1, Fields::All))).await;
    assert_eq!(values(&answer)["F000"], json!(2));
    assert_eq!(values(&answer)["F059"], json!(2));
    assert_eq!(bench.asked().len(), 1 + 3 * 2);
    assert_eq!(
        bench
            .counted("zohook_enrich_rereads_total", "torn")
            .to_string(),
        "2"
    );
    assert_eq!(
        bench.counted("zohook_enrich_torn_total", "").to_string(),
        "0"
    );
}

#[tokio::test]
async fn a_read_that_stays_torn_is_sent_after_three_repeats_and_counted() {
    let (clock, hand) = simulated();
    let bench = Bench::start(&clock, torn_rounds(99)).await;
    let answer = while_time_runs(&hand, bench.read(request("Deals", 1, Fields::All))).await;
    assert_eq!(values(&answer)["F059"], json!(3));
    assert_eq!(bench.asked().len(), 1 + 4 * 2);
    assert_eq!(
        bench.counted("zohook_enrich_torn_total", "").to_string(),
        "1"
    );
}

#[tokio::test]
async fn an_id_the_list_lacks_is_looked_for_everywhere_before_it_is_missing() {
    for (module, expected) in [("Leads", 3), ("Deals", 2)] {
        let bench = Bench::start(&Clock::real(), |call, _| match call.path.as_str() {
            "Leads/1" => error(404, "RESOURCE_NOT_FOUND", &json!({})),
            _ => ResponseTemplate::new(204),
        })
        .await;
        let answer = bench.read(request(module, 1, only(&["Stage"]))).await;
        assert_eq!(answer.unwrap(), ReadAnswer::Missing);
        let asked = bench.asked();
        assert_eq!(asked.len(), expected);
        assert!(!asked[0].converted);
        assert_eq!(asked[1].converted, module == "Leads");
        assert_eq!(asked[expected - 1].path, format!("{module}/1"));
        assert_eq!(
            bench
                .counted("zohook_enrich_records_total", "missing")
                .to_string(),
            "1"
        );
    }
}

#[tokio::test]
async fn a_converted_lead_and_a_record_seen_alone_are_found() {
    let bench = Bench::start(&Clock::real(), |call, _| match call.path.as_str() {
        "Deals/5" => {
            ok(&json!({"data": [{"id": "5", "Stage": "Won", "$approved": true, "Other": 1}]}))
        }
        _ if call.converted => call.every_record(),
        _ => ResponseTemplate::new(204),
    })
    .await;
    let lead = bench.read(request("Leads", 4, only(&["Stage"]))).await;
    assert_eq!(values(&lead)["Stage"], "Stage of 4");
    let deal = bench.read(request("Deals", 5, only(&["Stage"]))).await;
    assert_eq!(
        values(&deal),
        json!({"id": "5", "Stage": "Won", "Modified_Time": null})
    );
}

#[tokio::test]
async fn a_stale_answer_is_read_again_and_then_refused() {
    let seen: Timestamp = "2026-11-22T11:00:05Z".parse().unwrap();
    for (fresh_at, calls) in [(2, 3), (99, 4)] {
        let (clock, hand) = simulated();
        let bench = Bench::start(&clock, move |_, before| {
            let time = if before >= fresh_at {
                "2026-11-22T16:30:05+05:30"
            } else {
                MODIFIED
            };
            ok(&json!({"data": [{"id": "1", "Modified_Time": time}]}))
        })
        .await;
        let mut wanted = request("Deals", 1, only(&["Stage"]));
        wanted.modified_at_least = Some(seen);
        let started = clock.now();
        let answer = while_time_runs(&hand, bench.read(wanted)).await;
        assert_eq!(bench.asked().len(), calls);
        assert!(
            clock.now().duration_since(started).as_secs() >= 2 * i64::try_from(calls - 1).unwrap()
        );
        if fresh_at == 2 {
            assert_eq!(
                values(&answer)["Modified_Time"],
                "2026-11-22T16:30:05+05:30"
            );
        } else {
            assert_eq!(refused(&answer), QuarantineReason::StaleRead);
        }
    }
}

#[tokio::test]
async fn a_full_read_asks_for_the_record_alone() {
    let bench = Bench::start(&Clock::real(), |_, _| {
        ok(&json!({"data": [{"id": "1", "Stage": "Won", "Product_Details": [{"id": "9"}], "$approved": true, "Modified_Time": MODIFIED}]}))
    })
    .await;
    let full = |fields| ReadRequest {
        full: true,
        ..request("Deals", 1, fields)
    };
    let all = bench.read(full(Fields::All)).await;
    assert_eq!(
        values(&all),
        json!({"id": "1", "Stage": "Won", "Product_Details": [{"id": "9"}], "Modified_Time": MODIFIED})
    );
    let some = bench.read(full(only(&["Product_Details", "Nope"]))).await;
    assert_eq!(
        values(&some),
        json!({"id": "1", "Product_Details": [{"id": "9"}], "Nope": null, "Modified_Time": MODIFIED})
    );
    assert!(
        bench
            .asked()
            .iter()
            .all(|it| it.path == "Deals/1" && it.fields.is_empty())
    );
}

#[tokio::test]
async fn failures_are_told_apart_by_what_the_pipeline_does_next() {
    let none = json!({});
    let cases = [
        (error(403, "NO_PERMISSION", &none), "refuse", 1),
        (error(401, "OAUTH_SCOPE_MISMATCH", &none), "refuse", 1),
        (error(400, "INVALID_MODULE", &none), "refuse", 1),
        (error(404, "INVALID_URL_PATTERN", &none), "refuse", 1),
        (error(503, "SERVICE_UNAVAILABLE", &none), "retry", 5),
        (error(429, "TOO_MANY_REQUESTS", &none), "retry", 5),
        (error(401, "INVALID_TOKEN", &none), "retry", 2),
    ];
    for (answer, expected, calls) in cases {
        let (clock, hand) = simulated();
        let bench = Bench::start(&clock, move |_, _| answer.clone()).await;
        for answer in while_time_runs(&hand, bench.read_all(requests(0..10))).await {
            match answer {
                Err(EnrichError::Refuse { reason, .. }) => {
                    assert_eq!(
                        (expected, reason),
                        ("refuse", QuarantineReason::ReadRefused)
                    );
                }
                Err(EnrichError::Retry { after, .. }) => {
                    assert_eq!(expected, "retry");
                    assert!(after <= Duration::from_mins(5));
                }
                Ok(answer) => panic!("{answer:?}"),
            }
        }
        assert_eq!(bench.asked().len(), calls);
    }
}

#[tokio::test]
async fn one_bad_id_does_not_hurt_the_others() {
    let bench = Bench::start(&Clock::real(), |call, _| {
        let bad = call.path == "Deals/37" || call.ids.contains(&"37".to_owned());
        if bad {
            return error(400, "INVALID_DATA", &json!({}));
        }
        call.every_record()
    })
    .await;
    let answers = bench.read_all(requests(0..100)).await;
    for (id, answer) in answers.iter().enumerate() {
        if id == 37 {
            assert_eq!(*answer.as_ref().unwrap(), ReadAnswer::Missing);
        } else {
            assert_eq!(values(answer)["Stage"], format!("Stage of {id}"));
        }
    }
    assert!(bench.asked().len() < 20, "{} calls", bench.asked().len());
}

#[tokio::test]
async fn more_bad_ids_than_are_looked_for_at_once_do_not_hurt_the_others() {
    let is_bad = |id: usize| id.is_multiple_of(2);
    let bench = Bench::start(&Clock::real(), move |call, _| {
        let mut ids = call.ids.iter().map(|it| it.parse().unwrap());
        if ids.any(is_bad) {
            return error(400, "LIMIT_EXCEEDED", &json!({}));
        }
        call.every_record()
    })
    .await;
    let mut waiting: Vec<usize> = (0..100).collect();
    let mut rounds = 0;
    while !waiting.is_empty() {
        let answers = bench.read_all(requests(waiting.iter().copied())).await;
        let mut again = vec![];
        for (id, answer) in waiting.into_iter().zip(answers) {
            match answer {
                Err(EnrichError::Retry { .. }) => again.push(id),
                Err(EnrichError::Refuse { .. }) => assert!(is_bad(id), "{id} is refused"),
                Ok(_) => assert!(!is_bad(id)),
            }
        }
        assert!(rounds > 0 || !again.is_empty(), "all was found at once");
        rounds += 1;
        assert!(rounds < 10, "{again:?} are never known");
        waiting = again;
    }
}

#[tokio::test]
async fn one_bad_field_does_not_hurt_the_others() {
    for named in [true, false] {
        let bench = Bench::start(&Clock::real(), move |call, _| {
            if call.fields.contains(&"Nope".to_owned()) {
                let details = if named {
                    json!({"api_name": "Nope"})
                } else {
                    json!({})
                };
                return error(400, "LIMIT_EXCEEDED", &details);
            }
            call.every_record()
        })
        .await;
        let wish = |id: usize| {
            if id == 3 {
                only(&["Nope"])
            } else {
                only(&["Stage"])
            }
        };
        let wanted = (0..10).map(|id| request("Deals", id, wish(id))).collect();
        let answers = bench.read_all(wanted).await;
        for (id, answer) in answers.iter().enumerate() {
            if id == 3 {
                assert_eq!(refused(answer), QuarantineReason::ReadRefused);
            } else {
                assert_eq!(values(answer)["Stage"], format!("Stage of {id}"));
            }
        }
        assert_eq!(bench.asked().len(), if named { 2 } else { 3 });
    }
}

#[tokio::test]
async fn a_busy_module_does_not_hold_up_a_search_for_a_missing_record() {
    let bench = Bench::start(&Clock::real(), |call, _| {
        let mut shown = call.clone();
        shown.ids.retain(|it| it != "999999");
        match (call.path.as_str(), shown.ids.is_empty()) {
            ("Leads", true) => ResponseTemplate::new(204),
            ("Leads", false) => shown.every_record().set_delay(Duration::from_millis(500)),
            _ => error(404, "RESOURCE_NOT_FOUND", &json!({})),
        }
    })
    .await;
    let lead = |id| request("Leads", id, only(&["Stage"]));
    let clock = Clock::real();
    let busy = async {
        // A call of this lane is always in flight.
        for round in 0.. {
            let enricher = Arc::clone(&bench.enricher);
            let wanted: Vec<_> = (0..100).map(|it| lead(round % 1000 * 100 + it)).collect();
            tokio::spawn(
                async move { join_all(wanted.into_iter().map(|it| enricher.read(it))).await },
            );
            clock.sleep(Duration::from_millis(200)).await;
        }
    };
    let search = async {
        while bench.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.read(lead(999_999)).await
    };
    let found = tokio::select! {
        found = search => found.unwrap(),
        () = busy => unreachable!("it never ends"),
        () = clock.sleep(Duration::from_secs(10)) => panic!("it is still waiting"),
    };
    assert_eq!(found, ReadAnswer::Missing);
}

#[tokio::test]
async fn what_cannot_be_a_name_is_refused_without_a_call() {
    let bench = Bench::start(&Clock::real(), |call, _| call.every_record()).await;
    let good = || request("Deals", 1, only(&["Stage"]));
    let bad = [
        ReadRequest {
            connection: ConnectionName::new("other"),
            ..good()
        },
        ReadRequest {
            module: ModuleName::new("../org"),
            ..good()
        },
        ReadRequest {
            record: RecordId::new("1,2"),
            ..good()
        },
        ReadRequest {
            fields: only(&["a,b"]),
            ..good()
        },
    ];
    for request in bad {
        assert_eq!(
            refused(&bench.read(request).await),
            QuarantineReason::ReadRefused
        );
    }
    assert_eq!(bench.asked(), []);
}

#[tokio::test]
async fn a_batcher_that_ended_idle_is_made_again() {
    let (clock, hand) = simulated();
    let bench = Bench::start(&clock, |call, _| call.every_record()).await;
    for _ in 0..3 {
        while_time_runs(&hand, bench.read(request("Deals", 1, only(&["Stage"]))))
            .await
            .unwrap();
        hand.advance(Duration::from_secs(61));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(bench.asked().len(), 3);
}

#[tokio::test]
async fn closing_tells_waiting_readers_to_try_again() {
    let bench = Bench::start(&Clock::real(), |call, _| {
        call.every_record().set_delay(Duration::from_secs(20))
    })
    .await;
    let reading = tokio::spawn({
        let enricher = Arc::clone(&bench.enricher);
        async move { enricher.read(request("Deals", 1, only(&["Stage"]))).await }
    });
    while bench.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(Duration::from_secs(5), bench.enricher.close())
        .await
        .unwrap();
    let late = bench.read(request("Deals", 1, only(&["Stage"]))).await;
    for answer in [reading.await.unwrap(), late] {
        assert!(
            matches!(answer, Err(EnrichError::Retry { .. })),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn what_a_connection_used_is_known_to_the_next_unless_it_is_another() {
    let bench = Bench::start(&Clock::real(), |call, _| call.every_record()).await;
    let url = bench.server.uri();
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let after = |old: Option<&Enricher>, credits: u64, secret: &str| {
        let connection = Connection {
            credits_daily: Some(credits),
            credits_reserve_percent: 0,
            client_secret: vec![secret.into()],
            ..acme(&url)
        };
        let store = Arc::new(MemoryTokenStore::default());
        let clock = Clock::real();
        let enricher = Enricher::after(old, vec![(connection, store)], &clock, &metrics).unwrap();
        enricher.apply_limits();
        enricher
    };
    let read = async |enricher: &Enricher| {
        let read = enricher.read(request("Deals", 1, only(&["Stage"]))).await;
        !matches!(read, Err(EnrichError::Retry { .. }))
    };
    let first = after(None, 1, "one");
    assert!(read(&first).await);
    assert!(!read(&first).await, "the credit is used");
    let same = after(Some(&first), 1, "one");
    assert!(!read(&same).await, "it is used still");
    let richer = after(Some(&same), 2, "one");
    first.close().await;
    assert!(read(&richer).await, "there is one more now");
    assert!(!read(&richer).await);
    let other = after(Some(&richer), 1, "two");
    assert!(read(&other).await, "nothing is known of it");
}

#[tokio::test]
async fn what_zoho_refused_is_tried_again_after_a_reload() {
    let bench = Bench::start(&Clock::real(), |call, before| match before {
        0..2 => error(401, "INVALID_TOKEN", &json!({})),
        _ => call.every_record(),
    })
    .await;
    let read = async |enricher: &Enricher| {
        let read = enricher.read(request("Deals", 1, only(&["Stage"]))).await;
        matches!(read, Ok(ReadAnswer::Found { .. }))
    };
    let metrics = Metrics::register(&Registry::new()).unwrap();
    assert!(!read(&bench.enricher).await);
    let store = Arc::new(MemoryTokenStore::default());
    let connection = acme(&bench.server.uri());
    let old = Some(&*bench.enricher);
    let next = Enricher::after(old, vec![(connection, store)], &Clock::real(), &metrics).unwrap();
    assert!(!read(&next).await, "the old one still runs");
    next.lift_refusals();
    assert!(read(&next).await);
}

async fn simulator(latency: Duration) -> (Sim, Arc<Enricher>) {
    let settings = zoho_sim::Settings {
        edition: Edition::Standard,
        latency,
        ..zoho_sim::Settings::on_loopback()
    };
    let sim = Sim::start(settings).await.unwrap();
    let (enricher, _registry) = enricher(&sim.base_url(), &Clock::real());
    (sim, enricher)
}

fn of_lead(id: &str, fields: Fields) -> ReadRequest {
    ReadRequest {
        record: RecordId::new(id),
        ..request("Leads", 0, fields)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_reads_within_five_seconds_take_at_most_110_calls() {
    const READS: usize = 10_000;
    const TICK: Duration = Duration::from_millis(10);
    let (sim, enricher) = simulator(Duration::from_millis(200)).await;
    let rows = (0..READS).map(|it| json!({"Last_Name": format!("Lead {it}")}));
    let ids = sim.insert_many("Leads", rows.collect()).unwrap();

    let clock = Clock::real();
    let started = clock.monotonic();
    let mut reads = vec![];
    for (tick, chunk) in (1..).zip(ids.chunks(READS / 500)) {
        for id in chunk {
            let (enricher, request) = (Arc::clone(&enricher), of_lead(id, only(&["Last_Name"])));
            reads.push(tokio::spawn(async move { enricher.read(request).await }));
        }
        let next = started + TICK * tick;
        clock.sleep(next.saturating_sub(clock.monotonic())).await;
    }
    for (number, read) in reads.into_iter().enumerate() {
        let answer = read.await.unwrap();
        assert_eq!(values(&answer)["Last_Name"], format!("Lead {number}"));
    }
    let counters = sim.counters();
    assert!(counters.calls(Kind::ReadIds) <= 110, "{counters:?}");
    assert_eq!(counters.reads(), counters.calls(Kind::ReadIds));
    assert_eq!(counters.ids_asked, 10_000);
    assert!(counters.concurrent_max <= 10, "{counters:?}");
    assert_eq!(counters.refused_for_concurrency, 0);
    assert_eq!(counters.token_requests(), 1);
}

#[tokio::test]
async fn reads_one_by_one_stay_within_the_concurrency() {
    let (sim, enricher) = simulator(Duration::from_millis(20)).await;
    let rows = vec![json!({"Last_Name": "Doe"}); 200];
    let ids = sim.insert_many("Leads", rows).unwrap();
    let full = |id: &String| ReadRequest {
        full: true,
        ..of_lead(id, Fields::All)
    };
    let answers = join_all(ids.iter().map(|id| enricher.read(full(id)))).await;
    assert!(answers.iter().all(|it| values(it)["Last_Name"] == "Doe"));
    let counters = sim.counters();
    assert_eq!(counters.calls(Kind::ReadOne), 200);
    assert_eq!(counters.concurrent_max, 10);
    assert_eq!(counters.refused_for_concurrency, 0);
}

#[tokio::test]
async fn every_way_of_reading_gives_a_record_the_same_shape() {
    let (sim, enricher) = simulator(Duration::ZERO).await;
    let lead = json!({"Last_Name": "Doe", "Company": "Acme", "Email": "doe@example.com", "Annual_Revenue": 12.5});
    let id = sim.insert("Leads", lead).unwrap();
    let listed = values(&enricher.read(of_lead(&id, Fields::All)).await);
    let full = ReadRequest {
        full: true,
        ..of_lead(&id, Fields::All)
    };
    let alone = values(&enricher.read(full).await);
    let names: Vec<&str> = listed
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let asked_for = values(&enricher.read(of_lead(&id, only(&names))).await);
    assert_eq!(listed, asked_for);
    for (name, value) in listed.as_object().unwrap() {
        assert_eq!(alone[name], *value, "{name}");
    }
    assert_eq!(listed["Company"], "Acme");
}

#[tokio::test]
async fn a_deleted_record_is_missing_and_a_hidden_one_is_found_alone() {
    let (sim, enricher) = simulator(Duration::ZERO).await;
    let id = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let hidden = Fault {
        on: On::ReadIds,
        what: What::Missing(vec![id.clone()]),
        times: None,
        chance: 1.0,
    };
    assert!(sim.faults().add(hidden));
    let found = enricher.read(of_lead(&id, only(&["Last_Name"]))).await;
    assert_eq!(values(&found)["Last_Name"], "Doe");
    sim.delete("Leads", &[&id]).unwrap();
    let gone = enricher.read(of_lead(&id, only(&["Last_Name"]))).await;
    assert_eq!(gone.unwrap(), ReadAnswer::Missing);
}

#[tokio::test]
async fn tokens_that_expire_under_load_cost_no_read() {
    let (sim, enricher) = simulator(Duration::from_millis(5)).await;
    let rows = vec![json!({"Last_Name": "Doe"}); 1000];
    let ids = sim.insert_many("Leads", rows).unwrap();
    for round in 1..=3 {
        let reads = ids
            .iter()
            .map(|id| enricher.read(of_lead(id, only(&["Last_Name"]))));
        assert!(join_all(reads).await.iter().all(Result::is_ok));
        assert_eq!(sim.counters().token_requests(), round);
        sim.expire_access_tokens();
    }
}

#[tokio::test]
async fn a_revoked_token_shows_in_a_metric_to_alert_on() {
    let settings = zoho_sim::Settings::on_loopback();
    let sim = Sim::start(settings).await.unwrap();
    let (enricher, registry) = enricher(&sim.base_url(), &Clock::real());
    let authorized = || {
        let families = registry.gather();
        let name = "zohook_connection_authorized";
        let family = families.iter().find(|it| it.name() == name).unwrap();
        family.get_metric()[0].get_gauge().get_value().to_string()
    };
    let id = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let read = || enricher.read(of_lead(&id, only(&["Last_Name"])));
    assert_eq!(authorized(), "1");
    read().await.unwrap();
    assert_eq!(authorized(), "1");

    let url: url::Url = sim.base_url().parse().unwrap();
    let client = OAuthClient {
        id: Sim::CLIENT_ID.into(),
        secret: Sim::CLIENT_SECRET.into(),
    };
    let center = DataCenter::custom(url.clone(), url).unwrap();
    let wait = Duration::from_secs(30);
    let oauth = OAuth::new(center, client, wait, Clock::real()).unwrap();
    oauth.revoke(&Sim::REFRESH_TOKEN.into()).await.unwrap();
    for _ in 0..3 {
        read().await.unwrap_err();
        assert_eq!(authorized(), "0");
    }
    assert_eq!(sim.counters().token_requests(), 2);
}
