//! `destinations`: where events go, and how hard we try.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use crate::{
    deliver::{Backlog, Consumer, Kind, OnFull, PullSettings, Rate, RetrySchedule, Settings},
    event::DestinationName,
};

use super::{
    amqp,
    reader::{Elsewhere, Fields, Reader},
    value, webhook,
    yaml::{Node, Value},
    zoho,
};

/// Waits between a message's attempts.
const RETRY_WAIT: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_hours(7 * 24);
const RETRY_WAITS_MAX: usize = 32;

/// 5s 5m 30m 2h 5h 10h 14h 20h 24h, in seconds.
const RETRY_DEFAULT_S: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// Most deliveries in one unit of `rate`.
const RATE_MAX: u32 = 1_000_000;

/// Deliveries that may wait for one destination.
const BACKLOG: RangeInclusive<u64> = 1..=100_000_000;
const BACKLOG_DEFAULT: u64 = 1_000_000;

/// For how long a pull destination keeps what nobody takes.
const PULL_KEEP: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(35 * 24);
const PULL_KEEP_DEFAULT: Duration = Duration::from_hours(7 * 24);

/// Longest wait for one answer or confirm.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(2);

/// What kind of destination, before its settings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KindWord {
    Amqp,
    Webhook,
    Pull,
    Stdout,
    Zoho,
}

const KINDS: [(&str, KindWord); 5] = [
    ("amqp", KindWord::Amqp),
    ("webhook", KindWord::Webhook),
    ("pull", KindWord::Pull),
    ("stdout", KindWord::Stdout),
    ("zoho", KindWord::Zoho),
];

/// The names of a section with their kinds, whether or not the rest of them can be read.
pub(super) fn kinds(node: &Node) -> BTreeMap<&str, Option<KindWord>> {
    let Value::Map(entries) = &node.value else {
        return BTreeMap::new();
    };
    let kind = |node| match Fields::peek(node, "kind").map(|it| &it.value) {
        Some(Value::Scalar(scalar)) => KINDS.iter().find(|it| it.0 == scalar.text).map(|it| it.1),
        _ => None,
    };
    entries
        .iter()
        .map(|it| (it.key.as_str(), kind(&it.node)))
        .collect()
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    connections: &[&str],
) -> BTreeMap<DestinationName, Settings> {
    let mut destinations = BTreeMap::new();
    for entry in reader.named(node, "destinations by name") {
        if let Some(settings) = one(reader, &entry.node, connections) {
            destinations.insert(DestinationName::new(entry.key.as_str()), settings);
        }
    }
    destinations
}

fn one(reader: &mut Reader<'_>, node: &Node, connections: &[&str]) -> Option<Settings> {
    let Some(kind) = Fields::peek(node, "kind").and_then(|it| reader.word(it, &KINDS)) else {
        let all = [
            "kind",
            "url",
            "exchange",
            "queues",
            "sign",
            "headers",
            "timeout",
            "allow_networks",
            "keep",
            "consumers",
            "connection",
            "module",
            "action",
            "unique_field",
            "trigger",
            "accept_duplicates",
            "retry",
            "rate",
            "backlog",
        ];
        let fields = reader.fields(node, &all, &[]);
        reader.required(&fields, "kind", "amqp, webhook, pull, stdout or zoho");
        return None;
    };
    let fields = reader.fields(node, keys(kind), ELSEWHERE);
    let retry = fields
        .get("retry")
        .map_or_else(|| Some(default_retry()), |it| retry(reader, it));
    let rate = fields.get("rate").and_then(|it| rate(reader, it));
    let backlog = fields
        .get("backlog")
        .map_or(Some(DEFAULT_BACKLOG), |it| backlog(reader, it));
    let kind = match kind {
        KindWord::Amqp => amqp::read(reader, &fields).map(Kind::Amqp),
        KindWord::Webhook => webhook::read(reader, &fields).map(Kind::Webhook),
        KindWord::Pull => pull(reader, &fields).map(Kind::Pull),
        KindWord::Stdout => Some(Kind::Stdout),
        KindWord::Zoho => zoho::read(reader, &fields, connections).map(Kind::Zoho),
    };
    Some(Settings {
        kind: kind?,
        retry: retry?,
        rate,
        backlog: backlog?,
    })
}

fn keys(kind: KindWord) -> &'static [&'static str] {
    match kind {
        KindWord::Amqp => &[
            "kind", "url", "exchange", "queues", "timeout", "retry", "rate", "backlog",
        ],
        KindWord::Webhook => &[
            "kind",
            "url",
            "sign",
            "headers",
            "timeout",
            "allow_networks",
            "retry",
            "rate",
            "backlog",
        ],
        KindWord::Pull => &["kind", "keep", "consumers", "backlog"],
        KindWord::Stdout => &["kind", "rate", "backlog"],
        KindWord::Zoho => &[
            "kind",
            "connection",
            "module",
            "action",
            "unique_field",
            "trigger",
            "accept_duplicates",
            "retry",
            "rate",
            "backlog",
        ],
    }
}

