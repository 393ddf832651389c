//! A client for the Zoho CRM v8 API.
#![doc = include_str!("../README.md")]

pub mod composite;
pub mod convert;
pub mod coql;
pub mod notes;
pub mod related;
pub mod search;
pub mod tags;

mod auth;
mod call;
mod client;
mod credits;
mod data_center;
mod download;
mod error;
mod grant;
mod items;
mod limits;
mod metadata;
mod observe;
mod page;
mod parts;
mod pipeline;
mod raw;
mod records;
mod request;
mod throttle;
mod time;
mod token;
mod transport;

pub use self::{
    call::Call,
    client::{Client, Settings},
    data_center::{DataCenter, Region},
    download::Download,
    error::{Code, Error, SetupError},
    grant::Credentials,
    items::{Batch, ItemError},
    limits::{Edition, Limits},
    metadata::{Field, Fields},
    observe::{Event, Observer, Outcome, TokenOutcome},
    page::{Listing, Page},
    raw::{RawRequest, RawResponse},
    records::{
        Converted, FIELDS_MAX, IDS_MAX, Listed, One, RecordQuery, Values, is_api_name, is_record_id,
    },
    token::{BoxFuture, MemoryTokenStore, StoredToken, TokenStore, TokenStoreError},
};
