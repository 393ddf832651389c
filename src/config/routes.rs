//! `routes`: who listens to what, and what is sent where.

use std::collections::BTreeMap;

use crate::{
    deliver,
    event::{DestinationName, ModuleName, Operation, RouteName, SourceName},
    route::{EnrichWish, MissingPolicy, Pattern, Route},
    template::Place,
};

use super::{
    destinations::KindWord,
    reader::{Reader, nearest, one_or_many},
    sends,
    sources::BUILT_IN,
    yaml::{Node, Value},
};

/// Most fields that one route lists.
const FIELDS_MAX: usize = 500;

/// Most users whose changes one route does not take.
const USERS_MAX: usize = 100;

/// What the rest of the file says that a route depends on.
pub(super) struct Context<'a> {
    pub(super) sources: &'a [&'a str],
    pub(super) destinations: &'a BTreeMap<&'a str, Option<KindWord>>,
    /// Those that could be read.
    pub(super) settings: &'a BTreeMap<DestinationName, deliver::Settings>,
}

/// In the file's order.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node, context: &Context<'_>) -> Vec<Route> {
    reader
        .named(node, "routes by name")
        .into_iter()
        .filter_map(|it| one(reader, &it.key, &it.node, context))
        .collect()
}

fn one(reader: &mut Reader<'_>, name: &str, node: &Node, context: &Context<'_>) -> Option<Route> {
    let known = ["from", "on", "when", "ignore_changes_by", "enrich", "send"];
    let fields = reader.fields(node, &known, &[]);
    let from = fields
        .get("from")
        .map_or(Some(vec![]), |it| from(reader, it, context));
    let on = reader
        .required(
            &fields,
            "on",
            "what it listens to, e.g. [Leads.*] or [\"*.*\"]",
        )
        .and_then(|it| on(reader, it));
    let when = fields
        .get("when")
        .and_then(|it| reader.condition(it, Place::Route));
    let ignore_changes_by = fields
        .get("ignore_changes_by")
        .map_or(Some(vec![]), |it| ignored_users(reader, it));
    let enrich = fields
        .get("enrich")
        .map_or_else(|| Some(Enrich::default()), |it| enrich(reader, it));
    let sends = reader
        .required(&fields, "send", "where to, e.g. [{ to: console }]")
        .and_then(|it| sends::read(reader, it, context));
    let enrich = enrich?;
    Some(Route {
        name: RouteName::new(name),
        from: from?,
        on: on?,
        when,
        ignore_changes_by: ignore_changes_by?,
        enrich: enrich.wish,
        full: enrich.full,
        on_missing: enrich.on_missing,
        sends: sends?,
    })
}

fn from(reader: &mut Reader<'_>, node: &Node, context: &Context<'_>) -> Option<Vec<SourceName>> {
    let items = one_or_many(node);
    if items.is_empty() {
        let hint = "take `from` away to listen to all sources";
        reader.error_hint(node, "no source is listed", hint);
    }
    let mut names = vec![];
    for item in items {
        let is_built_in = matches!(&item.value, Value::Scalar(it) if it.text == BUILT_IN);
        let name = if is_built_in {
            reader.warning(
                item,
                "the built-in source `zohook` has no events yet in this version",
                "take it away until it has",
            );
            reader.text(item, "the name of a source")
        } else {
            reader.reference(item, "source", context.sources)
        };
        names.push(name.map(SourceName::new));
    }
    names.into_iter().collect()
}

fn on(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Pattern>> {
    let items = one_or_many(node);
    if items.is_empty() {
        reader.error_hint(node, "nothing is listened to", "e.g. [Leads.*]");
    }
    let what = "Module.operation, either part may be * (insert, update, delete, …)";
    let mut patterns = vec![];
    for item in items {
        let pattern = reader.parsed(item, what, pattern);
        if let Some(Pattern {
            operation: Some(Operation::Other(word)),
            ..
        }) = &pattern
        {
            unusual_operation(reader, item, word);
        }
        patterns.push(pattern);
    }
    patterns.into_iter().collect()
}

fn pattern(text: &str) -> Option<Pattern> {
    let (module, operation) = text.split_once('.')?;
    let is_word = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        text == "*" || (!text.is_empty() && text.chars().all(fits))
    };
    if !is_word(module) || !is_word(operation) {
        return None;
    }
    Some(Pattern {
        module: (module != "*").then(|| ModuleName::new(module)),
        operation: (operation != "*").then(|| Operation::parse(operation)),
    })
}

