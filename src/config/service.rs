//! `service`: what flags and the environment may override, and the limits of the public port.

use std::{ops::RangeInclusive, time::Duration};

use crate::receive::Limits;

use super::{Service, reader::Reader, yaml::Node};

/// Finished rows are kept so long. One day at least, since repeats of 24 hours are recognised by them.
const KEEP_EVENTS: RangeInclusive<Duration> =
    Duration::from_hours(24)..=Duration::from_hours(3_650 * 24);
const KEEP_EVENTS_DEFAULT: Duration = Duration::from_hours(7 * 24);

/// Size of the store, in bytes.
const KEEP_SIZE_BYTES: RangeInclusive<u64> = 64 << 20..=16 << 40;
const KEEP_SIZE_BYTES_DEFAULT: u64 = 20 << 30;

/// Largest body, in bytes.
const BODY_BYTES: RangeInclusive<u64> = 1 << 10..=64 << 20;
const BODY_BYTES_DEFAULT: usize = 2 << 20;

/// Open connections of the public port.
const CONNECTIONS: RangeInclusive<usize> = 1..=65_536;
const CONNECTIONS_DEFAULT: usize = 1_024;

/// Time to read a whole request.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Longer than proxies keep idle connections (60 to 75 seconds are usual): one that we close just as a proxy sends a
/// callback on it loses the callback, since a POST is not sent again.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);

/// What holds where the file says nothing.
pub(super) fn defaults() -> Service {
    Service {
        public_url: None,
        keep_events: KEEP_EVENTS_DEFAULT,
        keep_size_bytes: KEEP_SIZE_BYTES_DEFAULT,
        limits: Limits {
            body_bytes: BODY_BYTES_DEFAULT,
            connections: CONNECTIONS_DEFAULT,
            read_timeout: READ_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            trusted_proxies: vec![],
        },
    }
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Service {
    let mut service = defaults();
    let known = ["public_url", "keep", "limits", "trusted_proxies"];
    let fields = reader.fields(node, &known, &[]);
    if let Some(node) = fields.get("public_url") {
        service.public_url = reader.http_url(node);
        if service.public_url.is_some() {
            reader.text(node, "a URL");
        }
    }
    if let Some(node) = fields.get("keep") {
        let keep = reader.fields(node, &["events", "size"], &[]);
        let events = keep.get("events");
        if let Some(found) = events.and_then(|it| reader.duration(it, &KEEP_EVENTS)) {
            service.keep_events = found;
        }
        let size = keep.get("size");
        if let Some(found) = size.and_then(|it| reader.size(it, &KEEP_SIZE_BYTES)) {
            service.keep_size_bytes = found;
        }
    }
    if let Some(node) = fields.get("limits") {
        let limits = reader.fields(node, &["body", "connections"], &[]);
        let body = limits
            .get("body")
            .and_then(|it| reader.size(it, &BODY_BYTES));
        if let Some(bytes) = body.and_then(|it| usize::try_from(it).ok()) {
            service.limits.body_bytes = bytes;
        }
        let connections = limits.get("connections");
        if let Some(found) = connections.and_then(|it| reader.number(it, &CONNECTIONS)) {
            service.limits.connections = found;
        }
    }
    if let Some(node) = fields.get("trusted_proxies") {
        service.limits.trusted_proxies = reader.networks(node);
    }
    service
}
