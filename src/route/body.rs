//! Bodies of sends: templates computed, mappings in the file's order.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::Value;

use super::table::BodyTemplate;
use crate::template::{EvalError, Scope};

/// The content type of everything but a text.
pub(super) const JSON: &str = "application/json";

const TEXT: &str = "text/plain; charset=utf-8";

/// A body with its templates computed; mappings keep the file's order.
pub(super) enum Rendered<'a> {
    Literal(&'a Value),
    Computed(Value),
    List(Vec<Rendered<'a>>),
    Map(Vec<(&'a str, Rendered<'a>)>),
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Literal(value) => value.serialize(serializer),
            Self::Computed(value) => value.serialize(serializer),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

pub(super) fn render<'a>(
    body: &'a BodyTemplate,
    scope: &Scope<'_>,
) -> Result<Rendered<'a>, EvalError> {
    Ok(match body {
        BodyTemplate::Literal(value) => Rendered::Literal(value),
        BodyTemplate::Template(template) => Rendered::Computed(template.render(scope)?),
        BodyTemplate::List(items) => Rendered::List(
            items
                .iter()
                .map(|it| render(it, scope))
                .collect::<Result<_, _>>()?,
        ),
        BodyTemplate::Map(entries) => Rendered::Map(
            entries
                .iter()
                .map(|(name, it)| Ok((name.as_str(), render(it, scope)?)))
                .collect::<Result<_, EvalError>>()?,
        ),
    })
}

/// A body that is a text is sent as it is, everything else as JSON.
pub(super) fn encode(body: &Rendered<'_>) -> Result<(&'static str, Vec<u8>), serde_json::Error> {
    let text = match body {
        Rendered::Literal(value) => value.as_str(),
        Rendered::Computed(value) => value.as_str(),
        Rendered::List(_) | Rendered::Map(_) => None,
    };
    Ok(match text {
        Some(text) => (TEXT, text.as_bytes().to_vec()),
        None => (JSON, serde_json::to_vec(body)?),
    })
}
