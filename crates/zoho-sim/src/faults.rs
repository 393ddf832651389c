//! Troubles on request: a script of faults, decided by the seed alone.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

use crate::call::Kind;

/// Scripted faults kept at once, at most; further ones are refused.
const FAULTS_MAX: usize = 1_000;

/// One scripted fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls it may hit.
    pub on: On,
    /// What happens to them.
    pub what: What,
    /// How often it happens before it is spent; always, if absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// Probability for each call, 0 to 1.
    #[serde(default = "certain")]
    pub chance: f64,
}

/// Which calls a fault may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// All calls, the accounts server included; not callbacks.
    Any,
    /// Token requests.
    Token,
    /// Reads of records, all three ways.
    Read,
    /// Reads with `ids=`.
    ReadIds,
    /// Reads by page.
    ReadList,
    /// Reads of one record.
    ReadOne,
    /// Inserts, updates, upserts, deletes, conversions, tags and relations of records.
    Write,
    /// COQL and search.
    Query,
    /// `/actions/watch`.
    Watch,
    /// Users, org, modules, fields.
    Metadata,
    /// Bulk jobs: made, asked for, fetched, and the upload for one.
    Bulk,
    /// Attachments, photos, files.
    Files,
    /// The callbacks the simulator sends.
    Callback,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A call: 429 `TOO_MANY_REQUESTS`.
    TooManyRequests,
    /// A call: 401 `INVALID_TOKEN`.
    InvalidToken,
    /// A call: this status with Zoho's code for it.
    Status(u16),
    /// A call: answered this many milliseconds later.
    SlowMs(u64),
    /// A call: the connection closes before anything was done.
    DropConnection,
    /// A call: done, then the connection closes without an answer.
    DropAnswer,
    /// A read: records changed less than this many milliseconds ago are answered as they were before.
    StaleMs(u64),
    /// A read: these ids are not found; all of them, if none is named.
    Missing(Vec<String>),
    /// A bulk job: it is taken, and fails.
    FailJob,
    /// A conversion: answered 202, done in the background.
    Schedule,
    /// A callback: never sent.
    Drop,
    /// A callback: sent twice.
    Duplicate,
    /// A callback: sent after the next one.
    Reorder,
    /// A callback: sent this many milliseconds later, others passing it.
    DelayMs(u64),
}

/// What the faults hold for one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CallTrouble {
    /// Answer with this status instead.
    pub(crate) status: Option<u16>,
    pub(crate) slow: Duration,
    pub(crate) drop_before: bool,
    pub(crate) drop_after: bool,
    /// Answer records younger than this as they were before their last change.
    pub(crate) stale: Option<Duration>,
    /// Do not find these; all of them, if the list is empty.
    pub(crate) missing: Option<Vec<String>>,
    pub(crate) job: Option<JobTrouble>,
}

impl CallTrouble {
    fn of(hits: Vec<What>) -> Self {
        let mut trouble = Self::default();
        for what in hits {
            match what {
                What::TooManyRequests => trouble.status = Some(429),
                What::InvalidToken => trouble.status = Some(401),
                What::Status(status) => trouble.status = Some(status),
                What::SlowMs(ms) => {
                    trouble.slow = trouble.slow.saturating_add(Duration::from_millis(ms));
                }
                What::DropConnection => trouble.drop_before = true,
                What::DropAnswer => trouble.drop_after = true,
                What::StaleMs(ms) => trouble.stale = Some(Duration::from_millis(ms)),
                What::Missing(ids) => trouble.missing = Some(ids),
                What::FailJob => trouble.job = Some(JobTrouble::Fails),
                What::Schedule => trouble.job = Some(JobTrouble::Scheduled),
                What::Drop | What::Duplicate | What::Reorder | What::DelayMs(_) => {}
            }
        }
        trouble
    }

    /// That of a part, with what its whole suffers.
    pub(crate) fn within(self, whole: &Self) -> Self {
        Self {
            stale: self.stale.or(whole.stale),
            missing: self.missing.or_else(|| whole.missing.clone()),
            job: self.job.or(whole.job),
            ..self
        }
    }
}

impl What {
    /// Whether it is about what a call is answered, rather than when and on which connection.
    fn is_of_answers(&self) -> bool {
        match self {
            Self::TooManyRequests
            | Self::InvalidToken
            | Self::Status(_)
            | Self::StaleMs(_)
            | Self::Missing(_)
            | Self::FailJob
            | Self::Schedule => true,
            Self::SlowMs(_)
            | Self::DropConnection
            | Self::DropAnswer
            | Self::Drop
            | Self::Duplicate
            | Self::Reorder
            | Self::DelayMs(_) => false,
        }
    }
}

/// What becomes of the job that a call makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobTrouble {
    /// It fails.
    Fails,
    /// There is one at all, where the call would do its work at once.
    Scheduled,
}

/// What the faults hold for one callback.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CallbackTrouble {
    pub(crate) dropped: bool,
    pub(crate) duplicated: bool,
    pub(crate) reordered: bool,
    pub(crate) delay: Duration,
}

