//! A watch channel: what was asked for, and which changes it hears of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use super::condition;
use crate::{answer::Refusal, time};

/// A token may have this many characters. Zoho: "Enable notifications", v8.
const TOKEN_CHARACTERS_MAX: usize = 50;
/// A `notify_url` may have this many characters. Zoho's `OpenAPI` description.
const URL_CHARACTERS_MAX: usize = 255;
/// A channel id may have this many characters. Zoho's `OpenAPI` description.
const ID_CHARACTERS_MAX: usize = 64;
/// Events per channel. Zoho's `OpenAPI` description.
const EVENTS_MAX: usize = 50;
/// A channel lives this long at most ...
const LIFE_MAX: Duration = Duration::from_hours(168);
/// ... and this long if nothing, or more than that, was asked for. Zoho: "Enable notifications".
const LIFE_DEFAULT: Duration = Duration::from_hours(1);

/// What happened to a record, as `events` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Create,
    Delete,
    Edit,
}

/// A channel. One channel may watch several modules.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) notify_url: Url,
    /// Its query string, as callbacks carry it.
    pub(crate) query_params: Value,
    pub(crate) token: Option<String>,
    pub(crate) events: BTreeMap<String, BTreeSet<Event>>,
    pub(crate) expires: Timestamp,
    /// Whether an edit of a record is also told of the records it looks up.
    pub(crate) related: bool,
    /// Whether callbacks carry the values.
    pub(crate) values: bool,
    pub(crate) conditions: Value,
}

impl Event {
    pub(crate) const ALL: [Self; 3] = [Self::Create, Self::Delete, Self::Edit];

    fn parse(name: &str) -> Option<Vec<Self>> {
        Some(match name {
            "create" => vec![Self::Create],
            "edit" => vec![Self::Edit],
            "delete" => vec![Self::Delete],
            "all" => Self::ALL.to_vec(),
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Edit => "edit",
            Self::Delete => "delete",
        }
    }

    /// As callbacks spell it, which is not how `events` does.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Create => "insert",
            Self::Edit => "update",
            Self::Delete => "delete",
        }
    }
}

impl Channel {
    /// Reads the `at`th object of a `watch` body; what is not said gets its default.
    pub(crate) fn read(
        item: &Value,
        at: usize,
        watchable: &impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let id = read_id(item, at)?;
        let events = item.get("events").filter(|it| !it.is_null());
        let events = events.ok_or_else(|| missing("events", at))?;
        let url = item.get("notify_url").filter(|it| !it.is_null());
        let url = url.ok_or_else(|| missing("notify_url", at))?;
        let notify_url = read_url(url, at)?;
        let channel = Self {
            id,
            query_params: query_params(&notify_url),
            notify_url,
            token: None,
            events: read_events(events, at, watchable)?,
            expires: after(now, LIFE_DEFAULT),
            related: true,
            values: false,
            conditions: Value::Null,
        };
        channel.with_options(item, at, now)
    }

    /// This channel with what a PATCH says changed.
    pub(crate) fn patched(
        mut self,
        item: &Value,
        at: usize,
        watchable: &impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        if let Some(url) = item.get("notify_url") {
            self.notify_url = read_url(url, at)?;
            self.query_params = query_params(&self.notify_url);
        }
        if let Some(events) = item.get("events") {
            self.events = read_events(events, at, watchable)?;
        }
        self.with_options(item, at, now)
    }

    /// This channel without the events that a PATCH with `_delete_events` names.
    pub(crate) fn without(
        mut self,
        item: &Value,
        at: usize,
        watchable: &impl Fn(&str) -> bool,
    ) -> Result<Self, Refusal> {
        let events = item.get("events").ok_or_else(|| missing("events", at))?;
        for (module, gone) in read_events(events, at, watchable)? {
            if let Some(kept) = self.events.get_mut(&module) {
                kept.retain(|it| !gone.contains(it));
            }
        }
        self.events.retain(|_, events| !events.is_empty());
        Ok(self)
    }

    pub(crate) fn hears(&self, module: &str, event: Event, now: Timestamp) -> bool {
        self.expires > now
            && self
                .events
                .get(module)
                .is_some_and(|it| it.contains(&event))
    }

    /// One entry per module, as enable, update and disable answer.
    pub(crate) fn receipts(
        &self,
        base_url: &str,
        module_id: impl Fn(&str) -> String,
    ) -> Vec<Value> {
        self.events
            .keys()
            .map(|module| {
                json!({
                    "channel_expiry": time::zoho(self.expires),
                    "resource_uri": format!("{base_url}/crm/v2/{module}"),
                    "resource_id": module_id(module),
                    "resource_name": module,
                    "channel_id": self.id,
                })
            })
            .collect()
    }

    /// One entry per module, as the list of channels shows them.
    pub(crate) fn entries(
        &self,
        base_url: &str,
        module_id: impl Fn(&str) -> String,
    ) -> Vec<(String, Value)> {
        self.events
            .iter()
            .map(|(module, events)| {
                let events: Vec<String> = events
                    .iter()
                    .map(|event| format!("{module}.{}", event.name()))
                    .collect();
                let entry = json!({
                    "channel_id": self.id,
                    "channel_expiry": time::zoho(self.expires),
                    "resource_uri": format!("{base_url}/crm/v2/{module}"),
                    "resource_id": module_id(module),
                    "resource_name": module,
                    "notify_url": self.notify_url.as_str(),
                    "events": events,
                    "token": self.token,
                    "notify_on_related_action": self.related,
                    "return_affected_field_values": self.values,
                    "notification_condition": self.conditions,
                    "fields": null,
                });
                (module.clone(), entry)
            })
            .collect()
    }

