//! A bulk read as Zoho tells of it.

use std::fmt;

use serde_json::Value;

use super::{super::job_of, ReadPage};
use crate::{
    Code, Error, Values,
    bulk::JobState,
    error::{Wait, code_of, decide},
    parts::{count_at, text_at, values},
};

/// A bulk read.
#[derive(Clone, PartialEq)]
pub struct ReadJob {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub state: JobState,
    /// What it made, once it is done.
    pub result: Option<ReadResult>,
    /// Why it failed, if it did.
    pub error: Option<Code>,
    /// When it was made, as Zoho writes it.
    pub created_time: Option<String>,
    /// All that Zoho said, these too.
    pub raw: Values,
}

/// What a bulk read made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadResult {
    /// Which page, the first being 1.
    pub page: Option<u64>,
    /// Records in it.
    pub count: u64,
    /// Whether there are more after it.
    pub more: bool,
    /// How to ask for them, good for a day, with the same query.
    pub next_page_token: Option<String>,
    /// Path of the zip on the API's host.
    pub download_url: Option<String>,
}

impl ReadJob {
    /// Reads a job: Zoho's answer, or what it posts to the callback. Anyone can post to a callback: compare a secret
    /// in its URL, and ask [`Client::bulk_read_job`](crate::Client::bulk_read_job) rather than believe it.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let job = job_of(body)?;
        let (Some(id), Some(state)) = (text_at(&job, "/id"), text_at(&job, "/state")) else {
            return Err(Error::Malformed {
                problem: "a job without id or state",
            });
        };
        let state = JobState::parse(&state);
        let error = job.pointer("/result/error_message").map(code_of);
        let has_result = state == JobState::Completed && job.get("result").is_some();
        let result = has_result.then(|| ReadResult {
            page: count_at(&job, "/result/page"),
            count: count_at(&job, "/result/count").unwrap_or_default(),
            more: job.pointer("/result/more_records") == Some(&Value::Bool(true)),
            next_page_token: text_at(&job, "/result/next_page_token"),
            download_url: text_at(&job, "/result/download_url"),
        });
        Ok(Self {
            id,
            state,
            result,
            error,
            created_time: text_at(&job, "/created_time"),
            raw: values(job)?,
        })
    }

    /// Where the records after these begin, if there are any.
    pub fn next_page(&self) -> Option<ReadPage> {
        let result = self.result.as_ref().filter(|it| it.more)?;
        match (&result.next_page_token, result.page) {
            (Some(token), _) => Some(ReadPage::Token(token.clone())),
            (None, Some(page)) => Some(ReadPage::Number(page.saturating_add(1))),
            (None, None) => None,
        }
    }

    /// Why it failed, as if the call had.
    pub(super) fn failure(&self) -> Error {
        let code = self.error.clone().unwrap_or_else(|| Code::new(""));
        decide(400, code, None, Wait::default())
    }
}

/// The query may hold values, and is left out.
impl fmt::Debug for ReadJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadJob")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("result", &self.result)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
