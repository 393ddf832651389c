//! What the receiver needs to know of a source, and its limits.

use std::time::Duration;

use ipnet::IpNet;

use crate::{
    event::{ConnectionName, Fetch, SourceName},
    template::Template,
    verify::Proof,
};

/// One entry of `sources`.
#[derive(Clone, Debug)]
pub struct Source {
    /// Last part of its path.
    pub name: SourceName,
    /// How its callbacks are read.
    pub kind: SourceKind,
    /// The org its records live in; always there for watch and workflow.
    pub connection: Option<ConnectionName>,
    /// What its callers must show; empty only where the file says `verify: none`.
    pub proof: Proof,
    /// Workflow and generic only, and only if asked; watch sources always drop repeats of 24 hours.
    pub dedup: Option<Dedup>,
    /// Whether its records are read from Zoho.
    pub fetch: Fetch,
}

/// How a source's callbacks are read.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// Notification API callbacks: the shape is Zoho's.
    Watch,
    /// Workflow webhooks: the shape is the user's.
    Workflow(Read),
    /// Any other Zoho product, or anything else that signs.
    Generic(Read),
}

/// Where in the body a change is found.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Zoho's module name (workflow).
    pub module: Option<Template>,
    /// What happened; default `update` (workflow), the last part of the type (generic).
    pub operation: Option<Template>,
    /// Record ids; one template may give a list, or a text with commas.
    pub ids: Vec<Template>,
    /// Values that came with the callback, by API name.
    pub record: Vec<(String, Template)>,
    /// CloudEvents type (generic).
    pub event_type: Option<Template>,
    /// What the event is about (generic).
    pub key: Option<Template>,
    /// When it changed: RFC 3339, or milliseconds since 1970.
    pub time: Option<Template>,
}

/// `dedup` of a workflow or generic source.
#[derive(Clone, Debug)]
pub struct Dedup {
    /// Two callbacks with the same key are one.
    pub key: Template,
    /// For how long; at most 24 hours.
    pub window: Duration,
}

/// Limits of the public port.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body after decompression, in bytes.
    pub body_bytes: usize,
    /// Open connections.
    pub connections: usize,
    /// Time to read a whole request, once its head is there.
    pub read_timeout: Duration,
    /// A connection may be so long without a request; a head that has begun has 30 seconds of its own.
    pub idle_timeout: Duration,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
}
