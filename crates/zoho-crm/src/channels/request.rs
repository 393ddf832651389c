//! What is asked of Zoho for a channel, checked before it is sent.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::condition::{ChannelCondition, conditions};
use crate::{Client, Error, records::is_api_name, time};

/// Channels in one call. Zoho's `OpenAPI` description, v8.
pub const CHANNELS_MAX: usize = 50;

/// Events of one channel. Zoho's `OpenAPI` description, v8.
pub const CHANNEL_EVENTS_MAX: usize = 50;

/// Asked to live longer, a channel lives an hour. Zoho: "Enable notifications", v8. By Zoho's clock: ask for a little
/// less.
pub const CHANNEL_LIFE_MAX: Duration = Duration::from_hours(7 * 24);

/// Characters of a `notify_url`. Zoho's `OpenAPI` description, v8.
pub const NOTIFY_URL_CHARS_MAX: usize = 255;

/// Characters of a token. Zoho: "Enable notifications", v8.
pub const TOKEN_CHARS_MAX: usize = 50;

/// A channel's id is a number of Zoho's type long.
const ID_DIGITS_MAX: usize = 19;

/// What a channel hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchOn {
    /// New records.
    Create,
    /// Changed records.
    Edit,
    /// Deleted records.
    Delete,
    /// All of these.
    All,
}

impl WatchOn {
    /// `create edit delete all`; callbacks say insert, update and delete.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::All => "all",
        }
    }

    /// The same words, and those of callbacks.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "create" | "insert" => Some(Self::Create),
            "edit" | "update" => Some(Self::Edit),
            "delete" => Some(Self::Delete),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// An event of a module, e.g. `Leads.all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelEvent<'a> {
    /// The module's API name. Notes, attachments and mails cannot be watched.
    pub module: &'a str,
    /// Which changes of it.
    pub on: WatchOn,
}

impl fmt::Display for ChannelEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.on.as_str())
    }
}

impl<'a> ChannelEvent<'a> {
    /// `Leads.all`, or `Leads.insert` as callbacks would say it.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (module, on) = text.rsplit_once('.')?;
        let on = WatchOn::parse(on)?;
        is_api_name(module).then_some(Self { module, on })
    }
}

/// A channel as it shall be.
#[derive(Clone)]
pub struct Channel<'a> {
    /// Digits, 19 at most; one's own choice, and each channel's own.
    pub channel_id: &'a str,
    /// 1 to [`CHANNEL_EVENTS_MAX`].
    pub events: &'a [ChannelEvent<'a>],
    /// Where Zoho posts, [`NOTIFY_URL_CHARS_MAX`] characters at most; its query comes back in `query_params`.
    pub notify_url: &'a str,
    /// Comes with every callback, [`TOKEN_CHARS_MAX`] characters at most: Zoho signs nothing.
    pub token: Option<&'a SecretString>,
    /// In less than [`CHANNEL_LIFE_MAX`]; `None` is an hour.
    pub expires_at: Option<Timestamp>,
    /// Whether a change of a record is also told of those it looks up; Zoho's default is yes.
    pub notify_on_related_action: Option<bool>,
    /// Whether callbacks hold the changed values; Zoho's default is no.
    pub return_affected_field_values: Option<bool>,
    /// Only changes of these fields, [`CONDITIONS_MAX`](super::CONDITIONS_MAX) modules at most.
    pub conditions: &'a [ChannelCondition<'a>],
}

/// The URL may hold a secret, and is left out.
impl fmt::Debug for Channel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("channel_id", &self.channel_id)
            .field("events", &self.events)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl<'a> Channel<'a> {
    /// With Zoho's defaults: an hour, without a token, with related changes, without values and conditions.
    pub const fn new(
        channel_id: &'a str,
        events: &'a [ChannelEvent<'a>],
        notify_url: &'a str,
    ) -> Self {
        Self {
            channel_id,
            events,
            notify_url,
            token: None,
            expires_at: None,
            notify_on_related_action: None,
            return_affected_field_values: None,
            conditions: &[],
        }
    }

    pub(super) fn to_json(&self, now: Timestamp) -> Result<Value, Error> {
        ChannelPatch {
            channel_id: self.channel_id,
            events: Some(self.events),
            notify_url: Some(self.notify_url),
            token: self.token,
            expires_at: self.expires_at,
            notify_on_related_action: self.notify_on_related_action,
            return_affected_field_values: self.return_affected_field_values,
            conditions: (!self.conditions.is_empty()).then_some(self.conditions),
        }
        .to_json(now)
    }
}

