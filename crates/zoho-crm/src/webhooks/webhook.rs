//! A webhook as Zoho has it.

use std::fmt;

use serde_json::Value;

use crate::{Error, records::Values};

/// Something with an id and a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its id; empty where the answer does not say.
    pub id: String,
    /// Its name; empty where the answer does not say.
    pub name: String,
}

/// A workflow webhook.
#[derive(Clone, PartialEq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its module; the name is the API name.
    pub module: Named,
    /// `workflow`, `approval_process`, …
    pub feature_type: String,
    /// `POST`, `GET`, `PUT` or `DELETE`.
    pub http_method: String,
    /// Where it goes, merge fields unfilled.
    pub url: String,
    /// All that Zoho said, these too.
    pub raw: Values,
}

/// Headers, parameters, bodies and URLs may hold secrets, and are left out.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("module", &self.module)
            .field("feature_type", &self.feature_type)
            .field("http_method", &self.http_method)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    pub(super) fn read(entry: Value) -> Result<Self, Error> {
        let id = id_of(&entry).ok_or(Error::Malformed {
            problem: "a webhook without an id",
        })?;
        let mut webhook = Self {
            id,
            name: text(&entry, "name"),
            module: named(entry.get("module")),
            feature_type: text(&entry, "feature_type"),
            http_method: text(&entry, "http_method"),
            url: text(&entry, "url"),
            raw: Values::new(),
        };
        if let Value::Object(raw) = entry {
            webhook.raw = raw;
        }
        Ok(webhook)
    }
}

/// An object with an id and a name or API name; or only the name, as older texts have it.
pub(super) fn named(value: Option<&Value>) -> Named {
    match value {
        Some(Value::String(name)) => Named {
            id: String::new(),
            name: name.clone(),
        },
        Some(object @ Value::Object(_)) => {
            let api_name = text(object, "api_name");
            Named {
                id: text(object, "id"),
                name: if api_name.is_empty() {
                    text(object, "name")
                } else {
                    api_name
                },
            }
        }
        _ => Named::default(),
    }
}

pub(super) fn id_of(object: &Value) -> Option<String> {
    Some(text(object, "id")).filter(|it| !it.is_empty())
}

/// A text, or a number as text.
pub(super) fn text(object: &Value, key: &str) -> String {
    match object.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}
