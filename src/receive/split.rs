//! What a proven notification says: its changes, one for each record id, and how a repeat of it is recognised.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Source, SourceKind, read};
use crate::{
    event::{Body, Change, ChangeId, ModuleName, NotificationId, Operation, Origin, RecordId},
    store::{Content, DedupKey},
    template::is_rounded,
    verify::Notification,
};

/// Changes of one notification; Zoho names no limit, so this one is far above the hundreds seen.
pub(super) const CHANGES_MAX: usize = 100_000;

/// A module, operation or record id that is longer is none.
pub(super) const NAME_BYTES_MAX: usize = 1024;

/// Repeats of a watch callback are dropped for so long.
const WATCH_DEDUP_WINDOW: Duration = Duration::from_hours(24);

/// No `server_time` is older: 2000-01-01.
const SERVER_TIME_MIN_MS: i64 = 946_684_800_000;

/// A `server_time` this far ahead of our clock is absurd.
const SERVER_TIME_AHEAD_MAX: Duration = Duration::from_hours(24);

/// A notification, ready to be stored.
pub(super) struct Split {
    pub(super) id: NotificationId,
    pub(super) received_at: Timestamp,
    pub(super) stored: Bytes,
    pub(super) content: Content,
    pub(super) dedup: Option<DedupKey>,
}

/// Why no change can be read, without content.
pub(super) type Unreadable = Cow<'static, str>;

/// What all changes of a notification share.
pub(super) struct Whole<'a> {
    pub(super) id: NotificationId,
    pub(super) source: &'a Source,
    pub(super) notification: &'a Notification,
}

/// Never fails: what cannot be read goes to quarantine.
pub(super) fn split(source: &Source, notification: &Notification, id: NotificationId) -> Split {
    let whole = Whole {
        id,
        source,
        notification,
    };
    let read = match &source.kind {
        SourceKind::Watch => watch(&whole),
        SourceKind::Workflow(template) => read::workflow(&whole, template),
        SourceKind::Generic(template) => read::generic(&whole, template),
    };
    let content = match read {
        Ok(changes) => Content::Changes(changes),
        Err(detail) => Content::Unreadable {
            detail: detail.into_owned(),
        },
    };
    let dedup = match &source.kind {
        SourceKind::Watch => watch_dedup(&whole),
        SourceKind::Workflow(_) | SourceKind::Generic(_) => read::dedup(&whole),
    };
    Split {
        id,
        received_at: notification.received_at(),
        content,
        dedup,
        stored: notification.stored().clone(),
    }
}

/// Zoho: "Notifications API", v8: the callback. Only module, ids and operation are needed.
fn watch(whole: &Whole<'_>) -> Result<Vec<Change>, Unreadable> {
    let body = match whole.notification.body() {
        Ok(Body::Json(Value::Object(body))) => body,
        Ok(Body::Json(_) | Body::Empty | Body::Form(_) | Body::Text(_)) => {
            return Err("the body is no json object".into());
        }
        Err(undecodable) => return Err(undecodable.to_string().into()),
    };
    let text = |name| body.get(name).and_then(Value::as_str).and_then(name_of);
    let module = ModuleName::new(text("module").ok_or("no `module` in the body")?);
    let operation = text("operation").ok_or("no `operation` in the body")?;
    let operation = Operation::parse(operation);
    let ids = ids(body)?;
    let fields = affected_fields(body);
    let values = affected_values(body);
    let received_at = whole.notification.received_at();
    let server_time = server_time(body.get("server_time"), received_at).unwrap_or(received_at);
    let mut seen = HashSet::with_capacity(ids.len());
    let mut changes = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        if !seen.insert(id) {
            continue;
        }
        let record = Some(RecordId::new(id.as_ref()));
        changes.push(Change {
            operation: operation.clone(),
            server_time,
            affected_fields: fields.get(id.as_ref()).cloned(),
            values: values.get(id.as_ref()).map(|it| (*it).clone()),
            ..whole.change(&module, record, index)
        });
    }
    Ok(changes)
}

impl Whole<'_> {
    /// A change of which nothing is known yet but whose it is.
    pub(super) fn change(
        &self,
        module: &ModuleName,
        record: Option<RecordId>,
        index: usize,
    ) -> Change {
        Change {
            id: ChangeId::derive(self.id, module, record.as_ref(), index),
            notification: self.id,
            source: self.source.name.clone(),
            connection: self.source.connection.clone(),
            module: module.clone(),
            record,
            operation: Operation::Update,
            event_type: None,
            server_time: self.notification.received_at(),
            accepted_at: self.notification.received_at(),
            origin: Origin::Notification,
            affected_fields: None,
            values: None,
        }
    }
}

