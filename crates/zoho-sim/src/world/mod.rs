//! The org in memory: everything that calls read and change.

pub(crate) mod bulk;
pub(crate) mod bulk_write;
pub(crate) mod catalogue;
pub(crate) mod channel;
pub(crate) mod column;
pub(crate) mod condition;
pub(crate) mod credits;
pub(crate) mod criteria;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod jobs;
pub(crate) mod papers;
pub(crate) mod deleted;
pub(crate) mod generate;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod lock;
pub(crate) mod module;
pub(crate) mod notify;
pub(crate) mod order;
pub(crate) mod people;
pub(crate) mod record;
pub(crate) mod relations;
pub(crate) mod scopes;
pub(crate) mod table;
pub(crate) mod tags;
pub(crate) mod tokens;
pub(crate) mod typed;
pub(crate) mod undo;
pub(crate) mod view;
pub(crate) mod webhooks;
pub(crate) mod write;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::RangeInclusive,
    time::Duration,
};

use clock::Clock;

use self::{
    channel::Channel, credits::Credits, jobs::Jobs, module::Module, notify::Callback,
    papers::Papers, record::Reading, relations::Relations, table::Table, tags::Tags,
    tokens::Tokens, webhooks::Automation,
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
    pub(crate) papers: Papers,
    pub(crate) relations: Relations,
    pub(crate) jobs: Jobs,
    pub(crate) automation: Automation,
    pub(crate) script: Script,
    pub(crate) counters: Counters,
    /// Callbacks made and not yet handed to the senders.
    pub(crate) outbox: Vec<Callback>,
    pub(crate) tags: Tags,
    /// Mass deletions, oldest first.
    pub(crate) mass_deletions: VecDeque<MassDeletion>,
    pub(crate) seed: u64,
    /// How long search takes to know of a change: at least, at most.
    pub(crate) index_delay: RangeInclusive<Duration>,
    /// API calls running now, and those of them under the sub-concurrency limit.
    pub(crate) running: u32,
    pub(crate) running_heavy: u32,
    last_id: u64,
}

/// What became of a mass deletion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MassDeletion {
    pub(crate) id: u64,
    pub(crate) deleted: usize,
    pub(crate) failed: usize,
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
            papers: Papers::default(),
            relations: Relations::default(),
            automation: Automation {
                private_hosts: settings.webhooks_to_private_hosts,
                ..Automation::default()
            },
            jobs: Jobs::new(settings.bulk_time, settings.bulk_page_rows),
            script: Script::new(settings.seed),
            counters: Counters::new(),
            outbox: vec![],
            tags: Tags::new(),
            mass_deletions: VecDeque::new(),
            seed: settings.seed,
            index_delay: settings.index_delay.clone(),
            running: 0,
            running_heavy: 0,
            last_id: org + RECORD_IDS,
        }
    }

    /// How long search takes to know of a change of this record: always the same for one record.
    pub(crate) fn index_delay(&self, id: u64) -> Duration {
        let (least, most) = (*self.index_delay.start(), *self.index_delay.end());
        let span = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
        // Neighbours differ.
        let part = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) % span.saturating_add(1).max(1);
        least + Duration::from_millis(part)
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

    /// What the org is called where its id is not.
    pub(crate) fn zgid(&self) -> String {
        (self.org / 1_000_000).to_string()
    }

    /// Keeps new ids above a loaded one of this org.
    fn reserve(&mut self, id: u64) {
        if (self.org..self.org + IDS_EACH).contains(&id) {
            self.last_id = self.last_id.max(id);
        }
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}
