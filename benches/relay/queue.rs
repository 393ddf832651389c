//! The quorum queue that everything goes to, and how many messages it holds.

use std::time::{Duration, Instant};

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};

/// The queue's name; published to through the default exchange.
pub(super) const QUEUE: &str = "zohook-bench";

/// Longest wait for the messages of one measurement.
const WAIT_MAX: Duration = Duration::from_mins(2);

pub(super) struct Broker {
    pub url: String,
    channel: Channel,
    _connection: Connection,
}

impl Broker {
    pub(super) async fn connect() -> Self {
        let url = std::env::var("AMQP_URL")
            .expect("AMQP_URL must name a RabbitMQ, e.g. amqp://guest:guest@127.0.0.1:5672/%2f");
        let connection = Connection::connect(&url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self {
            url,
            channel,
            _connection: connection,
        }
    }

    /// Makes the queue anew.
    pub(super) async fn empty(&self) {
        self.channel
            .queue_delete(QUEUE.into(), QueueDeleteOptions::default())
            .await
            .unwrap();
        declare(&self.channel, false).await;
    }

    /// Waits until the queue holds at least so many.
    pub(super) async fn until_holds(&self, messages: usize) {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let held = declare(&self.channel, true).await;
            if held as usize >= messages {
                return;
            }
            assert!(Instant::now() < deadline, "{held} of {messages} arrived");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn declare(channel: &Channel, passive: bool) -> u32 {
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    let options = QueueDeclareOptions {
        durable: true,
        passive,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(QUEUE.into(), options, arguments)
        .await
        .unwrap()
        .message_count()
}
