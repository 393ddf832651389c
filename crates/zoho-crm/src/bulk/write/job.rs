//! A bulk write as Zoho tells of it.

use std::fmt;

use serde_json::Value;

use super::super::job_of;
use crate::{
    Code, Error, Values,
    bulk::JobState,
    error::code_of,
    parts::{count_at, text_at, values},
};

/// A bulk write.
#[derive(Clone, PartialEq)]
pub struct WriteJob {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub state: JobState,
    /// `insert`, `update` or `upsert`.
    pub operation: Option<String>,
    /// What became of each resource.
    pub resources: Vec<WrittenResource>,
    /// Where the zip is that says what became of each row.
    pub download_url: Option<String>,
    /// When it was made, as Zoho writes it.
    pub created_time: Option<String>,
    /// All that Zoho said, these too.
    pub raw: Values,
}

/// What became of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenResource {
    /// How far it is.
    pub state: JobState,
    /// `SUCCESS`, or what is wrong with it.
    pub code: Code,
    /// The module's API name.
    pub module: Option<String>,
    /// The file, and how many of its rows became what.
    pub file: Option<WrittenFile>,
}

/// How many rows of a file became what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// How far it is.
    pub state: JobState,
    /// The CSV file's name.
    pub name: Option<String>,
    /// New records.
    pub added: u64,
    /// Changed records.
    pub updated: u64,
    /// Rows that were not written.
    pub skipped: u64,
    /// All rows.
    pub total: u64,
}

impl WriteJob {
    /// Reads a job: Zoho's answer, or what it posts to the callback. Anyone can post to a callback: compare a secret
    /// in its URL, and ask [`Client::bulk_write_job`](crate::Client::bulk_write_job) rather than believe it.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let job = job_of(body)?;
        let (Some(id), Some(state)) = (text_at(&job, "/id"), text_at(&job, "/status")) else {
            return Err(Error::Malformed {
                problem: "a job without id or status",
            });
        };
        let resources = job.get("resource").and_then(Value::as_array);
        let resources = resources.map_or_else(Default::default, Vec::as_slice);
        Ok(Self {
            id,
            state: JobState::parse(&state),
            operation: text_at(&job, "/operation"),
            resources: resources.iter().map(WrittenResource::read).collect(),
            download_url: text_at(&job, "/result/download_url"),
            created_time: text_at(&job, "/created_time"),
            raw: values(job)?,
        })
    }

    /// How many rows there are, once that is known.
    pub fn rows(&self) -> Option<u64> {
        let mut files = self.resources.iter().filter_map(|it| it.file.as_ref());
        let first = files.next()?.total;
        Some(files.fold(first, |sum, it| sum.saturating_add(it.total)))
    }
}

impl WrittenResource {
    fn read(entry: &Value) -> Self {
        let module = ["/module/api_name", "/module"];
        Self {
            state: state_at(entry, "/status"),
            code: code_of(entry),
            module: module.into_iter().find_map(|at| text_at(entry, at)),
            file: entry
                .get("file")
                .filter(|it| it.is_object())
                .map(WrittenFile::read),
        }
    }
}

impl WrittenFile {
    fn read(file: &Value) -> Self {
        let count = |at| count_at(file, at).unwrap_or_default();
        Self {
            state: state_at(file, "/status"),
            name: text_at(file, "/name"),
            added: count("/added_count"),
            updated: count("/updated_count"),
            skipped: count("/skipped_count"),
            total: count("/total_count"),
        }
    }
}

fn state_at(value: &Value, pointer: &str) -> JobState {
    JobState::parse(&text_at(value, pointer).unwrap_or_default())
}

/// The callback, which may hold a secret, is left out.
impl fmt::Debug for WriteJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteJob")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}
