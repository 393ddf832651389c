//! Bulk read: a module's records as rows, 200,000 a job.

mod job;
mod query;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{JobState, JobStep, JobWait, Row, Unzipped, zipped::RESULT_BYTES_MAX};
use crate::{
    Call, Client, Download, Error, Listing,
    page::NO_WAY_ON,
    parts::ids_fit,
    request::{ApiRequest, Cost, Root},
};

pub use self::{
    job::{ReadJob, ReadResult},
    query::{
        BulkRead, CALENDAR_ROWS_MAX, CRITERIA_MAX, Comparator, FileType, ROWS_MAX, ReadCriteria,
        ReadPage,
    },
};

/// Credits of one job. Zoho: "API limits", v8.
const CREDITS: u64 = 50;

impl Client {
    /// Has up to [`ROWS_MAX`] records written into a file, and gives the job's id. 50 credits. Not sent again unless
    /// it was certainly not carried out.
    ///
    /// Zoho: "Create bulk read job", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when it breaks a limit; [`Error::RestartPaging`] when a page token is too old
    /// or of another query; else as the variants say.
    pub async fn create_bulk_read(&self, read: &BulkRead) -> Result<String, Error> {
        let body = read.to_json()?;
        let cost = Cost::light(CREDITS);
        self.create_job(Call::BulkReadCreate, cost, "read", &body)
            .await
    }

    /// How far a job is.
    ///
    /// Zoho: "Get bulk read job details", v8.
    ///
    /// # Errors
    /// [`Error::Gone`] when there is no such job; else as the variants say.
    pub async fn bulk_read_job(&self, job: &str) -> Result<ReadJob, Error> {
        ids_fit(&[job])?;
        let path = ["read", job];
        let request = ApiRequest::get(&path).root(Root::Bulk);
        let answer = self.send(Call::BulkReadStatus, Cost::ONE, &request).await?;
        ReadJob::parse(&answer.body)
    }

    /// Waits until a job is over, done or failed.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with `timeout` when it is not over in time; else as [`Self::bulk_read_job`].
    pub async fn wait_for_bulk_read(&self, job: &str, wait: &JobWait) -> Result<ReadJob, Error> {
        let seen = |it: &ReadJob| (it.state, it.result.as_ref().map(|it| it.count));
        self.wait_for_job(job, wait, || self.bulk_read_job(job), seen)
            .await
    }

    /// The zip a job made, as it is. Zoho keeps it for a day.
    ///
    /// Zoho: "Download bulk read result", v8.
    ///
    /// # Errors
    /// [`Error::Gone`] when there is none, not yet or not any more; else as the variants say.
    pub async fn bulk_read_result(&self, job: &str) -> Result<Download, Error> {
        ids_fit(&[job])?;
        let path = ["read", job, "result"];
        let request = ApiRequest::get(&path).root(Root::Bulk);
        self.download(Call::BulkReadResult, Cost::ONE, &request, RESULT_BYTES_MAX)
            .await
    }

    /// The files of a job that is over, on a disk.
    ///
    /// # Errors
    /// Why it failed, if it did; [`Error::Misuse`] when it is not over; else as [`Self::bulk_read_result`] and
    /// [`Unzipped::of`].
    pub async fn bulk_read_files(&self, job: &ReadJob, wait: &JobWait) -> Result<Unzipped, Error> {
        match job.state {
            JobState::Completed => {}
            JobState::Failed | JobState::Skipped => return Err(job.failure()),
            JobState::Added | JobState::Queued | JobState::InProgress | JobState::Other => {
                return Err(Self::wrong("the job is not over"));
            }
        }
        let download = self.bulk_read_result(&job.id).await?;
        wait.unzip(&job.id, download).await
    }

    /// All rows a query finds, however many: job after job, each waited for, its zip kept on a disk and read a few
    /// hundred rows at a time. 50 credits a job.
    ///
    /// # Errors
    /// As the steps; the stream ends with the first.
    pub fn bulk_read_rows(&self, read: &BulkRead, wait: &JobWait) -> Listing<Row> {
        let start = (self.clone(), wait.clone(), Some(read.clone()));
        let jobs = stream::try_unfold(start, |(client, wait, read)| async move {
            let Some(read) = read else {
                return Ok(None);
            };
            let id = client.create_bulk_read(&read).await?;
            wait.tell(|| JobStep::Created { job: id.clone() });
            let job = client.wait_for_bulk_read(&id, &wait).await?;
            let files = client.bulk_read_files(&job, &wait).await?;
            let next = job.next_page();
            let cut = next.is_none() && job.result.as_ref().is_some_and(|it| it.more);
            let cut = stream::iter(cut.then_some(Err(NO_WAY_ON)));
            let next = next.map(|page| BulkRead { page, ..read });
            let rows = files.rows().chain(cut);
            Ok::<_, Error>(Some((rows, (client, wait, next))))
        });
        jobs.try_flatten().boxed()
    }
}
