//! The client from outside: against literal answers, and against the simulator.

#![expect(clippy::unwrap_used, reason = "a failing helper should fail the test")]

mod bulk_memory;
mod bulk_read;
mod bulk_write;
mod channels;
mod client;
mod files;
mod limits;
mod mail;
mod oauth;
mod org;
mod readme;
mod records;
mod simulator;
mod support;
mod webhooks;
