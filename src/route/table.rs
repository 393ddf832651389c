//! The compiled route table: indexed by module and operation.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Metrics,
    decide::{Decision, Facts, decide},
    needs::{self, Needs},
    plan::plan,
};

use crate::{
    event::{
        Action, Change, DestinationName, EnrichedEvent, FailurePolicy, ModuleName, NewDelivery,
        Operation, QuarantineReason, RouteName, SendName, SourceName,
    },
    template::{Condition, Template},
};

/// One entry of `routes`, checked and compiled.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in the file.
    pub name: RouteName,
    /// Sources it listens to; empty means all but the built-in `zohook`.
    pub from: Vec<SourceName>,
    /// What it listens to; any of them.
    pub on: Vec<Pattern>,
    /// Whether it matches; `None` always does.
    pub when: Option<Condition>,
    /// Users of Zoho whose changes it does not take.
    pub ignore_changes_by: Vec<String>,
    /// Which fields its messages carry.
    pub enrich: EnrichWish,
    /// Read records one by one (`enrich.full`).
    pub full: bool,
    /// What happens to a change whose record Zoho does not return.
    pub on_missing: MissingPolicy,
    /// Where to, in the file's order.
    pub sends: Vec<Send>,
}

/// `Module.operation`, either part may be `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// `None` for `*`.
    pub module: Option<ModuleName>,
    /// `None` for `*`.
    pub operation: Option<Operation>,
}

/// `enrich` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EnrichWish {
    /// The change without a record, at no cost.
    None,
    /// All fields of the module (the default).
    #[default]
    All,
    /// These, plus `id` and `Modified_Time`.
    Fields(Vec<String>),
}

/// `enrich.on_missing` of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingPolicy {
    /// Set the change aside for this route (the default).
    #[default]
    Quarantine,
    /// Send it with `record: null`, `recordstate: unreadable`.
    Send,
}

/// One entry of a route's `send`.
#[derive(Clone, Debug)]
pub struct Send {
    /// Unique in its route.
    pub name: SendName,
    /// Where to.
    pub to: DestinationName,
    /// Routing key; `None` gives `<Module>.<operation>`. Used by amqp only.
    pub key: Option<Template>,
    /// The data; `None` gives the default body.
    pub body: Option<BodyTemplate>,
    /// What is asked of Zoho; then `body` holds its values.
    pub write: Option<Write>,
    /// What happens to later deliveries of the record when this one fails for good.
    pub on_failure: FailurePolicy,
}

/// What a send to a `kind: zoho` destination asks of Zoho.
#[derive(Clone, Debug)]
pub struct Write {
    /// What is done.
    pub action: Action,
    /// In which module.
    pub module: ModuleName,
    /// By which fields an existing record is found (upsert); or which one holds the delivery's id (create).
    pub unique_fields: Vec<String>,
    /// Which automations of Zoho run; `None` for all.
    pub trigger: Option<Vec<String>>,
    /// To which record; `None` where unique fields say it.
    pub id: Option<Template>,
}

/// `body` of a send: any YAML with templates at its leaves.
#[derive(Clone, Debug)]
pub enum BodyTemplate {
    /// A value without a template.
    Literal(serde_json::Value),
    /// A text with `{{ }}` in it.
    Template(Template),
    /// A list.
    List(Vec<BodyTemplate>),
    /// A mapping, in the file's order.
    Map(Vec<(String, BodyTemplate)>),
}

/// Marker for what a change needs before it can be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Whether and what to read.
    pub listen: Listen,
    /// Whether some route reads records one by one.
    pub full: bool,
    /// Whether a route reads `before`, `changed()` or `left()`, sends the default message with a record (which carries
    /// `before`), or on a delete reads the record.
    pub before: bool,
    /// Whether a route, or the default message of a generic event, reads `body`.
    pub body: bool,
    /// Messages that it may become, at most.
    pub sends: usize,
}

/// What is to be read for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nothing: every listening route says `enrich: none` and reads no record.
    NoRecord,
    /// All fields.
    All,
    /// The union of what the listening routes read and send.
    Fields(BTreeSet<String>),
}

