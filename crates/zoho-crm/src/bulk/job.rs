//! What every bulk job has: a state, and a way of waiting for its end.

use std::{fmt, sync::Arc, time::Duration};

use serde_json::Value;

use super::Unzipped;
use crate::{
    Call, Client, Download, Error,
    parts::{only, written_id},
    request::{ApiRequest, Cost, Root},
    transport::TIMED_OUT,
};

/// No job is asked about more often.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Taken.
    Added,
    /// In the queue.
    Queued,
    /// Under way.
    InProgress,
    /// Done; its result can be had.
    Completed,
    /// Failed.
    Failed,
    /// Nothing was done.
    Skipped,
    /// A state that is not known here; waited on.
    Other,
}

impl JobState {
    /// Any of Zoho's spellings: `IN PROGRESS` and `INPROGRESS`, `FAILURE` and `FAILED`.
    pub(crate) fn parse(word: &str) -> Self {
        let letters = word.chars().filter(char::is_ascii_alphabetic);
        let letters: String = letters.map(|it| it.to_ascii_uppercase()).collect();
        match letters.as_str() {
            "ADDED" => Self::Added,
            "QUEUED" => Self::Queued,
            "INPROGRESS" => Self::InProgress,
            "COMPLETED" => Self::Completed,
            "FAILURE" | "FAILED" => Self::Failed,
            "SKIPPED" => Self::Skipped,
            _ => Self::Other,
        }
    }

    /// Whether it will not change any more.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Skipped => true,
            Self::Added | Self::Queued | Self::InProgress | Self::Other => false,
        }
    }

    /// `added`, `queued`, `in progress`, `completed`, `failed`, `skipped` or `other`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Queued => "queued",
            Self::InProgress => "in progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step of a job, for whoever looks on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStep {
    /// A job was made.
    Created {
        /// Its id: with it, a program that was stopped can go on.
        job: String,
    },
    /// Zoho was asked how far it is.
    Asked {
        /// Its id.
        job: String,
        /// How far it is.
        state: JobState,
        /// How many records its result has, once that is known.
        rows: Option<u64>,
    },
    /// More of its result has come.
    Downloaded {
        /// Its id.
        job: String,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, where Zoho says so.
        of: Option<u64>,
    },
}

/// Told of every step of a job; must return quickly.
pub type Progress = Arc<dyn Fn(&JobStep) + Send + Sync>;

/// How a job is waited for.
#[derive(Clone)]
pub struct JobWait {
    /// The first pause between two questions; each is twice as long as the one before.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long to wait for one job in all.
    pub total: Duration,
    /// Told of every step.
    pub progress: Option<Progress>,
}

impl Default for JobWait {
    /// From two seconds to thirty, for two hours.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(30),
            total: Duration::from_hours(2),
            progress: None,
        }
    }
}

impl JobWait {
    pub(crate) fn tell(&self, step: impl FnOnce() -> JobStep) {
        if let Some(progress) = &self.progress {
            progress(&step());
        }
    }

    /// Unzips what a job made, and tells how far it is.
    pub(super) async fn unzip(&self, job: &str, download: Download) -> Result<Unzipped, Error> {
        let of = download.bytes;
        let told = |bytes| {
            self.tell(|| JobStep::Downloaded {
                job: job.to_owned(),
                bytes,
                of,
            });
        };
        Unzipped::with_progress(download, told).await
    }
}

impl fmt::Debug for JobWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobWait")
            .field("first", &self.first)
            .field("longest", &self.longest)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a job and gives its id.
    pub(super) async fn create_job(
        &self,
        call: Call,
        cost: Cost,
        path: &str,
        job: &Value,
    ) -> Result<String, Error> {
        let path = [path];
        let request = ApiRequest::post(&path)
            .root(Root::Bulk)
            .json(job)
            .items("data");
        let results = self.send_items(call, cost, &request, Some(1)).await?;
        written_id(&only(results)?)
    }

    /// Asks again and again until a job is over. `seen` tells its state and its number of records.
    ///
    /// What may be better later is waited out too; it is an error only once the time is up.
    pub(super) async fn wait_for_job<J, Fut>(
        &self,
        id: &str,
        wait: &JobWait,
        ask: impl Fn() -> Fut,
        seen: fn(&J) -> (JobState, Option<u64>),
    ) -> Result<J, Error>
    where
        Fut: Future<Output = Result<J, Error>>,
    {
        let clock = &self.inner.clock;
        let started = clock.monotonic();
        let mut pause = wait.first.max(PAUSE_MIN);
        loop {
            let (after, late) = match ask().await {
                Ok(job) => {
                    let (state, rows) = seen(&job);
                    wait.tell(|| JobStep::Asked {
                        job: id.to_owned(),
                        state,
                        rows,
                    });
                    if state.is_over() {
                        return Ok(job);
                    }
                    (Duration::ZERO, TIMED_OUT)
                }
                Err(error) if passes(&error) => (error.retry_after().unwrap_or_default(), error),
                Err(error) => return Err(error),
            };
            let spent = clock.monotonic().saturating_sub(started);
            let left = wait.total.saturating_sub(spent);
            if left.is_zero() || after > left {
                return Err(late);
            }
            clock.sleep(pause.max(after).min(left)).await;
            pause = pause.saturating_mul(2).min(wait.longest.max(PAUSE_MIN));
        }
    }
}

/// Whether a failure says nothing about the job, and the next question may be answered.
fn passes(error: &Error) -> bool {
    matches!(
        error,
        Error::Unreachable { .. }
            | Error::Unavailable { .. }
            | Error::Throttled { .. }
            | Error::TokenDelayed { .. }
            | Error::CreditsSpent { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_in_any_spelling() {
        for (word, state) in [
            ("ADDED", JobState::Added),
            ("QUEUED", JobState::Queued),
            ("IN PROGRESS", JobState::InProgress),
            ("INPROGRESS", JobState::InProgress),
            ("in_progress", JobState::InProgress),
            ("COMPLETED", JobState::Completed),
            ("FAILURE", JobState::Failed),
            ("FAILED", JobState::Failed),
            ("SKIPPED", JobState::Skipped),
            ("PAUSED", JobState::Other),
        ] {
            assert_eq!(JobState::parse(word), state, "{word}");
        }
        assert!(!JobState::Other.is_over());
    }
}
