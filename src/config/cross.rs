//! What only shows when sources, routes and destinations are seen together.

use std::collections::BTreeMap;

use crate::{
    deliver,
    event::{Action, DestinationName, ModuleName, Operation, SourceName},
    receive::{Source, SourceKind},
    route::Route,
    verify::Proof,
};

use super::{
    reader::{Fields, Reader},
    yaml::Node,
};

/// A delete callback has no token, so it is proven by another secret or not at all.
/// Where a route listens to deletes, an unprovable one is an error: they would all be refused (token alone),
/// or believed from anybody (no secret). Where none does, it is a warning, for the route that comes later.
pub(super) fn deletes_are_proven(
    reader: &mut Reader<'_>,
    node: &Node,
    sources: &BTreeMap<SourceName, Source>,
    routes: &[Route],
) {
    for source in sources.values() {
        let is_watch = matches!(source.kind, SourceKind::Watch);
        if !is_watch || proves_deletes(&source.proof) {
            continue;
        }
        let entry = Fields::peek(node, source.name.as_str());
        let Some(verify) = entry.and_then(|it| Fields::peek(it, "verify")) else {
            continue;
        };
        let hint = "add a second secret that deletes carry too: `query: { k: [\"${WATCH_KEY}\"] }`, \
                    and append ?k=… to the notify_url";
        match routes.iter().find(|it| hears_deletes(it, &source.name)) {
            Some(route) => reader.error_hint(
                verify,
                format!(
                    "deletes cannot be proven: Zoho sends them without a token, and route `{}` listens to them",
                    route.name
                ),
                hint,
            ),
            None => reader.warning(
                verify,
                "deletes cannot be proven: Zoho sends them without a token, so they would be refused",
                hint,
            ),
        }
    }
}

/// Whoever reads the file knows the fallbacks of its secrets.
pub(super) fn secrets_are_not_in_the_file(reader: &mut Reader<'_>) {
    for (at, path) in std::mem::take(&mut reader.fallback_secrets) {
        reader.warning_at(
            at,
            &path,
            "this secret is the fallback that the file gives: whoever can read the file knows it",
            "set the variable; leave fallbacks of secrets to tests",
        );
    }
}

/// `verify: none` asks for no proof at all, so deletes need none.
fn proves_deletes(proof: &Proof) -> bool {
    let asks_nothing = proof.token.is_empty() && proof.allow_from.is_empty();
    let other_secret = !proof.headers.is_empty()
        || !proof.query.is_empty()
        || !proof.bearer.is_empty()
        || !proof.basic.is_empty()
        || proof.hmac.is_some();
    other_secret || asks_nothing
}

fn hears_deletes(route: &Route, source: &SourceName) -> bool {
    let listens = |operation: &Option<Operation>| match operation {
        None | Some(Operation::Delete) => true,
        Some(Operation::Insert | Operation::Update | Operation::Other(_)) => false,
    };
    (route.from.is_empty() || route.from.contains(source))
        && route.on.iter().any(|it| listens(&it.operation))
}

/// Zoho calls back for tags, notes and mails of ours too, and does not say how to know those callbacks.
pub(super) fn routes_do_not_trigger_themselves(
    reader: &mut Reader<'_>,
    node: &Node,
    routes: &[Route],
) {
    for route in routes {
        if route.when.is_some() || !route.ignore_changes_by.is_empty() {
            continue;
        }
        let writes = route.sends.iter().filter_map(|it| it.write.as_ref());
        let own = writes
            .filter(|it| may_trigger_itself(it.action))
            .find(|it| hears_updates(route, &it.module));
        let entry = Fields::peek(node, route.name.as_str());
        let (Some(write), Some(on)) = (own, entry.and_then(|it| Fields::peek(it, "on"))) else {
            continue;
        };
        let message = format!(
            "this route may trigger itself: an update that comes from its own `{}` cannot be told from others",
            write.action
        );
        let hint = "add a `when` that no longer holds then, e.g. changed(\"Stage\"), or `ignore_changes_by`";
        reader.warning(on, message, hint);
    }
}

/// A lead is converted once.
const fn may_trigger_itself(action: Action) -> bool {
    match action {
        Action::AddTags | Action::RemoveTags | Action::Note | Action::Mail => true,
        Action::Update | Action::Upsert | Action::Create | Action::Convert => false,
    }
}

fn hears_updates(route: &Route, module: &ModuleName) -> bool {
    route.on.iter().any(|it| {
        it.module.as_ref().is_none_or(|it| it == module)
            && it
                .operation
                .as_ref()
                .is_none_or(|it| *it == Operation::Update)
    })
}

/// Nothing is wrong with an unused part, but it is seldom meant.
pub(super) fn everything_is_used(
    reader: &mut Reader<'_>,
    (sources_node, sources): (&Node, &BTreeMap<SourceName, Source>),
    (destinations_node, destinations): (&Node, &BTreeMap<DestinationName, deliver::Settings>),
    routes: &[Route],
) {
    for name in sources.keys() {
        let heard = routes
            .iter()
            .any(|it| it.from.is_empty() || it.from.contains(name));
        if let Some(node) = Fields::peek(sources_node, name.as_str()).filter(|_| !heard) {
            let message =
                "no route listens to this source: what it brings is stored and goes nowhere";
            reader.warning(node, message, "add it to the `from` of a route");
        }
    }
    for name in destinations.keys() {
        let used = routes
            .iter()
            .any(|it| it.sends.iter().any(|send| &send.to == name));
        if let Some(node) = Fields::peek(destinations_node, name.as_str()).filter(|_| !used) {
            let message = "no route sends to this destination";
            reader.warning(
                node,
                message,
                "add it to the `send` of a route, or take it away",
            );
        }
    }
}
