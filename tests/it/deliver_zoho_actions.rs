//! Tags, notes, conversions and mails as a destination, and an org that takes nothing: a real router and the simulator.

use serde_json::{Value, json};
use zoho_crm::{DataCenter, OAuth, OAuthClient};
use zoho_sim::{Fault, Kind as CallKind, On, Sim, What};
use zohook::{
    deliver::{Delivered, Destination},
    event::{Action, Delivery},
};

use crate::support::{
    router::{Router, until},
    zoho::{
        SOON, answering, asking, between, calls, class, closed, destination, lead, record,
        simulator,
    },
};

/// A delivery that asks this of a lead.
fn of_lead(number: usize, action: &str, id: &str, values: &Value) -> Delivery {
    asking(
        number,
        json!({"action": action, "id": id, "values": values}),
    )
}

async fn one(destination: &Destination, delivery: &Delivery) -> Delivered {
    let mut results = destination.deliver(std::slice::from_ref(delivery)).await;
    results.pop().unwrap()
}

fn once(on: On, what: What) -> Fault {
    Fault {
        on,
        what,
        times: Some(1),
        chance: 1.0,
    }
}

fn tags(sim: &Sim, id: &str) -> Vec<String> {
    let tags = record(sim, id)["Tag"].as_array().cloned();
    let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
    tags.unwrap_or_default().iter().map(name).collect()
}

fn mail() -> Value {
    json!({"from": "support@example.com", "to": "jane@example.com", "subject": "Hello", "content": "x"})
}

#[tokio::test]
async fn records_share_a_call_for_the_same_tags_and_each_has_its_own_outcome() {
    let sim = simulator().await;
    let leads = vec![lead(1), lead(2), lead(3)];
    let ids = sim.insert_many("Leads", leads).unwrap();
    let adding = destination(&sim.base_url(), Action::AddTags);
    let hot = || json!({"tags": ["hot", "new"]});
    let window = [
        of_lead(1, "add_tags", &ids[0], &hot()),
        of_lead(2, "add_tags", "1", &hot()),
        of_lead(3, "add_tags", &ids[1], &hot()),
        of_lead(4, "add_tags", &ids[2], &json!({"tags": "x".repeat(26)})),
        of_lead(5, "add_tags", &ids[2], &json!({"tags": "cold"})),
        // The same record as before, so after it.
        of_lead(
            6,
            "add_tags",
            &ids[0],
            &json!({"tags": "last", "over_write": true}),
        ),
    ];
    for _ in 0..2 {
        let results = adding.deliver(&window).await;
        let classes: Vec<_> = results.iter().map(class).collect();
        assert_eq!(
            classes,
            [
                "done",
                "message, three attempts",
                "done",
                "unrenderable",
                "done",
                "done"
            ],
            "{results:?}"
        );
        let written = results.into_iter().flatten().flatten();
        assert_eq!(written.count(), 0, "zoho does not tell Modified_Time");
        assert_eq!(tags(&sim, &ids[0]), ["last"], "in order, however often");
        assert_eq!(tags(&sim, &ids[1]), ["hot", "new"]);
        assert_eq!(tags(&sim, &ids[2]), ["cold"]);
    }
    assert_eq!(calls(&sim, CallKind::TagRecords), 6);

    let removing = destination(&sim.base_url(), Action::RemoveTags);
    let remove = of_lead(
        7,
        "remove_tags",
        &ids[1],
        &json!({"tags": ["hot", "other"]}),
    );
    for _ in 0..2 {
        assert_eq!(class(&one(&removing, &remove).await), "done");
        assert_eq!(tags(&sim, &ids[1]), ["new"]);
    }
    sim.shutdown().await;
}

