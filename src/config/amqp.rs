//! `kind: amqp`: RabbitMQ's URL, exchange and queues.

use std::{ops::RangeInclusive, time::Duration};

use crate::deliver::{AmqpSettings, Exchange, ExchangeKind, Queue, QueueKind, is_broker_url};

use super::{
    destinations::timeout,
    reader::{Fields, Reader, one_or_many},
    yaml::Node,
};

/// Longest name or routing key. AMQP 0-9-1: a short string has 255 bytes at most.
pub(super) const SHORT_STRING_BYTES_MAX: usize = 255;

/// `x-max-length`, in messages.
const LENGTH: RangeInclusive<u64> = 1..=1_000_000_000;

/// `x-delivery-limit`.
const DELIVERY_LIMIT: RangeInclusive<u64> = 1..=1_000_000;

/// Longest wait for connecting, declaring or a confirm.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

const EXCHANGE_KINDS: [(&str, ExchangeKind); 4] = [
    ("topic", ExchangeKind::Topic),
    ("direct", ExchangeKind::Direct),
    ("fanout", ExchangeKind::Fanout),
    ("headers", ExchangeKind::Headers),
];

const QUEUE_KINDS: [(&str, QueueKind); 2] = [
    ("quorum", QueueKind::Quorum),
    ("classic", QueueKind::Classic),
];

pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<AmqpSettings> {
    let url = reader
        .required(fields, "url", "e.g. amqps://user:password@broker/vhost")
        .map(|it| reader.secrets(it, broker_url));
    let hint = "where messages are published to, e.g. { name: crm, type: topic, declare: true }";
    let exchange = reader
        .required(fields, "exchange", hint)
        .and_then(|it| exchange(reader, it));
    let mut queues: Vec<Queue> = vec![];
    if let Some(node) = fields.get("queues") {
        for item in reader.list(node, "queues") {
            let Some(queue) = queue(reader, item, exchange.as_ref()) else {
                continue;
            };
            if queues.iter().any(|it| it.name == queue.name) {
                reader.error(item, "another queue of this destination has the same name");
            }
            queues.push(queue);
        }
    }
    let timeout = timeout(reader, fields, TIMEOUT_DEFAULT);
    Some(AmqpSettings {
        url: url?,
        exchange: exchange?,
        queues,
        timeout: timeout?,
    })
}

fn broker_url(text: &str) -> Result<(), &'static str> {
    if is_broker_url(text) {
        Ok(())
    } else {
        Err(
            "expected a URL that begins with amqp:// or amqps:// and whose parameters, if any, can be read",
        )
    }
}

fn exchange(reader: &mut Reader<'_>, node: &Node) -> Option<Exchange> {
    let fields = reader.fields(node, &["name", "type", "declare"], &[]);
    let name = reader
        .required(&fields, "name", "\"\" is the default exchange")
        .and_then(|it| Some((it, short_string(reader, it)?)));
    let kind = fields.get("type").map_or(Some(ExchangeKind::Topic), |it| {
        reader.word(it, &EXCHANGE_KINDS)
    });
    let declare = fields.get("declare").and_then(|it| reader.boolean(it));
    let declare = declare.unwrap_or(false);
    let (node, name) = name?;
    if declare && (name.is_empty() || name.starts_with("amq.")) {
        reader.error_hint(
            node,
            "the broker declares this exchange itself",
            "take `declare` away, or choose another name",
        );
    }
    Some(Exchange {
        name: name.to_owned(),
        kind: kind?,
        declare,
    })
}

fn queue(reader: &mut Reader<'_>, node: &Node, exchange: Option<&Exchange>) -> Option<Queue> {
    let known = [
        "name",
        "bind",
        "type",
        "declare",
        "length_max",
        "delivery_limit",
        "dead_letter_exchange",
    ];
    let fields = reader.fields(node, &known, &[]);
    let name = reader
        .required(&fields, "name", "the queue's name")
        .and_then(|it| Some((it, short_string(reader, it)?)));
    let bind = bindings(reader, &fields, exchange);
    let kind = fields
        .get("type")
        .map_or(Some(QueueKind::Quorum), |it| reader.word(it, &QUEUE_KINDS));
    let declare = fields.get("declare").and_then(|it| reader.boolean(it));
    let length_max = fields
        .get("length_max")
        .and_then(|it| reader.number(it, &LENGTH));
    let dead_letters = fields
        .get("dead_letter_exchange")
        .and_then(|it| short_string(reader, it));
    let delivery_limit = fields.get("delivery_limit").and_then(|it| {
        delivery_limit_fits(reader, it, kind, fields.has("dead_letter_exchange"));
        reader.number(it, &DELIVERY_LIMIT)
    });
    let declare = declare.unwrap_or(false);
    let (name_node, name) = name?;
    if name.is_empty() || name.starts_with("amq.") {
        reader.error(
            name_node,
            "a queue needs a name that does not begin with amq.",
        );
    }
    if !declare {
        for key in [
            "bind",
            "length_max",
            "delivery_limit",
            "dead_letter_exchange",
        ] {
            if let Some(node) = fields.get(key) {
                reader.warning(
                    node,
                    format!("`{key}` has no effect: this queue is not declared, only looked for"),
                    "add `declare: true`, or take it away",
                );
            }
        }
    }
    Some(Queue {
        name: name.to_owned(),
        bind,
        kind: kind?,
        declare,
        length_max,
        delivery_limit,
        dead_letter_exchange: dead_letters.map(str::to_owned),
    })
}

fn delivery_limit_fits(
    reader: &mut Reader<'_>,
    node: &Node,
    kind: Option<QueueKind>,
    has_dead_letters: bool,
) {
    if !has_dead_letters {
        reader.error_hint(
            node,
            "the broker would throw messages away when this limit is reached",
            "give `dead_letter_exchange`, where they go instead",
        );
    }
    if kind == Some(QueueKind::Classic) {
        reader.error(node, "only quorum queues have a delivery limit");
    }
}

fn bindings(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    exchange: Option<&Exchange>,
) -> Vec<String> {
    let Some(node) = fields.get("bind") else {
        return vec![];
    };
    if exchange.is_some_and(|it| it.name.is_empty()) {
        let message =
            "the default exchange has no bindings: it sends to the queue named by the key";
        reader.error(node, message);
    }
    one_or_many(node)
        .iter()
        .filter_map(|it| short_string(reader, it).map(str::to_owned))
        .collect()
}

fn short_string<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<&'n str> {
    let text = reader.text(node, "a text")?;
    if text.len() > SHORT_STRING_BYTES_MAX {
        let message =
            format!("longer than {SHORT_STRING_BYTES_MAX} bytes, which AMQP does not allow");
        reader.error(node, message);
        return None;
    }
    Some(text)
}
