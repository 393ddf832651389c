//! The simulator from outside: real HTTP, and the JSON that the contract writes down.

#![expect(clippy::unwrap_used, reason = "a failing helper should fail the test")]
#![expect(
    clippy::indexing_slicing,
    reason = "a missing key should fail the test"
)]

mod support;
mod oauth;
mod metadata;
mod records;
mod notes;
mod files;
mod bulk_read;
mod bulk_write;
mod composite;
mod convert;
mod mail;
mod lists;
mod changes;
mod related;
mod coql;
mod search;
mod tags;
mod scopes;
mod webhooks;
mod watch;
mod limits;
mod faults;
mod hostile;
