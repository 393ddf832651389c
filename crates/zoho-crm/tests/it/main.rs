//! The client from outside: against literal answers, and against the simulator.

#![expect(clippy::unwrap_used, reason = "a failing helper should fail the test")]

mod channels;
mod client;
mod limits;
mod oauth;
mod org;
mod readme;
mod records;
mod simulator;
mod support;
mod webhooks;
