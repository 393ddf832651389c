//! Pretends to be Zoho CRM v8: OAuth, metadata, records, watch channels whose callbacks really fire.
//!
//! Written from Zoho's documentation and from what was seen in the field, JSON by hand, sharing
//! no type with the client: a misreading there must not hide here.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let sim = zoho_sim::Sim::start(zoho_sim::Settings::on_loopback()).await?;
//! println!("accounts server and API: {}", sim.base_url());
//! # Ok(())
//! # }
//! ```

mod sim;
mod settings;
mod counters;
mod faults;
mod error;
mod server;
mod call;
mod family;
mod multipart;
mod query_call;
mod coql;
mod search;
mod answer;
mod oauth;
mod api;
mod callbacks;
mod jobs;
mod control;
mod hands;
mod shared;
mod world;
mod time;

pub use self::{
    call::Kind,
    counters::{CallbackCounters, Counters},
    error::SimError,
    faults::{Fault, On, What},
    settings::{Edition, Settings},
    sim::{Faults, Sim},
};
