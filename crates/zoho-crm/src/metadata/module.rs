//! A module of the org.

use std::sync::Arc;

use serde_json::Value;

use crate::{Error, records::Values};

/// All modules of an org; cheap to clone.
pub type Modules = Arc<[Module]>;

/// A module. Zoho: "Modules metadata", v8.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are Zoho's, each its own"
)]
pub struct Module {
    /// Its id; empty where the answer does not say.
    pub id: String,
    /// Its name in paths and events.
    pub api_name: String,
    /// Its name on the page, for one record.
    pub singular_label: Option<String>,
    /// The same for many.
    pub plural_label: Option<String>,
    /// `default`, `custom`, `linking`, `subform`, …
    pub generated_type: Option<String>,
    /// `visible`, `user_hidden`, `system_hidden`, …
    pub status: Option<String>,
    /// Whether the API can read it.
    pub api_supported: bool,
    /// Whether the user may make records.
    pub creatable: bool,
    /// Whether the user may change records.
    pub editable: bool,
    /// Whether the user may delete records.
    pub deletable: bool,
    /// Whether the user may see records.
    pub viewable: bool,
    /// All that Zoho said, these too; of one module asked for by name, more than in the list.
    pub raw: Values,
}

impl Module {
    pub(super) fn read(entry: Value) -> Result<Self, Error> {
        let nameless = Error::Malformed {
            problem: "a module without a name",
        };
        let Value::Object(raw) = entry else {
            return Err(nameless);
        };
        let text = |key: &str| raw.get(key)?.as_str().map(str::to_owned);
        let flag = |key: &str| raw.get(key).and_then(Value::as_bool).unwrap_or_default();
        Ok(Self {
            id: text("id").unwrap_or_default(),
            api_name: text("api_name").ok_or(nameless)?,
            singular_label: text("singular_label"),
            plural_label: text("plural_label"),
            generated_type: text("generated_type"),
            status: text("status"),
            api_supported: flag("api_supported"),
            creatable: flag("creatable"),
            editable: flag("editable"),
            deletable: flag("deletable"),
            viewable: flag("viewable"),
            raw,
        })
    }
}
