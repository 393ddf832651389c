//! Ids that we make: random for what arrives, derived for what follows from it, so that a repeat has the same id.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{ConnectionName, ModuleName, RecordId, RouteName, SendName};

/// Namespace of every derived id. Fixed for ever: changing it would give a repeat another id.
const NAMESPACE: Uuid = Uuid::from_u128(0x7a6f_686f_6f6b_4e53_8000_6368_616e_6765);

/// One accepted callback; version 7, so ids sort by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotificationId(Uuid);

impl NotificationId {
    /// A new random id (version 7).
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id as stored.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id for storing.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One record's change in one notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(Uuid);

impl ChangeId {
    /// Version 5 of (notification, module, record, index of the id in its callback).
    pub fn derive(
        notification: NotificationId,
        module: &ModuleName,
        record: Option<&RecordId>,
        index: usize,
    ) -> Self {
        let record = record.map_or("", RecordId::as_str);
        Self(derive(&[
            &notification.to_string(),
            module.as_str(),
            record,
            &index.to_string(),
        ]))
    }

    /// The id as stored.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id for storing.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One message to one destination; what a consumer sees as the CloudEvents `id`, the same on every repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(Uuid);

impl DeliveryId {
    /// Version 5 of (change, route, send).
    pub fn derive(change: ChangeId, route: &RouteName, send: &SendName) -> Self {
        Self(derive(&[
            &change.to_string(),
            route.as_str(),
            send.as_str(),
            "",
        ]))
    }

    /// The id as stored.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id for storing.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn derive(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join("\0").as_bytes())
}

/// Which record a change is about, as one number: the first 8 bytes of
/// SHA-256(owner, 0, module, 0, record id). Two records that share one are merely kept in order together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey(i64);

impl RecordKey {
    /// `owner` is the connection's name, or for a generic event `generic/<source>`.
    pub fn of_record(connection: &ConnectionName, module: &ModuleName, record: &RecordId) -> Self {
        Self::of(connection.as_str(), module.as_str(), record.as_str())
    }

    /// Of any three texts that tell a record from every other.
    pub fn of(owner: &str, module: &str, record: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(owner);
        hash.update([0]);
        hash.update(module);
        hash.update([0]);
        hash.update(record);
        let digest = hash.finalize();
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        Self(i64::from_be_bytes(first))
    }

    /// As stored.
    pub const fn from_i64(number: i64) -> Self {
        Self(number)
    }

    /// For storing.
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// The partition of work this record belongs to: the first byte of the hash.
    pub const fn partition(self) -> u8 {
        self.0.to_be_bytes()[0]
    }
}

/// Grows with every change of one record; microseconds since 1970 unless two changes came within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(i64);

impl Sequence {
    /// `number` must not be negative.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// For storing.
    pub const fn as_i64(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Sequence {
    /// 19 digits, zero-padded, so that text order is number order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:019}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_never_change_between_versions() {
        let notification = NotificationId::from_uuid(Uuid::nil());
        let module = ModuleName::new("Leads");
        let change = ChangeId::derive(notification, &module, Some(&RecordId::new("1")), 0);
        let delivery = DeliveryId::derive(change, &RouteName::new("r"), &SendName::new("s"));
        insta::assert_snapshot!(format!("{change} {delivery}"));
    }

    #[test]
    fn the_partition_is_the_first_byte_of_the_hash() {
        let key = RecordKey::of("acme", "Leads", "1");
        let digest = Sha256::digest(b"acme\0Leads\x001");
        assert_eq!(key.partition(), digest[0]);
    }

    #[test]
    fn a_sequence_has_19_digits() {
        assert_eq!(Sequence::new(42).to_string(), "0000000000000000042");
        assert_eq!(Sequence::new(i64::MAX).to_string().len(), 19);
    }
}
