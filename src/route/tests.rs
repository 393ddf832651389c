//! Tables of routes and events, and what becomes of them.

#![expect(clippy::too_many_lines, reason = "tables of cases")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else there is fails the test"
)]

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    event::{
        Action, Body, Change, ChangeId, DestinationName, EnrichedEvent, FailurePolicy, ModuleName,
        NotificationId, Operation, QuarantineReason, Record, RecordId, RecordState, RouteName,
        SendName, Sequence, SourceName, Unread, sample,
    },
    template::{Condition, Place, Template},
};

const NOW: &str = "2026-11-22T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `Module.operation`.
fn pattern(text: &str) -> Pattern {
    let (module, operation) = text.split_once('.').unwrap();
    Pattern {
        module: (module != "*").then(|| ModuleName::new(module)),
        operation: (operation != "*").then(|| Operation::parse(operation)),
    }
}

fn route(name: &str, on: &[&str]) -> Route {
    Route {
        name: RouteName::new(name),
        from: vec![],
        on: on.iter().map(|it| pattern(it)).collect(),
        when: None,
        ignore_changes_by: vec![],
        enrich: EnrichWish::All,
        full: false,
        on_missing: MissingPolicy::Quarantine,
        sends: vec![send("out")],
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a route has it")]
fn when(text: &str) -> Option<Condition> {
    Some(Condition::compile(text, Place::Route).unwrap())
}

fn fields(names: &[&str]) -> EnrichWish {
    EnrichWish::Fields(names.iter().map(|it| (*it).to_owned()).collect())
}

fn send(to: &str) -> Send {
    Send {
        name: SendName::new(to),
        to: DestinationName::new(to),
        key: None,
        body: None,
        write: None,
        on_failure: FailurePolicy::Quarantine,
    }
}

fn template(text: &str) -> Template {
    Template::compile(text, Place::Route).unwrap()
}

fn body(value: &Value) -> BodyTemplate {
    match value {
        Value::String(text) => BodyTemplate::Template(template(text)),
        Value::Array(items) => BodyTemplate::List(items.iter().map(body).collect()),
        Value::Object(map) => {
            BodyTemplate::Map(map.iter().map(|(k, v)| (k.clone(), body(v))).collect())
        }
        other => BodyTemplate::Literal(other.clone()),
    }
}

fn change(module: &str, operation: &str) -> Change {
    Change {
        id: ChangeId::from_uuid(Uuid::from_u128(1)),
        notification: NotificationId::from_uuid(Uuid::from_u128(2)),
        operation: Operation::parse(operation),
        server_time: at("2026-11-20T10:00:00.1239Z"),
        accepted_at: at("2026-11-20T10:00:01Z"),
        ..sample::change(module, "554023000000527002")
    }
}

fn record(value: Value) -> Option<Record> {
    let Value::Object(values) = value else {
        return None;
    };
    Some(Record {
        fields: values.keys().cloned().collect(),
        values,
    })
}

/// An update of a deal; `null` for no record.
fn event(record_now: Value, before: Value) -> EnrichedEvent {
    let record_now = record(record_now);
    EnrichedEvent {
        change: change("Deals", "update"),
        sequence: Some(Sequence::new(1_700_000_000_000_000)),
        state: RecordState::Present,
        record: record_now,
        before: record(before),
        read_at: Some(at("2026-11-20T10:00:03Z")),
        body: None,
    }
}

/// A field that was asked for and is null.
fn ask_for(event: &mut EnrichedEvent, field: &str) {
    event
        .record
        .as_mut()
        .unwrap()
        .fields
        .insert(field.to_owned());
}

fn deleted(before: Value) -> EnrichedEvent {
    let mut event = event(Value::Null, before);
    event.change.operation = Operation::Delete;
    event.state = RecordState::Deleted;
    event.read_at = None;
    event
}

/// What one route with this condition does: its type's last words, or why not.
fn verdict(condition: &str, event: &EnrichedEvent) -> String {
    let mut route = route("r", &["*.*"]);
    route.when = when(condition);
    let table = RouteTable::new(vec![route]);
    let decisions = table.decide(event, at(NOW));
    let unknown = if decisions[0].changed_unknown {
        ", changed unknown"
    } else {
        ""
    };
    format!("{:?}{unknown}", decisions[0].outcome)
}

const MATCHED: &str = "Matched { left: false }";
const LEFT: &str = "Matched { left: true }";

#[test]
fn routes_listen_by_module_operation_and_source() {
    let mut from_hook = route("from-hook", &["*.*"]);
    from_hook.from = vec![SourceName::new("hook")];
    let mut own = route("own", &["*.*"]);
    own.from = vec![SourceName::new("zohook")];
    let table = RouteTable::new(vec![
        route("all", &["*.*"]),
        route("deals", &["Deals.*"]),
        route("inserts", &["*.create"]),
        route("edits", &["Deals.edit", "Leads.update", "Deals.update"]),
        from_hook,
        own,
    ]);
    let listening = |source: &str, module: &str, operation: &str| {
        let mut event = event(json!({}), json!({}));
        event.change = Change {
            source: SourceName::new(source),
            ..change(module, operation)
        };
        let names: Vec<String> = table
            .decide(&event, at(NOW))
            .iter()
            .map(|it| it.route().name.to_string())
            .collect();
        assert_eq!(table.wants(&event.change).is_none(), names.is_empty());
        names.join(" ")
    };
    let cases = [
        ("crm", "Deals", "update", "all deals edits"),
        ("crm", "Deals", "insert", "all deals inserts"),
        ("crm", "Leads", "update", "all edits"),
        ("crm", "Leads", "merge", "all"),
        ("crm", "deals", "update", "all"),
        ("hook", "Leads", "delete", "all from-hook"),
        ("zohook", "Deals", "update", "own"),
    ];
    for (source, module, operation, expected) in cases {
        assert_eq!(
            listening(source, module, operation),
            expected,
            "{source} {module} {operation}"
        );
    }
    let reaches =
        |source: &str| table.reaches(&SourceName::new(source), &DestinationName::new("out"));
    assert!(reaches("crm") && reaches("zohook"));
    assert!(!table.reaches(&SourceName::new("crm"), &DestinationName::new("other")));
    assert_eq!(
        table.destinations(),
        BTreeSet::from([&DestinationName::new("out")])
    );
    assert_eq!(
        RouteTable::default().wants(&change("Deals", "update")),
        None
    );
}

#[test]
fn what_is_asked_for_is_the_union_of_what_listening_routes_read_and_send() {
    let deals = |change: fn(&mut Route)| {
        let mut it = route("r", &["Deals.*"]);
        change(&mut it);
        it
    };
    let set = |names: &[&str]| Listen::Fields(names.iter().map(|it| (*it).to_owned()).collect());
    let lists = |it: &mut Route| it.enrich = fields(&["Amount"]);
    let none = |it: &mut Route| it.enrich = EnrichWish::None;
    let own_body: fn(&mut Route) = |it| {
        it.sends[0].body = Some(body(&json!({"n": ["{{ record.Deal_Name }}", 1]})));
        it.sends[0].key = Some(template("x.{{ record.Stage }}"));
    };
    let cases: Vec<(&str, Vec<Route>, Listen)> = vec![
        (
            "the default message without a list",
            vec![deals(|_| {})],
            Listen::All,
        ),
        ("a list", vec![deals(lists)], set(&["Amount"])),
        (
            "an empty list",
            vec![deals(|it| it.enrich = fields(&[]))],
            set(&[]),
        ),
        (
            "a list and a condition",
            vec![deals(|it| {
                it.enrich = fields(&["Amount"]);
                it.when = when("record.Stage == 'x' && changed('Owner') && before.Was == 1");
            })],
            set(&["Amount", "Owner", "Stage", "Was"]),
        ),
        (
            "own bodies only",
            vec![deals(own_body)],
            set(&["Deal_Name", "Stage"]),
        ),
        (
            "own body with the whole record",
            vec![deals(|it| {
                it.sends[0].body = Some(body(&json!("{{ record }}")));
            })],
            Listen::All,
        ),
        (
            "a list and the whole record",
            vec![deals(|it| {
                it.enrich = fields(&["Amount"]);
                it.sends[0].body = Some(body(&json!("{{ record }}")));
            })],
            set(&["Amount"]),
        ),
        (
            "own body that reads nothing",
            vec![deals(|it| {
                it.sends[0].body = Some(body(&json!("{{ event.id }}")));
            })],
            Listen::NoRecord,
        ),
        ("none", vec![deals(none)], Listen::NoRecord),
        (
            "none, but a condition reads",
            vec![deals(|it| {
                it.enrich = EnrichWish::None;
                it.when = when("record.Amount > 1");
            })],
            set(&["Amount"]),
        ),
        (
            "none beside a list",
            vec![deals(none), deals(lists)],
            set(&["Amount"]),
        ),
        (
            "all beside a list",
            vec![deals(|_| {}), deals(lists)],
            Listen::All,
        ),
        (
            "another module's",
            vec![deals(lists), route("l", &["Leads.*"])],
            set(&["Amount"]),
        ),
    ];
    for (name, routes, expected) in cases {
        let table = RouteTable::new(routes);
        assert_eq!(
            table.wants(&change("Deals", "update")).unwrap().listen,
            expected,
            "{name}"
        );
        let delete = table.wants(&change("Deals", "delete")).unwrap();
        assert_eq!(
            delete.listen,
            Listen::NoRecord,
            "{name}: a delete needs no read"
        );
        assert!(!delete.full, "{name}");
    }
}

#[test]
fn the_other_wishes_are_joined_too() {
    let wants = |routes: Vec<Route>, operation: &str, generic: bool| {
        let mut it = change("Deals", operation);
        if generic {
            it.connection = None;
        }
        RouteTable::new(routes).wants(&it).unwrap()
    };
    let quiet = || {
        let mut it = route("r", &["*.*"]);
        it.enrich = EnrichWish::None;
        it
    };
    let with = |change: &dyn Fn(&mut Route)| {
        let mut it = route("r", &["*.*"]);
        it.enrich = fields(&["A"]);
        it.sends[0].body = Some(body(&json!("x")));
        change(&mut it);
        it
    };
    let cases: Vec<(&str, Wants, [bool; 3])> = vec![
        // full, before, body
        (
            "nothing",
            wants(vec![quiet()], "update", false),
            [false, false, false],
        ),
        (
            "default message",
            wants(vec![route("r", &["*.*"])], "update", false),
            [false, true, false],
        ),
        (
            "own body",
            wants(vec![with(&|_| {})], "update", false),
            [false, false, false],
        ),
        (
            "full",
            wants(vec![quiet(), with(&|it| it.full = true)], "update", false),
            [true, false, false],
        ),
        (
            "changed",
            wants(
                vec![with(&|it| it.when = when("changed('A')"))],
                "update",
                false,
            ),
            [false, true, false],
        ),
        (
            "left",
            wants(vec![with(&|it| it.when = when("left()"))], "update", false),
            [false, true, false],
        ),
        (
            "last known",
            wants(
                vec![with(&|it| it.when = when("record.A == 1"))],
                "delete",
                false,
            ),
            [false, true, false],
        ),
        (
            "body",
            wants(
                vec![with(&|it| it.when = when("body.x == 1"))],
                "update",
                false,
            ),
            [false, false, true],
        ),
        (
            "generic",
            wants(vec![quiet()], "update", true),
            [false, false, true],
        ),
        (
            "generic, own body",
            wants(vec![with(&|_| {})], "update", true),
            [false, false, false],
        ),
    ];
    for (name, wants, expected) in cases {
        assert_eq!([wants.full, wants.before, wants.body], expected, "{name}");
    }
}

#[test]
fn changed_asks_the_callback_then_the_snapshot_then_assumes() {
    let now = json!({"Stage": "Won", "Amount": 5, "Gone": null});
    let cases = [
        (Some(vec!["Stage"]), json!({}), "changed('Stage')", MATCHED),
        (
            Some(vec!["Amount"]),
            json!({"Stage": "Open"}),
            "changed('Stage')",
            "Unmatched",
        ),
        (
            Some(vec![]),
            json!({}),
            "changed('Stage')",
            "Matched { left: false }, changed unknown",
        ),
        (None, json!({"Stage": "Open"}), "changed('Stage')", MATCHED),
        (
            None,
            json!({"Stage": "Won"}),
            "changed('Stage')",
            "Unmatched",
        ),
        (None, json!({"Gone": 1}), "changed('Gone')", MATCHED),
        (None, json!({"Gone": null}), "changed('Gone')", "Unmatched"),
        (
            None,
            json!({"Amount": 5}),
            "changed('Stage')",
            "Matched { left: false }, changed unknown",
        ),
        (
            None,
            Value::Null,
            "changed('Stage')",
            "Matched { left: false }, changed unknown",
        ),
        (
            None,
            json!({"Else": 1}),
            "changed('Else')",
            "Matched { left: false }, changed unknown",
        ),
        (
            None,
            Value::Null,
            "record.Amount > 9 && changed('Stage')",
            "Unmatched",
        ),
    ];
    for (affected, before, condition, expected) in cases {
        let mut event = event(now.clone(), before.clone());
        event.change.affected_fields = affected
            .as_ref()
            .map(|it| it.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(
            verdict(condition, &event),
            expected,
            "{affected:?} {before} {condition}"
        );
    }
}

#[test]
fn left_is_true_when_the_condition_held_before_and_no_longer_does() {
    let big = "record.Amount >= 50 || left()";
    let only_left = "left()";
    let cases = [
        (json!({"Amount": 60}), json!({"Amount": 70}), big, MATCHED),
        (json!({"Amount": 40}), json!({"Amount": 70}), big, LEFT),
        (
            json!({"Amount": 40}),
            json!({"Amount": 30}),
            big,
            "Unmatched",
        ),
        (json!({"Amount": 40}), Value::Null, big, "Unmatched"),
        (json!({"Amount": null}), json!({"Amount": 70}), big, LEFT),
        (
            json!({"Amount": null}),
            json!({"Amount": null}),
            big,
            "NullOrdered",
        ),
        (
            json!({"Amount": 40}),
            json!({"Amount": 70}),
            "record.Amount >= 50 && !left()",
            "Unmatched",
        ),
        // Nothing but left() never held.
        (
            json!({"Amount": 40}),
            json!({"Amount": 70}),
            only_left,
            "Unmatched",
        ),
        (
            json!({"Amount": "x"}),
            json!({"Amount": 70}),
            big,
            "Failed(\"no order between string and int\")",
        ),
        (
            json!({"Amount": 40}),
            json!({"Amount": "x"}),
            big,
            "Failed(\"no order between string and int\")",
        ),
    ];
    for (now, before, condition, expected) in cases {
        let event = event(now.clone(), before.clone());
        assert_eq!(
            verdict(condition, &event),
            expected,
            "{now} {before} {condition}"
        );
    }
    // On a delete the condition sees the record as it was: it has not left, it is deleted.
    assert_eq!(verdict(big, &deleted(json!({"Amount": 70}))), MATCHED);
    assert_eq!(verdict(big, &deleted(json!({"Amount": 7}))), "Unmatched");
    assert_eq!(verdict(big, &deleted(Value::Null)), "NullOrdered");
}

#[test]
fn keys_and_ids_see_no_field_that_only_other_routes_asked_for() {
    let read = json!({"id": "1", "Amount": 5, "Other": "x", "Modified_Time": "t"});
    let event = event(read.clone(), read);
    let sees = "{{ size(record) }} {{ size(before) }}";
    let keyed = Send {
        key: Some(template(sees)),
        ..send("queue")
    };
    let named = written(Action::Update, Some(sees), &json!({}));
    let table = |one: Send| {
        let mut listed = route("r", &["*.*"]);
        listed.enrich = fields(&["Amount"]);
        listed.sends = vec![one];
        RouteTable::new(vec![listed])
    };
    let delivery = only_delivery(&table(keyed), &event);
    assert_eq!(delivery.message.routing_key.as_deref(), Some("3 3"));
    assert_eq!(data(&table(named), &event)["id"], "3 3");
}

fn only_delivery(table: &RouteTable, event: &EnrichedEvent) -> crate::event::NewDelivery {
    match table.plan(event, at(NOW)) {
        Plan::Deliver(mut deliveries) if deliveries.len() == 1 => deliveries.remove(0),
        other => panic!("one delivery expected: {other:?}"),
    }
}

fn data(table: &RouteTable, event: &EnrichedEvent) -> Value {
    serde_json::from_slice(&only_delivery(table, event).message.data).unwrap()
}

#[test]
fn a_default_message_in_full() {
    let mut route = route("big-deals", &["Deals.update"]);
    route.enrich = fields(&["Amount", "Stage", "Empty"]);
    let mut event = event(
        json!({"id": "554023000000527002", "Amount": 60000, "Stage": "Won", "Secret": "x",
               "Modified_Time": "2026-11-20T10:00:00+05:30"}),
        json!({"Amount": 100, "Stage": "Open", "Secret": "y"}),
    );
    event.change.affected_fields = Some(vec!["Stage".to_owned(), "Amount".to_owned()]);
    ask_for(&mut event, "Empty");
    let delivery = only_delivery(&RouteTable::new(vec![route]), &event);
    let attributes: Vec<String> = delivery
        .message
        .attributes
        .pairs()
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    insta::assert_snapshot!(format!(
        "{}\n\n{} {}\n{}\n",
        attributes.join("\n"),
        delivery.message.content_type,
        delivery.message.routing_key.unwrap(),
        String::from_utf8(delivery.message.data.to_vec()).unwrap(),
    ), @r#"
    specversion: 1.0
    id: 72436647-adb1-56a1-9a65-5127b53b7f1c
    source: /zoho/acme/Deals
    type: com.zoho.crm.Deals.updated
    time: 2026-11-20T10:00:00.123Z
    origin: notification
    subject: 554023000000527002
    sequence: 0001700000000000000
    partitionkey: 554023000000527002
    changedfields: Stage,Amount
    recordreadat: 2026-11-20T10:00:03.000Z
    recordstate: present

    application/json Deals.update
    {"module":"Deals","operation":"update","id":"554023000000527002","record":{"Amount":60000,"Empty":null,"Modified_Time":"2026-11-20T10:00:00+05:30","Stage":"Won","id":"554023000000527002"},"before":{"Amount":100,"Stage":"Open","id":"554023000000527002"},"changed":["Stage","Amount"]}
    "#);
}

#[test]
fn each_route_sends_only_what_it_lists() {
    let read = json!({"id": "1", "Amount": 5, "Stage": "Won", "Other": "x", "Modified_Time": "t"});
    let mut with_missing = read.clone();
    with_missing["Missing"] = Value::Null;
    let mut listed = route("r", &["*.*"]);
    listed.enrich = fields(&["Amount", "Missing"]);
    listed.when = when("record.Stage == 'Won'");
    let mut whole = listed.clone();
    whole.sends[0].body = Some(body(
        &json!({"r": "{{ record }}", "other": "{{ record.Other }}"}),
    ));
    let mut sees = listed.clone();
    sees.when = when("size(record) == 4 && record.Stage == 'Won'");
    let mut none = route("r", &["*.*"]);
    none.enrich = EnrichWish::None;
    let cases = [
        ("all", route("r", &["*.*"]), "/record", with_missing),
        (
            "a list",
            listed,
            "/record",
            json!({"id": "1", "Amount": 5, "Missing": null, "Modified_Time": "t"}),
        ),
        (
            "a list, whole in a body",
            whole.clone(),
            "/r",
            json!({"id": "1", "Amount": 5, "Other": "x", "Modified_Time": "t"}),
        ),
        ("a body reads what it names", whole, "/other", json!("x")),
        (
            "a condition sees what it names",
            sees,
            "/record/Amount",
            json!(5),
        ),
        ("none", none, "/record", Value::Null),
    ];
    for (name, route, pointer, expected) in cases {
        let mut event = event(read.clone(), read.clone());
        ask_for(&mut event, "Missing");
        let data = data(&RouteTable::new(vec![route]), &event);
        assert_eq!(data.pointer(pointer), Some(&expected), "{name}: {data}");
    }
}

#[test]
fn messages_say_what_is_known_of_the_record() {
    let mut whole = route("r", &["*.*"]);
    whole.on_missing = MissingPolicy::Send;
    let table = RouteTable::new(vec![whole]);
    let mut quiet = route("r", &["*.*"]);
    quiet.enrich = EnrichWish::None;
    let quiet = RouteTable::new(vec![quiet]);
    let unreadable = || EnrichedEvent {
        state: RecordState::Unreadable(Unread::Missing),
        record: None,
        ..event(Value::Null, json!({"A": 1}))
    };
    let present = || event(json!({"A": 1}), Value::Null);
    let cases = [
        (
            &table,
            present(),
            Some("present"),
            json!({"A": 1, "id": "554023000000527002"}),
            None,
        ),
        (
            &table,
            deleted(json!({"A": 1})),
            Some("deleted"),
            Value::Null,
            Some(1),
        ),
        (
            &table,
            deleted(Value::Null),
            Some("deleted"),
            Value::Null,
            None,
        ),
        (
            &table,
            unreadable(),
            Some("unreadable"),
            Value::Null,
            Some(1),
        ),
        (&quiet, present(), None, Value::Null, None),
        (
            &quiet,
            deleted(json!({"A": 1})),
            Some("deleted"),
            Value::Null,
            None,
        ),
    ];
    for (table, event, state, record, before) in cases {
        let attributes = only_delivery(table, &event).message.attributes;
        let data = data(table, &event);
        assert_eq!(attributes.recordstate.as_deref(), state, "{data}");
        assert_eq!(data["record"], record);
        assert_eq!(
            data.pointer("/before/A").and_then(Value::as_i64),
            before,
            "{data}"
        );
    }
}

#[test]
fn a_generic_event_carries_its_body() {
    let table = RouteTable::new(vec![route("r", &["billing.*"])]);
    let mut event = event(Value::Null, Value::Null);
    event.change = Change {
        source: SourceName::new("billing"),
        connection: None,
        record: Some(RecordId::new("sub-1")),
        event_type: Some("com.zoho.billing.renewed".to_owned()),
        ..change("billing", "renewed")
    };
    event.state = RecordState::NotRead;
    event.read_at = None;
    event.body = Some(Body::Json(json!({"a": [1]})));
    let delivery = only_delivery(&table, &event);
    let attributes = &delivery.message.attributes;
    assert_eq!(attributes.source, "/generic/billing");
    assert_eq!(attributes.event_type, "com.zoho.billing.renewed");
    assert_eq!(attributes.subject.as_deref(), Some("sub-1"));
    let expected =
        r#"{"module":"billing","operation":"renewed","id":"sub-1","record":null,"body":{"a":[1]}}"#;
    assert_eq!(delivery.message.data, expected);

    event.change.record = None;
    let attributes = only_delivery(&table, &event).message.attributes;
    assert_eq!(
        [
            attributes.subject,
            attributes.partitionkey,
            attributes.sequence
        ],
        [None, None, None]
    );
}

#[test]
fn keys_and_bodies_are_rendered() {
    let table = |key: Option<&str>, text: Value| {
        let mut it = route("r", &["*.*"]);
        it.when = when("record.Amount > 50 || left()");
        it.sends[0].key = key.map(template);
        it.sends[0].body = Some(body(&text));
        RouteTable::new(vec![it])
    };
    let plain = json!("x");
    let event_now = event(json!({"Amount": 60, "Name": "ä", "Stage": null}), json!({}));
    let gone = event(json!({"Amount": 1, "Name": "ä"}), json!({"Amount": 60}));
    let cases = [
        (
            table(None, plain.clone()),
            &event_now,
            "Deals.update",
            "text/plain; charset=utf-8",
            "x",
        ),
        (
            table(
                Some("d.{{ event.operation }}"),
                json!({"b": "{{ record.Amount }}", "a": ["{{ record.Name }}!", 1, null]}),
            ),
            &event_now,
            "d.update",
            "application/json",
            r#"{"a":["ä!",1,null],"b":60}"#,
        ),
        (
            table(None, json!("{{ record.Amount }}")),
            &event_now,
            "Deals.update",
            "application/json",
            "60",
        ),
        (
            table(None, json!("{{ record.Name }}")),
            &event_now,
            "Deals.update",
            "text/plain; charset=utf-8",
            "ä",
        ),
        (
            table(
                Some("{{ record.Amount }}"),
                json!("{{ left() }} {{ event.type }}"),
            ),
            &gone,
            "1",
            "text/plain; charset=utf-8",
            "true com.zoho.crm.Deals.updated.left",
        ),
    ];
    for (table, event, key, content_type, data) in cases {
        let message = only_delivery(&table, event).message;
        assert_eq!(message.routing_key.as_deref(), Some(key));
        assert_eq!(message.content_type, content_type);
        assert_eq!(message.data, data.as_bytes());
        assert_eq!(
            message.attributes.event_type.contains("updated.left"),
            std::ptr::eq(event, &raw const gone)
        );
    }
    // On a delete keys go where the record's other messages went; bodies hold no record.
    let delete = deleted(json!({"Amount": 60, "Name": "ä"}));
    let message = only_delivery(
        &table(Some("d.{{ record.Name }}"), json!("<{{ record.Name }}>")),
        &delete,
    )
    .message;
    assert_eq!(
        (message.routing_key.as_deref(), &*message.data),
        (Some("d.ä"), b"<>".as_slice())
    );
}

#[test]
fn what_cannot_be_computed_sets_the_change_aside_without_its_content() {
    let with = |condition: &str, key: &str, text: Value| {
        let mut it = route("r", &["*.*"]);
        it.when = when(condition);
        it.sends[0].key = Some(template(key));
        it.sends[0].body = Some(body(&text));
        RouteTable::new(vec![route("fine", &["*.*"]), it])
    };
    let condition_error = QuarantineReason::ConditionError;
    let long = "{{ record.Long }}";
    let cases = [
        (
            with("record.Name > 1", "k", json!("x")),
            condition_error,
            "route `r`: when: no order between string and int",
        ),
        (
            with("true", "{{ record.Name + 1 }}", json!("x")),
            condition_error,
            "route `r`, send `out`: `+` does not take string and int",
        ),
        (
            with("true", "k", json!({"a": ["{{ record.Empty.x }}"]})),
            condition_error,
            "route `r`, send `out`: null_type has no fields or items",
        ),
        (
            with("true", "k", json!("{{ record.Empty > 1 }}")),
            condition_error,
            "route `r`, send `out`: null has no order",
        ),
        (
            with("true", "{{ record.Empty }}", json!("x")),
            QuarantineReason::Unrenderable,
            "route `r`, send `out`: the routing key is null",
        ),
        (
            with("true", "{{ record }}", json!("x")),
            QuarantineReason::Unrenderable,
            "route `r`, send `out`: the routing key is not a text",
        ),
        (
            with("true", long, json!("x")),
            QuarantineReason::Unrenderable,
            "route `r`, send `out`: the routing key is longer than 255 bytes",
        ),
    ];
    let event = event(
        json!({"Name": "Planted", "Empty": null, "Long": "x".repeat(256)}),
        json!({}),
    );
    for (table, expected, message) in cases {
        match table.plan(&event, at(NOW)) {
            Plan::Quarantine { reason, detail, .. } => {
                assert_eq!((reason, detail.as_str()), (expected, message));
            }
            other => panic!("{message}: {other:?}"),
        }
    }
}

#[test]
fn a_plan_has_every_send_of_every_matching_route_and_is_the_same_every_time() {
    let mut two = route("two", &["*.*"]);
    two.sends = vec![send("b"), send("a")];
    let mut not = route("not", &["*.*"]);
    not.when = when("false");
    let table = RouteTable::new(vec![two, not, route("one", &["Deals.update"])]);
    let event = event(json!({"A": 1.5, "B": {"z": 1, "a": [2]}}), json!({"A": 1}));
    let planned = table.plan(&event, at(NOW));
    assert_eq!(planned, table.plan(&event, at("2030-01-01T00:00:00Z")));
    let Plan::Deliver(deliveries) = planned else {
        panic!("routes match")
    };
    let names: Vec<_> = deliveries
        .iter()
        .map(|it| format!("{}/{}", it.route, it.send))
        .collect();
    assert_eq!(names, ["two/b", "two/a", "one/out"]);
    let ids: BTreeSet<_> = deliveries.iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), 3);
    for delivery in &deliveries {
        assert_eq!(delivery.message.attributes.id, delivery.id.to_string());
    }
    let unmatched = RouteTable::new(vec![Route {
        when: when("false"),
        ..route("r", &["*.*"])
    }]);
    assert_eq!(unmatched.plan(&event, at(NOW)), Plan::Unmatched);
}

/// What is planned of a change whose record is not to be had: the routes that deliver, and how the change ends.
fn without_record(routes: &[&Route], why: Unread) -> (Vec<String>, String) {
    let table = RouteTable::new(routes.iter().map(|it| (*it).clone()).collect());
    let event = EnrichedEvent {
        state: RecordState::Unreadable(why),
        read_at: None,
        ..event(Value::Null, Value::Null)
    };
    let (deliveries, end) = match table.plan(&event, at(NOW)) {
        Plan::Deliver(deliveries) => (deliveries, "planned".to_owned()),
        Plan::Unmatched => (vec![], "unmatched".to_owned()),
        Plan::Superseded => (vec![], "superseded".to_owned()),
        Plan::Quarantine {
            reason,
            detail,
            deliveries,
        } => {
            let (_, routes) = detail.split_once("; for ").unwrap();
            (deliveries, format!("{reason} for {routes}"))
        }
    };
    let names = deliveries.iter().map(|it| it.route.to_string());
    (names.collect(), end)
}

#[test]
fn each_route_says_for_itself_what_a_missing_record_means() {
    let strict = route("strict", &["*.*"]);
    let with = |name: &str, make: &dyn Fn(&mut Route)| {
        let mut route = route(name, &["*.*"]);
        make(&mut route);
        route
    };
    let bare = with("bare", &|it| it.enrich = EnrichWish::None);
    let lenient = with("lenient", &|it| it.on_missing = MissingPolicy::Send);
    let other = with("other", &|it| it.when = when("event.operation == 'insert'"));
    let asks = with("asks", &|it| it.when = when("record.Stage == 'x'"));
    let by = with("by", &|it| {
        it.enrich = EnrichWish::None;
        it.ignore_changes_by = vec!["77".to_owned()];
    });
    let refused = || Unread::Refused {
        reason: QuarantineReason::StaleRead,
        detail: "old".to_owned(),
    };
    let cases: [(&[&Route], Unread, &[&str], &str); 12] = [
        (
            &[&strict],
            Unread::Missing,
            &[],
            "record_missing for `strict`",
        ),
        (
            &[&bare, &strict, &lenient, &asks, &by],
            Unread::Missing,
            &["bare", "lenient"],
            "record_missing for `strict`, `asks`, `by`",
        ),
        (
            &[&bare, &lenient],
            Unread::Missing,
            &["bare", "lenient"],
            "planned",
        ),
        (&[&bare, &other], Unread::Missing, &["bare"], "planned"),
        (&[&other], Unread::Missing, &[], "unmatched"),
        (&[&asks], Unread::Missing, &[], "record_missing for `asks`"),
        (&[&bare, &strict], Unread::Deleted, &["bare"], "planned"),
        (&[&strict, &lenient], Unread::Deleted, &[], "superseded"),
        (&[&other], Unread::Deleted, &[], "unmatched"),
        (&[&lenient], refused(), &[], "stale_read for `lenient`"),
        (
            &[&lenient, &bare],
            refused(),
            &["bare"],
            "stale_read for `lenient`",
        ),
        (&[&bare], refused(), &["bare"], "planned"),
    ];
    for (routes, why, delivering, end) in cases {
        let names: Vec<_> = routes.iter().map(|it| it.name.as_str()).collect();
        let (delivered, ended) = without_record(routes, why.clone());
        assert_eq!(delivered, delivering, "{names:?} {why:?}");
        assert_eq!(ended, end, "{names:?} {why:?}");
    }
}

#[test]
fn decisions_are_counted_by_route() {
    let registry = prometheus::Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let table = RouteTable::new(vec![
        route("all", &["*.*"]),
        Route {
            when: when("record.A > 1"),
            ..route("nulls", &["*.*"])
        },
        Route {
            when: when("changed('B') && false"),
            ..route("unknown", &["*.*"])
        },
    ]);
    let event = event(json!({"A": null}), Value::Null);
    for _ in 0..2 {
        assert_eq!(
            table.plan_counted(&event, at(NOW), &metrics),
            table.plan(&event, at(NOW))
        );
    }
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    let lines: Vec<_> = text.lines().filter(|it| !it.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            r#"zohook_route_changed_unknown_total{route="unknown"} 2"#,
            r#"zohook_route_matches_total{route="all"} 2"#,
            r#"zohook_route_null_comparisons_total{route="nulls"} 2"#,
        ]
    );
}

fn written(action: Action, id: Option<&str>, body_value: &Value) -> Send {
    Send {
        write: Some(Write {
            action,
            module: ModuleName::new("Contacts"),
            unique_fields: vec!["Email".to_owned()],
            trigger: Some(vec![]),
            id: id.map(template),
        }),
        body: Some(body(body_value)),
        ..send("crm-back")
    }
}

/// The data of the only delivery.
fn only_data(plan: &Plan) -> (String, String) {
    let Plan::Deliver(deliveries) = plan else {
        panic!("{plan:?}")
    };
    let data = String::from_utf8(deliveries[0].message.data.to_vec()).unwrap();
    (deliveries[0].id.to_string(), data)
}

#[test]
fn a_send_to_zoho_holds_the_whole_command() {
    let event = event(
        json!({"Stage": "Won", "Contact": {"id": "77"}}),
        Value::Null,
    );
    let planned = |sends: Vec<Send>| {
        let table = RouteTable::new(vec![Route {
            sends,
            ..route("back", &["*.*"])
        }]);
        table.plan(&event, at(NOW))
    };
    let update = written(
        Action::Update,
        Some("{{ record.Contact.id }}"),
        &json!({"Title": "{{ record.Stage }}", "Age": 5}),
    );
    let (_, data) = only_data(&planned(vec![update]));
    assert_eq!(
        data,
        r#"{"action":"update","module":"Contacts","id":"77","unique_fields":["Email"],"trigger":[],"values":{"Age":5,"Title":"Won"}}"#
    );

    let create = written(Action::Create, None, &json!({"Title": "x"}));
    let (id, data) = only_data(&planned(vec![create]));
    let expected = format!(r#""values":{{"Title":"x","Email":"{id}"}}}}"#);
    assert!(data.ends_with(&expected), "{data}");

    let nobody = written(Action::Update, Some("{{ record.Nobody }}"), &json!({}));
    match planned(vec![nobody]) {
        Plan::Quarantine { reason, detail, .. } => {
            assert_eq!(reason, QuarantineReason::Unrenderable);
            assert_eq!(detail, "route `back`, send `crm-back`: the id is null");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn changes_by_ignored_users_do_not_match() {
    let table = RouteTable::new(vec![Route {
        ignore_changes_by: vec!["77".to_owned()],
        enrich: EnrichWish::None,
        sends: vec![Send {
            body: Some(body(&json!({"a": 1}))),
            ..send("out")
        }],
        ..route("back", &["*.*"])
    }]);
    let mut event = event(json!({"Modified_By": {"id": "77"}}), Value::Null);
    let matches = |event: &EnrichedEvent| table.plan(event, at(NOW)) != Plan::Unmatched;
    assert_eq!(
        table.wants(&event.change).unwrap().listen,
        Listen::Fields(BTreeSet::from(["Modified_By".to_owned()]))
    );
    assert!(!matches(&event));
    event.record = record(json!({"Modified_By": {"id": "78"}}));
    assert!(matches(&event));
    let told = json!({"Modified_By": {"name": "a", "id": "77"}});
    event.change.values = told.as_object().cloned();
    assert!(!matches(&event), "the callback is nearer than the record");

    let deleted = EnrichedEvent {
        change: change("Deals", "delete"),
        before: event.record.take(),
        ..event
    };
    assert!(matches(&deleted), "who deleted it is not known");
}
