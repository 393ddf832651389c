//! The second port: health, metrics, the operator's API, pull consumers.

mod access;
mod gauges;
pub mod pull;
mod router;

pub use self::{
    access::{Access, NoToken},
    gauges::Gauges,
    router::{AdminState, router},
};
