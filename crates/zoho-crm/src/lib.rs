//! A client for the Zoho CRM v8 API.
#![doc = include_str!("../README.md")]

pub mod bulk;
pub mod composite;
pub mod convert;
pub mod coql;
pub mod files;
pub mod locking;
pub mod mail;
pub mod notes;
pub mod related;
pub mod search;
pub mod tags;
pub mod timeline;

mod auth;
mod call;
mod channels;
mod client;
mod credits;
mod data_center;
mod download;
mod error;
mod file_store;
mod grant;
mod items;
mod limits;
mod listed;
mod metadata;
mod oauth;
mod observe;
mod org;
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
mod users;
mod webhooks;

pub use clock::Clock;

pub use self::{
    call::Call,
    channels::{
        CHANNEL_EVENTS_MAX, CHANNEL_LIFE_MAX, CHANNELS_MAX, CONDITION_FIELDS_MAX, CONDITIONS_MAX,
        Channel, ChannelCondition, ChannelEntry, ChannelEvent, ChannelFilter, ChannelGrant,
        ChannelPatch, ConditionField, ConditionJoin, DisabledChannel, GrantedModule,
        NOTIFY_URL_CHARS_MAX, TOKEN_CHARS_MAX, WatchOn,
    },
    client::{Client, Settings},
    data_center::{DataCenter, Environment, Region},
    download::Download,
    error::{Code, Error, SetupError},
    file_store::FileTokenStore,
    grant::Credentials,
    items::{Batch, ItemError},
    limits::{Edition, Limits},
    metadata::{Field, FieldType, Fields, Module, Modules},
    oauth::{Consent, Consented, OAuth, OAuthClient, OAuthError, Redirected, SCOPES},
    observe::{Event, Observer, Outcome, TokenOutcome},
    org::{License, Org},
    page::{Listing, Page},
    raw::{RawRequest, RawResponse},
    records::{
        Action, Approved, Condition, Converted, Deleted, DeletedKind, DeletedQuery, FIELDS_MAX,
        IDS_MAX, IfModified, ListQuery, Listed, One, OneQuery, PageAt, RecordQuery, Sort, SortBy,
        Trigger, UserRef, Values, WRITTEN_MAX, WriteOptions, Written, is_api_name, is_record_id,
    },
    token::{BoxFuture, MemoryTokenStore, Renewal, StoredToken, TokenStore, TokenStoreError},
    users::{User, UserType},
    webhooks::{
        Authentication, CUSTOM_PARAMETERS_MAX, DateTimeFormat, FAILURES_DAYS_MAX, FailureQuery,
        FeatureType, MODULE_PARAMETERS_MAX, ModuleRef, Named, NewWebhook, Parameters,
        RAW_CHARS_MAX, RawFormat, UsageGroup, WEBHOOK_NAME_CHARS_MAX, WEBHOOK_URL_CHARS_MAX,
        WEBHOOKS_DELETE_MAX, Webhook, WebhookBody, WebhookFailure, WebhookPatch, WebhookRequest,
        WebhookUsage, merge_field,
    },
};
