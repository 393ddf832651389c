//! Workflow and generic callbacks: their shape is the user's, so `read` of the source says where things are.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    Read,
    split::{CHANGES_MAX, NAME_BYTES_MAX, Unreadable, Whole, id_of, milliseconds},
};
use crate::{
    event::{Change, ModuleName, Operation, RecordId},
    store::DedupKey,
    template::{EvalError, Scope, Template},
};

/// The type of a generic event whose source names none.
const TYPE_UNNAMED: &str = "received";

/// Values nested deeper are refused: what is stored must be read back, and JSON readers stop at 128.
const VALUES_DEPTH_MAX: usize = 100;

/// Each record of a callback gets a copy of its values; bytes of JSON that the copies may take together.
const COPIES_BYTES_MAX: usize = 4 * 1024 * 1024;

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
    check_copies(values.as_ref(), ids.len())?;
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
    let key = key(read.key.as_ref(), &scope)?;
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
    let key = key(Some(&dedup.key), &scope).ok()??;
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

fn said(rendered: Result<Value, EvalError>, what: &str) -> Result<Value, Unreadable> {
    rendered.map_err(|it| format!("`{what}`: {it}").into())
}

/// `None` where there is no template, or it gives null or no text.
fn text(
    template: Option<&Template>,
    scope: &Scope<'_>,
    what: &str,
) -> Result<Option<String>, Unreadable> {
    let rendered = template.map(|it| said(it.render(scope), what));
    rendered.map_or(Ok(None), |it| name_of(it?, what))
}

/// As [`text`], of what the event is about: a number that was rounded is none.
fn key(template: Option<&Template>, scope: &Scope<'_>) -> Result<Option<String>, Unreadable> {
    let rendered = template.map(|it| said(it.render_key(scope), "key"));
    rendered.map_or(Ok(None), |it| name_of(it?, "key"))
}

fn name_of(value: Value, what: &str) -> Result<Option<String>, Unreadable> {
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
        let value = said(template.render_key(scope), "ids")?;
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
    if ids.len() > CHANGES_MAX {
        return Err(format!("`ids` gives more than {CHANGES_MAX}").into());
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
        let value = said(template.render(scope), "record")?;
        if is_deeper(&value, VALUES_DEPTH_MAX) {
            return Err(format!(
                "`record` gives a value nested deeper than {VALUES_DEPTH_MAX} levels"
            )
            .into());
        }
        values.insert(name.clone(), value);
    }
    Ok(Some(values))
}

fn check_copies(values: Option<&Map<String, Value>>, records: usize) -> Result<(), Unreadable> {
    let copies = records.saturating_sub(1);
    let Some(values) = values.filter(|_| copies > 0) else {
        return Ok(());
    };
    let bytes = serde_json::to_vec(values).map_or(usize::MAX, |it| it.len());
    if bytes.saturating_mul(copies) > COPIES_BYTES_MAX {
        let detail = format!("`record` for all of `ids` takes more than {COPIES_BYTES_MAX} bytes");
        return Err(detail.into());
    }
    Ok(())
}