fn unusual_operation(reader: &mut Reader<'_>, node: &Node, word: &str) {
    let usual = ["insert", "create", "update", "edit", "delete"];
    if word == "all" {
        let message = "callbacks never say `all`, so this would never match";
        reader.error_hint(node, message, "write * for every operation");
    } else if let Some(near) = nearest(word, usual) {
        let message = "this operation is not one that Zoho documents";
        reader.warning(node, message, format!("did you mean `{near}`?"));
    }
}

fn ignored_users(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<String>> {
    let items = one_or_many(node);
    reader.at_most(node, items.len(), USERS_MAX);
    if items.is_empty() {
        reader.error(node, "no user is listed");
    }
    let what = "the id of a Zoho user, such as 554023000000235011";
    let is_id = |text: &str| {
        let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        fits.then(|| text.to_owned())
    };
    let users: Vec<Option<String>> = items
        .iter()
        .map(|it| reader.parsed(it, what, is_id))
        .collect();
    users.into_iter().collect()
}

#[derive(Default)]
struct Enrich {
    wish: EnrichWish,
    full: bool,
    on_missing: MissingPolicy,
}

fn enrich(reader: &mut Reader<'_>, node: &Node) -> Option<Enrich> {
    let known = ["fields", "full", "on_missing"];
    match &node.value {
        Value::Map(_) => {}
        Value::Scalar(_) => {
            let words = [("none", EnrichWish::None), ("all", EnrichWish::All)];
            let what = "none, all, or a mapping with fields, full, on_missing";
            let wish = reader.parsed(node, what, |text| {
                words.iter().find(|it| it.0 == text).map(|it| it.1.clone())
            })?;
            return Some(Enrich {
                wish,
                ..Enrich::default()
            });
        }
        Value::Null | Value::List(_) | Value::Broken => {
            reader.wrong_type(
                node,
                "none, all, or a mapping with fields, full, on_missing",
            );
            return None;
        }
    }
    let fields = reader.fields(node, &known, &[]);
    let wish = fields
        .get("fields")
        .map_or(Some(EnrichWish::All), |it| listed_fields(reader, it));
    let full = fields
        .get("full")
        .map_or(Some(false), |it| reader.boolean(it));
    let words = [
        ("quarantine", MissingPolicy::Quarantine),
        ("send", MissingPolicy::Send),
    ];
    let on_missing = fields
        .get("on_missing")
        .map_or(Some(MissingPolicy::Quarantine), |it| {
            reader.word(it, &words)
        });
    Some(Enrich {
        wish: wish?,
        full: full?,
        on_missing: on_missing?,
    })
}

fn listed_fields(reader: &mut Reader<'_>, node: &Node) -> Option<EnrichWish> {
    let items = reader.list(node, "field API names");
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        let hint = "list fields, take `fields` away for all, or write `enrich: none`";
        reader.error_hint(node, "no field is listed", hint);
    }
    reader.at_most(node, items.len(), FIELDS_MAX);
    let is_field = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
    };
    let fields: Option<Vec<String>> = items
        .iter()
        .map(|it| reader.parsed(it, "a field's API name, such as Last_Name", is_field))
        .collect();
    match &node.value {
        Value::List(_) => Some(EnrichWish::Fields(fields?)),
        Value::Null | Value::Scalar(_) | Value::Map(_) | Value::Broken => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_two_words_of_which_either_may_be_a_star() {
        let show = |text: &str| {
            pattern(text).map(|it| {
                let module = it.module.map_or("*".to_owned(), |it| it.to_string());
                let operation = it.operation.map_or("*".to_owned(), |it| it.to_string());
                format!("{module} {operation}")
            })
        };
        assert_eq!(show("Deals.create").as_deref(), Some("Deals insert"));
        assert_eq!(show("*.*").as_deref(), Some("* *"));
        assert_eq!(show("new-lead.paid").as_deref(), Some("new-lead paid"));
        for wrong in [
            "Deals",
            "Deals.",
            ".insert",
            "De als.insert",
            "D*.insert",
            "a.b.c",
        ] {
            assert_eq!(show(wrong), None, "{wrong}");
        }
    }
}
