//! The client from outside: against literal answers, and against the simulator.

#![expect(clippy::unwrap_used, reason = "a failing helper should fail the test")]

mod bulk_memory;
mod bulk_read;
mod bulk_write;
mod channels;
mod client;
mod composite;
mod convert;
mod coql;
mod debug;
mod files;
mod limits;
mod locking;
mod mail;
mod notes;
mod oauth;
mod org;
mod readme;
mod records;
mod related;
mod search;
mod simulator;
mod support;
mod tags;
mod timeline;
mod webhooks;