/// A text that can be a module, an operation or an id.
fn name_of(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= NAME_BYTES_MAX).then_some(text)
}

/// Ids are texts, but a whole number is one too; one that was rounded is not.
pub(super) fn id_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => name_of(text).map(Cow::Borrowed),
        Value::Number(number) if !number.is_f64() => Some(number.to_string().into()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

fn ids(body: &Map<String, Value>) -> Result<Vec<Cow<'_, str>>, Unreadable> {
    let given = match (body.get("ids"), body.get("id")) {
        (Some(Value::Array(ids)), _) => ids.as_slice(),
        (Some(id), _) | (None, Some(id)) => std::slice::from_ref(id),
        (None, None) => return Err("no `ids` in the body".into()),
    };
    if given.is_empty() {
        return Err("`ids` is empty".into());
    }
    if given.len() > CHANGES_MAX {
        return Err(format!("more than {CHANGES_MAX} ids").into());
    }
    given
        .iter()
        .map(|it| id_of(it).ok_or_else(|| "an id is no text or whole number".into()))
        .collect()
}

/// A list of objects by record id; empty on an insert.
fn affected_fields(body: &Map<String, Value>) -> HashMap<&str, Vec<String>> {
    entries(body, "affected_fields")
        .filter_map(Value::as_object)
        .flatten()
        .filter_map(|(id, names)| {
            let names = names.as_array()?.iter();
            let names = names.filter_map(Value::as_str).map(str::to_owned).collect();
            Some((id.as_str(), names))
        })
        .collect()
}

/// There only if asked for, and maybe not for every id.
fn affected_values(body: &Map<String, Value>) -> HashMap<Cow<'_, str>, &Map<String, Value>> {
    entries(body, "affected_values")
        .filter_map(|it| Some((id_of(it.get("record_id")?)?, it.get("values")?.as_object()?)))
        .collect()
}

fn entries<'a>(body: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    body.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Milliseconds since 1970; `None` where it is absent or absurd.
fn server_time(given: Option<&Value>, received_at: Timestamp) -> Option<Timestamp> {
    let latest = received_at.saturating_add(SERVER_TIME_AHEAD_MAX);
    given
        .and_then(milliseconds)
        .filter(|it| it.as_millisecond() >= SERVER_TIME_MIN_MS)
        .filter(|it| latest.is_ok_and(|latest| *it <= latest))
}

/// A number, or a text that is one.
pub(super) fn milliseconds(value: &Value) -> Option<Timestamp> {
    let ms = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Timestamp::from_millisecond(ms).ok()
}

