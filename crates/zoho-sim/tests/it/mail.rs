//! Mails to records.

use std::time::Duration;

use clock::Clock;
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};
use zoho_sim::{Settings, Sim};

use crate::support::{DEADLINE, Org};

fn path(org: &Org) -> String {
    let lead = json!({"Last_Name": "Marsh", "Company": "Reed Ltd"});
    let lead = org.sim.insert("Leads", lead).unwrap();
    format!("/crm/v8/Leads/{lead}/actions/send_mail")
}

fn mail() -> Value {
    json!({
        "from": {"user_name": "Rosa", "email": "rosa.lark@example.com"},
        "to": [{"user_name": "Ann", "email": "ann@example.com"}],
        "subject": "Plan",
        "content": "<p>Hello</p>",
        "mail_format": "html",
    })
}

fn with(changes: &Value) -> Value {
    let mut mail = mail();
    for (name, value) in changes.as_object().unwrap() {
        mail[name] = value.clone();
    }
    json!({"data": [mail]})
}

#[tokio::test]
async fn a_mail_is_sent_answered_to_and_kept_and_costs_twenty_credits() {
    let org = Org::start().await;
    let path = path(&org);
    let before = org.sim.counters().credits_used;
    let sent = org.post(&path, &with(&json!({}))).await;
    assert_eq!(sent.status, StatusCode::OK);
    assert_eq!(org.sim.counters().credits_used - before, 20);
    let id = &sent.body["data"][0]["details"]["message_id"];
    assert_eq!(id.as_str().unwrap().len(), 64);
    assert_eq!(
        sent.body,
        json!({"data": [{"code": "SUCCESS", "details": {"message_id": id},
               "message": "Your mail has been sent successfully.", "status": "success"}]})
    );
    let kept = org.sim.mails();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["status"], "sent");
    assert_eq!(kept[0]["mail"], mail());
    let reply = with(&json!({"in_reply_to": {"message_id": id}, "template": {"id": "8001"}}));
    let reply = org.post(&path, &reply).await;
    assert_eq!(reply.body["data"][0]["code"], "SUCCESS");
}

#[tokio::test]
async fn a_mail_is_refused_for_what_is_wrong_with_it() {
    let org = Org::start().await;
    let path = path(&org);
    let file = json!({"id": "17"});
    for (changes, code, json_path) in [
        (
            json!({"from": {"email": "stranger@example.com"}}),
            "INVALID_DATA",
            "$.data[0].from.email",
        ),
        (
            json!({"from": null}),
            "MANDATORY_NOT_FOUND",
            "$.data[0].from.email",
        ),
        (json!({"to": []}), "MANDATORY_NOT_FOUND", "$.data[0].to"),
        (
            json!({"to": [{"email": "nobody"}]}),
            "INVALID_DATA",
            "$.data[0].to[0].email",
        ),
        (
            json!({"subject": null}),
            "MANDATORY_NOT_FOUND",
            "$.data[0].subject",
        ),
        (
            json!({"mail_format": "pdf"}),
            "INVALID_DATA",
            "$.data[0].mail_format",
        ),
        (
            json!({"attachments": vec![file.clone(); 11]}),
            "LIMIT_EXCEEDED",
            "$.data[0].attachments",
        ),
        (
            json!({"attachments": [file]}),
            "INVALID_DATA",
            "$.data[0].attachments[0].id",
        ),
        (
            json!({"in_reply_to": {"message_id": "17"}}),
            "INVALID_DATA",
            "$.data[0].in_reply_to.message_id",
        ),
        (
            json!({"scheduled_time": "2020-01-01T00:00:00+00:00"}),
            "INVALID_DATA",
            "$.data[0].scheduled_time",
        ),
        (
            json!({"inventory_details": {"paper_type": "Letter"}}),
            "INVALID_DATA",
            "$.data[0].paper_type",
        ),
    ] {
        let answer = org.post(&path, &with(&changes)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changes}");
        let item = &answer.body["data"][0];
        assert_eq!(item["code"], code, "{changes}");
        assert_eq!(item["details"]["json_path"], json_path, "{changes}");
    }
    let two = json!({"data": [mail(), mail()]});
    let two = org.post(&path, &two).await;
    assert_eq!(two.body["details"]["maximum_length"], 1);
    assert!(org.sim.mails().is_empty());
}

#[tokio::test]
async fn a_scheduled_mail_is_sent_at_its_time() {
    let start: Timestamp = "2026-11-22T21:10:00Z".parse().unwrap();
    let (clock, hand) = Clock::simulated(start);
    let mut settings = Settings::on_loopback();
    settings.clock = clock;
    let org = Org::with(settings).await;
    let path = path(&org);
    let later = with(&json!({"scheduled_time": "2026-11-22T22:10:00+00:00"}));
    let answer = org.post(&path, &later).await;
    assert_eq!(
        answer.body["data"][0]["message"],
        "Your mail has been scheduled successfully."
    );
    hand.advance(Duration::from_mins(59));
    assert_eq!(org.sim.mails()[0]["status"], "scheduled");
    hand.advance(Duration::from_mins(1));
    let sent = async |sim: &Sim| {
        while sim.mails()[0]["status"] != "sent" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, sent(&org.sim))
        .await
        .unwrap();
}

#[tokio::test]
async fn mails_can_come_from_users_and_from_the_org() {
    let org = Org::start().await;
    let answer = org
        .get("/crm/v8/settings/emails/actions/from_addresses")
        .await;
    let addresses = answer.body["from_addresses"].as_array().unwrap().clone();
    let told: Vec<_> = addresses
        .iter()
        .map(|it| (it["email"].as_str().unwrap(), it["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("rosa.lark@example.com", "primary"),
            ("jane.doe@example.com", "primary"),
            ("support@example.com", "org_email"),
        ]
    );
}