/// What comes of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// No route matched.
    Unmatched,
    /// One delivery per send of each route that matched, in the file's order.
    Deliver(Vec<NewDelivery>),
    /// No route goes without the record, and the change is older than the record's delete.
    Superseded,
    /// A condition or template could not be computed, or a route needs a record that is not to be had.
    Quarantine {
        /// Why, as a closed set.
        reason: QuarantineReason,
        /// Which routes, and why; no record content.
        detail: String,
        /// Of the routes that go without that record.
        deliveries: Vec<NewDelivery>,
    },
}

/// All routes, indexed by what they listen to.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// In the file's order.
    routes: Arc<[Prepared]>,
    /// Places in `routes`, in order, by what stands in `on`.
    index: HashMap<Pattern, Vec<usize>>,
}

/// A route and what it needs.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) route: Route,
    pub(super) needs: Needs,
}

impl RouteTable {
    /// In the file's order.
    pub fn new(routes: Vec<Route>) -> Self {
        let mut index: HashMap<Pattern, Vec<usize>> = HashMap::new();
        for (at, route) in routes.iter().enumerate() {
            for pattern in &route.on {
                index.entry(pattern.clone()).or_default().push(at);
            }
        }
        let routes = routes
            .into_iter()
            .map(|route| Prepared {
                needs: Needs::of(&route),
                route,
            })
            .collect();
        Self { routes, index }
    }

    /// `None`: nobody listens, and no API credit is spent.
    pub fn wants(&self, change: &Change) -> Option<Wants> {
        let listening = self.listening(change);
        (!listening.is_empty()).then(|| needs::wants(change, &listening))
    }

    /// Whether any route listens to such changes.
    pub fn hears(&self, change: &Change) -> bool {
        !self.listening(change).is_empty()
    }

    /// Each listening route's decision, in the file's order. Pure.
    pub fn decide(&self, event: &EnrichedEvent, now: Timestamp) -> Vec<Decision<'_>> {
        let facts = Facts::of(event, now);
        self.listening(&event.change)
            .into_iter()
            .map(|prepared| decide(prepared, &facts))
            .collect()
    }

    /// Pure: the same event gives the same deliveries, byte for byte, whenever `now` is not read.
    pub fn plan(&self, event: &EnrichedEvent, now: Timestamp) -> Plan {
        plan(&self.decide(event, now), event, now)
    }

    /// As [`Self::plan`], and counts how the routes decided.
    pub fn plan_counted(&self, event: &EnrichedEvent, now: Timestamp, metrics: &Metrics) -> Plan {
        let decisions = self.decide(event, now);
        metrics.count(&decisions);
        plan(&decisions, event, now)
    }

    /// Whether a change from `source` can reach `destination` (for `backlog.on_full: refuse`).
    pub fn reaches(&self, source: &SourceName, destination: &DestinationName) -> bool {
        self.routes.iter().any(|it| {
            it.route.hears(source) && it.route.sends.iter().any(|send| send.to == *destination)
        })
    }

    /// Every destination some route sends to.
    pub fn destinations(&self) -> BTreeSet<&DestinationName> {
        let sends = self.routes.iter().flat_map(|it| &it.route.sends);
        sends.map(|it| &it.to).collect()
    }

    /// Routes that listen to a change, in the file's order.
    fn listening(&self, change: &Change) -> Vec<&Prepared> {
        let module = || Some(change.module.clone());
        let operation = || Some(change.operation.clone());
        let patterns = [
            (module(), operation()),
            (module(), None),
            (None, operation()),
            (None, None),
        ];
        let places: BTreeSet<usize> = patterns
            .into_iter()
            .filter_map(|(module, operation)| self.index.get(&Pattern { module, operation }))
            .flatten()
            .copied()
            .collect();
        places
            .into_iter()
            .filter_map(|at| self.routes.get(at))
            .filter(|it| it.route.hears(&change.source))
            .collect()
    }
}

/// The built-in source that carries our own events; only routes that name it hear it.
const OWN_SOURCE: &str = "zohook";

impl Route {
    fn hears(&self, source: &SourceName) -> bool {
        if self.from.is_empty() {
            source.as_str() != OWN_SOURCE
        } else {
            self.from.contains(source)
        }
    }
}
