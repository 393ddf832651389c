//! A client for the Zoho CRM v8 API.
#![doc = include_str!("../README.md")]

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
        Action, Approved, Condition, Converted, Deleted, DeletedKind, DeletedQuery, FIELDS_MAX,
        IDS_MAX, IfModified, ListQuery, Listed, One, OneQuery, PageAt, RecordQuery, Sort, SortBy,
        Trigger, UserRef, Values, WRITTEN_MAX, WriteOptions, Written, is_api_name, is_record_id,
    },
    token::{BoxFuture, MemoryTokenStore, StoredToken, TokenStore, TokenStoreError},
};
