//! A field of a module.

use std::sync::Arc;

use serde_json::Value;

use crate::{Error, records::Values};

/// All fields of a module; cheap to clone.
pub type Fields = Arc<[Field]>;

/// One field of a module. Zoho: "Fields metadata", v8.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    /// Its id; empty where the answer does not say.
    pub id: String,
    /// Its name in records.
    pub api_name: String,
    /// Its name on the page.
    pub label: Option<String>,
    /// Zoho's type: `text`, `email`, `datetime`, `ownerlookup`, `picklist`, `subform`, …
    pub data_type: String,
    /// The JSON type of its values: `string`, `integer`, `double`, `boolean`, `jsonobject`, `jsonarray`; null for some.
    pub json_type: Option<String>,
    /// Most characters of a value.
    pub length: Option<u64>,
    /// Whether Zoho itself demands a value.
    pub mandatory: bool,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// Whether the org made it.
    pub custom: bool,
    /// The values of a pick list as they are written in records, in Zoho's order.
    pub choices: Vec<String>,
    /// The module that a lookup leads to.
    pub lookup_module: Option<String>,
    /// All that Zoho said, these too.
    pub raw: Values,
}

/// Which fields of a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Those in use (Zoho's default).
    #[default]
    Used,
    /// All.
    All,
    /// Those that no layout shows.
    Unused,
}

impl FieldType {
    pub(super) const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Used => None,
            Self::All => Some("all"),
            Self::Unused => Some("unused"),
        }
    }
}

impl Field {
    /// Whether a list call gives it; subforms and multi-select lookups come only with a single record.
    pub fn is_listed(&self) -> bool {
        !matches!(
            self.data_type.as_str(),
            "subform" | "multiselectlookup" | "multiuserlookup"
        )
    }

    pub(super) fn read(entry: Value) -> Result<Self, Error> {
        let nameless = Error::Malformed {
            problem: "a field without a name",
        };
        let Value::Object(raw) = entry else {
            return Err(nameless);
        };
        let text = |key: &str| raw.get(key)?.as_str().map(str::to_owned);
        let flag = |key: &str| raw.get(key).and_then(Value::as_bool).unwrap_or_default();
        let choices = raw.get("pick_list_values").and_then(Value::as_array);
        let choice = |it: &Value| Some(it.get("actual_value")?.as_str()?.to_owned());
        Ok(Self {
            id: text("id").unwrap_or_default(),
            api_name: text("api_name").ok_or(nameless)?,
            label: text("field_label").or_else(|| text("display_label")),
            data_type: text("data_type").unwrap_or_default(),
            json_type: text("json_type"),
            length: raw.get("length").and_then(Value::as_u64),
            mandatory: flag("system_mandatory"),
            read_only: flag("read_only") || flag("field_read_only"),
            custom: flag("custom_field"),
            choices: choices.into_iter().flatten().filter_map(choice).collect(),
            lookup_module: lookup_module(&raw),
            raw,
        })
    }
}

/// In v8 an object; before, the name itself.
fn lookup_module(raw: &Values) -> Option<String> {
    let module = raw.get("lookup")?.get("module")?;
    let name = module.get("api_name").unwrap_or(module);
    Some(name.as_str()?.to_owned())
}
