//! Decides, purely: who listens to a change, and what is sent where.

mod table;
mod body;
mod command;
mod needs;
mod decide;
mod plan;
mod message;
mod metrics;

#[cfg(test)]
mod tests;

pub use self::{
    decide::{Decision, Outcome},
    metrics::Metrics,
    table::{
        BodyTemplate, EnrichWish, Listen, MissingPolicy, Pattern, Plan, Route, RouteTable, Send,
        Wants, Write,
    },
};
