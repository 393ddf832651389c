//! Work that the org does later: bulk jobs, conversions in the background, mails with a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::{bulk_write::WriteJob, export::Export, people::Who};

/// Jobs of one kind kept; the oldest go first.
const KEPT_MAX: usize = 1_000;
/// Page tokens kept; the oldest go first.
const TOKENS_MAX: usize = 1_000;

/// All jobs, and when their work is due.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) reads: BTreeMap<u64, ReadJob>,
    pub(crate) writes: BTreeMap<u64, WriteJob>,
    pub(crate) conversions: BTreeMap<u64, Conversion>,
    /// By token; the number orders them by age.
    pub(crate) tokens: BTreeMap<String, PageToken>,
    /// How long a job takes, from being added to its work being done.
    pub(crate) takes: Duration,
    /// Rows per page of a bulk read.
    pub(crate) page_rows: usize,
    /// Ids of kept zips, by the id that their upload was answered with.
    uploads: BTreeMap<u64, String>,
    /// By monotonic due time, then by age.
    agenda: BTreeMap<(Duration, u64), Step>,
    serial: u64,
    alarm: Arc<Notify>,
}

/// Something due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Read(u64),
    Write(u64),
    Convert(u64),
    Mail(String),
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

/// Leads converted in the background.
#[derive(Clone, Debug)]
pub(crate) struct Conversion {
    pub(crate) id: u64,
    pub(crate) leads: Vec<u64>,
    /// What is asked for, the same for every lead.
    pub(crate) wish: Value,
    pub(crate) begun: Duration,
    pub(crate) converted: u64,
    pub(crate) failed: u64,
}

impl Jobs {
    pub(crate) fn new(takes: Duration, page_rows: usize) -> Self {
        Self {
            reads: BTreeMap::new(),
            writes: BTreeMap::new(),
            conversions: BTreeMap::new(),
            tokens: BTreeMap::new(),
            takes,
            page_rows: page_rows.max(1),
            uploads: BTreeMap::new(),
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

    pub(crate) fn add_write(&mut self, job: WriteJob) {
        let (id, due) = (job.order.id, job.order.begun + self.takes);
        forget_oldest(&mut self.writes);
        self.writes.insert(id, job);
        self.schedule(due, Step::Write(id));
    }

    /// Keeps which file an upload is; gives the file to forget for it, if there are too many.
    pub(crate) fn keep_upload(&mut self, id: u64, file: String) -> Option<String> {
        self.uploads.insert(id, file);
        let over = self.uploads.len() > KEPT_MAX;
        over.then(|| self.uploads.pop_first())?
            .map(|(_, file)| file)
    }

    pub(crate) fn upload(&self, id: u64) -> Option<&str> {
        self.uploads.get(&id).map(String::as_str)
    }

    pub(crate) fn add_conversion(&mut self, job: Conversion) {
        let (id, due) = (job.id, job.begun + self.takes);
        forget_oldest(&mut self.conversions);
        self.conversions.insert(id, job);
        self.schedule(due, Step::Convert(id));
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

impl Conversion {
    /// Zoho: "Mass convert lead status", v8.
    pub(crate) fn to_json(&self, jobs: &Jobs, now: Duration) -> Value {
        let total = u64::try_from(self.leads.len()).unwrap_or_default();
        let left = total.saturating_sub(self.converted + self.failed);
        let status = if left > 0 {
            match jobs.progress(self.begun, now) {
                "IN PROGRESS" => "in progress",
                _ => "scheduled",
            }
        } else if self.converted == 0 && total > 0 {
            "failed"
        } else {
            "completed"
        };
        json!({
            "Total_Count": total,
            "Converted_Count": self.converted,
            "Not_Converted_Count": left,
            "Failed_Count": self.failed,
            "Status": status,
        })
    }
}

fn forget_oldest<T>(jobs: &mut BTreeMap<u64, T>) {
    if jobs.len() >= KEPT_MAX {
        jobs.pop_first();
    }
}
