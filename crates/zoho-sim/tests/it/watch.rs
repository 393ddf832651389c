//! Channels, and the callbacks they cause.

use std::{collections::BTreeSet, time::Duration};

use clock::Clock;
use reqwest::StatusCode;
use serde_json::{Value, json};
use zoho_sim::Settings;

use crate::support::{Org, Receiver};

const WATCH: &str = "/crm/v8/actions/watch";
/// The simulated time all of these tests begin at.
const START: &str = "2026-11-22T12:00:00Z";

fn channel(url: &str, events: &[&str]) -> Value {
    json!({"watch": [{"channel_id": "1000000068001", "events": events, "notify_url": url, "token": "secret-1"}]})
}

async fn org_at_start() -> (Org, clock::Simulated) {
    let (clock, hand) = Clock::simulated(START.parse().unwrap());
    let settings = Settings {
        clock,
        ..Settings::on_loopback()
    };
    (Org::with(settings).await, hand)
}

#[tokio::test]
async fn enabling_tells_the_expiry_that_counts() {
    let (org, _hand) = org_at_start().await;
    let mut body = channel("http://127.0.0.1:9/in/crm?k=v", &["Deals.all"]);
    let base = org.sim.base_url();
    for (asked, given) in [
        (json!(null), "2026-11-22T18:30:00+05:30"),
        (
            json!("2026-11-25T12:00:00+00:00"),
            "2026-11-25T17:30:00+05:30",
        ),
        (json!("2026-11-29T12:00:00Z"), "2026-11-29T17:30:00+05:30"),
        // Over a week: an hour, silently.
        (json!("2026-11-29T12:00:01Z"), "2026-11-22T18:30:00+05:30"),
        (
            json!("2026-12-31T23:59:59+05:30"),
            "2026-11-22T18:30:00+05:30",
        ),
    ] {
        body["watch"][0]["channel_expiry"] = asked;
        let answer = org.post(WATCH, &body).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        let module_id = &answer.body["watch"][0]["details"]["events"][0]["resource_id"];
        assert_eq!(
            answer.body,
            json!({"watch": [{
                "code": "SUCCESS",
                "details": {"events": [{
                    "channel_expiry": given,
                    "resource_uri": format!("{base}/crm/v2/Deals"),
                    "resource_id": module_id,
                    "resource_name": "Deals",
                    "channel_id": "1000000068001",
                }]},
                "message": "Successfully subscribed for actions-watch of the given module",
                "status": "success",
            }]})
        );
    }
}

#[tokio::test]
async fn what_enable_refuses() {
    let (org, _hand) = org_at_start().await;
    for (key, value, code) in [
        ("token", json!("x".repeat(51)), "INVALID_DATA"),
        (
            "channel_expiry",
            json!("2026-11-22T15:00:00.0000000+00:00"),
            "INVALID_DATA",
        ),
        (
            "channel_expiry",
            json!("2026-11-22T15:00:00"),
            "INVALID_DATA",
        ),
        ("channel_id", json!(null), "MANDATORY_NOT_FOUND"),
        ("channel_id", json!("no-number"), "INVALID_DATA"),
        ("notify_url", json!(null), "MANDATORY_NOT_FOUND"),
        (
            "notify_url",
            json!(format!("http://a.example/{}", "x".repeat(255))),
            "INVALID_DATA",
        ),
        ("events", json!(null), "MANDATORY_NOT_FOUND"),
        ("events", json!(["Llamas.all"]), "INVALID_DATA"),
        ("events", json!(["Notes.all"]), "INVALID_DATA"),
        ("events", json!(["Leads.insert"]), "INVALID_DATA"),
    ] {
        let mut body = channel("http://127.0.0.1:9/", &["Leads.all"]);
        body["watch"][0][key] = value;
        let answer = org.post(WATCH, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.body["watch"][0]["code"], code, "{body}");
        assert_eq!(answer.body["watch"][0]["details"]["api_name"], key);
    }
    let mut body = channel("http://127.0.0.1:9/", &["Leads.all"]);
    body["watch"]
        .as_array_mut()
        .unwrap()
        .push(json!({"channel_id": "2"}));
    assert_eq!(
        org.post(WATCH, &body).await.status,
        StatusCode::MULTI_STATUS
    );
}

