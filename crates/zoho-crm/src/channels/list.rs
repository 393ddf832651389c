//! The channels that are there.

use std::fmt;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::{grant::text, request::channel_id};
use crate::{Client, Error, records::is_api_name, time};

/// Which channels are listed; all of them where nothing is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelFilter<'a> {
    /// This channel only.
    pub channel_id: Option<&'a str>,
    /// Those that watch this module.
    pub module: Option<&'a str>,
}

impl ChannelFilter<'_> {
    pub(super) fn checked(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut pairs = vec![];
        if let Some(id) = self.channel_id {
            pairs.push(("channel_id", channel_id(id)?.to_owned()));
        }
        if let Some(module) = self.module {
            if !is_api_name(module) {
                return Err(Client::wrong("not a module's name"));
            }
            pairs.push(("module", module.to_owned()));
        }
        Ok(pairs)
    }
}

/// One module of a channel.
#[derive(Clone)]
pub struct ChannelEntry {
    /// The channel's id; each of its modules has an entry.
    pub channel_id: String,
    /// The module's API name.
    pub module: String,
    /// The module's id.
    pub module_id: String,
    /// E.g. `Leads.create`; `all` comes back as its three parts.
    pub events: Vec<String>,
    /// Where Zoho posts.
    pub notify_url: String,
    /// What it sends along; Zoho shows it in clear.
    pub token: Option<SecretString>,
    /// Until when; `None` where the answer does not say.
    pub expires_at: Option<Timestamp>,
    /// Whether changes of related records are told.
    pub notify_on_related_action: Option<bool>,
    /// Whether callbacks hold values.
    pub return_affected_field_values: Option<bool>,
    /// As it was sent; null without one.
    pub conditions: Value,
}

/// The URL may hold a secret, and is left out.
impl fmt::Debug for ChannelEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelEntry")
            .field("channel_id", &self.channel_id)
            .field("module", &self.module)
            .field("events", &self.events)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl ChannelEntry {
    pub(super) fn read(entry: &Value) -> Result<Self, Error> {
        let id = text(entry, "channel_id");
        if id.is_empty() {
            return Err(Error::Malformed {
                problem: "a channel without an id",
            });
        }
        let flag = |key: &str| entry.get(key).and_then(Value::as_bool);
        let events = entry.get("events").and_then(Value::as_array);
        let token = Some(text(entry, "token")).filter(|it| !it.is_empty());
        let conditions = entry.get("notification_condition");
        Ok(Self {
            channel_id: id,
            module: text(entry, "resource_name"),
            module_id: text(entry, "resource_id"),
            events: events
                .into_iter()
                .flatten()
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect(),
            notify_url: text(entry, "notify_url"),
            token: token.map(SecretString::from),
            expires_at: time::parse(&text(entry, "channel_expiry")),
            notify_on_related_action: flag("notify_on_related_action"),
            return_affected_field_values: flag("return_affected_field_values"),
            conditions: conditions.cloned().unwrap_or_default(),
        })
    }
}
