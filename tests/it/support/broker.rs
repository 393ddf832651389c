//! A real RabbitMQ, and a client of it that is not ours to test.

#![expect(clippy::panic, reason = "a test that waits in vain says for what")]

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicConsumeOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, LongString},
};
use url::Url;
use uuid::Uuid;

/// Longest wait for a message that should be there.
const WAIT: Duration = Duration::from_secs(30);

/// A connection for the test's own eyes, and names that no other test uses.
pub(crate) struct Broker {
    pub(crate) url: Url,
    /// Prefix of every exchange and queue of this test.
    pub(crate) prefix: String,
    connection: Connection,
}

/// A message as a consumer gets it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) routing_key: String,
    pub(crate) properties: BasicProperties,
    /// Those that are texts.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Broker {
    /// # Panics
    /// When there is no broker.
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test is told where the broker is"
    )]
    pub(crate) async fn connect() -> Self {
        let url = std::env::var("AMQP_URL")
            .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned());
        let connection = Connection::connect(&url, ConnectionProperties::default())
            .await
            .unwrap_or_else(|error| {
                panic!("no RabbitMQ at AMQP_URL ({error}): scripts/test starts one, or `apt-get install rabbitmq-server`, `rabbitmq-server -detached` and set AMQP_URL=amqp://guest:guest@127.0.0.1:5672/%2f")
            });
        Self {
            url: Url::parse(&url).unwrap(),
            prefix: format!("test-{}", Uuid::new_v4().simple()),
            connection,
        }
    }

    /// Where its port is.
    pub(crate) async fn address(&self) -> SocketAddr {
        let host = self.url.host_str().unwrap();
        let port = self.url.port().unwrap_or(5672);
        tokio::net::lookup_host((host, port))
            .await
            .unwrap()
            .next()
            .unwrap()
    }

    /// The same user and virtual host by way of another address.
    pub(crate) fn url_via(&self, address: SocketAddr) -> String {
        let mut url = self.url.clone();
        url.set_host(Some(&address.ip().to_string())).unwrap();
        url.set_port(Some(address.port())).unwrap();
        url.into()
    }

    /// A name of this test's own.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.connection.create_channel().await.unwrap()
    }

    /// Messages in a queue, as the broker counts them.
    pub(crate) async fn depth(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let channel = self.channel().await;
        let queue = channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await
            .unwrap();
        queue.message_count()
    }

    /// Declares a quorum queue with just these arguments: an error when it exists with others.
    pub(crate) async fn declare_queue(
        &self,
        queue: &str,
        texts: &[(&str, &str)],
        numbers: &[(&str, i64)],
    ) -> Result<(), lapin::Error> {
        let mut table = FieldTable::default();
        for (name, value) in texts {
            table.insert(
                (*name).into(),
                AMQPValue::LongString(LongString::from(*value)),
            );
        }
        for (name, value) in numbers {
            table.insert((*name).into(), AMQPValue::LongLongInt(*value));
        }
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let channel = self.channel().await;
        channel.queue_declare(queue.into(), options, table).await?;
        Ok(())
    }

    pub(crate) async fn declare_exchange(&self, exchange: &str) {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let kind = lapin::ExchangeKind::Topic;
        self.channel()
            .await
            .exchange_declare(exchange.into(), kind, options, FieldTable::default())
            .await
            .unwrap();
    }

    pub(crate) async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let options = QueueBindOptions::default();
        let table = FieldTable::default();
        self.channel()
            .await
            .queue_bind(queue.into(), exchange.into(), key.into(), options, table)
            .await
            .unwrap();
    }

    /// From now on our user may publish to that exchange with these routing keys only.
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test is told where the broker is"
    )]
    pub(crate) async fn allow_keys(&self, exchange: &str, pattern: &str) {
        let control = std::env::var("BROKER_CTL").unwrap_or_else(|_| "rabbitmqctl".to_owned());
        let done = tokio::process::Command::new(control)
            .args(["set_topic_permissions", "-p", "/", "guest"])
            .args([exchange, pattern, ".*"])
            .output()
            .await
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// Takes `count` messages out of a queue.
    ///
    /// # Panics
    /// When they do not come.
    pub(crate) async fn take(&self, queue: &str, count: usize) -> Vec<Received> {
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let channel = self.channel().await;
        let mut consumer = channel
            .basic_consume(queue.into(), "".into(), options, FieldTable::default())
            .await
            .unwrap();
        let mut taken = vec![];
        while taken.len() < count {
            let next = tokio::time::timeout(WAIT, consumer.next()).await;
            let Ok(Some(Ok(delivery))) = next else {
                panic!("{} messages of {count} came, then {next:?}", taken.len());
            };
            let headers = delivery.properties.headers().clone().unwrap_or_default();
            taken.push(Received {
                id: delivery
                    .properties
                    .message_id()
                    .clone()
                    .unwrap()
                    .to_string(),
                routing_key: delivery.routing_key.to_string(),
                headers: headers
                    .inner()
                    .iter()
                    .filter_map(|(name, value)| {
                        let value = value.as_long_string()?;
                        Some((name.to_string(), value.to_string()))
                    })
                    .collect(),
                properties: delivery.properties,
                body: delivery.data,
            });
        }
        channel.close(200, "done".into()).await.unwrap();
        taken
    }

    /// Deletes what the test made.
    pub(crate) async fn clean(&self, exchanges: &[&str], queues: &[&str]) {
        let channel = self.channel().await;
        for queue in queues {
            let options = QueueDeleteOptions::default();
            channel
                .queue_delete((*queue).into(), options)
                .await
                .unwrap();
        }
        for exchange in exchanges {
            let options = ExchangeDeleteOptions::default();
            channel
                .exchange_delete((*exchange).into(), options)
                .await
                .unwrap();
        }
    }
}
