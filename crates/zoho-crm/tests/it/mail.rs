//! Mails to records.

use clock::Clock;
use serde_json::{Value, json};
use zoho_crm::{
    Client, Error, Limits, Settings,
    files::Upload,
    mail::{Address, Content, InventoryDetails, Mail, PaperType, ReplyTo, ViewType},
};
use zoho_sim::{Fault, On, Sim, What};

use crate::support::{
    error, json as answer,
    literal::{answering, asked},
    sim::{client, client_with, settings, simulator},
};

const LEAD: &str = "4150868000000376008";
const MESSAGE: &str = "b8df8f0a2e1c4c1a9a37d0a7d9a6d1d5b2b5f0e0c3";

const SENT: &str = r#"{"data":[{"code":"SUCCESS","details":{"message_id":"b8df8f0a2e1c4c1a9a37d0a7d9a6d1d5b2b5f0e0c3"},"message":"Your mail has been sent successfully.","status":"success"}]}"#;

fn named(name: &str, email: &str) -> Address {
    Address {
        email: email.to_owned(),
        name: Some(name.to_owned()),
    }
}

fn mail() -> Mail {
    Mail {
        subject: Some("Your offer".into()),
        content: Some(Content::Html("<p>Here it is.</p>".into())),
        ..Mail::new(
            named("Pat Example", "pat@example.com"),
            vec![named("Jo Doe", "doe@example.com")],
        )
    }
}

#[tokio::test]
async fn a_mail_is_sent_as_the_contract_says() {
    let zoho = answering(vec![answer(200, SENT)]).await;
    let (client, _hand) = zoho.client();
    let sent = client.send_mail("Leads", LEAD, &mail()).await.unwrap();
    assert_eq!(sent.message_id.as_deref(), Some(MESSAGE));
    let full = Mail {
        cc: vec![Address::of("cc@example.com")],
        bcc: vec![Address::of("bcc@example.com")],
        reply_to: Some(Address::of("answers@example.com")),
        content: Some(Content::Text("Here it is.".into())),
        template: Some("4150868000000108201".into()),
        inventory: Some(InventoryDetails {
            template: "4150868000000108301".into(),
            record: Some("4150868000000376099".into()),
            paper_type: Some(PaperType::UsLetter),
            view_type: Some(ViewType::Landscape),
        }),
        attachments: vec!["ae9c7cefa418".into()],
        scheduled_at: Some("2026-12-01T10:00:00.5Z".parse().unwrap()),
        in_reply_to: Some(ReplyTo {
            message_id: MESSAGE.into(),
            owner: Some("4150868000000225013".into()),
        }),
        consent_email: true,
        org_email: true,
        ..mail()
    };
    client.send_mail("Leads", LEAD, &full).await.unwrap();
    let path = format!("/crm/v8/Leads/{LEAD}/actions/send_mail");
    let simple = json!({"data": [{
        "from": {"user_name": "Pat Example", "email": "pat@example.com"},
        "to": [{"user_name": "Jo Doe", "email": "doe@example.com"}],
        "subject": "Your offer",
        "content": "<p>Here it is.</p>",
        "mail_format": "html",
    }]});
    let rest = json!({"data": [{
        "from": {"user_name": "Pat Example", "email": "pat@example.com"},
        "to": [{"user_name": "Jo Doe", "email": "doe@example.com"}],
        "cc": [{"email": "cc@example.com"}],
        "bcc": [{"email": "bcc@example.com"}],
        "reply_to": {"email": "answers@example.com"},
        "subject": "Your offer",
        "content": "Here it is.",
        "mail_format": "text",
        "template": {"id": "4150868000000108201"},
        "inventory_details": {
            "inventory_template": {"id": "4150868000000108301"},
            "record": {"id": "4150868000000376099"},
            "paper_type": "us_letter",
            "view_type": "landscape",
        },
        "attachments": [{"id": "ae9c7cefa418"}],
        "scheduled_time": "2026-12-01T10:00:00+00:00",
        "in_reply_to": {"message_id": MESSAGE, "owner": {"id": "4150868000000225013"}},
        "consent_email": true,
        "org_email": true,
    }]});
    assert_eq!(
        asked(&zoho).await,
        [
            ("POST".into(), path.clone(), simple),
            ("POST".into(), path, rest)
        ]
    );
}

#[tokio::test]
async fn from_addresses_are_read_as_the_contract_says() {
    let body = r#"{"from_addresses":[{"email":"pat@example.com","type":"primary","id":"4150868000000225013","user_name":"Pat Example","default":true},{"email":"support@example.com","type":"org_email","id":"4150868000000225099","user_name":"Support","default":false}]}"#;
    let zoho = answering(vec![answer(200, body)]).await;
    let (client, _hand) = zoho.client();
    let addresses = client.from_addresses().await.unwrap();
    assert_eq!(addresses.len(), 2);
    assert_eq!(addresses[0].email, "pat@example.com");
    assert!(addresses[0].default);
    assert_eq!(addresses[1].kind.as_deref(), Some("org_email"));
    assert_eq!(
        asked(&zoho).await[0].1,
        "/crm/v8/settings/emails/actions/from_addresses"
    );
}

