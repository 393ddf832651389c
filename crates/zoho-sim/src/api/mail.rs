//! Mails to records: sent at once or later, and the addresses they can come from.

use http::StatusCode;
use serde_json::{Value, json};

use super::families::existing;
use crate::{
    answer::{Answer, Refusal, per_item},
    call::Call,
    family::Named,
    time,
    world::{World, papers::Mail, people::Who},
};

/// Attachments per mail. Zoho: "Send mail", v8.
const ATTACHMENTS_MAX: usize = 10;
/// Characters of a template's id.
const TEMPLATE_ID_MAX: usize = 20;
/// An address of the org itself, beside those of its users.
const ORG_ADDRESS: &str = "support@example.com";
const ORG_NAME: &str = "Support";

/// Zoho: "Send mail", v8: one mail per call.
pub(super) fn send(world: &mut World, call: &Call, to: &Named) -> Result<Answer, Refusal> {
    let record = existing(world, to)?;
    let body = call.json().ok_or_else(Refusal::unreadable_json)?;
    let mails = body.get("data").and_then(Value::as_array);
    let mails = mails.filter(|it| !it.is_empty());
    let mails = mails.ok_or_else(|| Refusal::mandatory("data", "$.data"))?;
    let [mail] = mails.as_slice() else {
        return Err(Refusal::invalid_data(
            json!({"api_name": "data", "json_path": "$.data", "maximum_length": 1}),
        ));
    };
    let sent = check(world, mail).map(|scheduled| {
        let id = world.keep_mail((to.module.clone(), record), mail.clone(), scheduled);
        json!({
            "code": "SUCCESS",
            "details": {"message_id": id},
            "message": if scheduled.is_some() {
                "Your mail has been scheduled successfully."
            } else {
                "Your mail has been sent successfully."
            },
            "status": "success",
        })
    });
    Ok(per_item("data", vec![sent], StatusCode::OK))
}

/// Zoho: "Get from addresses", v8.
pub(super) fn from_addresses(world: &World) -> Answer {
    let mut addresses: Vec<Value> = Who::ALL
        .iter()
        .map(|who| {
            json!({
                "email": who.email(),
                "type": "primary",
                "id": who.id(world.org),
                "user_name": who.name(),
                "default": *who == Who::Integration,
            })
        })
        .collect();
    addresses.push(json!({
        "email": ORG_ADDRESS,
        "type": "org_email",
        "id": (world.org + 1_201).to_string(),
        "user_name": ORG_NAME,
        "default": false,
    }));
    Answer::ok(json!({"from_addresses": addresses}))
}

/// When the mail is to be sent, if not now; or what is wrong with it.
fn check(world: &World, mail: &Value) -> Result<Option<jiff::Timestamp>, Refusal> {
    let path = |name: &str| format!("$.data[0].{name}");
    let from = mail.get("from").and_then(|it| it.get("email")?.as_str());
    let from = from.ok_or_else(|| Refusal::mandatory("email", &path("from.email")))?;
    let mut ours = Who::ALL.iter().map(|it| it.email()).chain([ORG_ADDRESS]);
    if !ours.any(|it| it.eq_ignore_ascii_case(from)) {
        return Err(Refusal::invalid_key("email", &path("from.email")));
    }
    check_people(mail)?;
    let text = |name: &str| mail.get(name).and_then(Value::as_str);
    let template = template_id(mail)?;
    if text("subject").is_none_or(str::is_empty) && template.is_none() {
        return Err(Refusal::mandatory("subject", &path("subject")));
    }
    if let Some(format) = mail.get("mail_format").filter(|it| !it.is_null())
        && !matches!(format.as_str(), Some("html" | "text"))
    {
        return Err(one_of("mail_format", &["html", "text"]));
    }
    for flag in ["consent_email", "org_email"] {
        if mail
            .get(flag)
            .is_some_and(|it| !it.is_boolean() && !it.is_null())
        {
            return Err(Refusal::invalid_key(flag, &path(flag)));
        }
    }
    check_attachments(world, mail)?;
    check_inventory(mail)?;
    check_reply(world, mail)?;
    match mail.get("scheduled_time") {
        None | Some(Value::Null) => Ok(None),
        Some(at) => at
            .as_str()
            .and_then(time::parse)
            .filter(|at| *at > world.clock.now())
            .map(Some)
            .ok_or_else(|| Refusal::invalid_key("scheduled_time", &path("scheduled_time"))),
    }
}