/// SHA-256 of the source and of the body without `token` and `query_params`: a rotated secret makes no new callback.
/// `None` where another callback could have the same hash: without a `server_time`, or with a number that was rounded.
fn watch_dedup(whole: &Whole<'_>) -> Option<DedupKey> {
    let Ok(Body::Json(Value::Object(body))) = whole.notification.body() else {
        return None;
    };
    server_time(body.get("server_time"), whole.notification.received_at())?;
    if body.values().any(has_rounded) {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(whole.source.name.as_str());
    hash.update(mark::END);
    hash.update(mark::OBJECT);
    for (name, value) in body {
        if name != "token" && name != "query_params" {
            hash_entry(&mut hash, name, value);
        }
    }
    Some(DedupKey {
        hash: hash.finalize().into(),
        window: WATCH_DEDUP_WINDOW,
    })
}

fn has_rounded(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64() && number.as_f64().is_some_and(is_rounded),
        Value::Array(list) => list.iter().any(has_rounded),
        Value::Object(object) => object.values().any(has_rounded),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// What each part of the hash begins with: bytes that UTF-8 never has, so that no two bodies are hashed as the same bytes.
mod mark {
    pub(super) const NULL: [u8; 1] = [0xF8];
    pub(super) const FALSE: [u8; 1] = [0xF9];
    pub(super) const TRUE: [u8; 1] = [0xFA];
    pub(super) const NUMBER: [u8; 1] = [0xFB];
    pub(super) const STRING: [u8; 1] = [0xFC];
    pub(super) const ARRAY: [u8; 1] = [0xFD];
    pub(super) const OBJECT: [u8; 1] = [0xFE];
    pub(super) const END: [u8; 1] = [0xFF];
}

fn hash_entry(hash: &mut Sha256, name: &str, value: &Value) {
    hash.update(mark::STRING);
    hash.update(name);
    hash_value(hash, value);
}

fn hash_value(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(mark::NULL),
        Value::Bool(false) => hash.update(mark::FALSE),
        Value::Bool(true) => hash.update(mark::TRUE),
        Value::Number(number) => {
            hash.update(mark::NUMBER);
            hash.update(number.to_string());
        }
        Value::String(text) => {
            hash.update(mark::STRING);
            hash.update(text);
        }
        Value::Array(list) => {
            hash.update(mark::ARRAY);
            for value in list {
                hash_value(hash, value);
            }
            hash.update(mark::END);
        }
        Value::Object(object) => {
            hash.update(mark::OBJECT);
            for (name, value) in object {
                hash_entry(hash, name, value);
            }
            hash.update(mark::END);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::HeaderMap;

    use super::*;
    use crate::{
        event::{ConnectionName, Fetch, Method, RawNotification, SourceName},
        verify::{Proof, Verifier},
    };

    const NOW_MS: i64 = 1_750_102_640_000;

    fn source() -> Source {
        Source {
            name: SourceName::new("crm"),
            kind: SourceKind::Watch,
            connection: Some(ConnectionName::new("acme")),
            proof: Proof {
                token: vec!["t-secret".to_owned().into()],
                ..Proof::default()
            },
            dedup: None,
            fetch: Fetch::Always,
        }
    }

    fn split_body(source: &Source, body: &str) -> Split {
        let raw = RawNotification {
            source: &source.name,
            method: Method::Post,
            headers: &HeaderMap::new(),
            query: "",
            body: Bytes::copy_from_slice(body.as_bytes()),
            peer: IpAddr::from([127, 0, 0, 1]),
            received_at: Timestamp::from_millisecond(NOW_MS).unwrap(),
        };
        let body = Body::parse(&raw.body, None);
        let verifier = Verifier::new(source.proof.clone());
        let notification = verifier.verify(&raw, body).unwrap();
        split(
            source,
            &notification,
            NotificationId::from_uuid(uuid::Uuid::nil()),
        )
    }

    fn changes(body: &str) -> Vec<Change> {
        match split_body(&source(), body).content {
            Content::Changes(changes) => changes,
            Content::Unreadable { detail } => panic!("{detail}"),
        }
    }

    #[track_caller]
    fn unreadable(body: &str, expected: &str) {
        match split_body(&source(), body).content {
            Content::Changes(changes) => panic!("{changes:?}"),
            Content::Unreadable { detail } => assert_eq!(detail, expected),
        }
    }

    /// Zoho: "Notifications API", v8; an update as seen in production, made two records long.
    const UPDATE: &str = r#"{"server_time":1750102639787,"affected_values":[{"record_id":"6756839000000575405",
        "values":{"Company":"Rangoni Of Test","Phone":"555-555-1111"}}],"query_params":{},"module":"Leads",
        "resource_uri":"https://www.zohoapis.com/crm/v2/Leads","ids":["6756839000000575405","6756839000000575406"],
        "affected_fields":[{"6756839000000575405":["Company","Phone"]},{"6756839000000575406":["Phone"]}],
        "operation":"update","channel_id":"1105420521999070702","token":"t-secret"}"#;

    #[test]
    fn a_callback_is_split_into_one_change_for_each_record() {
        let changes = changes(UPDATE);
        let [first, second] = changes.as_slice() else {
            panic!("{changes:?}");
        };
        assert_eq!(first.module.as_str(), "Leads");
        assert_eq!(first.operation, Operation::Update);
        assert_eq!(first.record, Some(RecordId::new("6756839000000575405")));
        assert_eq!(first.server_time.as_millisecond(), 1_750_102_639_787);
        assert_eq!(first.connection, Some(ConnectionName::new("acme")));
        let names = first.affected_fields.as_deref();
        assert_eq!(
            names,
            Some(["Company".to_owned(), "Phone".to_owned()].as_slice())
        );
        assert_eq!(first.values.as_ref().unwrap()["Phone"], "555-555-1111");
        assert_eq!(second.record, Some(RecordId::new("6756839000000575406")));
        let names = second.affected_fields.as_deref();
        assert_eq!(names, Some(["Phone".to_owned()].as_slice()));
        assert_eq!(second.values, None);
        assert_ne!(first.id, second.id);
    }

    #[test]
    fn a_record_named_twice_is_one_change_with_the_first_index() {
        let body =
            r#"{"module":"Leads","operation":"insert","ids":["1",2,"1","3"],"token":"t-secret"}"#;
        let changes = changes(body);
        let ids: Vec<_> = changes
            .iter()
            .map(|it| it.record.as_ref().unwrap().as_str())
            .collect();
        assert_eq!(ids, ["1", "2", "3"]);
        let third = ChangeId::derive(
            NotificationId::from_uuid(uuid::Uuid::nil()),
            &ModuleName::new("Leads"),
            Some(&RecordId::new("3")),
            3,
        );
        assert_eq!(changes[2].id, third);
    }

    #[test]
    fn words_of_zoho_that_we_do_not_know_are_kept() {
        let operation = |word: &str| {
            let body =
                format!(r#"{{"module":"Leads","operation":"{word}","id":7,"token":"t-secret"}}"#);
            changes(&body)[0].operation.clone()
        };
        assert_eq!(operation("create"), Operation::Insert);
        assert_eq!(operation("EDIT"), Operation::Update);
        assert_eq!(operation("Merge"), Operation::Other("merge".into()));
    }

    #[test]
    fn an_absurd_server_time_is_taken_as_just_now() {
        let time = |given: &str| {
            let body = format!(
                r#"{{"server_time":{given},"module":"A","operation":"update","ids":["1"],"token":"t-secret"}}"#
            );
            changes(&body)[0].server_time.as_millisecond()
        };
        assert_eq!(time("1750102639787"), 1_750_102_639_787);
        assert_eq!(time("\"1750102639787\""), 1_750_102_639_787);
        for absurd in [
            "null",
            "0",
            "-5",
            "1750102639",
            "9999999999999",
            "1e300",
            "[]",
            "\"soon\"",
        ] {
            assert_eq!(time(absurd), NOW_MS, "{absurd}");
        }
    }

    #[test]
    fn what_is_no_change_says_why() {
        let token = r#""token":"t-secret""#;
        unreadable("token=t-secret", "the body is no json object");
        unreadable(&format!("{{{token}}}"), "no `module` in the body");
        unreadable(
            &format!(r#"{{"module":"",{token}}}"#),
            "no `module` in the body",
        );
        unreadable(
            &format!(r#"{{"module":"A",{token}}}"#),
            "no `operation` in the body",
        );
        let job = format!(r#"{{"job_id":"1","operation":"read","state":"COMPLETED",{token}}}"#);
        unreadable(&job, "no `module` in the body");
        let ids = |ids: &str| format!(r#"{{"module":"A","operation":"update",{ids}{token}}}"#);
        unreadable(&ids(""), "no `ids` in the body");
        unreadable(&ids(r#""ids":[],"#), "`ids` is empty");
        for id in ["null", "{}", "\"\"", "1.5", "99999999999999999999", "true"] {
            unreadable(
                &ids(&format!(r#""ids":["1",{id}],"#)),
                "an id is no text or whole number",
            );
        }
        let many = vec!["1"; CHANGES_MAX + 1].join(",");
        unreadable(&ids(&format!(r#""ids":[{many}],"#)), "more than 100000 ids");
    }

    #[test]
    fn a_repeat_has_the_same_hash_whatever_its_proof() {
        let hash = |source: &Source, body: &str| split_body(source, body).dedup.unwrap().hash;
        let source = source();
        let first = hash(&source, UPDATE);
        let mut other = source.clone();
        other.proof = Proof::default();
        let rotated = UPDATE
            .replace("t-secret", "t-other")
            .replace(r#""query_params":{}"#, r#""query_params":{"k":"v"}"#);
        assert_eq!(hash(&other, &rotated), first);
        assert_ne!(hash(&other, &UPDATE.replace("639787", "639788")), first);
        other.name = SourceName::new("other");
        assert_ne!(hash(&other, &rotated), first);
    }

    #[test]
    fn what_says_no_time_is_never_a_repeat() {
        let mut source = source();
        source.proof = Proof::default();
        let is_known = |body: &str| split_body(&source, body).dedup.is_some();
        assert!(is_known(UPDATE));
        for time in ["null", "0", "1750102639", "9999999999999", "\"soon\""] {
            assert!(!is_known(&UPDATE.replace("1750102639787", time)), "{time}");
        }
        for body in ["", "{}", "[]", "server_time=1750102639787"] {
            assert!(!is_known(body), "{body}");
        }
    }

    #[test]
    fn what_holds_a_rounded_number_is_never_a_repeat() {
        let is_known = |number: &str| {
            let body = UPDATE.replace("\"555-555-1111\"", number);
            split_body(&source(), &body).dedup.is_some()
        };
        for number in ["1.5", "18446744073709551615", "-9007199254740993"] {
            assert!(is_known(number), "{number}");
        }
        for number in ["18446744073709551616", "9007199254740993.0", "-1e20"] {
            assert!(!is_known(number), "{number}");
        }
    }
}
