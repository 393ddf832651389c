//! Logs and metrics: how they are set up, and what belongs to no stage.

mod logs;
mod metrics;

pub use self::{
    logs::{Format, init, is_filter},
    metrics::{register_process, render},
};
