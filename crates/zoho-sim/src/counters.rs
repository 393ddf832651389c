//! What the simulator has seen and done so far.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::call::Kind;

/// A copy of all counts at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Counters {
    /// Calls by kind, refused ones included.
    pub calls: BTreeMap<Kind, u64>,
    /// Answers by HTTP status, dropped connections excluded.
    pub answers: BTreeMap<u16, u64>,
    /// Token requests that got a token.
    pub tokens_issued: u64,
    /// Token requests that got an error (as HTTP 200).
    pub tokens_refused: u64,
    /// Ids in `ids=` of list reads, together.
    pub ids_asked: u64,
    /// Ids in the `ids=` of the largest read.
    pub ids_asked_max: u64,
    /// Records given out by reads.
    pub records_read: u64,
    /// Records inserted, updated or deleted by calls.
    pub records_written: u64,
    /// API calls that ran at once, at most; refused ones count too.
    pub concurrent_max: u64,
    /// Calls under the sub-concurrency limit that ran at once, at most; refused ones count too.
    pub sub_concurrent_max: u64,
    /// 401 answers to API calls.
    pub unauthorized: u64,
    /// 429 answers because credits were spent.
    pub refused_for_credits: u64,
    /// 429 answers because too many calls ran at once.
    pub refused_for_concurrency: u64,
    /// Answers spoiled by a scripted fault, dropped connections included.
    pub faults: u64,
    /// Credits charged since the start.
    pub credits_used: u64,
    /// The callbacks.
    pub callbacks: CallbackCounters,
}

/// The counts of callbacks.
#[derive(Clone, Debug, Serialize)]
pub struct CallbackCounters {
    /// Callbacks a change called for, before any fault.
    pub made: u64,
    /// Record ids in those, together.
    pub ids: u64,
    /// Posts begun; duplicates count twice.
    pub sent: u64,
    /// Posts answered, by HTTP status.
    pub answered: BTreeMap<u16, u64>,
    /// Posts that got no answer: refused, reset, or timed out.
    pub unanswered: u64,
    /// Callbacks lost to a scripted fault.
    pub dropped: u64,
    /// Callbacks sent twice by a scripted fault.
    pub duplicated: u64,
    /// Callbacks held back behind a later one by a scripted fault.
    pub reordered: u64,
    /// Callbacks lost because too many were waiting.
    pub overflowed: u64,
    /// Callbacks waiting or being sent now.
    pub waiting: u64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            calls: BTreeMap::new(),
            answers: BTreeMap::new(),
            tokens_issued: 0,
            tokens_refused: 0,
            ids_asked: 0,
            ids_asked_max: 0,
            records_read: 0,
            records_written: 0,
            concurrent_max: 0,
            sub_concurrent_max: 0,
            unauthorized: 0,
            refused_for_credits: 0,
            refused_for_concurrency: 0,
            faults: 0,
            credits_used: 0,
            callbacks: CallbackCounters {
                made: 0,
                ids: 0,
                sent: 0,
                answered: BTreeMap::new(),
                unanswered: 0,
                dropped: 0,
                duplicated: 0,
                reordered: 0,
                overflowed: 0,
                waiting: 0,
            },
        }
    }

    /// Calls of one kind so far.
    pub fn calls(&self, kind: Kind) -> u64 {
        self.calls.get(&kind).copied().unwrap_or_default()
    }

    /// Token requests so far, refused ones included.
    pub fn token_requests(&self) -> u64 {
        self.calls(Kind::Token)
    }

    /// Reads of records so far: by ids, by page, and one by one.
    pub fn reads(&self) -> u64 {
        self.calls(Kind::ReadIds) + self.calls(Kind::ReadList) + self.calls(Kind::ReadOne)
    }

    pub(crate) fn call(&mut self, kind: Kind) {
        *self.calls.entry(kind).or_default() += 1;
    }
}