/// What shall change of a channel; `None` keeps what is there. As [`Channel`] in all else.
#[derive(Clone)]
#[expect(missing_docs, reason = "the fields are those of `Channel`")]
pub struct ChannelPatch<'a> {
    pub channel_id: &'a str,
    pub events: Option<&'a [ChannelEvent<'a>]>,
    pub notify_url: Option<&'a str>,
    pub token: Option<&'a SecretString>,
    pub expires_at: Option<Timestamp>,
    pub notify_on_related_action: Option<bool>,
    pub return_affected_field_values: Option<bool>,
    pub conditions: Option<&'a [ChannelCondition<'a>]>,
}

/// The URL may hold a secret, and is left out.
impl fmt::Debug for ChannelPatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelPatch")
            .field("channel_id", &self.channel_id)
            .field("events", &self.events)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl<'a> ChannelPatch<'a> {
    /// That changes nothing yet.
    pub const fn new(channel_id: &'a str) -> Self {
        Self {
            channel_id,
            events: None,
            notify_url: None,
            token: None,
            expires_at: None,
            notify_on_related_action: None,
            return_affected_field_values: None,
            conditions: None,
        }
    }

    pub(super) fn to_json(&self, now: Timestamp) -> Result<Value, Error> {
        let mut item = Map::new();
        // As text: numbers of this size do not survive everywhere.
        put(&mut item, "channel_id", json!(channel_id(self.channel_id)?));
        if let Some(list) = self.events {
            put(&mut item, "events", events(list)?);
        }
        if let Some(url) = self.notify_url {
            put(&mut item, "notify_url", json!(notify_url(url)?));
        }
        if let Some(secret) = self.token {
            put(&mut item, "token", json!(token(secret)?));
        }
        if let Some(at) = self.expires_at {
            put(&mut item, "channel_expiry", json!(expiry(at, now)?));
        }
        if let Some(related) = self.notify_on_related_action {
            put(&mut item, "notify_on_related_action", json!(related));
        }
        if let Some(values) = self.return_affected_field_values {
            put(&mut item, "return_affected_field_values", json!(values));
        }
        if let Some(list) = self.conditions {
            put(&mut item, "notification_condition", conditions(list)?);
        }
        Ok(Value::Object(item))
    }
}

fn put(item: &mut Map<String, Value>, key: &str, value: Value) {
    item.insert(key.to_owned(), value);
}

