//! Deliveries to hand to a destination.

use jiff::Timestamp;
use uuid::Uuid;
use zohook::event::{
    Attributes, Delivery, DeliveryId, DeliveryNo, DestinationName, FailurePolicy, Message,
    NewDelivery, RecordKey, RouteName, SendName,
};

/// A message about record `record`, with an id of its own.
pub(crate) fn delivery(record: usize, routing_key: &str) -> Delivery {
    let id = Uuid::new_v4();
    let subject = record.to_string();
    let attributes = Attributes {
        id: id.to_string(),
        source: "/zoho/acme/Leads".to_owned(),
        event_type: "com.zoho.crm.Leads.updated".to_owned(),
        subject: Some(subject.clone()),
        time: "2026-11-22T10:00:00.123Z".to_owned(),
        sequence: Some(format!("{record:019}")),
        partitionkey: Some(subject.clone()),
        origin: "notification".to_owned(),
        changedfields: Some("Last_Name,Company".to_owned()),
        recordreadat: Some("2026-11-22T10:00:01.000Z".to_owned()),
        recordstate: Some("present".to_owned()),
        replayof: None,
    };
    Delivery {
        no: DeliveryNo(i64::try_from(record).unwrap()),
        key: RecordKey::of("acme", "Leads", &subject),
        attempts: 0,
        accepted_at: Timestamp::UNIX_EPOCH,
        planned_at: Timestamp::UNIX_EPOCH,
        planned: NewDelivery {
            id: DeliveryId::from_uuid(id),
            destination: DestinationName::new("there"),
            route: RouteName::new("all"),
            send: SendName::new("there"),
            on_failure: FailurePolicy::Quarantine,
            message: Message {
                attributes,
                content_type: "application/json".to_owned(),
                data: format!(r#"{{"module":"Leads","id":"{subject}"}}"#).into(),
                routing_key: Some(routing_key.to_owned()),
            },
        },
    }
}

/// Its `CloudEvents` id.
pub(crate) fn id(delivery: &Delivery) -> String {
    delivery.planned.message.attributes.id.clone()
}