#[tokio::test]
async fn five_hundred_records_are_tagged_by_one_call() {
    let sim = simulator().await;
    let ids = sim
        .insert_many("Leads", (0..500).map(lead).collect())
        .unwrap();
    let adding = destination(&sim.base_url(), Action::AddTags);
    assert_eq!(adding.capacity().window, 500);
    let tag = |(at, id): (usize, &String)| of_lead(at, "add_tags", id, &json!({"tags": ["hot"]}));
    let window: Vec<Delivery> = ids.iter().enumerate().map(tag).collect();
    let results = adding.deliver(&window).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(calls(&sim, CallKind::TagRecords), 1);
    assert_eq!(tags(&sim, &ids[499]), ["hot"]);
    sim.shutdown().await;
}

#[tokio::test]
async fn tags_that_zoho_refuses_for_all_are_not_tried_on_each_of_many() {
    let server = answering(
        400,
        json!({"data": {"code": "LIMIT_EXCEEDED", "details": {"json_path": "$.tags[0].name"},
            "message": "m", "status": "error"}}),
    )
    .await;
    let adding = destination(&server.uri(), Action::AddTags);
    let tag = |at: usize| of_lead(at, "add_tags", &at.to_string(), &json!({"tags": ["hot"]}));
    let window: Vec<Delivery> = (1..=100).map(tag).collect();
    let results = adding.deliver(&window).await;
    assert!(
        results
            .iter()
            .all(|it| class(it) == "message, three attempts")
    );
    let requests = server.received_requests().await.unwrap();
    let calls = requests.iter().filter(|it| it.url.path().contains("tags"));
    assert_eq!(calls.count(), 1 + 5);
}

#[tokio::test]
async fn a_note_whose_answer_is_lost_may_be_there_and_is_repeated() {
    let sim = simulator().await;
    let ids = sim.insert_many("Leads", vec![lead(1), lead(2)]).unwrap();
    let noting = destination(&sim.base_url(), Action::Note);
    let note = |number: usize, id: &str| {
        let values = json!({"Note_Title": "stage", "Note_Content": format!("note {number}")});
        of_lead(number, "note", id, &values)
    };
    let window = [note(1, &ids[0]), note(2, "1"), note(3, &ids[1])];
    let results = noting.deliver(&window).await;
    let classes: Vec<_> = results.iter().map(class).collect();
    assert_eq!(
        classes,
        ["done", "message, three attempts", "done"],
        "{results:?}"
    );
    let notes = sim.records("Notes");
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[0]["Note_Title"], "stage");
    assert_eq!(notes[0]["Note_Content"], "note 1");
    assert_eq!(notes[0]["Parent_Id"]["id"], ids[0]);

    assert!(sim.faults().add(once(On::Any, What::DropAnswer)));
    let again = note(4, &ids[0]);
    let lost = one(&noting, &again).await;
    assert_eq!(class(&lost), "unclear");
    let detail = lost.unwrap_err().to_string();
    assert!(
        detail.ends_with("; it may be done nevertheless"),
        "{detail}"
    );
    assert_eq!(sim.records("Notes").len(), 3, "nobody told us");
    assert_eq!(class(&one(&noting, &again).await), "done");
    assert_eq!(sim.records("Notes").len(), 4, "at least once");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_lead_is_converted_once_also_when_its_answer_is_lost() {
    let sim = simulator().await;
    let ids = sim.insert_many("Leads", vec![lead(1), lead(2)]).unwrap();
    let converting = destination(&sim.base_url(), Action::Convert);
    let convert = |number: usize, id: &str| {
        let deal =
            json!({"Deal_Name": "Roof", "Stage": "Qualification", "Closing_Date": "2027-01-31"});
        of_lead(number, "convert", id, &json!({ "Deals": deal }))
    };
    assert_eq!(class(&one(&converting, &convert(1, &ids[0])).await), "done");
    for module in ["Accounts", "Contacts", "Deals"] {
        assert_eq!(sim.records(module).len(), 1, "{module}");
    }
    let again = one(&converting, &convert(1, &ids[0])).await;
    assert_eq!(class(&again), "message, three attempts");
    let refused = again.unwrap_err().to_string();
    assert!(refused.contains("ID_ALREADY_CONVERTED"), "{refused}");

    assert!(sim.faults().add(once(On::Write, What::DropAnswer)));
    let lost = one(&converting, &convert(2, &ids[1])).await;
    assert_eq!(class(&lost), "unclear");
    let again = one(&converting, &convert(2, &ids[1])).await;
    assert_eq!(class(&again), "message, three attempts");
    assert_eq!(sim.records("Deals").len(), 2, "nothing doubles");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_conversion_in_the_background_is_done_once_its_job_says_so() {
    let sim = simulator().await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    assert!(sim.faults().add(once(On::Write, What::Schedule)));
    let converting = destination(&sim.base_url(), Action::Convert);
    let convert = of_lead(1, "convert", &id, &json!({}));
    assert_eq!(class(&one(&converting, &convert).await), "done");
    assert_eq!(sim.records("Contacts").len(), 1);
    sim.shutdown().await;
}

#[tokio::test]
async fn a_mail_is_sent_or_refused_and_repeated_when_its_answer_is_lost() {
    let sim = simulator().await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    let mailing = destination(&sim.base_url(), Action::Mail);
    assert_eq!(mailing.capacity().window, 1, "each outcome is committed");
    let sent = of_lead(1, "mail", &id, &mail());
    assert_eq!(class(&one(&mailing, &sent).await), "done");
    let mails = sim.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["record_id"], id);
    assert_eq!(mails[0]["mail"]["to"][0]["email"], "jane@example.com");

    let mut values = mail();
    values["from"] = json!("nobody@example.org");
    let refused = one(&mailing, &of_lead(2, "mail", &id, &values)).await;
    assert_eq!(class(&refused), "message, three attempts");
    let detail = refused.unwrap_err().to_string();
    assert!(!detail.contains("nobody"), "{detail}");

    assert!(sim.faults().add(once(On::Any, What::DropAnswer)));
    assert_eq!(class(&one(&mailing, &sent).await), "unclear");
    assert_eq!(class(&one(&mailing, &sent).await), "done");
    assert_eq!(sim.mails().len(), 3);
    sim.shutdown().await;
}

