//! `sources`: what may come in at `/in/{source}`, and how it is read.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use crate::{
    event::{ConnectionName, Fetch, SourceName},
    receive::{Dedup, Read, Source, SourceKind},
    template::{Place, Template},
};

use super::{
    proof,
    reader::{Elsewhere, Fields, Reader, one_or_many},
    value::show_duration,
    yaml::Node,
};

/// The built-in source.
pub(super) const BUILT_IN: &str = "zohook";

/// For how long a repeat is recognised; also not longer than `service.keep.events`.
const DEDUP_WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const DEDUP_WINDOW_DEFAULT: Duration = Duration::from_hours(24);

/// How a source's callbacks are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Watch,
    Workflow,
    Generic,
}

const KINDS: [(&str, Kind); 3] = [
    ("watch", Kind::Watch),
    ("workflow", Kind::Workflow),
    ("generic", Kind::Generic),
];

const FETCH: [(&str, Fetch); 3] = [
    ("always", Fetch::Always),
    ("missing", Fetch::Missing),
    ("never", Fetch::Never),
];

/// What the rest of the file says that a source depends on.
pub(super) struct Context<'a> {
    pub(super) connections: &'a [&'a str],
    pub(super) keep_events: Duration,
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    context: &Context<'_>,
) -> BTreeMap<SourceName, Source> {
    let mut sources = BTreeMap::new();
    for entry in reader.named(node, "sources by name") {
        if entry.key == BUILT_IN {
            let message = "`zohook` is the built-in source of our own events";
            let hint = Some("choose another name".to_owned());
            reader.error_at(entry.key_span.clone(), &entry.node.path, message, hint);
        }
        let name = SourceName::new(entry.key.as_str());
        if let Some(source) = one(reader, &name, &entry.node, context) {
            sources.insert(name, source);
        }
    }
    sources
}

fn one(
    reader: &mut Reader<'_>,
    name: &SourceName,
    node: &Node,
    context: &Context<'_>,
) -> Option<Source> {
    let all = [
        "kind",
        "connection",
        "verify",
        "read",
        "fetch",
        "dedup",
        "from",
        "watch",
    ];
    // What is wrong depends on the kind, so it is read first.
    let hint = "watch (Notification API), workflow (workflow webhooks) or generic";
    let peeked = Fields::peek(node, "kind").and_then(|it| reader.word(it, &KINDS));
    let Some(kind) = peeked else {
        let fields = reader.fields(node, &all, &[]);
        reader.required(&fields, "kind", hint);
        return None;
    };
    let (known, elsewhere) = keys(kind);
    let fields = reader.fields(node, known, elsewhere);
    let connection = connection(reader, &fields, kind, context);
    let hint = "say what callers must show (token, header, query, …), or `verify: none`";
    let proof = reader
        .required(&fields, "verify", hint)
        .and_then(|it| proof::read(reader, it, kind));
    let read = match kind {
        Kind::Watch => Some(SourceKind::Watch),
        Kind::Workflow => workflow(reader, &fields).map(SourceKind::Workflow),
        Kind::Generic => generic(reader, &fields).map(SourceKind::Generic),
    };
    let default = match kind {
        Kind::Watch => Fetch::Missing,
        Kind::Workflow => Fetch::Always,
        Kind::Generic => Fetch::Never,
    };
    let fetch = fields
        .get("fetch")
        .map_or(Some(default), |it| reader.word(it, &FETCH));
    let dedup = fields
        .get("dedup")
        .and_then(|it| dedup(reader, it, context));
    Some(Source {
        name: name.clone(),
        kind: read?,
        connection,
        proof: proof?,
        dedup,
        fetch: fetch?,
    })
}

/// The keys of a kind, and what to say of those of the others.
fn keys(kind: Kind) -> (&'static [&'static str], &'static [Elsewhere]) {
    match kind {
        Kind::Watch => (
            &["kind", "connection", "verify"],
            &[
                (
                    "watch",
                    "is not supported yet by this version: register the channels yourself",
                ),
                (
                    "from",
                    "is not supported yet by this version: a watch source starts now",
                ),
                (
                    "read",
                    "is not for `kind: watch`: Zoho gives these callbacks their shape",
                ),
                (
                    "fetch",
                    "is not for `kind: watch`: its records are read unless the callback's values cover the fields",
                ),
                (
                    "dedup",
                    "is not for `kind: watch`: repeats of 24 hours are always dropped",
                ),
            ],
        ),
        Kind::Workflow => (
            &["kind", "connection", "verify", "read", "fetch", "dedup"],
            &[
                ("watch", "is for `kind: watch` only"),
                ("from", "is for `kind: watch` only"),
            ],
        ),
        Kind::Generic => (
            &["kind", "verify", "read", "dedup"],
            &[
                ("watch", "is for `kind: watch` only"),
                ("from", "is for `kind: watch` only"),
                (
                    "connection",
                    "is not for `kind: generic`: it has no CRM records",
                ),
                ("fetch", "is not for `kind: generic`: it has no CRM records"),
            ],
        ),
    }
}

