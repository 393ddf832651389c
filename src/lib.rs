//! zohook: a self-hosted webhook receiver and event router for Zoho CRM.
//!
//! ```text
//! Zoho ──POST──▶ receive   RawNotification   untrusted bytes
//!                verify    Notification      sender proven; only verify can make one
//!                event     Change × n        one per record id
//!                store     accept()          notification + changes committed ──▶ 200
//!                ─────────────────────── crash-safe line ───────────────────────
//!                pipeline  Claim             the oldest open change of a record
//!                route     wants()           nobody listens? no API credit is spent
//!                enrich    EnrichedEvent     change + record as Zoho has it now
//!                route     plan()            Delivery × m, one per matching send; pure
//!                store     finish()          one transaction: change closed AND deliveries queued
//!                ─────────────────────── crash-safe line ───────────────────────
//!                pipeline  Delivery          due now, in order per record
//!                deliver   Receipt | DeliverError
//!                store     settle()          done | again at t | quarantined(reason)
//! ```

pub mod event;
pub mod template;
pub mod receive;
pub mod verify;
pub mod store;
pub mod enrich;
pub mod route;
pub mod deliver;
pub mod pipeline;
pub mod config;
pub mod admin;
pub mod telemetry;
pub mod app;
pub mod cli;
