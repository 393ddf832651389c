//! A queue of a test's own on the real broker, read as a consumer would.

use std::{collections::HashMap, time::Duration};

use futures_util::StreamExt;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};

/// The broker that the test script starts.
#[expect(
    clippy::disallowed_methods,
    reason = "how a test is told where the broker is"
)]
pub(crate) fn amqp_url() -> String {
    std::env::var("AMQP_URL").expect(
        "AMQP_URL must name a RabbitMQ: run the tests through scripts/test, which installs and starts one",
    )
}

/// A durable quorum queue that is deleted by [`Self::delete`].
pub(crate) struct TestQueue {
    pub(crate) name: String,
    channel: Channel,
    _connection: Connection,
}

/// A message as consumed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) body: Vec<u8>,
    pub(crate) routing_key: String,
    pub(crate) property_id: Option<String>,
    pub(crate) persistent: bool,
    /// `ce-…` without the prefix, traceparent left out.
    pub(crate) attributes: HashMap<String, String>,
}

impl Message {
    pub(crate) fn id(&self) -> &str {
        &self.attributes["id"]
    }

    pub(crate) fn subject(&self) -> &str {
        &self.attributes["subject"]
    }

    pub(crate) fn sequence(&self) -> &str {
        &self.attributes["sequence"]
    }
}

impl TestQueue {
    pub(crate) async fn declare(prefix: &str) -> Self {
        let name = format!("{prefix}-{}", uuid::Uuid::new_v4().simple());
        let connection = Connection::connect(&amqp_url(), ConnectionProperties::default())
            .await
            .expect("AMQP_URL must name a running RabbitMQ");
        let channel = connection.create_channel().await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert(
            "x-queue-type".into(),
            AMQPValue::LongString("quorum".into()),
        );
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(name.as_str().into(), options, arguments)
            .await
            .unwrap();
        Self {
            name,
            channel,
            _connection: connection,
        }
    }

    /// Consumes until nothing has come for `quiet`, in the order of the queue.
    pub(crate) async fn drain(&self, quiet: Duration) -> Vec<Message> {
        let mut consumer = self
            .channel
            .basic_consume(
                self.name.as_str().into(),
                "drain".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        let mut messages = vec![];
        while let Ok(Some(delivery)) = tokio::time::timeout(quiet, consumer.next()).await {
            let delivery = delivery.unwrap();
            delivery.ack(BasicAckOptions::default()).await.unwrap();
            let properties = &delivery.properties;
            let headers = properties.headers().clone().unwrap_or_default();
            messages.push(Message {
                routing_key: delivery.routing_key.to_string(),
                property_id: properties.message_id().as_ref().map(ToString::to_string),
                persistent: *properties.delivery_mode() == Some(2),
                attributes: headers
                    .inner()
                    .iter()
                    .filter_map(|(name, value)| {
                        let name = name.as_str().strip_prefix("ce-")?;
                        Some((name.to_owned(), text(value)?))
                    })
                    .collect(),
                body: delivery.data,
            });
        }
        self.channel
            .basic_cancel(
                "drain".into(),
                lapin::options::BasicCancelOptions::default(),
            )
            .await
            .unwrap();
        messages
    }

    pub(crate) async fn delete(self) {
        self.channel
            .queue_delete(self.name.as_str().into(), QueueDeleteOptions::default())
            .await
            .unwrap();
    }
}

fn text(value: &AMQPValue) -> Option<String> {
    value.as_long_string().map(ToString::to_string)
}

/// Promises 4 and 5, as a consumer sees them: every repeat of an id is the same message, and once ids seen before are
/// dropped the sequence of a subject never falls. Gives the first message of each id.
pub(crate) fn distinct_in_order(messages: &[Message]) -> HashMap<String, Message> {
    let mut first: HashMap<String, Message> = HashMap::new();
    let mut last: HashMap<(String, String), String> = HashMap::new();
    for message in messages {
        if let Some(seen) = first.get(message.id()) {
            assert_eq!(seen, message, "a repeat differs");
            continue;
        }
        first.insert(message.id().to_owned(), message.clone());
        let key = (
            message.attributes["source"].clone(),
            message.subject().to_owned(),
        );
        let sequence = message.sequence().to_owned();
        if let Some(before) = last.insert(key, sequence) {
            assert!(
                before.as_str() <= message.sequence(),
                "the sequence of {} fell from {before} to {}",
                message.subject(),
                message.sequence()
            );
        }
    }
    first
}