/// Only where records live in an org.
fn connection(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    kind: Kind,
    context: &Context<'_>,
) -> Option<ConnectionName> {
    if kind == Kind::Generic {
        return None;
    }
    let hint = "name the entry of `connections` whose org sends these callbacks";
    let node = reader.required(fields, "connection", hint)?;
    let name = reader.reference(node, "connection", context.connections)?;
    Some(ConnectionName::new(name))
}

fn workflow(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Read> {
    let hint = "e.g. read: { module: Leads, ids: [\"{{ body.lead_id }}\"] }";
    let node = reader.required(fields, "read", hint)?;
    let known = ["module", "operation", "ids", "record", "time"];
    let elsewhere = [
        ("type", "is for `kind: generic` only"),
        (
            "key",
            "is for `kind: generic` only: a workflow's records have `ids`",
        ),
    ];
    let fields = reader.fields(node, &known, &elsewhere);
    let module = reader
        .required(&fields, "module", "the module's API name, e.g. Leads")
        .and_then(|it| template(reader, it));
    let ids = reader.required(
        &fields,
        "ids",
        "where the record ids are, e.g. {{ body.lead_id }}",
    );
    let ids: Option<Vec<Template>> = ids.map(|node| {
        let items = one_or_many(node);
        if items.is_empty() {
            reader.error(node, "at least one template is needed here");
        }
        let templates = items.iter().filter_map(|it| template(reader, it));
        templates.collect()
    });
    Some(Read {
        module: Some(module?),
        ids: ids?,
        ..common(reader, &fields)
    })
}

fn generic(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Read> {
    let hint = "e.g. read: { type: \"com.example.{{ body.event }}\", key: \"{{ body.id }}\" }";
    let node = reader.required(fields, "read", hint)?;
    let known = ["type", "key", "operation", "record", "time"];
    let elsewhere = [
        (
            "module",
            "is not for `kind: generic`: its module is the source's name",
        ),
        (
            "ids",
            "is not for `kind: generic`: what an event is about is its `key`",
        ),
    ];
    let fields = reader.fields(node, &known, &elsewhere);
    let event_type = reader
        .required(
            &fields,
            "type",
            "the CloudEvents type, e.g. com.example.{{ body.event }}",
        )
        .and_then(|it| template(reader, it));
    if !fields.has("key") {
        reader.warning(
            node,
            "without `key` these events have no subject, no sequence and no order",
            "add `key`, e.g. \"{{ body.id }}\", if their order matters",
        );
    }
    Some(Read {
        event_type: Some(event_type?),
        key: fields.get("key").and_then(|it| template(reader, it)),
        ..common(reader, &fields)
    })
}

/// `operation`, `record` and `time`.
fn common(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Read {
    let mut read = Read {
        operation: fields.get("operation").and_then(|it| template(reader, it)),
        time: fields.get("time").and_then(|it| template(reader, it)),
        ..Read::default()
    };
    if let Some(node) = fields.get("record") {
        for entry in reader.entries(node, "templates by field name") {
            if let Some(value) = template(reader, &entry.node) {
                read.record.push((entry.key.clone(), value));
            }
        }
    }
    read
}

fn dedup(reader: &mut Reader<'_>, node: &Node, context: &Context<'_>) -> Option<Dedup> {
    let fields = reader.fields(node, &["key", "window"], &[]);
    let key = reader
        .required(
            &fields,
            "key",
            "what two repeats have in common, e.g. {{ body.event_id }}",
        )
        .and_then(|it| template(reader, it));
    let window = match fields.get("window") {
        Some(node) => {
            let window = reader.duration(node, &DEDUP_WINDOW)?;
            if window > context.keep_events {
                let keep = show_duration(context.keep_events);
                let message = format!("repeats are recognised by rows kept for {keep} only");
                reader.error_hint(node, message, "raise service.keep.events or lower this");
            }
            window
        }
        None => DEDUP_WINDOW_DEFAULT,
    };
    Some(Dedup { key: key?, window })
}

fn template(reader: &mut Reader<'_>, node: &Node) -> Option<Template> {
    reader.template(node, Place::Read)
}
