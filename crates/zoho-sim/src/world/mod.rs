//! The org in memory: everything that calls read and change.

pub(crate) mod catalogue;
pub(crate) mod channel;
pub(crate) mod condition;
pub(crate) mod credits;
pub(crate) mod module;
pub(crate) mod notify;
pub(crate) mod people;
pub(crate) mod record;
pub(crate) mod table;
pub(crate) mod tokens;
pub(crate) mod write;

use std::{collections::BTreeMap, time::Duration};

use clock::Clock;

use self::{
    channel::Channel, credits::Credits, module::Module, notify::Callback, record::Reading,
    table::Table, tokens::Tokens,
};
use crate::{
    counters::Counters,
    faults::{CallTrouble, Script},
    settings::{Edition, Settings},
};

/// Ids of one org begin with its seven digits and go on with twelve more.
const ORG_FIRST: u64 = 5_725_767;
const ORGS: u64 = 1_000_000;
const IDS_EACH: u64 = 1_000_000_000_000;
/// Where the ids of records begin within the org's.
const RECORD_IDS: u64 = 3_000_000;

/// The org.
#[derive(Debug)]
pub(crate) struct World {
    /// The first of the org's ids.
    pub(crate) org: u64,
    /// What callers are told to call.
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) edition: Edition,
    pub(crate) latency: Duration,
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) tokens: Tokens,
    pub(crate) credits: Credits,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) script: Script,
    pub(crate) counters: Counters,
    /// Callbacks made and not yet handed to the senders.
    pub(crate) outbox: Vec<Callback>,
    /// API calls running now, and those of them under the sub-concurrency limit.
    pub(crate) running: u32,
    pub(crate) running_heavy: u32,
    last_id: u64,
}

impl World {
    pub(crate) fn new(settings: &Settings, base_url: String) -> Self {
        let org = (ORG_FIRST + settings.seed % ORGS) * IDS_EACH;
        let tables = catalogue::modules()
            .zip(0..)
            .map(|(definition, number)| {
                let module = Module::standard(org, number, definition);
                (module.name.clone(), Table::new(module))
            })
            .collect();
        Self {
            org,
            base_url,
            clock: settings.clock.clone(),
            edition: settings.edition,
            latency: settings.latency,
            tables,
            tokens: Tokens::new(settings.seed),
            credits: Credits::new(settings.daily_credits),
            channels: BTreeMap::new(),
            script: Script::new(settings.seed),
            counters: Counters::new(),
            outbox: vec![],
            running: 0,
            running_heavy: 0,
            last_id: org + RECORD_IDS,
        }
    }

    /// How a read sees the records.
    pub(crate) fn reading(&self, trouble: &CallTrouble) -> Reading {
        Reading {
            org: self.org,
            now: self.clock.monotonic(),
            stale: trouble.stale,
        }
    }

    /// The table of a module; a new custom module if there is none of that name.
    pub(crate) fn table_or_new(&mut self, name: &str) -> &mut Table {
        let number = u64::try_from(self.tables.len()).unwrap_or_default();
        let org = self.org;
        self.tables
            .entry(name.to_owned())
            .or_insert_with(|| Table::new(Module::custom(org, number, name)))
    }

    pub(crate) fn module_id(&self, name: &str) -> String {
        let id = self.tables.get(name).map_or(self.org, |it| it.module.id);
        id.to_string()
    }

    /// Keeps new ids above a loaded one of this org.
    fn reserve(&mut self, id: u64) {
        if (self.org..self.org + IDS_EACH).contains(&id) {
            self.last_id = self.last_id.max(id);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}
