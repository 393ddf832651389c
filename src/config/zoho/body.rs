//! `body` of a send to `kind: zoho`: for most actions the keys are Zoho's own, and a wrong one shows before it is sent.

use zoho_crm::tags::{NAME_CHARS_MAX, TAGS_MAX};

use crate::{deliver::ZohoSettings, event::Action};

use super::{
    super::{
        reader::{Fields, Reader, one_or_many},
        yaml::{Node, Value},
    },
    is_api_name,
};

/// The modules that a lead becomes records of.
const LEAD_TARGETS: [(&str, ()); 3] = [("Accounts", ()), ("Contacts", ()), ("Deals", ())];

/// Says what is wrong with it; it is read apart.
pub(super) fn check(reader: &mut Reader<'_>, fields: &Fields<'_>, settings: &ZohoSettings) {
    let hint = match settings.action {
        Action::Update | Action::Upsert | Action::Create => {
            "the fields to write, e.g. body: { Description: \"{{ record.Stage }}\" }"
        }
        Action::AddTags | Action::RemoveTags => "the tags, e.g. body: { tags: [hot] }",
        Action::Note => "what it says, e.g. body: { Note_Content: \"{{ record.Stage }}\" }",
        Action::Mail => {
            "the mail, e.g. body: { from: me@example.com, to: \"{{ record.Email }}\", subject: Hello }"
        }
        Action::Convert => {
            // Zoho makes a contact, and an account if the lead has a company.
            if let Some(node) = fields.get("body") {
                conversion(reader, node);
            }
            return;
        }
    };
    let Some(node) = reader.required(fields, "body", hint) else {
        return;
    };
    match settings.action {
        Action::Update | Action::Upsert | Action::Create => record(reader, node, settings),
        Action::AddTags => tags(reader, node, &["tags", "over_write"]),
        Action::RemoveTags => tags(reader, node, &["tags"]),
        Action::Note => note(reader, node),
        Action::Mail => mail(reader, node),
        Action::Convert => {}
    }
}

/// Values by field; what finds the record must be among them.
fn record(reader: &mut Reader<'_>, node: &Node, settings: &ZohoSettings) {
    let entries = reader.entries(node, "values by field name");
    if matches!(node.value, Value::Map(_)) && entries.is_empty() {
        reader.error(node, "no field is written");
    }
    for entry in entries {
        let message = if entry.key == "id" {
            "the record's id is the send's own key `id`".to_owned()
        } else if !is_api_name(&entry.key) {
            format!("`{}` cannot be a field's API name", entry.key)
        } else if settings.action == Action::Create && settings.unique_fields.contains(&entry.key) {
            format!("`{}` holds the delivery's id: zohook sets it", entry.key)
        } else {
            continue;
        };
        reader.error_at(entry.key_span.clone(), &entry.node.path, message, None);
    }
    if settings.action == Action::Upsert && !entries.is_empty() {
        for field in &settings.unique_fields {
            if !entries.iter().any(|it| &it.key == field) {
                let message = format!("`{field}` is missing, by which the record is found");
                reader.error_hint(node, message, "give its value in the body");
            }
        }
    }
}

fn tags(reader: &mut Reader<'_>, node: &Node, known: &[&str]) {
    let fields = reader.fields(node, known, &[]);
    if let Some(node) = fields.get("over_write") {
        reader.boolean(node);
    }
    let hint = "names of tags, e.g. tags: [hot]";
    let Some(node) = reader.required(&fields, "tags", hint) else {
        return;
    };
    let items = one_or_many(node);
    if items.is_empty() {
        reader.error_hint(node, "no tag is listed", hint);
    }
    reader.at_most(node, items.len(), TAGS_MAX);
    for item in items {
        let name = reader.text(item, "a tag's name");
        if name.is_some_and(|it| is_literal(it) && it.chars().count() > NAME_CHARS_MAX) {
            let message = format!("longer than {NAME_CHARS_MAX} characters, which no tag can be");
            reader.error(item, message);
        }
    }
}

