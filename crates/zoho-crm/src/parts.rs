//! What the families share: checks of what is sent, and reading of what comes back.

use serde_json::Value;

use crate::{
    Batch, Client, Error, FIELDS_MAX, ItemError, Values,
    records::{is_api_name, is_record_id},
};

/// Entries of one page of a list. Zoho: "Get records", v8; the same for every list.
pub(crate) const PER_PAGE_MAX: u32 = 200;

/// Refuses a module that cannot be one.
pub(crate) fn module_fits(module: &str) -> Result<(), Error> {
    if is_api_name(module) {
        return Ok(());
    }
    Err(Client::wrong("not a module's name"))
}

/// Refuses ids that cannot be any.
pub(crate) fn ids_fit(ids: &[&str]) -> Result<(), Error> {
    if ids.iter().all(|it| is_record_id(it)) {
        return Ok(());
    }
    Err(Client::wrong("not an id"))
}

/// Refuses a record that cannot be one.
pub(crate) fn record_fits(module: &str, id: &str) -> Result<(), Error> {
    module_fits(module)?;
    ids_fit(&[id])
}

/// 1 to [`FIELDS_MAX`] names, as `fields=` takes them.
pub(crate) fn fields_joined(fields: &[&str]) -> Result<String, Error> {
    if !(1..=FIELDS_MAX).contains(&fields.len()) {
        return Err(Client::wrong("a list call takes 1 to 50 fields"));
    }
    if !fields.iter().all(|it| is_api_name(it)) {
        return Err(Client::wrong("not a field's name"));
    }
    Ok(fields.join(","))
}

/// An entry of a list as values by name.
pub(crate) fn values(entry: Value) -> Result<Values, Error> {
    match entry {
        Value::Object(values) => Ok(values),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::Malformed {
                problem: "an entry that is not an object",
            })
        }
    }
}

/// The result of a call with one item.
pub(crate) fn only(batch: Batch<Value>) -> Result<Value, Error> {
    let first = batch.into_iter().next().ok_or(Error::Malformed {
        problem: "no result",
    })?;
    first.map_err(Error::from)
}

/// `details.id` of a result.
pub(crate) fn written_id(entry: &Value) -> Result<String, Error> {
    text_at(entry, "/details/id").ok_or(Error::Malformed {
        problem: "a result without an id",
    })
}

/// The same of each result that is a success.
pub(crate) fn written_ids(results: Batch<Value>) -> Batch<String> {
    let id = |entry: Value| written_id(&entry).map_err(|error| ItemError::of_call(&error));
    results.into_iter().map(|it| it.and_then(id)).collect()
}

/// A text, or a number as text, by JSON pointer.
pub(crate) fn text_at(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A count by JSON pointer, which Zoho gives as a number or as text.
pub(crate) fn count_at(value: &Value, pointer: &str) -> Option<u64> {
    text_at(value, pointer)?.parse().ok()
}
