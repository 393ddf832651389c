//! The exchange and queues of a destination: declared as asked, or looked for.

use lapin::{
    Channel, ExchangeKind as Type,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, LongString, ShortString},
};

use crate::deliver::{AmqpSettings, Exchange, ExchangeKind, Queue, QueueKind};

/// Faults that no broker can mend, by what to do.
pub(super) fn check(settings: &AmqpSettings) -> Result<(), String> {
    let names = settings
        .queues
        .iter()
        .flat_map(|queue| queue.bind.iter().chain([&queue.name]))
        .chain([&settings.exchange.name]);
    for name in names {
        if name.len() > usize::from(u8::MAX) {
            return Err(format!("{name:?} is longer than the 255 bytes AMQP allows"));
        }
    }
    for queue in &settings.queues {
        if queue.name.is_empty() {
            return Err("a queue needs a name".to_owned());
        }
        if queue.delivery_limit.is_some() && queue.dead_letter_exchange.is_none() {
            return Err(format!(
                "queue {}: a delivery limit without a dead letter exchange loses messages",
                queue.name
            ));
        }
        if queue.delivery_limit.is_some() && queue.kind != QueueKind::Quorum {
            return Err(format!(
                "queue {}: only a quorum queue has a delivery limit",
                queue.name
            ));
        }
        if settings.exchange.name.is_empty() && queue.declare && !queue.bind.is_empty() {
            return Err(format!(
                "queue {}: nothing can be bound to the default exchange; it takes the queue's name as the routing key",
                queue.name
            ));
        }
    }
    Ok(())
}

/// Declares what is to be declared, looks for the rest. An error names what is missing or differs.
///
/// The channel is lost when this fails.
pub(super) async fn establish(channel: &Channel, settings: &AmqpSettings) -> Result<(), String> {
    exchange(channel, &settings.exchange).await?;
    for queue in &settings.queues {
        self::queue(channel, queue, &settings.exchange.name).await?;
    }
    Ok(())
}

async fn exchange(channel: &Channel, exchange: &Exchange) -> Result<(), String> {
    if exchange.name.is_empty() {
        return Ok(());
    }
    let kind = match exchange.kind {
        ExchangeKind::Topic => Type::Topic,
        ExchangeKind::Direct => Type::Direct,
        ExchangeKind::Fanout => Type::Fanout,
        ExchangeKind::Headers => Type::Headers,
    };
    let options = ExchangeDeclareOptions {
        passive: !exchange.declare,
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(short(&exchange.name)?, kind, options, FieldTable::default())
        .await
        .map_err(|error| format!("exchange {}: {error}", exchange.name))
}

async fn queue(channel: &Channel, queue: &Queue, exchange: &str) -> Result<(), String> {
    let options = QueueDeclareOptions {
        passive: !queue.declare,
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let arguments = if queue.declare {
        arguments(queue)
    } else {
        FieldTable::default()
    };
    channel
        .queue_declare(short(&queue.name)?, options, arguments)
        .await
        .map_err(|error| format!("queue {}: {error}", queue.name))?;
    if !queue.declare {
        return Ok(());
    }
    if let Some(name) = &queue.dead_letter_exchange {
        dead_letters(channel, name, &queue.name).await?;
    }
    for key in &queue.bind {
        channel
            .queue_bind(
                short(&queue.name)?,
                short(exchange)?,
                short(key)?,
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|error| format!("binding of queue {} with {key}: {error}", queue.name))?;
    }
    Ok(())
}

/// Dead letters of an exchange that is not there vanish without a word.
async fn dead_letters(channel: &Channel, name: &str, queue: &str) -> Result<(), String> {
    if name.is_empty() {
        return Ok(());
    }
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(short(name)?, Type::Topic, options, FieldTable::default())
        .await
        .map_err(|error| format!("dead letter exchange {name} of queue {queue}: {error}"))
}

/// What RabbitMQ is told of a queue that we declare.
fn arguments(queue: &Queue) -> FieldTable {
    let mut table = FieldTable::default();
    let mut text = |name: &str, value: &str| {
        table.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    };
    text(
        "x-queue-type",
        match queue.kind {
            QueueKind::Quorum => "quorum",
            QueueKind::Classic => "classic",
        },
    );
    if queue.length_max.is_some() {
        // The default drops the oldest message; this one refuses the new one, and we keep it.
        text("x-overflow", "reject-publish");
    }
    if let Some(exchange) = &queue.dead_letter_exchange {
        text("x-dead-letter-exchange", exchange);
    }
    let mut number = |name: &str, value: Option<u64>| {
        if let Some(value) = value {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            table.insert(name.into(), AMQPValue::LongLongInt(value));
        }
    };
    number("x-max-length", queue.length_max);
    number("x-delivery-limit", queue.delivery_limit);
    table
}

fn short(text: &str) -> Result<ShortString, String> {
    ShortString::try_new(text).map_err(|error| format!("{text:?}: {error}"))
}
