//! One message to one destination, from planned to settled.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    DeliveryId, DestinationName, OwnWrite, QuarantineReason, RecordKey, RouteName, SendName,
};

/// CloudEvents 1.0 context attributes. Fixed at plan time: every repeat carries the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// The delivery id.
    pub id: String,
    /// `/zoho/<connection>/<module>` or `/generic/<source>`.
    pub source: String,
    /// `com.zoho.crm.<Module>.<inserted|updated|deleted|…>`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Record id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it changed: RFC 3339 with milliseconds.
    pub time: String,
    /// 19 digits, zero-padded; grows per source and subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// Record id; the partitioning extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitionkey: Option<String>,
    /// `notification`, `repair` or `replay`.
    pub origin: String,
    /// Comma-joined API names; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changedfields: Option<String>,
    /// When the record was read: RFC 3339 with milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recordreadat: Option<String>,
    /// `present`, `deleted` or `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recordstate: Option<String>,
    /// The delivery this one repeats on an operator's wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayof: Option<String>,
}

impl Attributes {
    /// Names and values of all that are present, `specversion` first, in a fixed order.
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        let optional = [
            ("subject", &self.subject),
            ("sequence", &self.sequence),
            ("partitionkey", &self.partitionkey),
            ("changedfields", &self.changedfields),
            ("recordreadat", &self.recordreadat),
            ("recordstate", &self.recordstate),
            ("replayof", &self.replayof),
        ];
        let mut pairs = vec![
            ("specversion", "1.0"),
            ("id", self.id.as_str()),
            ("source", self.source.as_str()),
            ("type", self.event_type.as_str()),
            ("time", self.time.as_str()),
            ("origin", self.origin.as_str()),
        ];
        pairs.extend(
            optional
                .iter()
                .filter_map(|(name, value)| Some((*name, value.as_deref()?))),
        );
        pairs
    }
}

/// What a destination gets, rendered at plan time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Context attributes.
    pub attributes: Attributes,
    /// `application/json`, or `text/plain; charset=utf-8` where the send's `body` is a text.
    pub content_type: String,
    /// The data, byte for byte.
    pub data: Bytes,
    /// Routing key (amqp); `None` elsewhere.
    pub routing_key: Option<String>,
}

/// What happens to a record's later deliveries once one was set aside (`on_failure` of a send).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// They go on.
    #[default]
    Quarantine,
    /// They wait for a person: the head is tried for ever, at the schedule's last step.
    Block,
}

/// A delivery as `route` plans it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// Derived from change, route and send.
    pub id: DeliveryId,
    /// Where to.
    pub destination: DestinationName,
    /// Which route matched.
    pub route: RouteName,
    /// Which send of it.
    pub send: SendName,
    /// When its schedule is exhausted.
    pub on_failure: FailurePolicy,
    /// What is sent.
    pub message: Message,
}

/// A delivery's row in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryNo(pub i64);

/// A delivery that is due: the oldest unsettled one of its destination and record.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its row.
    pub no: DeliveryNo,
    /// Which record it is about; at most one delivery of a (destination, record) is out at a time.
    pub key: RecordKey,
    /// Attempts already charged to this message.
    pub attempts: u32,
    /// When the notification behind it was accepted.
    pub accepted_at: Timestamp,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// As planned.
    pub planned: NewDelivery,
}

/// What became of a delivery that was out.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// Which one.
    pub no: DeliveryNo,
    /// Its record, to let the next one go.
    pub key: RecordKey,
    /// Its destination.
    pub destination: DestinationName,
    /// What became of it.
    pub settled: Settled,
}

/// The ways a delivery that was out comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Confirmed, 2xx, acked or flushed.
    Delivered,
    /// Zoho took the write; its echo is to be recognised.
    Written(OwnWrite),
    /// Not its fault, or not its last attempt.
    Again {
        /// When it is due again.
        at: Timestamp,
        /// Attempts charged to it so far.
        attempts: u32,
        /// Why; holds no secret and no record content.
        error: String,
    },
    /// Set aside for a person.
    Quarantined {
        /// Why, as a closed set.
        reason: QuarantineReason,
        /// Why, for a person; holds no secret and no record content.
        detail: String,
    },
    /// A pull destination's `keep` passed.
    Expired,
}
