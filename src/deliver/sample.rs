//! Deliveries for unit tests.

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::{
    Attributes, Delivery, DeliveryId, DeliveryNo, DestinationName, FailurePolicy, Message,
    NewDelivery, RecordKey, RouteName, SendName,
};

pub(crate) fn message(record: &str) -> Message {
    Message {
        attributes: Attributes {
            id: record.to_owned(),
            source: "/zoho/acme/Leads".to_owned(),
            event_type: "com.zoho.crm.Leads.updated".to_owned(),
            subject: Some(record.to_owned()),
            time: "2026-11-22T10:00:00.000Z".to_owned(),
            sequence: Some("0000000000000000042".to_owned()),
            partitionkey: None,
            origin: "notification".to_owned(),
            changedfields: None,
            recordreadat: None,
            recordstate: None,
            replayof: None,
        },
        content_type: "application/json".to_owned(),
        data: r#"{"a":1}"#.into(),
        routing_key: Some("Leads.update".to_owned()),
    }
}

pub(crate) fn delivery(record: &str) -> Delivery {
    Delivery {
        no: DeliveryNo(0),
        key: RecordKey::of("acme", "Leads", record),
        attempts: 0,
        accepted_at: Timestamp::UNIX_EPOCH,
        planned_at: Timestamp::UNIX_EPOCH,
        planned: NewDelivery {
            id: DeliveryId::from_uuid(Uuid::nil()),
            destination: DestinationName::new("there"),
            route: RouteName::new("all"),
            send: SendName::new("there"),
            on_failure: FailurePolicy::Quarantine,
            message: message(record),
        },
    }
}
