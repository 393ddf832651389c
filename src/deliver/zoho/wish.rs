//! What an action needs, read from a command's values: their keys are Zoho's own. Messages hold keys, never values.

use serde_json::{Map, Value};
use zoho_crm::{
    convert::{Conversion, LeadTarget, Target},
    mail::{Address, Content, Mail},
    notes::Note,
    tags::{NAME_CHARS_MAX, TAGS_MAX},
};

/// The modules that a lead can become records of.
const LEAD_TARGETS: [(&str, LeadTarget); 3] = [
    ("Accounts", LeadTarget::Account),
    ("Contacts", LeadTarget::Contact),
    ("Deals", LeadTarget::Deal),
];

/// Tags for a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) names: Vec<String>,
    /// Those the record had go.
    pub(super) over_write: bool,
}

pub(super) fn tags(values: &Map<String, Value>) -> Result<Tags, String> {
    let names = texts(values.get("tags").unwrap_or(&Value::Null), "tags")?;
    let fits = |it: &String| (1..=NAME_CHARS_MAX).contains(&it.chars().count());
    if !names.iter().all(fits) {
        return Err(format!("a tag has 1 to {NAME_CHARS_MAX} characters"));
    }
    if !(1..=TAGS_MAX).contains(&names.len()) {
        return Err(format!("1 to {TAGS_MAX} tags fit a record at once"));
    }
    Ok(Tags {
        names,
        over_write: flag(values, "over_write")?.unwrap_or(false),
    })
}

pub(super) fn note(values: &Map<String, Value>) -> Result<Note, String> {
    Ok(Note {
        title: text(values, "Note_Title")?,
        content: text(values, "Note_Content")?.ok_or("`Note_Content` is null")?,
    })
}

pub(super) fn conversion(values: &Map<String, Value>) -> Result<Conversion, String> {
    let attachments = text(values, "move_attachments_to")?;
    let mut tags = vec![];
    for (module, names) in mapping(values, "carry_over_tags")?.into_iter().flatten() {
        let what = "carry_over_tags";
        tags.push((lead_target(&module, what)?, texts(&names, what)?));
    }
    Ok(Conversion {
        account: target(values, "Accounts")?,
        contact: target(values, "Contacts")?,
        deal: mapping(values, "Deals")?,
        overwrite: flag(values, "overwrite")?,
        notify_lead_owner: flag(values, "notify_lead_owner")?,
        notify_new_entity_owner: flag(values, "notify_new_entity_owner")?,
        assign_to: text(values, "assign_to")?,
        move_attachments_to: attachments
            .map(|it| lead_target(&it, "move_attachments_to"))
            .transpose()?,
        carry_over_tags: tags,
    })
}

pub(super) fn mail(values: &Map<String, Value>) -> Result<Mail, String> {
    let mut from = addresses(values, "from")?;
    let (Some(sender), true) = (from.pop(), from.is_empty()) else {
        return Err("`from` is not one address".to_owned());
    };
    let to = addresses(values, "to")?;
    if to.is_empty() {
        return Err("`to` names nobody".to_owned());
    }
    let (subject, template) = (text(values, "subject")?, text(values, "template")?);
    if subject.is_none() && template.is_none() {
        return Err("a mail has a `subject` or a `template`".to_owned());
    }
    let content = text(values, "content")?;
    let format = text(values, "mail_format")?;
    let format = match format.as_deref() {
        None | Some("html") => Content::Html,
        Some("text") => Content::Text,
        Some(_) => return Err("`mail_format` is neither html nor text".to_owned()),
    };
    Ok(Mail {
        cc: addresses(values, "cc")?,
        bcc: addresses(values, "bcc")?,
        reply_to: addresses(values, "reply_to")?.pop(),
        subject,
        content: content.map(format),
        template,
        consent_email: flag(values, "consent_email")?.unwrap_or(false),
        org_email: flag(values, "org_email")?.unwrap_or(false),
        ..Mail::new(sender, to)
    })
}

/// One address or a list, each a text or `{email, user_name}`; null counts for none.
fn addresses(values: &Map<String, Value>, key: &str) -> Result<Vec<Address>, String> {
    let address = |value: &Value| match value.as_object() {
        None => Ok(as_text(value, key)?.map(|it| Address::of(&it))),
        Some(parts) => {
            let email = text(parts, "email")?;
            Ok(Some(Address {
                email: email.ok_or_else(|| format!("`{key}` has an entry without an `email`"))?,
                name: text(parts, "user_name")?,
            }))
        }
    };
    let found = one_or_many(values.get(key).unwrap_or(&Value::Null)).iter();
    found.filter_map(|it| address(it).transpose()).collect()
}

/// With an `id` a record that is there, else values of a new one.
fn target(values: &Map<String, Value>, key: &str) -> Result<Option<Target>, String> {
    let Some(values) = mapping(values, key)? else {
        return Ok(None);
    };
    let id = text(&values, "id")?;
    Ok(Some(match id {
        Some(_) if values.len() > 1 => {
            return Err(format!("`{key}` has an `id` and other values"));
        }
        Some(id) => Target::Existing(id),
        None => Target::New(values),
    }))
}

fn lead_target(module: &str, key: &str) -> Result<LeadTarget, String> {
    let found = LEAD_TARGETS.iter().find(|it| it.0 == module);
    let found = found.map(|it| it.1);
    found.ok_or_else(|| format!("`{key}` names no module that a lead becomes a record of"))
}

fn mapping(values: &Map<String, Value>, key: &str) -> Result<Option<Map<String, Value>>, String> {
    match values.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(values)) => Ok(Some(values.clone())),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(format!("`{key}` is no mapping"))
        }
    }
}

fn flag(values: &Map<String, Value>, key: &str) -> Result<Option<bool>, String> {
    match values.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            Err(format!("`{key}` is neither true nor false"))
        }
    }
}

fn text(values: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match values.get(key) {
        None => Ok(None),
        Some(value) => as_text(value, key),
    }
}

/// One text, or a list of them; null counts for none.
fn texts(value: &Value, key: &str) -> Result<Vec<String>, String> {
    let found = one_or_many(value).iter();
    found
        .filter_map(|it| as_text(it, key).transpose())
        .collect()
}

fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(value)
        }
    }
}

/// A template of one expression may give a number.
fn as_text(value: &Value, key: &str) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(it) => Ok(Some(it.to_string())),
        Value::Array(_) | Value::Object(_) => Err(format!("`{key}` is no text")),
    }
}