/// The script.
#[derive(Debug)]
pub(crate) struct Script {
    faults: Vec<Fault>,
    dice: StdRng,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            faults: vec![],
            dice: StdRng::seed_from_u64(seed),
        }
    }

    /// False when the script is full.
    pub(crate) fn add(&mut self, fault: Fault) -> bool {
        let room = self.faults.len() < FAULTS_MAX;
        if room {
            self.faults.push(fault);
        }
        room
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    pub(crate) fn for_call(&mut self, kind: Kind) -> CallTrouble {
        CallTrouble::of(self.hits(|fault| fault.on.hits(kind)))
    }

    /// For a part of a composite call: what is scripted for its kind, as far as a call without a
    /// connection and a time of its own can suffer it. Those on any call hit the whole.
    pub(crate) fn for_part(&mut self, kind: Kind) -> CallTrouble {
        CallTrouble::of(
            self.hits(|fault| {
                fault.on != On::Any && fault.on.hits(kind) && fault.what.is_of_answers()
            }),
        )
    }

    pub(crate) fn for_callback(&mut self) -> CallbackTrouble {
        let mut trouble = CallbackTrouble::default();
        for what in self.hits(|fault| fault.on == On::Callback) {
            match what {
                What::Drop => trouble.dropped = true,
                What::Duplicate => trouble.duplicated = true,
                What::Reorder => trouble.reordered = true,
                What::DelayMs(ms) | What::SlowMs(ms) => {
                    trouble.delay = trouble.delay.saturating_add(Duration::from_millis(ms));
                }
                What::TooManyRequests
                | What::InvalidToken
                | What::Status(_)
                | What::DropConnection
                | What::DropAnswer
                | What::StaleMs(_)
                | What::FailJob
                | What::Schedule
                | What::Missing(_) => {}
            }
        }
        trouble
    }

    /// What of the script happens now; spends it.
    fn hits(&mut self, wanted: impl Fn(&Fault) -> bool) -> Vec<What> {
        let mut hits = vec![];
        for fault in &mut self.faults {
            if !wanted(fault) || (fault.chance < 1.0 && self.dice.random::<f64>() >= fault.chance) {
                continue;
            }
            if let Some(times) = &mut fault.times {
                match times.checked_sub(1) {
                    Some(left) => *times = left,
                    None => continue,
                }
            }
            hits.push(fault.what.clone());
        }
        self.faults.retain(|it| it.times != Some(0));
        hits
    }
}

impl On {
    fn hits(self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Token => kind == Kind::Token,
            Self::Read => matches!(kind, Kind::ReadIds | Kind::ReadList | Kind::ReadOne),
            Self::ReadIds => kind == Kind::ReadIds,
            Self::ReadList => kind == Kind::ReadList,
            Self::ReadOne => kind == Kind::ReadOne,
            Self::Write => matches!(
                kind,
                Kind::Insert
                    | Kind::Update
                    | Kind::Upsert
                    | Kind::Delete
                    | Kind::MassDelete
                    | Kind::RecycleBin
                    | Kind::TagRecords
                    | Kind::Relate
                    | Kind::Convert
            ),
            Self::Query => matches!(kind, Kind::Coql | Kind::Search),
            Self::Watch => kind == Kind::Watch,
            Self::Metadata => kind == Kind::Metadata,
            Self::Bulk => matches!(kind, Kind::BulkRead | Kind::BulkWrite | Kind::BulkJob),
            Self::Files => kind == Kind::Files,
            Self::Callback => false,
        }
    }
}

fn certain() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(on: On, what: What, times: Option<u32>, chance: f64) -> Fault {
        Fault {
            on,
            what,
            times,
            chance,
        }
    }

    #[test]
    fn a_counted_fault_hits_that_often_and_only_its_kind() {
        let mut script = Script::new(1);
        script.add(fault(On::ReadIds, What::TooManyRequests, Some(2), 1.0));
        assert_eq!(script.for_call(Kind::ReadOne), CallTrouble::default());
        let hits = (0..5)
            .filter(|_| script.for_call(Kind::ReadIds).status == Some(429))
            .count();
        assert_eq!(hits, 2);
        assert!(script.faults().is_empty());
    }

    #[test]
    fn queries_are_hit_as_a_kind_of_their_own() {
        let mut script = Script::new(1);
        script.add(fault(On::Query, What::Status(503), None, 1.0));
        for (kind, status) in [
            (Kind::Coql, Some(503)),
            (Kind::Search, Some(503)),
            (Kind::ReadList, None),
            (Kind::TagRecords, None),
        ] {
            assert_eq!(script.for_call(kind).status, status, "{kind}");
        }
        let mut script = Script::new(1);
        script.add(fault(On::Write, What::Status(500), None, 1.0));
        assert_eq!(script.for_call(Kind::TagRecords).status, Some(500));
    }

    #[test]
    fn the_seed_decides_what_chance_hits() {
        let rolls = |seed| {
            let mut script = Script::new(seed);
            script.add(fault(On::Callback, What::Drop, None, 0.5));
            (0..64)
                .map(|_| script.for_callback().dropped)
                .collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }

    #[test]
    fn a_fault_is_written_in_json_as_the_readme_says() {
        let read: Fault =
            serde_json::from_str(r#"{"on":"read_ids","what":{"status":503},"times":3}"#).unwrap();
        assert_eq!(read, fault(On::ReadIds, What::Status(503), Some(3), 1.0));
        let read: Fault =
            serde_json::from_str(r#"{"on":"callback","what":"duplicate","chance":0.1}"#).unwrap();
        assert_eq!(read, fault(On::Callback, What::Duplicate, None, 0.1));
    }
}