pub(super) fn dropped(id: &str, list: &[ChannelEvent<'_>]) -> Result<Value, Error> {
    Ok(json!({"watch": [{
        "channel_id": channel_id(id)?,
        "events": events(list)?,
        "_delete_events": true,
    }]}))
}

pub(super) fn count(channels: usize) -> Result<(), Error> {
    let fits = (1..=CHANNELS_MAX).contains(&channels);
    check(fits, "a call takes 1 to 50 channels")
}

pub(super) fn channel_id(id: &str) -> Result<&str, Error> {
    let digits = id.chars().all(|it| it.is_ascii_digit());
    let fits = digits && (1..=ID_DIGITS_MAX).contains(&id.len());
    check(fits, "a channel's id has 1 to 19 digits")?;
    Ok(id)
}

fn events(list: &[ChannelEvent<'_>]) -> Result<Value, Error> {
    let fits = (1..=CHANNEL_EVENTS_MAX).contains(&list.len());
    check(fits, "a channel takes 1 to 50 events")?;
    let named = list.iter().all(|it| is_api_name(it.module));
    check(named, "not a module's name")?;
    Ok(list.iter().map(|it| json!(it.to_string())).collect())
}

fn notify_url(url: &str) -> Result<&str, Error> {
    let fits = url.chars().count() <= NOTIFY_URL_CHARS_MAX;
    check(fits, "a notify_url has at most 255 characters")?;
    let parsed = Url::parse(url).ok();
    let web = parsed.is_some_and(|it| matches!(it.scheme(), "http" | "https") && it.has_host());
    check(web, "a notify_url is an http or https url")?;
    Ok(url)
}

fn token(secret: &SecretString) -> Result<&str, Error> {
    let text = secret.expose_secret();
    let fits = (1..=TOKEN_CHARS_MAX).contains(&text.chars().count());
    check(fits, "a channel's token has 1 to 50 characters")?;
    Ok(text)
}

/// Without a fraction of a second, which Zoho refuses.
fn expiry(at: Timestamp, now: Timestamp) -> Result<String, Error> {
    let life = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    check(!life.is_zero(), "a channel cannot expire in the past")?;
    check(
        life <= CHANNEL_LIFE_MAX,
        "a channel lives a week at most: asked for more, zoho gives an hour",
    )?;
    Ok(time::zoho(at))
}

fn check(holds: bool, problem: &'static str) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Client::wrong(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";
    const LEADS: &[ChannelEvent<'_>] = &[ChannelEvent {
        module: "Leads",
        on: WatchOn::All,
    }];

    fn channel<'a>() -> Channel<'a> {
        Channel::new("1000000068001", LEADS, "https://hooks.example.com/in/crm")
    }

    fn problem(channel: &Channel<'_>) -> String {
        let error = channel.to_json(NOW.parse().unwrap()).unwrap_err();
        assert_eq!(error.class(), "misuse");
        error.to_string()
    }

    fn expiring<'a>(at: &str) -> Channel<'a> {
        Channel {
            expires_at: Some(at.parse().unwrap()),
            ..channel()
        }
    }

    #[test]
    fn a_channel_is_written_as_the_contract_says() {
        let token = SecretString::from("TOKEN_FOR_VERIFICATION_OF_1000000068001");
        let full = Channel {
            token: Some(&token),
            notify_on_related_action: Some(false),
            return_affected_field_values: Some(true),
            ..expiring("2026-11-29T11:00:00.987Z")
        };
        assert_eq!(
            full.to_json(NOW.parse().unwrap()).unwrap(),
            json!({
                "channel_id": "1000000068001",
                "events": ["Leads.all"],
                "notify_url": "https://hooks.example.com/in/crm",
                "token": "TOKEN_FOR_VERIFICATION_OF_1000000068001",
                "channel_expiry": "2026-11-29T11:00:00+00:00",
                "notify_on_related_action": false,
                "return_affected_field_values": true,
            })
        );
        assert!(!format!("{full:?}").contains("TOKEN_FOR"));
        assert_eq!(
            channel().to_json(NOW.parse().unwrap()).unwrap(),
            json!({
                "channel_id": "1000000068001",
                "events": ["Leads.all"],
                "notify_url": "https://hooks.example.com/in/crm",
            })
        );
    }

    #[test]
    fn ids_that_are_no_numbers_and_too_many_events_are_refused() {
        for channel_id in ["", "12a", "12345678901234567890"] {
            let wrong = Channel {
                channel_id,
                ..channel()
            };
            assert!(problem(&wrong).contains("digits"), "{channel_id}");
        }
        let many = vec![LEADS[0]; 51];
        let odd = [ChannelEvent {
            module: "../Leads",
            on: WatchOn::All,
        }];
        for (events, expected) in [
            (&[][..], "1 to 50 events"),
            (&many, "1 to 50 events"),
            (&odd, "module's name"),
        ] {
            let wrong = Channel {
                events,
                ..channel()
            };
            assert!(problem(&wrong).contains(expected));
        }
    }

    #[test]
    fn urls_and_tokens_that_zoho_would_refuse_are_refused() {
        let long = format!("https://hooks.example.com/{}", "a".repeat(230));
        for (notify_url, expected) in [
            (long.as_str(), "255 characters"),
            ("hooks.example.com", "http or https"),
            ("ftp://example.com", "http or https"),
        ] {
            let wrong = Channel {
                notify_url,
                ..channel()
            };
            assert!(problem(&wrong).contains(expected), "{notify_url}");
        }
        for length in [0, 51] {
            let token = SecretString::from("t".repeat(length));
            let wrong = Channel {
                token: Some(&token),
                ..channel()
            };
            assert!(problem(&wrong).contains("50 characters"));
        }
    }

    #[test]
    fn what_would_silently_become_an_hour_is_refused() {
        let past = problem(&expiring("2026-11-22T11:59:59Z"));
        assert!(past.contains("in the past"), "{past}");
        let long = problem(&expiring("2026-11-29T12:00:01Z"));
        assert!(long.contains("a week at most"), "{long}");
        let week = expiring("2026-11-29T12:00:00Z");
        assert!(week.to_json(NOW.parse().unwrap()).is_ok());
    }

    #[test]
    fn events_are_read_in_both_spellings() {
        for (text, written) in [
            ("Leads.all", "Leads.all"),
            ("Leads.insert", "Leads.create"),
            ("Sales_Orders.update", "Sales_Orders.edit"),
            ("users.delete", "users.delete"),
        ] {
            assert_eq!(ChannelEvent::parse(text).unwrap().to_string(), written);
        }
        for bad in ["Leads", "Leads.moved", ".all", "a/b.all"] {
            assert_eq!(ChannelEvent::parse(bad), None, "{bad}");
        }
    }
}
