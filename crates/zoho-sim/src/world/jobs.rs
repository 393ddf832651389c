//! Work that the org does later: bulk jobs, conversions in the background, mails with a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use url::Url;

use super::{export::Export, people::Who};

/// Jobs of one kind kept; the oldest go first.
const KEPT_MAX: usize = 1_000;
/// Page tokens kept; the oldest go first.
const TOKENS_MAX: usize = 1_000;

/// All jobs, and when their work is due.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) reads: BTreeMap<u64, ReadJob>,
    /// By token; the number orders them by age.
    pub(crate) tokens: BTreeMap<String, PageToken>,
    /// How long a job takes, from being added to its work being done.
    pub(crate) takes: Duration,
    /// Rows per page of a bulk read.
    pub(crate) page_rows: usize,
    /// By monotonic due time, then by age.
    agenda: BTreeMap<(Duration, u64), Step>,
    serial: u64,
    alarm: Arc<Notify>,
}

/// Something due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Read(u64),
}

/// What every bulk job has.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) created: Timestamp,
    /// Monotonic time of its creation.
    pub(crate) begun: Duration,
    pub(crate) by: Who,
    pub(crate) callback: Option<Url>,
    /// A scripted fault wants it to fail.
    pub(crate) fails: bool,
}

/// A bulk read.
#[derive(Clone, Debug)]
pub(crate) struct ReadJob {
    pub(crate) order: Order,
    /// As it was sent, with the page.
    pub(crate) query: Value,
    pub(crate) page: usize,
    pub(crate) export: Export,
    pub(crate) done: Option<Result<ReadResult, Failed>>,
}

/// What a finished bulk read gives.
#[derive(Clone, Debug)]
pub(crate) struct ReadResult {
    pub(crate) rows: usize,
    pub(crate) more: bool,
    pub(crate) next_page_token: Option<String>,
    /// Id of the kept zip.
    pub(crate) file: String,
}

/// A job that failed; what more Zoho says about it is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed;

/// Where the next page of a bulk read begins.
#[derive(Clone, Debug)]
pub(crate) struct PageToken {
    pub(crate) serial: u64,
    pub(crate) export: Export,
    pub(crate) query: Value,
    pub(crate) page: usize,
    pub(crate) expires: Timestamp,
}

impl Jobs {
    pub(crate) fn new(takes: Duration, page_rows: usize) -> Self {
        Self {
            reads: BTreeMap::new(),
            tokens: BTreeMap::new(),
            takes,
            page_rows: page_rows.max(1),
            agenda: BTreeMap::new(),
            serial: 0,
            alarm: Arc::new(Notify::new()),
        }
    }

    /// Rung whenever something new is due.
    pub(crate) fn alarm(&self) -> Arc<Notify> {
        Arc::clone(&self.alarm)
    }

    pub(crate) fn schedule(&mut self, at: Duration, step: Step) {
        let serial = self.serial();
        self.agenda.insert((at, serial), step);
        self.alarm.notify_one();
    }

    /// When the next thing is due, in monotonic time.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next thing that is due.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Step> {
        let first = self.agenda.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    pub(crate) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(crate) fn add_read(&mut self, job: ReadJob) {
        let (id, due) = (job.order.id, job.order.begun + self.takes);
        forget_oldest(&mut self.reads);
        self.reads.insert(id, job);
        self.schedule(due, Step::Read(id));
    }

    pub(crate) fn keep_token(&mut self, name: String, token: PageToken) {
        if self.tokens.len() >= TOKENS_MAX
            && let Some(oldest) = self.tokens.iter().min_by_key(|(_, it)| it.serial)
        {
            let oldest = oldest.0.clone();
            self.tokens.remove(&oldest);
        }
        self.tokens.insert(name, token);
    }

    /// How far a job is that has not done its work.
    pub(crate) fn progress(&self, begun: Duration, now: Duration) -> &'static str {
        let third = self.takes / 3;
        let age = now.saturating_sub(begun);
        if age < third {
            "ADDED"
        } else if age < third * 2 {
            "QUEUED"
        } else {
            "IN PROGRESS"
        }
    }
}

fn forget_oldest<T>(jobs: &mut BTreeMap<u64, T>) {
    if jobs.len() >= KEPT_MAX {
        jobs.pop_first();
    }
}