fn check_people(mail: &Value) -> Result<(), Refusal> {
    for name in ["to", "cc", "bcc"] {
        let path = format!("$.data[0].{name}");
        let people = match mail.get(name) {
            None | Some(Value::Null) if name == "to" => {
                return Err(Refusal::mandatory(name, &path));
            }
            None | Some(Value::Null) => continue,
            Some(people) => people.as_array(),
        };
        let people = people.ok_or_else(|| Refusal::invalid_key(name, &path))?;
        if name == "to" && people.is_empty() {
            return Err(Refusal::mandatory(name, &path));
        }
        for (at, person) in people.iter().enumerate() {
            let email = person.get("email").and_then(Value::as_str);
            let parts = email.and_then(|it| it.split_once('@'));
            if !parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) {
                return Err(Refusal::invalid_key(
                    "email",
                    &format!("{path}[{at}].email"),
                ));
            }
        }
    }
    Ok(())
}

/// The id of an email or inventory template. Templates are not kept here: any id will do.
fn template_id(mail: &Value) -> Result<Option<&str>, Refusal> {
    let inventory = mail.pointer("/inventory_details/inventory_template");
    let Some(template) = mail
        .get("template")
        .or(inventory)
        .filter(|it| !it.is_null())
    else {
        return Ok(None);
    };
    let id = template.get("id").and_then(Value::as_str);
    let number = |it: &&str| {
        (1..=TEMPLATE_ID_MAX).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit())
    };
    match id.filter(number) {
        Some(id) => Ok(Some(id)),
        None => Err(Refusal::invalid_key("id", "$.data[0].template.id")),
    }
}

fn check_attachments(world: &World, mail: &Value) -> Result<(), Refusal> {
    let Some(attachments) = mail.get("attachments").filter(|it| !it.is_null()) else {
        return Ok(());
    };
    let path = "$.data[0].attachments";
    let list = attachments.as_array();
    let list = list.ok_or_else(|| Refusal::invalid_key("attachments", path))?;
    if list.len() > ATTACHMENTS_MAX {
        return Err(Refusal::new(
            "LIMIT_EXCEEDED",
            "too many attachments",
            json!({"api_name": "attachments", "json_path": path, "limit": ATTACHMENTS_MAX}),
        ));
    }
    for (at, attachment) in list.iter().enumerate() {
        let id = attachment.get("id").and_then(Value::as_str);
        if id.and_then(|it| world.papers.file(it)).is_none() {
            return Err(Refusal::invalid_key("id", &format!("{path}[{at}].id")));
        }
    }
    Ok(())
}

fn check_inventory(mail: &Value) -> Result<(), Refusal> {
    let Some(details) = mail.get("inventory_details").filter(|it| !it.is_null()) else {
        return Ok(());
    };
    for (name, values) in [
        ("paper_type", &["default", "A4", "us_letter"][..]),
        ("view_type", &["portrait", "landscape"][..]),
    ] {
        let value = details.get(name).filter(|it| !it.is_null());
        if value.is_some_and(|it| !values.iter().any(|value| it.as_str() == Some(value))) {
            return Err(one_of(name, values));
        }
    }
    Ok(())
}

/// `{"message_id", "owner": {"id"}}`, of a mail that was sent.
fn check_reply(world: &World, mail: &Value) -> Result<(), Refusal> {
    let Some(to) = mail.get("in_reply_to").filter(|it| !it.is_null()) else {
        return Ok(());
    };
    let id = to.get("message_id").and_then(Value::as_str);
    if id.is_none_or(|it| !world.papers.mails.contains_key(it)) {
        let path = "$.data[0].in_reply_to.message_id";
        return Err(Refusal::invalid_key("message_id", path));
    }
    let owner = to.pointer("/owner/id").and_then(Value::as_str);
    if owner.is_some_and(|id| !Who::ALL.iter().any(|it| it.id(world.org) == id)) {
        return Err(Refusal::invalid_key("id", "$.data[0].in_reply_to.owner.id"));
    }
    Ok(())
}

fn one_of(name: &str, values: &[&str]) -> Refusal {
    Refusal::invalid_data(json!({
        "api_name": name,
        "json_path": format!("$.data[0].{name}"),
        "supported_values": values,
    }))
}

/// A mail as the program holding the simulator sees it.
pub(crate) fn shown(id: &str, mail: &Mail) -> Value {
    json!({
        "message_id": id,
        "module": mail.module,
        "record_id": mail.record.to_string(),
        "status": if mail.sent { "sent" } else { "scheduled" },
        "time": time::zoho(mail.at),
        "mail": mail.sent_as,
    })
}
