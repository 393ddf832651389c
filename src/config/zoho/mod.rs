//! `kind: zoho`: what a destination does at Zoho, and what a send to it must say.

mod body;

use crate::{
    deliver::ZohoSettings,
    event::{Action, ConnectionName, ModuleName},
    route::Write,
    template::Place,
};

use super::{
    reader::{Fields, Reader, listed, one_or_many},
    yaml::Node,
};

/// Fields by which an existing record is found, at most.
const UNIQUE_FIELDS_MAX: usize = 10;

/// The module whose records are converted.
const LEADS: &str = "Leads";

/// Automations of Zoho. Zoho: "Insert records", v8: `trigger`.
const TRIGGERS: [(&str, &str); 3] = [
    ("workflow", "workflow"),
    ("approval", "approval"),
    ("blueprint", "blueprint"),
];

/// The entry of `destinations`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    connections: &[&str],
) -> Option<ZohoSettings> {
    let hint = "the entry of `connections` whose org is written";
    let connection = reader
        .required(fields, "connection", hint)
        .and_then(|it| reader.reference(it, "connection", connections));
    let module = reader
        .required(fields, "module", "the module's API name, e.g. Contacts")
        .and_then(|it| api_name(reader, it, "a module's API name, such as Leads"));
    let words: Vec<&str> = Action::ALL.iter().map(|it| it.0).collect();
    let action = reader
        .required(fields, "action", &listed(&words))
        .and_then(|it| reader.word(it, &Action::ALL));
    let action = action?;
    let unique_fields = unique_fields(reader, fields, action);
    let trigger = trigger(reader, fields, action);
    duplicates_are_accepted(reader, fields, action);
    if action == Action::Convert
        && let (Some(node), Some(module)) = (fields.get("module"), &module)
        && module != LEADS
    {
        reader.error_hint(node, "only leads are converted", "say `module: Leads`");
    }
    Some(ZohoSettings {
        connection: ConnectionName::new(connection?),
        module: ModuleName::new(module?),
        action,
        unique_fields: unique_fields?,
        trigger,
    })
}

/// What is created twice is there twice, unless a repeat finds it.
fn unique_fields(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    action: Action,
) -> Option<Vec<String>> {
    const KEY: &str = "unique_field";
    if !action.is_by_unique_field() {
        if let Some(node) = fields.get(KEY) {
            let message = format!("`{KEY}` is for `upsert` and `create`");
            reader.error_hint(node, message, "the send's `id` says which record it is");
        }
        return Some(vec![]);
    }
    let Some(node) = fields.get(KEY) else {
        let (message, hint) = if action == Action::Create {
            (
                "`create` needs a `unique_field`: without one a repeat would make the record twice",
                "make a text field in Zoho that allows no duplicates; zohook puts the delivery's id into it",
            )
        } else {
            (
                "`unique_field` is missing",
                "the field, or fields, by which an existing record is found, e.g. Email",
            )
        };
        reader.error_hint(fields.node, message, hint);
        return None;
    };
    let items = one_or_many(node);
    reader.at_most(node, items.len(), UNIQUE_FIELDS_MAX);
    if items.is_empty() {
        reader.error_hint(node, "no field is listed", "e.g. [Email]");
    }
    if action == Action::Create && items.len() > 1 {
        reader.error(
            node,
            "`create` takes one field, which holds the delivery's id",
        );
    }
    let what = "a field's API name, such as Email";
    let names: Vec<Option<String>> = items.iter().map(|it| api_name(reader, it, what)).collect();
    names.into_iter().collect()
}

/// What doubles when it is repeated is done only where the file says that this is no harm.
fn duplicates_are_accepted(reader: &mut Reader<'_>, fields: &Fields<'_>, action: Action) {
    const KEY: &str = "accept_duplicates";
    let node = fields.get(KEY);
    if action.is_repeatable() {
        if let Some(node) = node {
            let message = format!("`{action}` makes no duplicates: done twice it is as done once");
            reader.error_hint(node, message, format!("take `{KEY}` away"));
        }
        return;
    }
    let accepted = node.map_or(Some(false), |it| reader.boolean(it));
    if accepted == Some(false) {
        let message = format!(
            "`{action}` cannot be repeated safely: when an answer is lost it is done again, perhaps twice"
        );
        let hint = format!("say `{KEY}: true` if that is no harm");
        reader.error_hint(node.unwrap_or(fields.node), message, hint);
    }
}

/// `None` leaves it to Zoho, which runs all.
fn trigger(reader: &mut Reader<'_>, fields: &Fields<'_>, action: Action) -> Option<Vec<String>> {
    let node = fields.get("trigger")?;
    if !action.writes_fields() {
        let message = "`trigger` is for `update`, `upsert` and `create`";
        reader.error_hint(node, message, "take it away: Zoho decides what else runs");
        return None;
    }
    let words: Vec<Option<&str>> = reader
        .list(
            node,
            "workflow, approval, blueprint; an empty list runs none",
        )
        .iter()
        .map(|it| reader.word(it, &TRIGGERS))
        .collect();
    let words: Option<Vec<&str>> = words.into_iter().collect();
    Some(words?.into_iter().map(str::to_owned).collect())
}

/// What a send to this destination asks; its body is read apart, and here only looked at.
pub(super) fn send(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    settings: &ZohoSettings,
) -> Option<Write> {
    let action = settings.action;
    let id = match fields.get("id") {
        Some(node) if action.is_by_unique_field() => {
            let message = format!("`{action}` finds its record by `unique_field`, not by an id");
            reader.error_hint(node, message, "take `id` away");
            return None;
        }
        None if action.is_by_unique_field() => None,
        None => {
            let hint = "which record, e.g. id: \"{{ event.id }}\"";
            reader.required(fields, "id", hint);
            return None;
        }
        Some(node) => Some(reader.template(node, Place::Route)?),
    };
    body::check(reader, fields, settings);
    Some(Write {
        action,
        module: settings.module.clone(),
        unique_fields: settings.unique_fields.clone(),
        trigger: settings.trigger.clone(),
        id,
    })
}

fn api_name(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    reader.parsed(node, what, |text| {
        is_api_name(text).then(|| text.to_owned())
    })
}

fn is_api_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    !text.is_empty() && text.chars().all(fits)
}
