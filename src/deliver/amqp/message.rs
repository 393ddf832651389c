//! A delivery as AMQP carries it: `CloudEvents` binary mode.

use jiff::Timestamp;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};
use uuid::Uuid;

use crate::{
    deliver::{DeliverError, error::unrenderable},
    event::Message,
};

/// AMQP delivery mode 2: survives a restart of the broker.
const PERSISTENT: u8 = 2;

const APP_ID: &str = "zohook";

/// RabbitMQ 4 refuses larger messages by default, and closes the channel over it.
const DATA_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Room in the frame of the headers for the frame itself and the properties of fixed size.
const FRAME_OVERHEAD_BYTES: usize = 256;

/// What the codec adds to a header: length of name and value, type.
const HEADER_OVERHEAD_BYTES: usize = 6;

/// Properties and headers; what is said twice (id, type, …) is for consumers that know no `CloudEvents`.
///
/// # Errors
/// When AMQP cannot carry it: sent nevertheless it would cost all others their channel.
pub(super) fn properties(
    message: &Message,
    frame_bytes_max: u32,
) -> Result<BasicProperties, DeliverError> {
    if message.data.len() > DATA_BYTES_MAX {
        return Err(unrenderable(format!(
            "{} bytes of data, at most {DATA_BYTES_MAX} can be sent",
            message.data.len()
        )));
    }
    let mut headers = FieldTable::default();
    let mut bytes = FRAME_OVERHEAD_BYTES;
    let mut put = |name: String, value: &str| -> Result<(), DeliverError> {
        bytes += HEADER_OVERHEAD_BYTES + name.len() + value.len();
        let name = short("the name of an attribute", &name)?;
        headers.insert(name, AMQPValue::LongString(LongString::from(value)));
        Ok(())
    };
    for (name, value) in message.attributes.pairs() {
        put(format!("ce-{name}"), value)?;
    }
    put("traceparent".to_owned(), &traceparent())?;
    let attributes = &message.attributes;
    bytes += attributes.id.len() + attributes.event_type.len() + message.content_type.len();
    if usize::try_from(frame_bytes_max).is_ok_and(|max| max != 0 && bytes > max) {
        return Err(unrenderable(format!(
            "{bytes} bytes of headers, at most {frame_bytes_max} can be sent"
        )));
    }
    let mut properties = BasicProperties::default()
        .with_content_type(short("the content type", &message.content_type)?)
        .with_message_id(short("the id", &attributes.id)?)
        .with_type(short("the type", &attributes.event_type)?)
        .with_app_id(ShortString::from(APP_ID))
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers);
    if let Some(seconds) = seconds(&attributes.time) {
        properties = properties.with_timestamp(seconds);
    }
    Ok(properties)
}

/// The routing key; without one the empty key.
///
/// # Errors
/// When it is longer than AMQP allows.
pub(super) fn routing_key(message: &Message) -> Result<ShortString, DeliverError> {
    short(
        "the routing key",
        message.routing_key.as_deref().unwrap_or_default(),
    )
}

fn short(what: &str, text: &str) -> Result<ShortString, DeliverError> {
    ShortString::try_new(text).map_err(|_too_long| {
        unrenderable(format!(
            "{what} has {} bytes, at most 255 can be sent",
            text.len()
        ))
    })
}

/// The event's time, so that a repeat carries the same.
fn seconds(time: &str) -> Option<u64> {
    let time: Timestamp = time.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

/// W3C Trace Context: a trace of its own for each publish.
fn traceparent() -> String {
    let (span, _) = Uuid::new_v4().as_u64_pair();
    format!("00-{}-{span:016x}-01", Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::sample;

    const FRAME: u32 = 131_072;

    #[test]
    fn repeats_are_the_same_but_for_the_trace() {
        let message = sample::message("1");
        let [mut first, mut second] = [(); 2].map(|()| properties(&message, FRAME).unwrap());
        for properties in [&mut first, &mut second] {
            let mut headers = FieldTable::default();
            for (name, value) in properties.headers().clone().unwrap().inner() {
                if name.as_str() != "traceparent" {
                    headers.insert(name.clone(), value.clone());
                }
            }
            *properties = properties.clone().with_headers(headers);
        }
        assert_eq!(first, second);
        assert_eq!(*first.timestamp(), Some(1_795_341_600));
        assert_eq!(*first.delivery_mode(), Some(2));
    }

    #[test]
    fn the_trace_is_new_each_time_and_well_formed() {
        let trace = traceparent();
        let parts: Vec<_> = trace.split('-').collect();
        assert_eq!(
            parts.iter().map(|it| it.len()).collect::<Vec<_>>(),
            [2, 32, 16, 2]
        );
        assert_ne!(trace, traceparent());
    }

    fn refused(change: impl FnOnce(&mut Message)) -> bool {
        let mut message = sample::message("1");
        change(&mut message);
        matches!(
            properties(&message, FRAME).and(routing_key(&message)),
            Err(DeliverError::Message {
                attempts_max: Some(0),
                ..
            })
        )
    }

    #[test]
    fn what_would_close_the_channel_is_not_sent() {
        assert!(!refused(|_| {}));
        assert!(refused(|it| it.routing_key = Some("k".repeat(256))));
        assert!(refused(|it| it.attributes.event_type = "t".repeat(256)));
        assert!(refused(
            |it| it.attributes.changedfields = Some("f".repeat(131_072))
        ));
        assert!(refused(|it| it.data = vec![b'1'; DATA_BYTES_MAX + 1].into()));
        assert!(!refused(
            |it| it.attributes.changedfields = Some("f".repeat(120_000))
        ));
    }
}
