//! What modules and fields an org has, asked once for all callers and kept for an hour.

mod cache;
mod field;
mod module;

use std::sync::Arc;

use serde_json::Value;

use self::cache::Cache;
pub use self::{
    field::{Field, FieldType, Fields},
    module::{Module, Modules},
};
use crate::{
    Call, Client, Error,
    client::Answer,
    records::is_api_name,
    request::{ApiRequest, Cost},
};

/// What is known of an org.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    /// By module and type.
    fields: Cache<[Field]>,
    /// Under the empty key.
    modules: Cache<[Module]>,
    module: Cache<Module>,
}

impl Client {
    /// The fields of a module that are in use; asked once an hour at most, but for [`Self::forget_fields`].
    ///
    /// Zoho: "Fields metadata", v8.
    ///
    /// # Errors
    /// As the variants say; a module that does not exist is [`Error::Invalid`].
    pub async fn fields(&self, module: &str) -> Result<Fields, Error> {
        self.fields_of(module, FieldType::Used).await
    }

    /// The fields of a module, those in use, all of them, or the rest; kept like [`Self::fields`].
    ///
    /// Zoho: "Fields metadata", v8 (`type=all|unused`).
    ///
    /// # Errors
    /// As [`Self::fields`].
    pub async fn fields_of(&self, module: &str, fields: FieldType) -> Result<Fields, Error> {
        if !is_api_name(module) {
            return Err(Self::wrong("not a module's name"));
        }
        let key = fields_key(module, fields);
        let client = self.clone();
        let module = module.to_owned();
        let ask = || async move {
            let mut query = vec![("module", module.as_str())];
            query.extend(fields.parameter().map(|it| ("type", it)));
            let request = ApiRequest::get(&["settings", "fields"]).query(&query);
            let answer = client.send(Call::Fields, Cost::ONE, &request).await?;
            let entries = list(&answer, "fields")?;
            let fields: Result<Vec<_>, _> = entries.into_iter().map(Field::read).collect();
            Ok(fields?.into())
        };
        let now = self.inner.clock.monotonic();
        self.inner.metadata.fields.get(&key, now, ask).await
    }

    /// Asks again at the next need: for when Zoho no longer knows a field it named.
    pub fn forget_fields(&self, module: &str) {
        let of_module = |key: &str| key.split(' ').next() == Some(module);
        self.inner.metadata.fields.forget(of_module);
    }

    /// All modules of the org that the user may see; asked once an hour at most, but for [`Self::forget_modules`].
    ///
    /// Zoho: "Modules metadata", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn modules(&self) -> Result<Modules, Error> {
        let client = self.clone();
        let ask = || async move {
            let request = ApiRequest::get(&["settings", "modules"]);
            let answer = client.send(Call::Modules, Cost::ONE, &request).await?;
            let entries = list(&answer, "modules")?;
            let modules: Result<Vec<_>, _> = entries.into_iter().map(Module::read).collect();
            Ok(modules?.into())
        };
        let now = self.inner.clock.monotonic();
        self.inner.metadata.modules.get("", now, ask).await
    }

    /// One module, with all that Zoho knows of it; kept like [`Self::modules`].
    ///
    /// Zoho: "Modules metadata", v8.
    ///
    /// # Errors
    /// As the variants say; a module that does not exist is [`Error::Invalid`] or [`Error::Gone`].
    pub async fn module(&self, name: &str) -> Result<Arc<Module>, Error> {
        if !is_api_name(name) {
            return Err(Self::wrong("not a module's name"));
        }
        let client = self.clone();
        let module = name.to_owned();
        let ask = || async move {
            let path = ["settings", "modules", module.as_str()];
            let request = ApiRequest::get(&path);
            let answer = client.send(Call::Module, Cost::ONE, &request).await?;
            let first = list(&answer, "modules")?.into_iter().next();
            Ok(Arc::new(Module::read(first.unwrap_or_default())?))
        };
        let now = self.inner.clock.monotonic();
        self.inner.metadata.module.get(name, now, ask).await
    }

    /// Asks for all modules again at the next need.
    pub fn forget_modules(&self) {
        self.inner.metadata.modules.forget(|_| true);
        self.inner.metadata.module.forget(|_| true);
    }
}

/// A module's name holds no space.
fn fields_key(module: &str, fields: FieldType) -> String {
    format!("{module} {}", fields.parameter().unwrap_or_default())
}

/// The list under `key`; an empty answer has none.
fn list(answer: &Answer, key: &str) -> Result<Vec<Value>, Error> {
    if answer.is_empty() {
        return Ok(vec![]);
    }
    match answer.json()?.get_mut(key).map(Value::take) {
        Some(Value::Array(list)) => Ok(list),
        Some(_) | None => Err(Error::Malformed {
            problem: "no metadata in the answer",
        }),
    }
}
