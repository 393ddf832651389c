//! The motor: the only module that knows the order of the stages. Two loops, one before and one behind the second
//! crash-safe line.

mod backlog;
mod breaker;
mod dispatch;
mod echo;
mod metrics;
mod outcome;
mod parts;
mod plan;
mod read;
mod retry;
mod room;
mod rules;
mod share;

pub use self::{
    backlog::{BacklogWatch, Gate},
    dispatch::{Dispatcher, Target},
    echo::Writing,
    metrics::Metrics,
    plan::Planner,
    rules::Rules,
};
