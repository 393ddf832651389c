//! Writing back to Zoho, and our own writes coming back: a real router and the simulator.

use std::time::Duration;

use clock::Clock;
use jiff::Timestamp;
use serde_json::{Value, json};
use zoho_sim::{Fault, Kind as CallKind, On, What};
use zohook::event::{Action, Delivery};

use crate::support::{
    router::{Router, client, until},
    zoho::{
        SOON, answering, asking, between, calls, class, closed, destination, lead, record,
        simulator, update,
    },
};

#[tokio::test]
async fn each_record_of_a_call_has_its_own_outcome() {
    let sim = simulator().await;
    let ids = sim
        .insert_many("Leads", vec![lead(1), lead(2), lead(3)])
        .unwrap();
    let destination = destination(&sim.base_url(), Action::Update);
    let window = [
        update(
            1,
            &ids[0],
            &json!({"Phone": "1", "Company": "Sample & Sons"}),
        ),
        update(2, "1", &json!({"Phone": "2"})),
        update(3, &ids[1], &json!({"Email": "no mail address"})),
        update(4, "no id", &json!({"Phone": "4"})),
        update(5, &ids[2], &json!({"Phone": "5"})),
        // The same record as before, about another: not in the same call.
        update(6, &ids[0], &json!({"Phone": "6"})),
    ];
    let results = destination.deliver(&window).await;
    let classes: Vec<_> = results.iter().map(class).collect();
    assert_eq!(
        classes,
        [
            "done",
            "message, three attempts",
            "message, three attempts",
            "unrenderable",
            "done",
            "done"
        ],
        "{results:?}"
    );
    assert_eq!(calls(&sim, CallKind::Update), 2);
    assert_eq!(record(&sim, &ids[0])["Company"], "Sample & Sons");
    assert_eq!(record(&sim, &ids[0])["Phone"], "6");
    let refused = results[2].as_ref().unwrap_err().to_string();
    assert!(
        refused.contains("Email") && !refused.contains("no mail"),
        "{refused}"
    );

    let written = results[0].clone().unwrap().unwrap();
    assert_eq!(written.record.as_str(), ids[0]);
    assert_eq!(written.module.as_str(), "Leads");
    assert!(!written.created);
    assert!(written.fields.iter().eq(["Company", "Phone"]));
    let modified = record(&sim, &ids[0])["Modified_Time"].clone();
    let modified: Timestamp = modified.as_str().unwrap().parse().unwrap();
    let last = results[5].clone().unwrap().unwrap();
    assert_eq!(last.modified_at, modified);
    sim.shutdown().await;
}

#[tokio::test]
async fn an_upsert_tells_whether_it_made_the_record() {
    let sim = simulator().await;
    let mut there = lead(1);
    there["Email"] = json!("there@example.com");
    let id = sim.insert("Leads", there).unwrap();
    let destination = destination(&sim.base_url(), Action::Upsert);
    let upsert = |number: usize, email: &str| {
        let mut values = lead(number);
        values["Email"] = json!(email);
        asking(
            number,
            json!({"action": "upsert", "unique_fields": ["Email"], "values": values}),
        )
    };
    let window = [upsert(7, "there@example.com"), upsert(8, "new@example.com")];
    let results = destination.deliver(&window).await;
    let [found, made] = &results[..] else {
        panic!("{results:?}")
    };
    let found = found.clone().unwrap().unwrap();
    assert_eq!((found.record.as_str(), found.created), (id.as_str(), false));
    assert!(made.clone().unwrap().unwrap().created);
    assert_eq!(record(&sim, &id)["Last_Name"], "Example 7");
    assert_eq!(sim.records("Leads").len(), 2);
    assert_eq!(calls(&sim, CallKind::Upsert), 1);
    sim.shutdown().await;
}