/// Bounded in itself: it looks no deeper than `levels`.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(inside) = levels.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Value::Array(list) => list.iter().any(|it| is_deeper(it, inside)),
        Value::Object(map) => map.values().any(|it| is_deeper(it, inside)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// RFC 3339, or milliseconds since 1970; `None` where there is nothing.
fn time(read: &Read, scope: &Scope<'_>) -> Result<Option<Timestamp>, Unreadable> {
    let Some(template) = &read.time else {
        return Ok(None);
    };
    let value = said(template.render(scope), "time")?;
    if value.is_null() || value.as_str().is_some_and(|it| it.trim().is_empty()) {
        return Ok(None);
    }
    let rfc3339 = || value.as_str()?.trim().parse().ok();
    match milliseconds(&value).or_else(rfc3339) {
        Some(time) => Ok(Some(time)),
        None => Err("`time` is neither rfc 3339 nor milliseconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use bytes::Bytes;
    use http::HeaderMap;
    use serde_json::json;

    use super::{super::split::split, *};
    use crate::{
        event::{Body, ConnectionName, Fetch, Method, NotificationId, RawNotification, SourceName},
        receive::{Dedup, Source, SourceKind},
        store::Content,
        template::Place,
        verify::{Proof, Verifier},
    };

    const NOW_MS: i64 = 1_750_102_640_000;

    fn template(text: &str) -> Template {
        Template::compile(text, Place::Read).unwrap()
    }

    fn source(kind: SourceKind) -> Source {
        Source {
            name: SourceName::new("hook"),
            kind,
            connection: Some(ConnectionName::new("acme")),
            proof: Proof::default(),
            dedup: None,
            fetch: Fetch::Always,
        }
    }

    fn lead() -> Read {
        Read {
            module: Some(template("{{ body.module }}")),
            ids: vec![template("{{ body.ids }}")],
            ..Read::default()
        }
    }

    fn event() -> Read {
        Read {
            event_type: Some(template("com.zoho.billing.{{ body.event_type }}")),
            key: Some(template("{{ body.id }}")),
            ..Read::default()
        }
    }

    fn read_with(source: &Source, body: &str) -> (Result<Vec<Change>, String>, Option<DedupKey>) {
        let raw = RawNotification {
            source: &source.name,
            method: Method::Post,
            headers: &HeaderMap::new(),
            query: "",
            body: Bytes::copy_from_slice(body.as_bytes()),
            peer: IpAddr::from([127, 0, 0, 1]),
            received_at: Timestamp::from_millisecond(NOW_MS).unwrap(),
        };
        let verifier = Verifier::new(source.proof.clone());
        let body = Body::parse(&raw.body, None);
        let notification = verifier.verify(&raw, body).unwrap();
        let split = split(source, &notification, NotificationId::random());
        let changes = match split.content {
            Content::Changes(changes) => Ok(changes),
            Content::Unreadable { detail } => Err(detail),
        };
        (changes, split.dedup)
    }

    fn workflow(read: Read, body: &str) -> Result<Vec<Change>, String> {
        read_with(&source(SourceKind::Workflow(read)), body).0
    }

    fn generic(read: Read, body: &str) -> Result<Change, String> {
        let mut changes = read_with(&source(SourceKind::Generic(read)), body).0?;
        assert_eq!(changes.len(), 1);
        Ok(changes.remove(0))
    }

    fn ids(body: &str) -> Result<Vec<String>, String> {
        let changes = workflow(lead(), body)?;
        let ids = changes
            .iter()
            .map(|it| it.record.as_ref().unwrap().to_string());
        Ok(ids.collect())
    }

    #[test]
    fn ids_are_a_text_a_number_a_list_or_a_text_with_commas() {
        let ok = |given: &str, expected: &[&str]| {
            let body = format!(r#"{{"module":"Leads","ids":{given}}}"#);
            let expected: Vec<_> = expected.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(ids(&body), Ok(expected), "{given}");
        };
        ok(r#""5725767000003000064""#, &["5725767000003000064"]);
        ok("5725767000003000064", &["5725767000003000064"]);
        ok(r#"["1",2,"1",null]"#, &["1", "2"]);
        ok(r#"" 1, 2,,3 ""#, &["1", "2", "3"]);
    }

    #[test]
    fn a_read_that_fails_says_where() {
        let check = |body: &str, expected: &str| {
            let detail = ids(body).unwrap_err();
            assert!(detail.starts_with(expected), "{detail}");
        };
        check(r#"{"module":"Leads","ids":[]}"#, "`ids` gives nothing");
        check(r#"{"module":"Leads","ids":" , "}"#, "`ids` gives nothing");
        check(r#"{"module":"Leads","ids":[{}]}"#, "`ids` gives something");
        check(r#"{"module":"Leads","ids":1.5}"#, "`ids` gives something");
        check(r#"{"module":[],"ids":1}"#, "`module` gives no text");
        check(r#"{"module":" ","ids":1}"#, "`module` gives nothing");
        check(r#"{"ids":1}"#, "`module`");
        check("no json", "`module`");
        let long = format!(
            r#"{{"module":"{}","ids":1}}"#,
            "x".repeat(NAME_BYTES_MAX + 1)
        );
        check(&long, "`module` is longer than 1024 bytes");
    }

    #[test]
    fn a_workflow_says_what_happened_and_when() {
        let read = Read {
            operation: Some(template("{{ body.what }}")),
            time: Some(template("{{ body.at }}")),
            record: vec![("Phone".to_owned(), template("{{ body.phone }}"))],
            ..lead()
        };
        let body = r#"{"module":"Leads","ids":1,"what":"create","at":"2025-10-21T17:08:07+05:30","phone":5}"#;
        let change = workflow(read.clone(), body).unwrap().remove(0);
        assert_eq!(change.operation, Operation::Insert);
        assert_eq!(change.server_time.to_string(), "2025-10-21T11:38:07Z");
        assert_eq!(change.values.unwrap()["Phone"], json!(5));

        let at = |at: &str| {
            let body =
                format!(r#"{{"module":"Leads","ids":1,"what":null,"phone":null,"at":{at}}}"#);
            let change = workflow(read.clone(), &body)?.remove(0);
            assert_eq!(change.operation, Operation::Update);
            Ok::<_, String>(change.server_time.as_millisecond())
        };
        assert_eq!(at("1750102639787"), Ok(1_750_102_639_787));
        assert_eq!(at(r#""1750102639787""#), Ok(1_750_102_639_787));
        assert_eq!(at("null"), Ok(NOW_MS));
        let why = "`time` is neither rfc 3339 nor milliseconds".to_owned();
        assert_eq!(at(r#""21.10.2025""#), Err(why));
    }

    #[test]
    fn values_that_could_not_be_read_back_are_refused() {
        let read = Read {
            record: vec![("payload".to_owned(), template("{{ body }}"))],
            ..Read::default()
        };
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        let change = generic(read.clone(), &nested(VALUES_DEPTH_MAX)).unwrap();
        assert!(change.values.unwrap()["payload"].is_array());
        assert_eq!(
            generic(read, &nested(VALUES_DEPTH_MAX + 1)).map(|_| ()),
            Err("`record` gives a value nested deeper than 100 levels".to_owned())
        );
    }

    #[test]
    fn a_callback_cannot_become_more_than_we_can_hold() {
        let many = |ids: usize| format!(r#"{{"module":"Leads","ids":"{}"}}"#, "1,".repeat(ids));
        assert_eq!(ids(&many(CHANGES_MAX)).map(|it| it.len()), Ok(1));
        let why = "`ids` gives more than 100000".to_owned();
        assert_eq!(ids(&many(CHANGES_MAX + 1)), Err(why));

        let read = Read {
            record: vec![("Phone".to_owned(), template("{{ body.phone }}"))],
            ..lead()
        };
        let records = |ids: usize, bytes: usize| {
            let ids: Vec<_> = (1..=ids).map(|it| it.to_string()).collect();
            let phone = "5".repeat(bytes);
            let ids = ids.join(",");
            let body = format!(r#"{{"module":"Leads","ids":"{ids}","phone":"{phone}"}}"#);
            workflow(read.clone(), &body).map(|it| it.len())
        };
        assert_eq!(records(1, 1_000_000), Ok(1));
        assert_eq!(records(4, 1_000_000), Ok(4));
        let why = "`record` for all of `ids` takes more than 4194304 bytes".to_owned();
        assert_eq!(records(6, 1_000_000), Err(why));
    }

    #[test]
    fn a_number_that_was_rounded_is_no_key() {
        let mut source = source(SourceKind::Generic(Read {
            event_type: None,
            ..event()
        }));
        source.dedup = Some(Dedup {
            key: template("{{ body.id }}"),
            window: Duration::from_mins(1),
        });
        let texts = [
            "{{ body.id }}",
            "sub-{{ body.id }}",
            "{{ string(body.id) }}",
        ];
        for text in texts {
            if let SourceKind::Generic(read) = &mut source.kind {
                read.key = Some(template(text));
            }
            source.dedup.as_mut().unwrap().key = template(text);
            for id in ["1.5", "18446744073709551615"] {
                let (changes, dedup) = read_with(&source, &format!(r#"{{"id":{id}}}"#));
                assert!(changes.is_ok() && dedup.is_some(), "{text} {id}");
            }
            let (changes, dedup) = read_with(&source, r#"{"id":18446744073709551616}"#);
            let why = "`key`: a number that is too large to be kept exactly".to_owned();
            assert_eq!(changes, Err(why), "{text}");
            assert!(dedup.is_none(), "{text}");
        }
    }

    #[test]
    fn a_generic_event_has_a_type_and_perhaps_a_key() {
        let change = generic(
            event(),
            r#"{"event_type":"subscription.Renewed","id":90343}"#,
        )
        .unwrap();
        assert_eq!(change.event_type(), "com.zoho.billing.subscription.Renewed");
        assert_eq!(change.event_source(), "/generic/hook");
        assert_eq!(change.operation, Operation::Other("renewed".into()));
        assert_eq!(change.module.as_str(), "hook");
        assert_eq!(change.record.unwrap().as_str(), "90343");
        assert_eq!(change.connection, None);

        let no_key = generic(event(), r#"{"event_type":"x","id":null}"#).unwrap();
        assert_eq!(no_key.record, None);
        let bare = generic(Read::default(), "anything").unwrap();
        assert_eq!(bare.event_type(), "hook.received");
        assert_eq!(bare.operation, Operation::Other("received".into()));
    }

    #[test]
    fn repeats_are_known_by_their_key_if_asked_for() {
        let body = r#"{"event_type":"x","id":1}"#;
        let mut source = source(SourceKind::Generic(event()));
        assert!(read_with(&source, body).1.is_none());
        source.dedup = Some(Dedup {
            key: template("{{ body.id }}"),
            window: Duration::from_mins(1),
        });
        let hash = |source: &Source, body: &str| read_with(source, body).1.map(|it| it.hash);
        let first = hash(&source, body);
        assert!(first.is_some());
        assert_eq!(hash(&source, r#"{"event_type":"y","id":"1"}"#), first);
        assert_ne!(hash(&source, r#"{"event_type":"x","id":2}"#), first);
        assert_eq!(hash(&source, r#"{"event_type":"x","id":null}"#), None);
        assert_eq!(hash(&source, "no json"), None);
    }
}
