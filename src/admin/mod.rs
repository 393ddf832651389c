//! The second port: health, metrics, the API.
