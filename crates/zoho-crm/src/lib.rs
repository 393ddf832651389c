//! A client for the Zoho CRM v8 API.
#![doc = include_str!("../README.md")]

mod data_center;
mod token;
mod auth;
mod grant;
mod credits;
mod throttle;
mod observe;
mod transport;
mod client;
mod records;
mod metadata;
mod error;

pub use self::{
    client::{Client, Limits, Settings},
    data_center::{DataCenter, Region},
    error::{Code, Error, SetupError},
    grant::Credentials,
    metadata::{Field, Fields},
    observe::{Call, Event, Observer, Outcome, TokenOutcome},
    records::{
        Converted, FIELDS_MAX, IDS_MAX, Listed, One, RecordQuery, Values, is_api_name, is_record_id,
    },
    token::{BoxFuture, MemoryTokenStore, StoredToken, TokenStore, TokenStoreError},
};