    fn with_options(mut self, item: &Value, at: usize, now: Timestamp) -> Result<Self, Refusal> {
        if let Some(token) = item.get("token").filter(|it| !it.is_null()) {
            let token = token
                .as_str()
                .ok_or_else(|| invalid("token", at, &[("expected_data_type", json!("string"))]))?;
            if token.chars().count() > TOKEN_CHARACTERS_MAX {
                let limit = [("maximum_length", json!(TOKEN_CHARACTERS_MAX))];
                return Err(invalid("token", at, &limit));
            }
            self.token = Some(token.to_owned());
        }
        if let Some(expiry) = item.get("channel_expiry").filter(|it| !it.is_null()) {
            self.expires = read_expiry(expiry, at, now)?;
        }
        if let Some(related) = item.get("notify_on_related_action") {
            self.related = read_bool(related, "notify_on_related_action", at)?;
        }
        if let Some(values) = item.get("return_affected_field_values") {
            self.values = read_bool(values, "return_affected_field_values", at)?;
        }
        if let Some(conditions) = item.get("notification_condition") {
            condition::check(conditions).map_err(|limit| {
                invalid("notification_condition", at, &[("limit", json!(limit))])
            })?;
            self.conditions = conditions.clone();
        }
        Ok(self)
    }
}

/// The channel id of an item: a string of digits, or a number.
pub(crate) fn read_id(item: &Value, at: usize) -> Result<String, Refusal> {
    let wrong = || invalid("channel_id", at, &[("expected_data_type", json!("long"))]);
    let id = match item.get("channel_id") {
        None | Some(Value::Null) => return Err(missing("channel_id", at)),
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) if id.is_u64() => id.to_string(),
        Some(_) => return Err(wrong()),
    };
    let digits = !id.is_empty() && id.chars().all(|it| it.is_ascii_digit());
    if digits && id.len() <= ID_CHARACTERS_MAX {
        Ok(id)
    } else {
        Err(wrong())
    }
}

fn read_url(url: &Value, at: usize) -> Result<Url, Refusal> {
    let text = url.as_str().unwrap_or_default();
    if text.chars().count() > URL_CHARACTERS_MAX {
        let limit = [("maximum_length", json!(URL_CHARACTERS_MAX))];
        return Err(invalid("notify_url", at, &limit));
    }
    Url::parse(text)
        .ok()
        .filter(|it| matches!(it.scheme(), "http" | "https") && it.has_host())
        .ok_or_else(|| invalid("notify_url", at, &[("expected_data_type", json!("url"))]))
}

fn query_params(url: &Url) -> Value {
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect()
}

fn read_events(
    events: &Value,
    at: usize,
    watchable: &impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, BTreeSet<Event>>, Refusal> {
    let list = events.as_array().filter(|it| !it.is_empty());
    let list =
        list.ok_or_else(|| invalid("events", at, &[("expected_data_type", json!("jsonarray"))]))?;
    if list.len() > EVENTS_MAX {
        return Err(invalid(
            "events",
            at,
            &[("maximum_length", json!(EVENTS_MAX))],
        ));
    }
    let mut read: BTreeMap<String, BTreeSet<Event>> = BTreeMap::new();
    for (number, event) in list.iter().enumerate() {
        let understood = event.as_str().and_then(|it| {
            let (module, event) = it.rsplit_once('.')?;
            Some((module, Event::parse(event)?))
        });
        match understood {
            Some((module, events)) if watchable(module) => {
                read.entry(module.to_owned()).or_default().extend(events);
            }
            _ => {
                return Err(Refusal::invalid_data(json!({
                    "api_name": "events",
                    "json_path": format!("$.watch[{at}].events[{number}]"),
                })));
            }
        }
    }
    Ok(read)
}

fn read_expiry(expiry: &Value, at: usize, now: Timestamp) -> Result<Timestamp, Refusal> {
    let until = expiry.as_str().and_then(time::parse_whole_seconds);
    match until {
        Some(until) if until > after(now, LIFE_MAX) => Ok(after(now, LIFE_DEFAULT)),
        Some(until) if until > now => Ok(until),
        _ => Err(invalid(
            "channel_expiry",
            at,
            &[("expected_data_type", json!("datetime"))],
        )),
    }
}

fn read_bool(value: &Value, name: &str, at: usize) -> Result<bool, Refusal> {
    value
        .as_bool()
        .ok_or_else(|| invalid(name, at, &[("expected_data_type", json!("boolean"))]))
}

fn missing(name: &str, at: usize) -> Refusal {
    Refusal::new(
        "MANDATORY_NOT_FOUND",
        "required field not found",
        json!({"api_name": name, "json_path": format!("$.watch[{at}].{name}")}),
    )
}

fn invalid(name: &str, at: usize, more: &[(&str, Value)]) -> Refusal {
    let mut details = Map::new();
    details.insert("api_name".into(), json!(name));
    details.insert("json_path".into(), json!(format!("$.watch[{at}].{name}")));
    for (key, value) in more {
        details.insert((*key).into(), value.clone());
    }
    Refusal::invalid_data(Value::Object(details))
}

fn after(now: Timestamp, life: Duration) -> Timestamp {
    now.checked_add(life).unwrap_or(Timestamp::MAX)
}
