//! Logs and metrics: how they are set up, and what belongs to no stage.

mod logs;
mod metrics;

pub use self::{
    logs::{Format, InitError, init},
    metrics::{register_process, render},
};