fn note(reader: &mut Reader<'_>, node: &Node) {
    let fields = reader.fields(node, &["Note_Title", "Note_Content"], &[]);
    if let Some(node) = fields.get("Note_Title") {
        reader.text(node, "a text");
    }
    if let Some(node) = reader.required(&fields, "Note_Content", "what the note says") {
        reader.text(node, "a text");
    }
}

fn mail(reader: &mut Reader<'_>, node: &Node) {
    let (people, texts) = (
        ["cc", "bcc", "reply_to"],
        ["subject", "content", "template"],
    );
    let flags = ["consent_email", "org_email"];
    let all = ["from", "to", "mail_format"].into_iter();
    let known: Vec<&str> = all.chain(people).chain(texts).chain(flags).collect();
    let fields = reader.fields(node, &known, &[]);
    let hint = "an address, or { email, user_name }";
    for key in ["from", "to"] {
        if let Some(node) = reader.required(&fields, key, hint) {
            addresses(reader, node);
        }
    }
    for node in people.iter().filter_map(|it| fields.get(it)) {
        addresses(reader, node);
    }
    for node in texts.iter().filter_map(|it| fields.get(it)) {
        reader.text(node, "a text");
    }
    for node in flags.iter().filter_map(|it| fields.get(it)) {
        reader.boolean(node);
    }
    if let Some(node) = fields.get("mail_format") {
        reader.word(node, &[("html", ()), ("text", ())]);
    }
    if !fields.has("subject") && !fields.has("template") {
        reader.error_hint(
            node,
            "`subject` is missing",
            "or the id of an email template as `template`",
        );
    }
}

fn addresses(reader: &mut Reader<'_>, node: &Node) {
    for item in one_or_many(node) {
        if matches!(item.value, Value::Map(_)) {
            let fields = reader.fields(item, &["email", "user_name"], &[]);
            reader.required(&fields, "email", "the address");
        } else {
            reader.text(item, "an address");
        }
    }
}

fn conversion(reader: &mut Reader<'_>, node: &Node) {
    let flags = ["overwrite", "notify_lead_owner", "notify_new_entity_owner"];
    let known = [
        "Accounts",
        "Contacts",
        "Deals",
        "assign_to",
        "move_attachments_to",
        "carry_over_tags",
    ];
    let known: Vec<&str> = known.into_iter().chain(flags).collect();
    let fields = reader.fields(node, &known, &[]);
    for flag in flags {
        if let Some(node) = fields.get(flag) {
            reader.boolean(node);
        }
    }
    for module in ["Accounts", "Contacts", "Deals"] {
        if let Some(node) = fields.get(module) {
            target(reader, node, module);
        }
    }
    if let Some(node) = fields.get("assign_to") {
        reader.text(node, "the id of a Zoho user");
    }
    if let Some(node) = fields.get("move_attachments_to") {
        reader.word(node, &LEAD_TARGETS);
    }
    if let Some(node) = fields.get("carry_over_tags") {
        let known: Vec<&str> = LEAD_TARGETS.iter().map(|it| it.0).collect();
        reader.fields(node, &known, &[]);
    }
}

/// Values of a new record, or the id of one that is there.
fn target(reader: &mut Reader<'_>, node: &Node, module: &str) {
    let entries = reader.entries(node, "values by field name");
    let id = entries.iter().find(|it| it.key == "id");
    match id {
        Some(id) if module == "Deals" => {
            let hint = "a conversion makes a new deal, or none";
            reader.error_hint(&id.node, "a deal that is there cannot be named", hint);
        }
        Some(id) if entries.len() > 1 => {
            let hint = "name a record by its `id` alone, or give values of a new one";
            reader.error_hint(&id.node, "`id` goes with no other values", hint);
        }
        Some(_) | None => {
            for entry in entries.iter().filter(|it| !is_api_name(&it.key)) {
                let message = format!("`{}` cannot be a field's API name", entry.key);
                reader.error_at(entry.key_span.clone(), &entry.node.path, message, None);
            }
        }
    }
}

fn is_literal(text: &str) -> bool {
    !text.contains("{{")
}
