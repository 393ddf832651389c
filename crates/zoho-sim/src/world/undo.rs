//! Takes back what a group of calls did.

use std::collections::BTreeMap;

use super::{
    World, channel::Channel, papers::Papers, relations::Relations, table::Table, tags::Tags,
    webhooks::Automation,
};
use crate::counters::CallbackCounters;

/// The org as it was, as far as calls change it. Ids that were given out stay given out.
#[derive(Debug)]
pub(crate) struct Before {
    tables: BTreeMap<String, Table>,
    tags: Tags,
    channels: BTreeMap<String, Channel>,
    papers: Papers,
    relations: Relations,
    automation: Automation,
    callbacks: CallbackCounters,
    outbox: usize,
}

impl World {
    /// What [`Self::take_back`] wants to know.
    pub(crate) fn remember(&self) -> Before {
        Before {
            tables: self.tables.clone(),
            tags: self.tags.clone(),
            channels: self.channels.clone(),
            papers: self.papers.clone(),
            relations: self.relations.clone(),
            automation: self.automation.clone(),
            callbacks: self.counters.callbacks.clone(),
            outbox: self.outbox.len(),
        }
    }

    /// Undoes everything since, the callbacks that are not on their way yet included.
    pub(crate) fn take_back(&mut self, before: Before) {
        self.tables = before.tables;
        self.tags = before.tags;
        self.channels = before.channels;
        self.papers = before.papers;
        self.relations = before.relations;
        self.automation = before.automation;
        self.counters.callbacks = before.callbacks;
        self.outbox.truncate(before.outbox);
    }
}