const ELSEWHERE: &[Elsewhere] = &[
    ("url", "is for `kind: amqp` and `kind: webhook`"),
    ("exchange", "is for `kind: amqp` only"),
    ("queues", "is for `kind: amqp` only"),
    ("sign", "is for `kind: webhook` only"),
    ("headers", "is for `kind: webhook` only"),
    ("allow_networks", "is for `kind: webhook` only"),
    ("timeout", "is for `kind: amqp` and `kind: webhook`"),
    ("keep", "is for `kind: pull` only"),
    ("consumers", "is for `kind: pull` only"),
    (
        "retry",
        "is for `kind: amqp`, `kind: webhook` and `kind: zoho`",
    ),
    ("connection", "is for `kind: zoho` only"),
    ("module", "is for `kind: zoho` only"),
    ("action", "is for `kind: zoho` only"),
    ("unique_field", "is for `kind: zoho` only"),
    ("trigger", "is for `kind: zoho` only"),
    ("accept_duplicates", "is for `kind: zoho` only"),
    (
        "rate",
        "is not for `kind: pull`: its consumers set the pace",
    ),
    ("management_url", "is not supported yet by this version"),
];

/// `timeout`, or the kind's own.
pub(super) fn timeout(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    default: Duration,
) -> Option<Duration> {
    fields
        .get("timeout")
        .map_or(Some(default), |it| reader.duration(it, &TIMEOUT))
}

fn default_retry() -> RetrySchedule {
    RetrySchedule(RETRY_DEFAULT_S.map(Duration::from_secs).to_vec())
}

fn retry(reader: &mut Reader<'_>, node: &Node) -> Option<RetrySchedule> {
    let fields = reader.fields(node, &["schedule"], &[]);
    let hint = "the waits between attempts, e.g. [5s, 5m, 2h]";
    let node = reader.required(&fields, "schedule", hint)?;
    let items = reader.list(node, "durations");
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        reader.error_hint(node, "at least one wait is needed here", hint);
    }
    reader.at_most(node, items.len(), RETRY_WAITS_MAX);
    let waits = items
        .iter()
        .filter_map(|it| reader.duration(it, &RETRY_WAIT));
    Some(RetrySchedule(waits.collect()))
}

fn rate(reader: &mut Reader<'_>, node: &Node) -> Option<Rate> {
    let what = format!("a rate such as 20/s (per s, m or h; from 1 to {RATE_MAX})");
    reader.parsed(node, &what, |text| {
        value::rate(text).filter(|it| (1..=RATE_MAX).contains(&it.count))
    })
}

const DEFAULT_BACKLOG: Backlog = Backlog {
    max: BACKLOG_DEFAULT,
    on_full: OnFull::Refuse,
};

fn backlog(reader: &mut Reader<'_>, node: &Node) -> Option<Backlog> {
    let fields = reader.fields(node, &["max", "on_full"], &[]);
    let max = fields
        .get("max")
        .map_or(Some(BACKLOG_DEFAULT), |it| reader.number(it, &BACKLOG));
    let words = [
        ("refuse", OnFull::Refuse),
        ("drop_oldest", OnFull::DropOldest),
    ];
    let on_full = fields
        .get("on_full")
        .map_or(Some(OnFull::Refuse), |it| reader.word(it, &words));
    Some(Backlog {
        max: max?,
        on_full: on_full?,
    })
}

fn pull(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<PullSettings> {
    let keep = fields.get("keep").map_or(Some(PULL_KEEP_DEFAULT), |it| {
        reader.duration(it, &PULL_KEEP)
    });
    let hint = "who may take, e.g. [{ name: bi, token: \"${BI_TOKEN}\" }]";
    let node = reader.required(fields, "consumers", hint)?;
    let items = reader.list(node, "consumers");
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        reader.error_hint(node, "at least one consumer is needed here", hint);
    }
    let mut consumers: Vec<Consumer> = vec![];
    for item in items {
        let fields = reader.fields(item, &["name", "token"], &[]);
        let name = reader
            .required(&fields, "name", "for logs and metrics")
            .and_then(|it| Some((it, reader.name(it)?)));
        let token = reader
            .required(&fields, "token", "the consumer's own bearer token")
            .map(|it| reader.secrets(it, |_| Ok(())));
        let (Some((node, name)), Some(token)) = (name, token) else {
            continue;
        };
        if consumers.iter().any(|it| it.name == name) {
            reader.error(node, "another consumer has this name");
        }
        consumers.push(Consumer {
            name: name.to_owned(),
            token,
        });
    }
    Some(PullSettings {
        keep: keep?,
        consumers,
    })
}
