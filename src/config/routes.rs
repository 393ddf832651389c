//! `routes`: who listens to what, and what is sent where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Number, Value as Json};

use crate::{
    event::{
        DestinationName, FailurePolicy, ModuleName, Operation, RouteName, SendName, SourceName,
    },
    route::{BodyTemplate, EnrichWish, MissingPolicy, Pattern, Route, Send},
    template::Place,
};

use super::{
    amqp::SHORT_STRING_BYTES_MAX,
    destinations::KindWord,
    reader::{Fields, Reader, nearest, one_or_many},
    sources::BUILT_IN,
    yaml::{Node, Scalar, Style, Value},
};

/// Most sends of one route.
const SENDS_MAX: usize = 100;

/// Most fields that one route lists.
const FIELDS_MAX: usize = 500;

/// Deepest nesting of a send's `body`.
const BODY_DEPTH_MAX: usize = 32;

/// What the rest of the file says that a route depends on.
pub(super) struct Context<'a> {
    pub(super) sources: &'a [&'a str],
    pub(super) destinations: &'a BTreeMap<&'a str, Option<KindWord>>,
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
    let known = ["from", "on", "when", "enrich", "send"];
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
    let enrich = fields
        .get("enrich")
        .map_or_else(|| Some(Enrich::default()), |it| enrich(reader, it));
    let sends = reader
        .required(&fields, "send", "where to, e.g. [{ to: console }]")
        .and_then(|it| sends(reader, it, context));
    let enrich = enrich?;
    Some(Route {
        name: RouteName::new(name),
        from: from?,
        on: on?,
        when,
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

fn sends(reader: &mut Reader<'_>, node: &Node, context: &Context<'_>) -> Option<Vec<Send>> {
    let items = one_or_many(node);
    if items.is_empty() {
        reader.error_hint(node, "this route sends nowhere", "e.g. [{ to: console }]");
    }
    reader.at_most(node, items.len(), SENDS_MAX);
    let mut names = BTreeSet::new();
    let mut sends = vec![];
    for item in items {
        let send = send(reader, item, context);
        if let Some(send) = &send
            && !names.insert(send.name.clone())
        {
            reader.error_hint(
                item,
                format!("two sends of this route are named `{}`", send.name),
                "give one of them another `name`: the name is part of the event's id",
            );
        }
        sends.push(send);
    }
    sends.into_iter().collect()
}

fn send(reader: &mut Reader<'_>, node: &Node, context: &Context<'_>) -> Option<Send> {
    let known = ["to", "name", "key", "body", "on_failure"];
    let fields = reader.fields(node, &known, &[]);
    let names: Vec<_> = context.destinations.keys().copied().collect();
    let to = reader
        .required(&fields, "to", "the name of a destination")
        .and_then(|it| reader.reference(it, "destination", &names));
    let name = match fields.get("name") {
        Some(node) => reader.name(node),
        None => to,
    };
    let kind = to.and_then(|it| *context.destinations.get(it)?);
    let key = fields.get("key").and_then(|it| key(reader, it, kind));
    let body = fields.get("body").and_then(|it| body(reader, it, 0));
    let on_failure = on_failure(reader, &fields);
    Some(Send {
        name: SendName::new(name?),
        to: DestinationName::new(to?),
        key,
        body,
        on_failure: on_failure?,
    })
}

fn on_failure(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<FailurePolicy> {
    let words = [
        ("quarantine", FailurePolicy::Quarantine),
        ("block", FailurePolicy::Block),
    ];
    fields
        .get("on_failure")
        .map_or(Some(FailurePolicy::Quarantine), |it| {
            reader.word(it, &words)
        })
}

fn key(
    reader: &mut Reader<'_>,
    node: &Node,
    kind: Option<KindWord>,
) -> Option<crate::template::Template> {
    if kind.is_some_and(|it| it != KindWord::Amqp) {
        let message = "`key` is a routing key, which only `kind: amqp` destinations have";
        reader.error_hint(node, message, "take it away");
    }
    let text = reader.text(node, "a text, with {{ }} where values go")?;
    if !text.contains("{{") && text.len() > SHORT_STRING_BYTES_MAX {
        let message =
            format!("longer than {SHORT_STRING_BYTES_MAX} bytes, which AMQP does not allow");
        reader.error(node, message);
    }
    reader.template(node, Place::Route)
}

/// Any YAML with templates at its leaves.
fn body(reader: &mut Reader<'_>, node: &Node, depth: usize) -> Option<BodyTemplate> {
    if depth > BODY_DEPTH_MAX {
        reader.error(node, format!("nested deeper than {BODY_DEPTH_MAX}"));
        return None;
    }
    match &node.value {
        Value::Broken => None,
        Value::Null => Some(BodyTemplate::Literal(Json::Null)),
        Value::List(items) => {
            let items = items
                .iter()
                .filter_map(|it| body(reader, it, depth + 1))
                .collect();
            Some(BodyTemplate::List(items))
        }
        Value::Map(_) => {
            let entries = reader.entries(node, "values by key");
            let map = entries
                .iter()
                .filter_map(|it| Some((it.key.clone(), body(reader, &it.node, depth + 1)?)))
                .collect();
            Some(BodyTemplate::Map(map))
        }
        Value::Scalar(scalar) => {
            reader.text(node, "a value")?;
            if scalar.text.contains("{{") {
                let template = reader.template(node, Place::Route)?;
                return Some(BodyTemplate::Template(template));
            }
            Some(BodyTemplate::Literal(literal(scalar)))
        }
    }
}

/// Plain scalars are what YAML says they are; quoted ones are texts.
fn literal(scalar: &Scalar) -> Json {
    let text = scalar.text.as_str();
    if scalar.style != Style::Plain {
        return Json::String(text.to_owned());
    }
    let number = || {
        let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        is_number.then(|| text.parse::<Number>().ok()).flatten()
    };
    match text {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        _ => number().map_or_else(|| Json::String(text.to_owned()), Json::Number),
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

    #[test]
    fn a_plain_scalar_of_a_body_keeps_its_type() {
        let check = |text: &str, style, expected: Json| {
            let scalar = Scalar {
                text: text.to_owned(),
                style,
                substituted: false,
            };
            assert_eq!(literal(&scalar), expected, "{text}");
        };
        check("5", Style::Plain, serde_json::json!(5));
        check("-1.5", Style::Plain, serde_json::json!(-1.5));
        check("5", Style::Quoted, serde_json::json!("5"));
        check("true", Style::Plain, serde_json::json!(true));
        check("007", Style::Plain, serde_json::json!("007"));
        check("a b", Style::Plain, serde_json::json!("a b"));
    }
}
