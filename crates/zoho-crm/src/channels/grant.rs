//! What Zoho gave for a channel, which may be less than was asked.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{Error, time};

/// An expiry may come back so much earlier without being another one.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// A channel, as it was opened or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelGrant {
    /// Its id; empty where the answer names none (all events were dropped).
    pub channel_id: String,
    /// The modules it watches.
    pub modules: Vec<GrantedModule>,
    /// When the first of them is no longer watched; `None` where the answer does not say.
    pub expires_at: Option<Timestamp>,
    /// It ends sooner than was asked: the only sign of Zoho's silent fallback to an hour.
    pub shortened: bool,
}

/// A module of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedModule {
    /// Its API name.
    pub module: String,
    /// Its id.
    pub module_id: String,
    /// Until when it is watched.
    pub expires_at: Option<Timestamp>,
}

/// A channel, or one module of it, that is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisabledChannel {
    /// The channel's id.
    pub channel_id: String,
    /// The module's API name.
    pub module: String,
}

impl ChannelGrant {
    /// Reads one entry of `watch`: `details.events` holds one object a module, or `details` is that of one.
    pub(super) fn read(entry: &Value, asked: Option<Timestamp>) -> Result<Self, Error> {
        let details = entry.get("details").unwrap_or(&Value::Null);
        let events = match details.get("events") {
            Some(Value::Array(events)) => events.as_slice(),
            // As an answer to DELETE has it.
            None if details.get("channel_id").is_some() => std::slice::from_ref(details),
            _ => {
                return Err(Error::Malformed {
                    problem: "a channel without its events",
                });
            }
        };
        let modules: Vec<_> = events.iter().map(GrantedModule::read).collect();
        let expires_at = modules.iter().filter_map(|it| it.expires_at).min();
        let channel_id = events.first().map(|it| text(it, "channel_id"));
        Ok(Self {
            channel_id: channel_id.unwrap_or_default(),
            shortened: asked
                .zip(expires_at)
                .is_some_and(|(asked, given)| asked.duration_since(given) > TOLERANCE),
            modules,
            expires_at,
        })
    }
}

impl GrantedModule {
    fn read(event: &Value) -> Self {
        Self {
            module: text(event, "resource_name"),
            module_id: text(event, "resource_id"),
            expires_at: time::parse(&text(event, "channel_expiry")),
        }
    }
}

impl DisabledChannel {
    /// Reads one entry of `watch`; its `details` are one module's.
    pub(super) fn read(entry: &Value) -> Self {
        let details = entry.get("details").unwrap_or(&Value::Null);
        Self {
            channel_id: text(details, "channel_id"),
            module: text(details, "resource_name"),
        }
    }
}

/// A text, or a number as text: ids come as either.
pub(super) fn text(object: &Value, key: &str) -> String {
    match object.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(expiry: &str, asked: Option<&str>) -> ChannelGrant {
        let entry = json!({"code":"SUCCESS","details":{"events":[
            {"channel_expiry": expiry, "resource_id":"554023000000000131","resource_name":"Deals","channel_id":10000},
        ]},"message":"Successfully subscribed for actions-watch of the given module","status":"success"});
        ChannelGrant::read(&entry, asked.map(|it| it.parse().unwrap())).unwrap()
    }

    #[test]
    fn an_hour_instead_of_a_week_is_seen() {
        let cases = [
            (
                "2026-11-29T11:00:00+00:00",
                Some("2026-11-29T11:00:00.9Z"),
                false,
            ),
            (
                "2026-11-29T16:30:00+05:30",
                Some("2026-11-29T11:00:00Z"),
                false,
            ),
            (
                "2026-11-22T13:00:00+00:00",
                Some("2026-11-29T11:00:00Z"),
                true,
            ),
            (
                "2026-11-29T12:00:00+00:00",
                Some("2026-11-29T11:00:00Z"),
                false,
            ),
            ("2026-11-22T13:00:00+00:00", None, false),
        ];
        for (given, asked, shortened) in cases {
            let grant = grant(given, asked);
            assert_eq!(grant.shortened, shortened, "{given} {asked:?}");
            assert_eq!(grant.channel_id, "10000");
            assert_eq!(grant.expires_at, time::parse(given));
        }
    }

    #[test]
    fn an_answer_without_events_is_not_a_grant() {
        assert!(ChannelGrant::read(&json!({"details": {}}), None).is_err());
        let bare = json!({"details": {"channel_id": "1", "resource_name": "Leads"}});
        let grant = ChannelGrant::read(&bare, None).unwrap();
        assert_eq!((grant.channel_id.as_str(), grant.modules.len()), ("1", 1));
        let none = json!({"details": {"events": []}});
        assert_eq!(ChannelGrant::read(&none, None).unwrap().modules, []);
    }
}
