//! A callback's body, read by what it is and not by what its content type says: Zoho's is not documented.

use serde_json::{Map, Value};

/// What the bytes turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// No bytes.
    Empty,
    /// A JSON text.
    Json(Value),
    /// Name and value pairs: urlencoded, multipart, or the query string of a request without a body.
    Form(Vec<(String, String)>),
    /// Anything else that is UTF-8.
    Text(String),
}

impl Body {
    /// As the variable `body` of conditions and templates: a form is an object, its first value wins; empty is null.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Json(value) => value.clone(),
            Self::Text(text) => Value::String(text.clone()),
            Self::Form(pairs) => {
                let mut object = Map::new();
                for (name, value) in pairs {
                    object
                        .entry(name.clone())
                        .or_insert_with(|| Value::String(value.clone()));
                }
                Value::Object(object)
            }
        }
    }
}