#[tokio::test]
async fn a_mail_that_may_be_on_its_way_is_not_sent_again() {
    let zoho = answering(vec![error(500, "INTERNAL_ERROR")]).await;
    let (client, _hand) = zoho.client();
    let failed = client.send_mail("Leads", LEAD, &mail()).await.unwrap_err();
    assert!(failed.may_be_done());
    assert_eq!(zoho.calls(), 1);

    let (sim, client, lead) = simulated().await;
    client.from_addresses().await.unwrap();
    fault(&sim, What::DropAnswer);
    let mail = from_here();
    let failed = client.send_mail("Leads", &lead, &mail).await.unwrap_err();
    assert!(failed.may_be_done(), "{failed}");
    assert_eq!(sim.mails().len(), 1);
    // What was certainly not carried out is tried again.
    for what in [What::TooManyRequests, What::InvalidToken] {
        fault(&sim, what);
        client.send_mail("Leads", &lead, &mail).await.unwrap();
    }
    assert_eq!(sim.mails().len(), 3);
}

#[tokio::test]
async fn a_mail_that_zoho_would_refuse_is_not_sent() {
    let zoho = answering(vec![answer(200, SENT)]).await;
    let (client, _hand) = zoho.client();
    let bad = [
        Mail {
            to: vec![],
            ..mail()
        },
        Mail {
            subject: None,
            ..mail()
        },
        Mail {
            attachments: vec!["a".to_owned(); 11],
            ..mail()
        },
        Mail {
            template: Some("../1".into()),
            ..mail()
        },
    ];
    for mail in bad {
        let failed = client.send_mail("Leads", LEAD, &mail).await.unwrap_err();
        assert!(matches!(failed, Error::Misuse { .. }), "{failed}");
    }
    let shown = format!("{:?}", mail());
    assert!(!shown.contains("example.com") && !shown.contains("Here"));
    assert_eq!(zoho.calls(), 0);
}

async fn simulated() -> (Sim, Client, String) {
    let sim = simulator().await;
    let client = client(&sim);
    let lead = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    (sim, client, lead)
}

fn fault(sim: &Sim, what: What) {
    let fault = Fault {
        on: On::Any,
        what,
        times: Some(1),
        chance: 1.0,
    };
    assert!(sim.faults().add(fault));
}

/// A mail from an address of the simulated org.
fn from_here() -> Mail {
    Mail {
        from: Address::of("support@example.com"),
        ..mail()
    }
}

fn status(sim: &Sim, message_id: Option<&str>) -> Value {
    let mails = sim.mails();
    let found = mails
        .into_iter()
        .find(|it| it["message_id"] == json!(message_id));
    found.unwrap().get("status").cloned().unwrap()
}

#[tokio::test]
async fn mails_go_out_now_and_later_with_attachments_templates_and_replies() {
    let (sim, client, lead) = simulated().await;
    let addresses = client.from_addresses().await.unwrap();
    let from = addresses.into_iter().find(|it| it.default).unwrap();
    let file = Upload::of_bytes("offer.pdf", "the offer").unwrap();
    let now = Mail {
        from: Address::of(&from.email),
        attachments: vec![client.upload_file(&file).await.unwrap()],
        ..mail()
    };
    let first = client.send_mail("Leads", &lead, &now).await.unwrap();
    assert_eq!(status(&sim, first.message_id.as_deref()), "sent");

    let at = Clock::real().now() + jiff::SignedDuration::from_hours(24);
    let later = Mail {
        scheduled_at: Some(at),
        subject: None,
        content: None,
        template: Some("4150868000000108201".into()),
        in_reply_to: Some(ReplyTo {
            message_id: first.message_id.unwrap(),
            owner: from.id,
        }),
        ..from_here()
    };
    let second = client.send_mail("Leads", &lead, &later).await.unwrap();
    assert_eq!(status(&sim, second.message_id.as_deref()), "scheduled");

    let nobody = Mail {
        from: Address::of("nobody@example.com"),
        ..later
    };
    let refused = client.send_mail("Leads", &lead, &nobody).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused}");
    assert_eq!(sim.mails().len(), 2);
}

#[tokio::test]
async fn a_mail_costs_20_credits_and_is_not_sent_when_they_are_not_there() {
    let (sim, _client, lead) = simulated().await;
    let client = client_with(Settings {
        limits: Limits {
            credits_daily: Some(39),
            credits_reserve_percent: 0,
            ..Limits::default()
        },
        ..settings(&sim)
    });
    let mail = from_here();
    client.send_mail("Leads", &lead, &mail).await.unwrap();
    let refused = client.send_mail("Leads", &lead, &mail).await.unwrap_err();
    assert!(matches!(refused, Error::CreditsSpent { .. }), "{refused}");
    assert_eq!(sim.counters().credits_used, 20);
    assert_eq!(sim.mails().len(), 1);
}
