//! Workflow and generic callbacks: their shape is the user's, so `read` of the source says where things are.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    Read,
    split::{NAME_BYTES_MAX, Unreadable, Whole, id_of, milliseconds},
};
use crate::{
    event::{Change, ModuleName, Operation, RecordId},
    store::DedupKey,
    template::{Scope, Template},
};

/// The type of a generic event whose source names none.
const TYPE_UNNAMED: &str = "received";

/// A change for each id that the templates give.
pub(super) fn workflow(whole: &Whole<'_>, read: &Read) -> Result<Vec<Change>, Unreadable> {
    let scope = scope(whole)?;
    let module = text(read.module.as_ref(), &scope, "module")?.ok_or("`module` gives nothing")?;
    let module = ModuleName::new(module);
    let operation = text(read.operation.as_ref(), &scope, "operation")?;
    let operation = operation.map_or(Operation::Update, |it| Operation::parse(&it));
    let values = values(read, &scope)?;
    let server_time = time(read, &scope)?.unwrap_or(whole.notification.received_at());
    let ids = ids(read, &scope)?;
    let mut seen = HashSet::with_capacity(ids.len());
    let mut changes = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        if !seen.insert(id) {
            continue;
        }
        changes.push(Change {
            operation: operation.clone(),
            server_time,
            values: values.clone(),
            ..whole.change(&module, Some(RecordId::new(id.as_str())), index)
        });
    }
    Ok(changes)
}

/// One change, about `key` if there is one.
pub(super) fn generic(whole: &Whole<'_>, read: &Read) -> Result<Vec<Change>, Unreadable> {
    let scope = scope(whole)?;
    let module = ModuleName::new(whole.source.name.as_str());
    let event_type = text(read.event_type.as_ref(), &scope, "type")?;
    let event_type = match (event_type, &read.event_type) {
        (Some(event_type), _) => event_type,
        (None, None) => format!("{module}.{TYPE_UNNAMED}"),
        (None, Some(_)) => return Err("`type` gives nothing".into()),
    };
    let operation = text(read.operation.as_ref(), &scope, "operation")?;
    let operation = Operation::parse(match &operation {
        Some(operation) => operation,
        None => event_type.rsplit('.').next().unwrap_or(&event_type),
    });
    let key = text(read.key.as_ref(), &scope, "key")?;
    let server_time = time(read, &scope)?.unwrap_or(whole.notification.received_at());
    Ok(vec![Change {
        connection: None,
        operation,
        event_type: Some(event_type),
        server_time,
        values: values(read, &scope)?,
        ..whole.change(&module, key.map(RecordId::new), 0)
    }])
}

/// Only if asked for. Without a key nothing is dropped: a repeat is delivered, never guessed away.
pub(super) fn dedup(whole: &Whole<'_>) -> Option<DedupKey> {
    let dedup = whole.source.dedup.as_ref()?;
    let scope = scope(whole).ok()?;
    let key = text(Some(&dedup.key), &scope, "key").ok()??;
    let mut hash = Sha256::new();
    hash.update(whole.source.name.as_str());
    hash.update([0]);
    hash.update(key);
    Some(DedupKey {
        hash: hash.finalize().into(),
        window: dedup.window,
    })
}

fn scope<'a>(whole: &'a Whole<'_>) -> Result<Scope<'a>, Unreadable> {
    match whole.notification.body() {
        Ok(body) => Ok(Scope {
            body: Some(body),
            source: Some(whole.source.name.as_str()),
            now: Some(whole.notification.received_at()),
            ..Scope::default()
        }),
        Err(undecodable) => Err(undecodable.to_string().into()),
    }
}

fn render(template: &Template, scope: &Scope<'_>, what: &str) -> Result<Value, Unreadable> {
    template
        .render(scope)
        .map_err(|it| format!("`{what}`: {it}").into())
}

/// `None` where there is no template, or it gives null or no text.
fn text(
    template: Option<&Template>,
    scope: &Scope<'_>,
    what: &str,
) -> Result<Option<String>, Unreadable> {
    let Some(template) = template else {
        return Ok(None);
    };
    let value = render(template, scope, what)?;
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            return Err(format!("`{what}` gives no text").into());
        }
    };
    if text.len() > NAME_BYTES_MAX {
        return Err(format!("`{what}` is longer than {NAME_BYTES_MAX} bytes").into());
    }
    Ok(Some(text).filter(|it| !it.is_empty()))
}

/// Each template may give an id, a list, or a text with commas.
fn ids(read: &Read, scope: &Scope<'_>) -> Result<Vec<String>, Unreadable> {
    let mut ids = vec![];
    for template in &read.ids {
        let value = render(template, scope, "ids")?;
        let given = match &value {
            Value::Array(list) => list.as_slice(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => std::slice::from_ref(&value),
        };
        for id in given.iter().filter(|it| !it.is_null()) {
            if let Value::String(text) = id {
                let parts = text.split(',').map(str::trim);
                ids.extend(parts.filter(|it| !it.is_empty()).map(str::to_owned));
            } else {
                let id = id_of(id).ok_or("`ids` gives something that is no text or number")?;
                ids.push(id.into_owned());
            }
        }
    }
    if ids.is_empty() {
        return Err("`ids` gives nothing".into());
    }
    if ids.iter().any(|it| it.len() > NAME_BYTES_MAX) {
        return Err(format!("`ids` gives one longer than {NAME_BYTES_MAX} bytes").into());
    }
    Ok(ids)
}

fn values(read: &Read, scope: &Scope<'_>) -> Result<Option<Map<String, Value>>, Unreadable> {
    if read.record.is_empty() {
        return Ok(None);
    }
    let mut values = Map::new();
    for (name, template) in &read.record {
        values.insert(name.clone(), render(template, scope, "record")?);
    }
    Ok(Some(values))
}

/// RFC 3339, or milliseconds since 1970; `None` where there is nothing.
fn time(read: &Read, scope: &Scope<'_>) -> Result<Option<Timestamp>, Unreadable> {
    let Some(template) = &read.time else {
        return Ok(None);
    };
    let value = render(template, scope, "time")?;
    if value.is_null() || value.as_str().is_some_and(|it| it.trim().is_empty()) {
        return Ok(None);
    }
    let rfc3339 = || value.as_str()?.trim().parse().ok();
    match milliseconds(&value).or_else(rfc3339) {
        Some(time) => Ok(Some(time)),
        None => Err("`time` is neither rfc 3339 nor milliseconds".into()),
    }
}
