//! What fields a module has, kept for an hour.

use std::{collections::HashMap, sync::Arc, sync::Mutex, time::Duration};

use serde::Deserialize;

use crate::{Call, Client, Error, auth::lock, records::is_api_name, transport::ApiRequest};

/// Metadata is asked again after this.
const KEPT: Duration = Duration::from_hours(1);

/// Modules whose fields are kept; an org has a few dozen.
const MODULES_MAX: usize = 1000;

/// One field of a module. Zoho: "Fields metadata", v8.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Field {
    /// Its name in records.
    pub api_name: String,
    /// Zoho's type: `text`, `email`, `datetime`, `ownerlookup`, `picklist`, `subform`, …
    #[serde(default)]
    pub data_type: String,
    /// The JSON type of its values: `string`, `integer`, `double`, `boolean`, `jsonobject`, `jsonarray`; null for some.
    #[serde(default)]
    pub json_type: Option<String>,
}

impl Field {
    /// Whether a list call gives it; subforms and multi-select lookups come only with a single record.
    pub fn is_listed(&self) -> bool {
        !matches!(
            self.data_type.as_str(),
            "subform" | "multiselectlookup" | "multiuserlookup"
        )
    }
}

/// All fields of a module; cheap to clone.
pub type Fields = Arc<[Field]>;

/// Fields by module, and since when they are known.
#[derive(Debug, Default)]
pub(crate) struct FieldsCache {
    modules: Mutex<HashMap<String, (Fields, Duration)>>,
}

#[derive(Deserialize)]
struct Envelope {
    fields: Vec<Field>,
}

impl Client {
    /// All fields of a module; asked once an hour at most, but for [`Self::forget_fields`].
    ///
    /// # Errors
    /// As the variants say; a module that does not exist is [`Error::Invalid`].
    pub async fn fields(&self, module: &str) -> Result<Fields, Error> {
        if !is_api_name(module) {
            return Err(Self::wrong("not a module's name"));
        }
        let now = self.inner.clock.monotonic();
        if let Some((fields, since)) = lock(&self.inner.fields.modules).get(module)
            && now < *since + KEPT
        {
            return Ok(Arc::clone(fields));
        }
        let request = ApiRequest {
            path: &["settings", "fields"],
            query: &[("module", module)],
        };
        let answer = self.read(Call::Fields, &request).await?;
        let fields: Fields = if answer.is_empty() {
            Arc::new([])
        } else {
            let envelope: Envelope =
                serde_json::from_slice(&answer.body)
                    .ok()
                    .ok_or(Error::Malformed {
                        problem: "no list of fields",
                    })?;
            envelope.fields.into()
        };
        let mut modules = lock(&self.inner.fields.modules);
        if modules.len() >= MODULES_MAX {
            modules.clear();
        }
        modules.insert(module.to_owned(), (Arc::clone(&fields), now));
        Ok(fields)
    }

    /// Asks again at the next need: for when Zoho no longer knows a field it named.
    pub fn forget_fields(&self, module: &str) {
        lock(&self.inner.fields.modules).remove(module);
    }
}
