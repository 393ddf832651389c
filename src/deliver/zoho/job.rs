//! Commands as they are carried out: read from a delivery, and checked before any of them shares a call.

use zoho_crm::{convert::Conversion, mail::Mail, notes::Note};

use super::wish::{self, Tags};
use crate::{
    deliver::{DeliverError, error::unrenderable},
    event::{Action, Command, Delivery, RecordId},
};

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
    /// Sends a mail.
    Mail(Box<Mail>),
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
        let id = command.id.as_ref().map(RecordId::as_str);
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
            Action::AddTags | Action::RemoveTags => wish::tags(values).map(Task::Tags),
            Action::Note => wish::note(values).map(Task::Note),
            Action::Convert => wish::conversion(values).map(|it| Task::Convert(Box::new(it))),
            Action::Mail => wish::mail(values).map(|it| Task::Mail(Box::new(it))),
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use zoho_crm::{
        convert::{LeadTarget, Target},
        mail::{Address, Content},
        tags::NAME_CHARS_MAX,
    };

    use super::*;

    fn task(action: &str, values: &Value) -> Result<Task, String> {
        let command = json!({"action": action, "module": "Leads", "id": "1", "values": values});
        let command = serde_json::from_value(command).unwrap();
        let job = Job::of(0, command).map_err(|it| it.to_string())?;
        Ok(job.task)
    }

    fn refused(action: &str, values: &Value) -> String {
        task(action, values).unwrap_err()
    }

    #[test]
    fn tags_are_one_text_or_a_list_and_null_is_none() {
        let names = |tags: Value| {
            let Task::Tags(tags) = task("add_tags", &json!({"tags": tags})).unwrap() else {
                panic!("no tags")
            };
            tags.names
        };
        assert_eq!(names(json!("hot")), ["hot"]);
        assert_eq!(names(json!(["hot", null, 5])), ["hot", "5"]);
        for wrong in [json!(null), json!([]), json!([{"name": "hot"}]), json!("")] {
            refused("add_tags", &json!({"tags": wrong}));
        }
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        let message = refused("remove_tags", &json!({"tags": [long]}));
        assert_eq!(message, "a tag has 1 to 25 characters");
    }

    #[test]
    fn a_note_needs_its_content() {
        let message = refused("note", &json!({"Note_Title": "call", "Note_Content": null}));
        assert_eq!(message, "`Note_Content` is null");
    }

    #[test]
    fn a_conversion_names_records_that_are_there_or_values_of_new_ones() {
        let values = json!({
            "Accounts": {"id": "7"}, "Contacts": {"Title": "Owner"}, "Deals": null, "overwrite": true,
            "move_attachments_to": "Contacts", "carry_over_tags": {"Deals": ["hot"]},
        });
        let Task::Convert(how) = task("convert", &values).unwrap() else {
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
            refused("convert", &wrong);
        }
    }

    #[test]
    fn a_mail_has_addresses_with_or_without_names() {
        let values = json!({
            "from": "a@example.com", "to": [{"email": "b@example.com", "user_name": "B"}, null],
            "cc": "c@example.com", "subject": "s", "content": "x", "mail_format": "text",
        });
        let Task::Mail(mail) = task("mail", &values).unwrap() else {
            panic!("no mail")
        };
        let named = Address {
            email: "b@example.com".to_owned(),
            name: Some("B".to_owned()),
        };
        assert!(mail.to == [named] && mail.cc == [Address::of("c@example.com")]);
        assert!(mail.content == Some(Content::Text("x".to_owned())));
        let with = |key: &str, value: Value| {
            let mut values =
                json!({"from": "a@example.com", "to": "b@example.com", "subject": "s"});
            values[key] = value;
            values
        };
        for wrong in [
            with("to", json!(null)),
            with("from", json!(["a@example.com", "b@example.com"])),
            with("cc", json!([{"user_name": "B"}])),
            with("subject", json!(null)),
            with("mail_format", json!("rtf")),
        ] {
            refused("mail", &wrong);
        }
    }
}