#[tokio::test]
async fn a_record_created_twice_is_there_once() {
    let sim = simulator().await;
    let destination = destination(&sim.base_url(), Action::Create);
    let mut values = lead(1);
    values["Designation"] = json!("5e6c1f9e-0000-5000-8000-000000000001");
    let create = asking(
        1,
        json!({"action": "create", "unique_fields": ["Designation"], "values": values}),
    );
    for _ in 0..2 {
        let results = destination.deliver(std::slice::from_ref(&create)).await;
        let made = results[0].clone().unwrap().unwrap();
        assert!(made.created, "whichever attempt made it, it is ours");
    }
    assert_eq!(sim.records("Leads").len(), 1);
    sim.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_asked_for_again() {
    let sim = simulator().await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    let destination = destination(&sim.base_url(), Action::Update);
    assert!(sim.faults().add(Fault {
        on: On::Write,
        what: What::DropAnswer,
        times: Some(1),
        chance: 1.0,
    }));
    let results = destination
        .deliver(&[update(1, &id, &json!({"Phone": "1"}))])
        .await;
    assert_eq!(class(&results[0]), "done", "{results:?}");
    assert_eq!(calls(&sim, CallKind::Update), 2);
    sim.shutdown().await;
}

#[tokio::test]
async fn what_zoho_says_of_each_record_decides_its_class() {
    let item = |code: &str, details: Value| json!({"code": code, "details": details, "message": "m", "status": "error"});
    let done = json!({"code": "SUCCESS", "message": "record updated", "status": "success", "details": {
        "Modified_Time": "2026-11-22T21:15:26+05:30", "Modified_By": {"name": "A", "id": "9"},
        "Created_Time": "2026-11-22T21:15:26+05:30", "id": "11", "Created_By": {"name": "A", "id": "9"}}});
    let server = answering(
        207,
        json!({"data": [
            done,
            item("RECORD_LOCKED", json!({"id": "12"})),
            item("NO_PERMISSION", json!({"permissions": ["Crm_Implied_Edit_Leads"]})),
            item("DUPLICATE_DATA", json!({"api_name": "Email", "json_path": "$.data[3].Email"})),
        ]}),
    )
    .await;
    let window: Vec<Delivery> = (1..=4)
        .map(|n| update(n, &format!("{}", 10 + n), &json!({"Phone": "1"})))
        .collect();
    let results = destination(&server.uri(), Action::Update)
        .deliver(&window)
        .await;
    let classes: Vec<_> = results.iter().map(class).collect();
    assert_eq!(
        classes,
        [
            "done",
            "message",
            "message, three attempts",
            "message, three attempts"
        ]
    );
    let written = results[0].clone().unwrap().unwrap();
    assert_eq!(written.modified_at.to_string(), "2026-11-22T15:45:26Z");
}

#[tokio::test]
async fn records_that_all_lack_permission_spend_their_schedule_as_one_alone_does() {
    let refusal = || json!({"code": "NO_PERMISSION", "details": {"permissions": ["Crm_Implied_Edit_Leads"]}, "message": "m", "status": "error"});
    for count in [1, 3] {
        let items: Vec<Value> = (0..count).map(|_| refusal()).collect();
        let server = answering(403, json!({"data": items})).await;
        let window: Vec<Delivery> = (0..count)
            .map(|n| update(n, &format!("{}", 11 + n), &json!({"Phone": "1"})))
            .collect();
        let results = destination(&server.uri(), Action::Update)
            .deliver(&window)
            .await;
        let classes: Vec<_> = results.iter().map(class).collect();
        assert_eq!(classes, vec!["message, three attempts"; count]);
    }
}

#[tokio::test]
async fn what_the_org_refuses_for_now_costs_the_message_nothing() {
    let refusal =
        |code: &str| json!({"code": code, "details": {}, "message": "m", "status": "error"});
    for (status, code, expected) in [
        (401, "OAUTH_SCOPE_MISMATCH", "destination"),
        (403, "NO_PERMISSION", "destination"),
        (401, "AUTHENTICATION_FAILURE", "down"),
        (400, "INVALID_MODULE", "message, three attempts"),
    ] {
        let server = answering(status, refusal(code)).await;
        let results = destination(&server.uri(), Action::Update)
            .deliver(&[1, 2].map(|n| update(n, &format!("1{n}"), &json!({"Phone": "1"}))))
            .await;
        for result in &results {
            assert_eq!(class(result), expected, "{code}: {results:?}");
        }
    }
}

const BACK: &str = "  back: { kind: zoho, connection: acme, module: Leads, action: update }\n  console: { kind: stdout }";

/// A callback for an update of the field that the routes here write.
async fn tell(router: &Router, id: &str, server_time: Timestamp) {
    let callback = json!({
        "server_time": server_time.as_millisecond(), "query_params": {}, "module": "Leads",
        "resource_uri": "https://www.zohoapis.com/crm/v2/Leads", "ids": [id],
        "affected_fields": [{ (id): ["Description"] }], "operation": "update",
        "channel_id": "1000000068002", "token": "token-of-this-test",
    });
    let url = router.url("/in/crm?k=key-of-this-test");
    let answer = client().post(url).json(&callback).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Every update writes something new, so that nothing but the guard ends the loop.
async fn loops_once(enrich: &str, slow_ms: u64) {
    let sim = simulator().await;
    let rules = format!(
        r#"  back:
    on: [Leads.update]
    {enrich}
    send: [{{ to: back, id: "{{{{ event.id }}}}", body: {{ Description: "{{{{ event.sequence }}}}" }} }}]"#
    );
    let mut router = between(&sim, BACK, &rules).await;
    if slow_ms > 0 {
        // The callback is there long before the answer.
        sim.faults().add(Fault {
            on: On::Write,
            what: What::SlowMs(slow_ms),
            times: None,
            chance: 1.0,
        });
    }
    let ids = sim
        .insert_many("Leads", vec![lead(1), lead(2), lead(3)])
        .unwrap();
    for (n, id) in ids.iter().enumerate() {
        sim.update("Leads", id, json!({"Phone": format!("{n}")}))
            .unwrap();
    }
    sim.callbacks_settled().await;
    let changes = closed(&router, "echo", 3).await;
    assert_eq!(changes["planned"], 3, "{changes}");
    sim.callbacks_settled().await;
    router.settled(SOON).await;
    let metrics = router.admin("/metrics").await;
    assert!(metrics.contains("zohook_changes_closed_total{outcome=\"echo\"} 3"));
    assert_eq!(sim.counters().records_written, 3);
    for id in &ids {
        assert!(record(&sim, id)["Description"].is_string());
    }
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_updates_what_triggered_it_updates_it_once() {
    loops_once("enrich: { fields: [Phone] }", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_comes_before_the_answer_waits_for_it() {
    loops_once("enrich: none", 700).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_echo_of_a_write_that_outlives_a_reload_is_recognised() {
    let sim = simulator().await;
    let rules = r#"  back:
    on: [Leads.update]
    enrich: none
    send: [{ to: back, id: "{{ event.id }}", body: { Description: "{{ event.sequence }}" } }]"#;
    let mut router = between(&sim, BACK, rules).await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    // Longer than a reload waits.
    sim.faults().add(Fault {
        on: On::Write,
        what: What::SlowMs(13_000),
        times: Some(1),
        chance: 1.0,
    });
    sim.update("Leads", &id, json!({"Phone": "1"})).unwrap();
    until("the write to begin", SOON, async || {
        router.ledger().await["ledger"]["changes"]["planned"] == 1
    })
    .await;
    // Its callback, here long before the simulator has written: Zoho's answer alone is late.
    let told = Clock::real().now() + Duration::from_secs(14);
    tell(&router, &id, told).await;
    router.reload();
    // This one, and the simulator's own.
    let changes = closed(&router, "echo", 2).await;
    assert_eq!(changes["planned"], 1, "{changes}");
    assert_eq!(sim.counters().records_written, 1);
    assert!(router.log().contains("takes long"), "{}", router.log());
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_by_a_person_is_never_taken_for_our_echo() {
    let sim = simulator().await;
    let rules = r#"  back:
    on: [Leads.insert]
    send: [{ to: back, id: "{{ event.id }}", body: { Description: "{{ event.sequence }}" } }]
  everything:
    on: ["*.*"]
    send: [{ to: console }]"#;
    let mut router = between(&sim, BACK, rules).await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    closed(&router, "echo", 1).await;
    let ours = record(&sim, &id)["Modified_Time"].clone();
    // Zoho's times have whole seconds: what a person writes within the same one cannot be told from ours.
    let ours: Timestamp = ours.as_str().unwrap().parse().unwrap();
    until("the next second", SOON, async || {
        Clock::real().now().as_second() > ours.as_second()
    })
    .await;
    sim.update("Leads", &id, json!({"Description": "of a person"}))
        .unwrap();
    sim.update("Leads", &id, json!({"Phone": "1", "Description": "again"}))
        .unwrap();
    sim.callbacks_settled().await;
    let changes = closed(&router, "planned", 3).await;
    assert_eq!(changes["echo"], 1, "{changes}");
    let shown = std::fs::read_to_string(router.folder().join("stdout")).unwrap();
    let edits = shown.lines().filter(|it| it.contains("Leads.updated"));
    assert_eq!(edits.count(), 2, "{shown}");
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_callbacks_that_do_not_say_what_changed_one_may_be_a_persons() {
    let sim = simulator().await;
    let rules = r#"  back:
    on: [Leads.insert]
    send: [{ to: back, id: "{{ event.id }}", body: { Description: "{{ event.sequence }}" } }]
  everything:
    on: ["*.*"]
    send: [{ to: console }]"#;
    let mut router = between(&sim, BACK, rules).await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    // The callback of our write, which says what changed, leaves the write free to explain one that does not.
    closed(&router, "echo", 1).await;
    let now = Clock::real().now().as_millisecond();
    for (number, (echoes, planned)) in [(0, (2, 1)), (1, (2, 2))] {
        let callback = json!({
            "server_time": now + number, "query_params": {}, "module": "Leads", "ids": [id], "affected_fields": [],
            "operation": "update", "channel_id": "1000000068001", "token": "token-of-this-test",
        });
        let answer = client()
            .post(router.url("/in/crm?k=key-of-this-test"))
            .json(&callback)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        closed(&router, "echo", echoes).await;
        closed(&router, "planned", planned).await;
    }
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_upsert_made_is_an_echo_of_its_insert() {
    let sim = simulator().await;
    let destinations = "  contacts: { kind: zoho, connection: acme, module: Contacts, action: upsert, unique_field: Email }";
    let rules = r#"  contact:
    on: ["*.insert"]
    send: [{ to: contacts, body: { Email: "{{ record.Email }}", Last_Name: "{{ record.Last_Name }}" } }]"#;
    let mut router = between(&sim, destinations, rules).await;
    let mut values = lead(1);
    values["Email"] = json!("jane@example.com");
    sim.insert("Leads", values).unwrap();
    let changes = closed(&router, "echo", 1).await;
    assert_eq!(changes["planned"], 1, "{changes}");
    let contacts = sim.records("Contacts");
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0]["Email"], "jane@example.com");
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_is_recognised_after_a_restart() {
    let sim = simulator().await;
    let rules = r#"  back:
    on: [Leads.insert]
    send: [{ to: back, id: "{{ event.id }}", body: { Description: "{{ event.sequence }}" } }]
  everything:
    on: ["*.*"]
    send: [{ to: console }]"#;
    let mut router = between(&sim, BACK, rules).await;
    let id = sim.insert("Leads", lead(1)).unwrap();
    closed(&router, "echo", 1).await;
    router.kill().await;
    router.start().await;
    // The same callback once more, as another channel would tell it.
    tell(&router, &id, Clock::real().now()).await;
    closed(&router, "echo", 2).await;
    assert!(router.stop().await.success(), "{}", router.log());
    sim.shutdown().await;
}
