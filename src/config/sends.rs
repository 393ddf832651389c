//! `send` of a route: where to, and what.

use std::collections::BTreeSet;

use serde_json::{Number, Value as Json};

use crate::{
    deliver::Kind,
    event::{DestinationName, FailurePolicy, SendName},
    route::{BodyTemplate, Send, Write},
    template::{Place, Template},
};

use super::{
    amqp::SHORT_STRING_BYTES_MAX,
    destinations::KindWord,
    reader::{Fields, Reader, one_or_many},
    routes::Context,
    yaml::{Node, Scalar, Style, Value},
    zoho,
};

/// Most sends of one route.
const SENDS_MAX: usize = 100;

/// Deepest nesting of a send's `body`.
const BODY_DEPTH_MAX: usize = 32;

/// In the file's order.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    context: &Context<'_>,
) -> Option<Vec<Send>> {
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
    let known = ["to", "name", "key", "id", "body", "on_failure"];
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
    let write = to.and_then(|it| write(reader, &fields, it, context));
    let body = fields.get("body").and_then(|it| body(reader, it, 0));
    let on_failure = on_failure(reader, &fields);
    Some(Send {
        name: SendName::new(name?),
        to: DestinationName::new(to?),
        key,
        body,
        write,
        on_failure: on_failure?,
    })
}

/// What is asked of Zoho, if that is where it goes.
fn write(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    to: &str,
    context: &Context<'_>,
) -> Option<Write> {
    let settings = context.settings.get(&DestinationName::new(to));
    if let Some(Kind::Zoho(settings)) = settings.map(|it| &it.kind) {
        return zoho::send(reader, fields, settings);
    }
    let kind = context.destinations.get(to).copied().flatten();
    if let Some(node) = fields.get("id")
        && kind.is_some_and(|it| it != KindWord::Zoho)
    {
        let message = "`id` is a record's, which only `kind: zoho` destinations write";
        reader.error_hint(node, message, "take it away");
    }
    None
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

fn key(reader: &mut Reader<'_>, node: &Node, kind: Option<KindWord>) -> Option<Template> {
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
    fn a_plain_scalar_of_a_body_keeps_its_type() {
        let check = |text: &str, style, expected: Json| {
            let scalar = Scalar {
                text: text.to_owned(),
                style,
                substituted: false,
                by_fallback: false,
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
