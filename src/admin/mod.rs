//! The second port: health, metrics, the API.

pub mod pull;