#[tokio::test]
async fn only_what_is_unclear_or_about_the_record_is_charged_to_what_cannot_be_repeated() {
    let refusal =
        |code: &str| json!({"code": code, "details": {}, "message": "m", "status": "error"});
    for (status, code, expected) in [
        (401, "OAUTH_SCOPE_MISMATCH", "destination"),
        (401, "AUTHENTICATION_FAILURE", "down"),
        (403, "NO_PERMISSION", "message"),
        (400, "RECORD_LOCKED", "message"),
        (400, "INVALID_DATA", "message, three attempts"),
        (500, "INTERNAL_ERROR", "unclear"),
    ] {
        let server = answering(status, refusal(code)).await;
        for (action, word, values) in [
            (Action::Convert, "convert", json!({})),
            (Action::Mail, "mail", mail()),
        ] {
            let destination = destination(&server.uri(), action);
            let result = one(&destination, &of_lead(1, word, "11", &values)).await;
            assert_eq!(class(&result), expected, "{word} {code}: {result:?}");
        }
    }
    let nowhere = destination("http://127.0.0.1:1", Action::Mail);
    let result = one(&nowhere, &of_lead(1, "mail", "11", &mail())).await;
    assert!(["down", "destination"].contains(&class(&result)));
}

/// Edits a person makes to one lead, one after the other.
fn edit(sim: &Sim, id: &str, edits: std::ops::Range<usize>) {
    for n in edits {
        let phone = json!({"Phone": n.to_string()});
        sim.update("Leads", id, phone).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_of_a_record_keep_its_order() {
    let sim = simulator().await;
    let destinations = "  notes: { kind: zoho, connection: acme, module: Leads, action: note, accept_duplicates: true }";
    let rules = r#"  noted:
    on: [Leads.update]
    when: true
    enrich: none
    send: [{ to: notes, id: "{{ event.id }}", body: { Note_Content: "{{ event.sequence }}" } }]"#;
    let mut router = between(&sim, destinations, rules).await;
    let ids = sim.insert_many("Leads", vec![lead(1), lead(2)]).unwrap();
    for id in &ids {
        edit(&sim, id, 0..10);
    }
    sim.callbacks_settled().await;
    closed(&router, "planned", 20).await;
    for id in &ids {
        let notes = sim.records("Notes").into_iter();
        let notes = notes.filter(|it| it["Parent_Id"]["id"] == *id);
        let told: Vec<Value> = notes.map(|it| it["Note_Content"].clone()).collect();
        assert_eq!(told.len(), 10);
        assert!(told.is_sorted_by_key(|it| it.as_str().map(str::to_owned)));
    }
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_ends_the_loop_of_a_route_that_tags_what_triggered_it() {
    let sim = simulator().await;
    let destinations = "  hot: { kind: zoho, connection: acme, module: Leads, action: add_tags }\n  console: { kind: stdout }";
    let rules = r#"  tagged:
    on: [Leads.update]
    when: changed("Phone")
    send: [{ to: hot, id: "{{ event.id }}", body: { tags: [hot] } }]
  everything:
    on: [Leads.update]
    send: [{ to: console }]"#;
    let mut router = between(&sim, destinations, rules).await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    edit(&sim, &id, 0..1);
    sim.callbacks_settled().await;
    // The person's edit, and the callback of our tag: it is delivered, for nothing tells that it is ours.
    let changes = closed(&router, "planned", 2).await;
    sim.callbacks_settled().await;
    router.settled(SOON).await;
    assert_eq!(changes["echo"], 0, "{changes}");
    assert_eq!(calls(&sim, CallKind::TagRecords), 1);
    assert_eq!(tags(&sim, &id), ["hot"]);
    let shown = std::fs::read_to_string(router.folder().join("stdout")).unwrap();
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_zoho_refuses_is_set_aside_with_its_reason_and_the_rest_goes_on() {
    let sim = simulator().await;
    let destinations = "  notes: { kind: zoho, connection: acme, module: Leads, action: note, accept_duplicates: true, retry: { schedule: [100ms] } }";
    let rules = r#"  noted:
    on: [Leads.insert]
    send: [{ to: notes, id: "{{ record.Designation }}", body: { Note_Content: "{{ record.Last_Name }}" } }]"#;
    let mut router = between(&sim, destinations, rules).await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    for (number, of) in [(2, "1"), (3, &id), (4, "no id")] {
        let mut values = lead(number);
        values["Designation"] = json!(of);
        sim.insert("Leads", values).unwrap();
    }
    sim.callbacks_settled().await;
    router.settled(SOON).await;
    let ledger = router.ledger().await;
    let deliveries = &ledger["ledger"]["deliveries"];
    assert_eq!(deliveries["delivered"], 1, "{ledger}");
    assert_eq!(deliveries["quarantined"], 2, "{ledger}");
    assert_eq!(sim.records("Notes").len(), 1);
    let log = router.log();
    assert!(log.contains("INVALID_DATA"), "{log}");
    assert!(log.contains("the record's id is not one"), "{log}");
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_unclear_outcome_is_repeated_by_the_schedule_and_then_set_aside() {
    let sim = simulator().await;
    let destinations = "  mails: { kind: zoho, connection: acme, module: Leads, action: mail, accept_duplicates: true, retry: { schedule: [100ms] } }";
    let rules = r#"  mailed:
    on: [Leads.insert]
    enrich: none
    send: [{ to: mails, id: "{{ event.id }}", body: { from: support@example.com, to: jane@example.com, subject: "{{ event.id }}" } }]"#;
    let mut router = between(&sim, destinations, rules).await;
    let settled = async |number: usize| {
        sim.insert("Leads", lead(number)).unwrap();
        sim.callbacks_settled().await;
        router.settled(SOON).await["deliveries"].clone()
    };
    let deliveries = settled(1).await;
    assert_eq!(deliveries["delivered"], 1, "{deliveries}");
    let drop_answers = Fault {
        times: Some(2),
        ..once(On::Any, What::DropAnswer)
    };
    assert!(sim.faults().add(drop_answers));
    let deliveries = settled(2).await;
    assert_eq!(deliveries["quarantined"], 1, "{deliveries}");
    let unclear = "zohook_quarantined_total{reason=\"unclear\",stage=\"delivery\"} 1";
    assert!(metric(&router, unclear).await);
    assert_eq!(sim.mails().len(), 3, "once, and twice of unclear outcome");
    let deliveries = settled(3).await;
    assert_eq!(deliveries["delivered"], 2, "{deliveries}");
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

fn oauth(sim: &Sim) -> OAuth {
    let url: url::Url = sim.base_url().parse().unwrap();
    let client = OAuthClient {
        id: Sim::CLIENT_ID.into(),
        secret: Sim::CLIENT_SECRET.into(),
    };
    let center = DataCenter::custom(url.clone(), url).unwrap();
    OAuth::new(center, client, SOON, clock::Clock::real()).unwrap()
}

async fn metric(router: &Router, line: &str) -> bool {
    let metrics = router.admin("/metrics").await;
    metrics.lines().any(|it| it == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_stops_the_org_without_a_loop_and_loses_nothing() {
    let sim = simulator().await;
    let destinations = "  hot: { kind: zoho, connection: acme, module: Leads, action: add_tags, retry: { schedule: [100ms] } }";
    let rules = r#"  tagged:
    on: [Leads.insert]
    enrich: none
    send: [{ to: hot, id: "{{ event.id }}", body: { tags: [hot] } }]
  read:
    on: [Contacts.insert]
    when: record.Last_Name == "nobody"
    send: [{ to: hot, id: "{{ event.id }}", body: { tags: [read] } }]"#;
    let mut router = between(&sim, destinations, rules).await;
    let authorized = "zohook_connection_authorized{connection=\"acme\"} 1";
    let revoked = "zohook_connection_authorized{connection=\"acme\"} 0";
    sim.insert("Leads", lead(0)).unwrap();
    sim.callbacks_settled().await;
    router.settled(SOON).await;
    assert!(metric(&router, authorized).await);
    let before = sim.counters().token_requests();

    let oauth = oauth(&sim);
    oauth.revoke(&Sim::REFRESH_TOKEN.into()).await.unwrap();
    let ids = sim
        .insert_many("Leads", (1..=40).map(lead).collect())
        .unwrap();
    for number in 0..10 {
        sim.insert("Contacts", json!({"Last_Name": format!("C {number}")}))
            .unwrap();
    }
    sim.callbacks_settled().await;
    until("the refusal to show", SOON, async || {
        metric(&router, revoked).await
    })
    .await;
    until("the destination to count as down", SOON, async || {
        metric(&router, "zohook_breaker_state{destination=\"hot\"} 1").await
    })
    .await;
    let ledger = router.ledger().await;
    let deliveries = &ledger["ledger"]["deliveries"];
    assert_eq!(
        deliveries["quarantined"], 0,
        "no message is at fault: {ledger}"
    );
    assert_eq!(deliveries["waiting"], 40, "{ledger}");
    let changes = &ledger["ledger"]["changes"];
    assert_eq!(changes["waiting"], 10, "they cannot be read: {ledger}");
    assert!(
        router
            .log()
            .contains("zoho refuses the credentials: invalid_code")
    );
    let asked = sim.counters().token_requests() - before;
    assert!(asked <= 3, "{asked} token requests");

    // A person gives it another one.
    let code = sim.issue_code().into();
    let consented = oauth.exchange(&code, None).await.unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&consented.refresh_token);
    let file = std::fs::read_to_string(router.routes_path()).unwrap();
    let file = file.replace(Sim::REFRESH_TOKEN, token);
    std::fs::write(router.routes_path(), file).unwrap();
    router.settled(SOON).await;
    assert!(metric(&router, authorized).await);
    for id in &ids {
        assert_eq!(tags(&sim, id), ["hot"]);
    }
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}
