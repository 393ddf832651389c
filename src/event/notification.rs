//! A callback as it came: untrusted bytes and what was around them.

use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

use super::SourceName;

/// The methods Zoho can be told to use for a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Workflow webhooks only.
    Get,
    /// The usual one; the only one of watch callbacks.
    Post,
    /// Workflow webhooks only.
    Put,
    /// Workflow webhooks only.
    Delete,
}

/// A request to `/in/{source}`, nothing in it proven.
#[derive(Clone, Debug)]
pub struct RawNotification<'a> {
    /// From the path; names a source that exists.
    pub source: &'a SourceName,
    /// How it was sent.
    pub method: Method,
    /// As sent; values may be any bytes.
    pub headers: &'a HeaderMap,
    /// The query string as sent, without the question mark.
    pub query: &'a str,
    /// Decompressed; at most the limit `body`.
    pub body: Bytes,
    /// The caller, behind trusted proxies.
    pub peer: IpAddr,
    /// When its last byte was read.
    pub received_at: Timestamp,
}
