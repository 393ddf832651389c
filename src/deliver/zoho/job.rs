//! Commands as they are carried out: read from a delivery, and checked before any of them shares a call.

use serde_json::{Map, Value};
use zoho_crm::{
    convert::{Conversion, LeadTarget, Target},
    notes::Note,
    tags::{NAME_CHARS_MAX, TAGS_MAX},
};

use crate::{
    deliver::{DeliverError, error::unrenderable},
    event::{Action, Command, Delivery},
};

/// The modules that a lead can become records of.
const LEAD_TARGETS: [(&str, LeadTarget); 3] = [
    ("Accounts", LeadTarget::Account),
    ("Contacts", LeadTarget::Contact),
    ("Deals", LeadTarget::Deal),
];

/// A command and its place in the window.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) at: usize,
    pub(super) command: Command,
    pub(super) task: Task,
}

/// What a command does, with what it needs.
#[derive(Debug)]
pub(super) enum Task {
    /// Writes the command's values.
    Fields,
    /// Adds or removes tags.
    Tags(Tags),
    /// Adds a note.
    Note(Note),
    /// Converts a lead.
    Convert(Box<Conversion>),
}

/// Tags for a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) names: Vec<String>,
    /// Those the record had go.
    pub(super) over_write: bool,
}

impl Job {
    /// One that could not be sent would have Zoho refuse all that shares its call.
    pub(super) fn read(at: usize, delivery: &Delivery) -> Result<Self, DeliverError> {
        let data = &delivery.planned.message.data;
        let command: Command = serde_json::from_slice(data).map_err(|error| {
            unrenderable(format!(
                "the command cannot be read: {:?}",
                error.classify()
            ))
        })?;
        Self::of(at, command)
    }

    pub(super) fn of(at: usize, command: Command) -> Result<Self, DeliverError> {
        let id = command.id.as_ref().map(|it| it.as_str());
        if !zoho_crm::is_api_name(command.module.as_str()) {
            return Err(unrenderable("the module's name is not one"));
        }
        if !command.action.is_by_unique_field() && !id.is_some_and(zoho_crm::is_record_id) {
            return Err(unrenderable("the record's id is not one"));
        }
        let Some(values) = command.values.as_object() else {
            return Err(unrenderable("the values are no mapping"));
        };
        let task = match command.action {
            Action::Update | Action::Upsert | Action::Create => Ok(Task::Fields),
            Action::AddTags | Action::RemoveTags => tags(values).map(Task::Tags),
            Action::Note => note(values).map(Task::Note),
            Action::Convert => conversion(values).map(|it| Task::Convert(Box::new(it))),
        };
        Ok(Self {
            at,
            task: task.map_err(unrenderable)?,
            command,
        })
    }

    /// The record's id; empty where unique fields say which it is.
    pub(super) fn record(&self) -> &str {
        self.command.id.as_ref().map_or("", |it| it.as_str())
    }
}

fn tags(values: &Map<String, Value>) -> Result<Tags, String> {
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

fn note(values: &Map<String, Value>) -> Result<Note, String> {
    Ok(Note {
        title: text(values, "Note_Title")?,
        content: text(values, "Note_Content")?.ok_or("`Note_Content` is null")?,
    })
}

fn conversion(values: &Map<String, Value>) -> Result<Conversion, String> {
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
    let items = match value {
        Value::Array(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(value)
        }
    };
    items
        .iter()
        .filter_map(|it| as_text(it, key).transpose())
        .collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(action: &str, values: Value) -> Result<Task, String> {
        let command = json!({"action": action, "module": "Leads", "id": "1", "values": values});
        let command = serde_json::from_value(command).unwrap();
        let job = Job::of(0, command).map_err(|it| it.to_string())?;
        Ok(job.task)
    }

    fn refused(action: &str, values: Value) -> String {
        task(action, values).unwrap_err()
    }

    #[test]
    fn tags_are_one_text_or_a_list_and_null_is_none() {
        let names = |tags: Value| match task("add_tags", json!({"tags": tags})).unwrap() {
            Task::Tags(tags) => tags.names,
            other => panic!("{other:?}"),
        };
        assert_eq!(names(json!("hot")), ["hot"]);
        assert_eq!(names(json!(["hot", null, 5])), ["hot", "5"]);
        for wrong in [json!(null), json!([]), json!([{"name": "hot"}]), json!("")] {
            refused("add_tags", json!({"tags": wrong}));
        }
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        let message = refused("remove_tags", json!({"tags": [long]}));
        assert_eq!(message, "a tag has 1 to 25 characters");
    }

    #[test]
    fn a_note_needs_its_content() {
        let message = refused("note", json!({"Note_Title": "call", "Note_Content": null}));
        assert_eq!(message, "`Note_Content` is null");
    }

    #[test]
    fn a_conversion_names_records_that_are_there_or_values_of_new_ones() {
        let values = json!({
            "Accounts": {"id": "7"}, "Contacts": {"Title": "Owner"}, "Deals": null, "overwrite": true,
            "move_attachments_to": "Contacts", "carry_over_tags": {"Deals": ["hot"]},
        });
        let Task::Convert(how) = task("convert", values).unwrap() else {
            panic!("no conversion")
        };
        assert_eq!(how.account, Some(Target::Existing("7".to_owned())));
        assert!(matches!(&how.contact, Some(Target::New(values)) if values.len() == 1));
        assert_eq!((&how.deal, how.overwrite), (&None, Some(true)));
        assert_eq!(how.move_attachments_to, Some(LeadTarget::Contact));
        let tags = vec![(LeadTarget::Deal, vec!["hot".to_owned()])];
        assert_eq!(how.carry_over_tags, tags);
        for wrong in [
            json!({"Accounts": {"id": "7", "Account_Name": "x"}}),
            json!({"Deals": "x"}),
            json!({"overwrite": "yes"}),
            json!({"move_attachments_to": "Leads"}),
            json!({"carry_over_tags": {"Leads": ["hot"]}}),
        ] {
            refused("convert", wrong);
        }
    }
}
