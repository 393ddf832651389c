//! Changes for unit tests.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Change, ChangeId, ConnectionName, ModuleName, NotificationId, Operation, Origin, RecordId,
    SourceName,
};

/// An update of a record of acme's.
pub(crate) fn change(module: &str, record: &str) -> Change {
    Change {
        id: ChangeId::from_uuid(Uuid::nil()),
        notification: NotificationId::from_uuid(Uuid::nil()),
        source: SourceName::new("crm"),
        connection: Some(ConnectionName::new("acme")),
        module: ModuleName::new(module),
        record: Some(RecordId::new(record)),
        operation: Operation::Update,
        event_type: None,
        server_time: Timestamp::UNIX_EPOCH,
        accepted_at: Timestamp::UNIX_EPOCH,
        origin: Origin::Notification,
        affected_fields: None,
        values: None,
    }
}
