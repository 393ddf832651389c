//! What travels through the pipeline: plain values, in the order they come to be. No I/O, no imports of ours.

mod id;
mod name;
mod body;
mod notification;
mod change;
mod enriched;
mod delivery;
mod command;
mod reason;
mod memory;
#[cfg(test)]
pub(crate) mod sample;

pub use self::{
    body::{Body, Undecodable},
    change::{Change, Fetch, Operation, Origin},
    command::{Action, Command, OwnWrite, WriteTarget},
    delivery::{
        Attributes, Delivery, DeliveryNo, FailurePolicy, Message, NewDelivery, Settled, Settlement,
    },
    enriched::{EnrichedEvent, Record, RecordState, Unread},
    id::{ChangeId, DeliveryId, NotificationId, RecordKey, Sequence},
    memory::map_bytes,
    name::{
        ConnectionName, DestinationName, ModuleName, RecordId, RouteName, SendName, SourceName,
    },
    notification::{Method, RawNotification},
    reason::{ChangeOutcome, QuarantineReason},
};
