//! Entries of `destinations`.

use std::{fmt, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use crate::event::{Action, ConnectionName, ModuleName};

/// One entry of `destinations`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its kind and what that needs.
    pub kind: Kind,
    /// When a message's own failures are tried again.
    pub retry: RetrySchedule,
    /// At most so many deliveries; `None` is no limit.
    pub rate: Option<Rate>,
    /// How much may wait.
    pub backlog: Backlog,
}

/// What kind of destination.
#[derive(Clone, Debug)]
pub enum Kind {
    /// RabbitMQ.
    Amqp(AmqpSettings),
    /// Another webhook.
    Webhook(WebhookSettings),
    /// Consumers come and take.
    Pull(PullSettings),
    /// One JSON line each.
    Stdout,
    /// Writes to a Zoho org.
    Zoho(ZohoSettings),
}

/// `kind: amqp`.
#[derive(Clone, Debug)]
pub struct AmqpSettings {
    /// Broker URLs (`amqp://` or `amqps://`), tried in turn; with user and password, so secret.
    pub url: Vec<SecretString>,
    /// Where messages are published to.
    pub exchange: Exchange,
    /// Queues to declare, or to look for.
    pub queues: Vec<Queue>,
    /// Longest wait for connecting, declaring or a confirm.
    pub timeout: Duration,
}

/// An exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Empty is the default exchange.
    pub name: String,
    /// Its type.
    pub kind: ExchangeKind,
    /// Declare it (durable); otherwise only check that it is there.
    pub declare: bool,
}

/// An exchange's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// By pattern.
    Topic,
    /// By exact key.
    Direct,
    /// To all.
    Fanout,
    /// By headers.
    Headers,
}

/// A queue.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Routing keys it is bound with.
    pub bind: Vec<Binding>,
    /// Its type.
    pub kind: QueueKind,
    /// Declare it (durable); otherwise only check that it is there.
    pub declare: bool,
    /// `x-max-length`; always with `overflow: reject-publish`.
    pub length_max: Option<u64>,
    /// `x-delivery-limit`; only with a dead letter exchange.
    pub delivery_limit: Option<u64>,
    /// `x-dead-letter-exchange`.
    pub dead_letter_exchange: Option<String>,
}

/// A routing key or pattern.
pub type Binding = String;

/// A queue's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// Replicated; the default.
    Quorum,
    /// On one node.
    Classic,
}

/// `kind: webhook`.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Where to POST.
    pub url: Url,
    /// Standard Webhooks keys, `whsec_` and base64; each signs. Empty: unsigned.
    pub sign: Vec<SecretString>,
    /// More headers; values may be secret.
    pub headers: Vec<(String, SecretString)>,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Private ranges it may reach.
    pub allow_networks: Vec<IpNet>,
}

impl fmt::Debug for WebhookSettings {
    /// The URL's user, password, path and query stay out: any of them may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("host", &self.url.host_str())
            .field("sign", &self.sign)
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .field("allow_networks", &self.allow_networks)
            .finish()
    }
}

/// `kind: pull`.
#[derive(Clone, Debug)]
pub struct PullSettings {
    /// Deliveries nobody took for so long expire.
    pub keep: Duration,
    /// Who may take; they compete.
    pub consumers: Vec<Consumer>,
}

/// A consumer of a pull destination.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// For logs and metrics.
    pub name: String,
    /// Its bearer tokens.
    pub token: Vec<SecretString>,
}

/// `kind: zoho`. What is written is part of each delivery.
#[derive(Clone, Debug)]
pub struct ZohoSettings {
    /// Whose org.
    pub connection: ConnectionName,
    /// The module's API name.
    pub module: ModuleName,
    /// What is done.
    pub action: Action,
    /// By which fields an existing record is found (upsert); or the one that holds the delivery's id (create).
    pub unique_fields: Vec<String>,
    /// Which automations of Zoho run; `None` for all.
    pub trigger: Option<Vec<String>>,
}

/// Waits between a message's attempts; one attempt more than waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule(pub Vec<Duration>);

/// At most `count` in each `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

/// How much may wait for a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries; soft: what was accepted is still planned.
    pub max: u64,
    /// What happens then.
    pub on_full: OnFull,
}

/// What happens when a destination's backlog is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Sources that can reach it answer 503.
    Refuse,
    /// The oldest waiting delivery is dropped, and counted.
    DropOldest,
}