#[tokio::test]
async fn channels_are_listed_one_entry_per_module_until_they_expire() {
    let (org, hand) = org_at_start().await;
    assert_eq!(org.get(WATCH).await.status, StatusCode::NO_CONTENT);
    org.post(
        WATCH,
        &channel("http://127.0.0.1:9/", &["Leads.all", "Deals.edit"]),
    )
    .await;
    let list = org.get(WATCH).await;
    assert_eq!(
        list.body["info"],
        json!({"per_page": 200, "count": 2, "page": 1, "more_records": false})
    );
    let entries = list.body["watch"].as_array().unwrap();
    assert_eq!(entries[0]["resource_name"], "Deals");
    assert_eq!(entries[0]["events"], json!(["Deals.edit"]));
    assert_eq!(entries[1]["channel_id"], "1000000068001");
    assert_eq!(entries[1]["token"], "secret-1");
    assert_eq!(entries[1]["notify_on_related_action"], true);
    assert_eq!(entries[1]["return_affected_field_values"], false);
    let events: BTreeSet<&str> = entries[1]["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert_eq!(
        events,
        BTreeSet::from(["Leads.create", "Leads.edit", "Leads.delete"])
    );
    let one = org.get(&format!("{WATCH}?module=Leads")).await;
    assert_eq!(one.body["info"]["count"], 1);
    let none = org.get(&format!("{WATCH}?channel_id=7")).await;
    assert_eq!(none.status, StatusCode::NO_CONTENT);
    // An hour less a second later it is still there.
    hand.advance(Duration::from_secs(3_599));
    let token = crate::support::refresh(&org.http, &org.sim).await.body["access_token"].clone();
    let org = Org {
        token: token.as_str().unwrap().to_owned(),
        ..org
    };
    assert_eq!(org.get(WATCH).await.status, StatusCode::OK);
    hand.advance(Duration::from_secs(1));
    assert_eq!(org.get(WATCH).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn channels_are_replaced_patched_trimmed_and_disabled() {
    let (org, _hand) = org_at_start().await;
    let url = "http://127.0.0.1:9/";
    let unknown = org.put(WATCH, &channel(url, &["Leads.all"])).await;
    assert_eq!(unknown.body["watch"][0]["code"], "NOT_SUBSCRIBED");
    org.post(WATCH, &channel(url, &["Leads.all"])).await;

    let patched = org
        .patch(WATCH, &json!({"watch": [{"channel_id": "1000000068001", "return_affected_field_values": true}]}))
        .await;
    assert_eq!(patched.status, StatusCode::OK);
    assert_eq!(
        patched.body["watch"][0]["message"],
        "Successfully updated the subscribe details"
    );
    let entry = org.get(WATCH).await.body["watch"][0].clone();
    assert_eq!(entry["return_affected_field_values"], true);
    assert_eq!(entry["token"], "secret-1");

    let mut bare = channel(url, &["Leads.all"]);
    bare["watch"][0].as_object_mut().unwrap().remove("token");
    assert_eq!(org.put(WATCH, &bare).await.status, StatusCode::OK);
    let entry = org.get(WATCH).await.body["watch"][0].clone();
    assert_eq!(entry["return_affected_field_values"], false);
    assert_eq!(entry["token"], Value::Null);

    let trimmed = org
        .patch(WATCH, &json!({"watch": [{"channel_id": "1000000068001", "_delete_events": true, "events": ["Leads.create", "Leads.delete"]}]}))
        .await;
    assert_eq!(
        trimmed.body["watch"][0]["message"],
        "Successfully removed the subscribe details"
    );
    let entry = org.get(WATCH).await.body["watch"][0].clone();
    assert_eq!(entry["events"], json!(["Leads.edit"]));

    let gone = org
        .delete(&format!("{WATCH}?channel_ids=1000000068001,7"))
        .await;
    assert_eq!(gone.status, StatusCode::MULTI_STATUS);
    assert_eq!(
        gone.body["watch"][0]["message"],
        "Successfully un-subscribed from actions-watch"
    );
    assert_eq!(gone.body["watch"][0]["details"]["resource_name"], "Leads");
    assert_eq!(gone.body["watch"][1]["code"], "NOT_SUBSCRIBED");
    assert_eq!(org.get(WATCH).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_insert_an_edit_and_a_delete_are_told() {
    let (org, _hand) = org_at_start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    let url = format!("{}?k=v%20w", receiver.url);
    let mut body = channel(&url, &["Leads.all"]);
    body["watch"][0]["return_affected_field_values"] = json!(true);
    org.post(WATCH, &body).await;

    let made = org
        .post(
            "/crm/v8/Leads",
            &json!({"data": [{"Last_Name": "A", "Company": "Old"}]}),
        )
        .await;
    let details = &made.body["data"][0]["details"];
    let id = details["id"].as_str().unwrap();
    org.put(
        &format!("/crm/v8/Leads/{id}"),
        &json!({"data": [{"Company": "New", "Last_Name": "A", "Phone": "555-555-1111"}]}),
    )
    .await;
    org.delete(&format!("/crm/v8/Leads/{id}")).await;

    let base = org.sim.base_url();
    let start: jiff::Timestamp = START.parse().unwrap();
    let at = start.as_millisecond();
    let callback =
        |server_time: i64, operation: &str, token: Value, fields: Value, values: Value| {
            json!({
                "server_time": server_time,
                "query_params": {"k": "v w"},
                "module": "Leads",
                "resource_uri": format!("{base}/crm/v2/Leads"),
                "ids": [id],
                "affected_fields": fields,
                "affected_values": [{"record_id": id, "values": values}],
                "operation": operation,
                "channel_id": "1000000068001",
                "token": token,
            })
        };
    let user = json!({"name": "Rosa Lark", "id": details["Created_By"]["id"], "email": "rosa.lark@example.com"});
    assert_eq!(
        receiver.all(&org.sim).await,
        [
            callback(
                at,
                "insert",
                json!("secret-1"),
                json!([]),
                json!({"Company": "Old", "Last_Name": "A"})
            ),
            callback(
                at + 1,
                "update",
                json!("secret-1"),
                json!([{id: ["Company", "Phone"]}]),
                json!({"Company": "New", "Phone": "555-555-1111"})
            ),
            callback(
                at + 2,
                "delete",
                Value::Null,
                json!([{id: ["Modified_By", "Record_Status__s"]}]),
                json!({"Modified_By": user, "Record_Status__s": 0})
            ),
        ]
    );
    let counters = org.sim.counters().callbacks;
    assert_eq!((counters.made, counters.ids, counters.sent), (3, 3, 3));
    assert_eq!(counters.answered.get(&200), Some(&3));
}

#[tokio::test]
async fn one_call_on_several_records_is_one_callback_with_several_ids() {
    let (org, _hand) = org_at_start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    org.post(
        WATCH,
        &channel(&receiver.url, &["Leads.create", "Leads.delete"]),
    )
    .await;
    let row = |name: &str| json!({"Last_Name": name, "Company": "C"});
    let made = org
        .post("/crm/v8/Leads", &json!({"data": [row("A"), {}, row("B")]}))
        .await;
    let id = |at: usize| {
        made.body["data"][at]["details"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    org.put(
        "/crm/v8/Leads",
        &json!({"data": [{"id": id(0), "City": "Rome"}]}),
    )
    .await;
    org.delete(&format!("/crm/v8/Leads?ids={},{}", id(0), id(2)))
        .await;
    let told = receiver.all(&org.sim).await;
    assert_eq!(told.len(), 2, "edits are not watched");
    for (callback, operation) in told.iter().zip(["insert", "delete"]) {
        assert_eq!(callback["operation"], operation);
        assert_eq!(callback["ids"], json!([id(0), id(2)]));
        assert_eq!(callback.get("affected_values"), None);
        assert_eq!(callback["query_params"], json!({}));
    }
}

#[tokio::test]
async fn an_edit_that_changes_nothing_or_no_selected_field_is_not_told() {
    let (org, _hand) = org_at_start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    let mut body = channel(&receiver.url, &["Leads.edit"]);
    body["watch"][0]["notification_condition"] = json!([{
        "type": "field_selection",
        "module": {"api_name": "Leads", "id": "1"},
        "field_selection": {"group_operator": "or", "group": [
            {"field": {"api_name": "Company", "id": "1"}},
            {"field": {"api_name": "Phone", "id": "2"}},
        ]},
    }]);
    assert_eq!(org.post(WATCH, &body).await.status, StatusCode::CREATED);
    let id = org
        .sim
        .insert("Leads", json!({"Last_Name": "A", "Company": "C"}))
        .unwrap();
    for values in [
        json!({"Company": "C"}),
        json!({"City": "Rome"}),
        json!({"Phone": "1"}),
    ] {
        org.sim.update("Leads", &id, values).unwrap();
    }
    let told = receiver.all(&org.sim).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["affected_fields"], json!([{id: ["Phone"]}]));
}

#[tokio::test]
async fn an_edit_is_echoed_to_the_looked_up_record_unless_told_not_to() {
    let (org, _hand) = org_at_start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    let account = org
        .sim
        .insert("Accounts", json!({"Account_Name": "Reed Ltd"}))
        .unwrap();
    let contact = org
        .sim
        .insert(
            "Contacts",
            json!({"Last_Name": "A", "Account_Name": {"id": account}}),
        )
        .unwrap();
    let mut body = channel(&receiver.url, &["Accounts.all"]);
    org.post(WATCH, &body).await;
    org.sim
        .update("Contacts", &contact, json!({"Phone": "1"}))
        .unwrap();
    body["watch"][0]["notify_on_related_action"] = json!(false);
    org.post(WATCH, &body).await;
    org.sim
        .update("Contacts", &contact, json!({"Phone": "2"}))
        .unwrap();
    let told = receiver.all(&org.sim).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["module"], "Accounts");
    assert_eq!(told[0]["ids"], json!([account]));
    assert_eq!(told[0]["operation"], "update");
}

#[tokio::test]
async fn an_expired_channel_is_silent() {
    let (org, hand) = org_at_start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    org.post(WATCH, &channel(&receiver.url, &["Leads.all"]))
        .await;
    org.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap();
    hand.advance(Duration::from_hours(1));
    org.sim.insert("Leads", json!({"Last_Name": "B"})).unwrap();
    assert_eq!(receiver.all(&org.sim).await.len(), 1);
}

#[tokio::test]
async fn a_refused_callback_is_not_repeated() {
    let (org, _hand) = org_at_start().await;
    let receiver = Receiver::start(StatusCode::SERVICE_UNAVAILABLE).await;
    org.post(WATCH, &channel(&receiver.url, &["Leads.all"]))
        .await;
    org.sim.insert("Leads", json!({"Last_Name": "A"})).unwrap();
    assert_eq!(receiver.all(&org.sim).await.len(), 1);
    let counters = org.sim.counters().callbacks;
    assert_eq!(counters.answered.get(&503), Some(&1));
    assert_eq!(counters.sent, 1);
}

#[tokio::test]
async fn callbacks_about_one_record_keep_their_order() {
    let (org, _hand) = org_at_start().await;
    let receiver = Receiver::start(StatusCode::OK).await;
    let mut body = channel(&receiver.url, &["Leads.all"]);
    body["watch"][0]["return_affected_field_values"] = json!(true);
    org.sim.watch(&body);
    let ids = org
        .sim
        .insert_many("Leads", vec![json!({"Last_Name": "A"}); 20])
        .unwrap();
    for round in 1..=50 {
        for id in &ids {
            org.sim
                .update("Leads", id, json!({"No_of_Employees": round}))
                .unwrap();
        }
    }
    let told = receiver.all(&org.sim).await;
    for id in &ids {
        let rounds: Vec<i64> = told
            .iter()
            .filter(|it| it["operation"] == "update" && it["ids"] == json!([id]))
            .map(|it| {
                it["affected_values"][0]["values"]["No_of_Employees"]
                    .as_i64()
                    .unwrap()
            })
            .collect();
        assert_eq!(rounds, (1..=50).collect::<Vec<_>>());
    }
}
