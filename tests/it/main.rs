//! The promises, tested from outside: real router, real sockets, the simulator. One binary, so that it links once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::too_many_lines,
    clippy::indexing_slicing,
    reason = "a failing helper should fail the test; a scenario reads best in one piece"
)]

mod support;
mod auth;
mod config;
mod crm;
mod crm_bulk;
mod crm_terminal;
mod deliver_amqp;
mod deliver_partial;
mod deliver_webhook;
mod deliver_zoho;
mod deliver_zoho_actions;
mod enrich;
mod fetch;
mod hostile;
mod missing;
mod pull;
mod powerloss;
mod process;
mod receive;
mod secrets;
mod shipped;
mod store;
mod store_model;
mod burst;
mod crash;
mod demo;
mod documents;
mod lifecycle;
mod main_job;
mod outage;
mod sdk;
