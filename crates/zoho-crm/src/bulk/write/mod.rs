//! Bulk write: a CSV file's rows as records, 25,000 a file.

mod csv_zip;
mod job;
mod order;
mod outcome;

use futures_util::{StreamExt, TryStreamExt};

use super::{JobWait, zipped::RESULT_BYTES_MAX};
use crate::{
    Call, Client, Download, Error, Listing,
    files::Upload,
    parts::{ids_fit, only, text_at},
    request::{ApiRequest, Cost, Root},
};

pub use self::{
    csv_zip::{COLUMNS_MAX, CsvZip, WRITE_ROWS_MAX, ZIP_BYTES_MAX},
    job::{WriteJob, WrittenFile, WrittenResource},
    order::{BulkWrite, ColumnMapping, WriteOperation, WriteResource},
    outcome::{RowError, RowState, WriteRow},
};

/// Credits of one job. Zoho: "API limits", v8.
const CREDITS: u64 = 500;

impl Client {
    /// Uploads rows for a bulk write and gives the file's id. `zgid` is the org's number,
    /// [`Org::zgid`](crate::Org::zgid). It goes to the data centre's upload host. Not sent again unless it was
    /// certainly not carried out.
    ///
    /// Zoho: "Upload file for bulk write", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn upload_csv(&self, csv: &CsvZip, zgid: &str) -> Result<String, Error> {
        ids_fit(&[zgid])?;
        let file = Upload::of_bytes(&csv.zip_name(), csv.zip())?;
        let form = || Ok(file.form());
        let headers = [("feature", "bulk-write"), ("X-CRM-ORG", zgid)];
        let request = ApiRequest::post(&["upload"])
            .root(Root::Upload)
            .headers(&headers)
            .multipart(&form)
            .items("data");
        let results = self
            .send_items(Call::Upload, Cost::ONE, &request, Some(1))
            .await?;
        text_at(&only(results)?, "/details/file_id").ok_or(Error::Malformed {
            problem: "an upload without the file's id",
        })
    }

    /// Has uploaded rows written as records, and gives the job's id. 500 credits. Not sent again unless it was
    /// certainly not carried out.
    ///
    /// Each record written may fire workflows and tell channels: 25,000 rows can be 25,000 events.
    ///
    /// Zoho: "Create bulk write job", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when it breaks a limit; else as the variants say.
    pub async fn create_bulk_write(&self, write: &BulkWrite) -> Result<String, Error> {
        let body = write.to_json()?;
        let cost = Cost::light(CREDITS);
        self.create_job(Call::BulkWriteCreate, cost, "write", &body)
            .await
    }

    /// How far a job is.
    ///
    /// Zoho: "Get bulk write job details", v8.
    ///
    /// # Errors
    /// [`Error::Gone`] when there is no such job; else as the variants say.
    pub async fn bulk_write_job(&self, job: &str) -> Result<WriteJob, Error> {
        ids_fit(&[job])?;
        let path = ["write", job];
        let request = ApiRequest::get(&path).root(Root::Bulk);
        let answer = self
            .send(Call::BulkWriteStatus, Cost::ONE, &request)
            .await?;
        WriteJob::parse(&answer.body)
    }

    /// Waits until a job is over: done, failed or skipped.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with `timeout` when it is not over in time; else as [`Self::bulk_write_job`].
    pub async fn wait_for_bulk_write(&self, job: &str, wait: &JobWait) -> Result<WriteJob, Error> {
        let seen = |it: &WriteJob| (it.state, it.rows());
        self.wait_for_job(job, wait, || self.bulk_write_job(job), seen)
            .await
    }

    /// The zip that says what became of each row, as it is. Zoho keeps it for seven days, where the job says.
    ///
    /// Zoho: "Download bulk write result", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the job has no result; [`Error::Gone`] when it is there no more; else as the variants
    /// say.
    pub async fn bulk_write_result(&self, job: &WriteJob) -> Result<Download, Error> {
        let url = job.download_url.as_deref();
        let url = url.ok_or(Self::wrong("the job has no result"))?;
        let request = ApiRequest::get(&[]).root(Root::Api(url));
        self.download(Call::BulkWriteResult, Cost::ONE, &request, RESULT_BYTES_MAX)
            .await
    }

    /// What became of each row of a job that is over.
    ///
    /// # Errors
    /// As [`Self::bulk_write_result`] and [`Unzipped::of`](super::Unzipped::of); the stream ends with the first.
    pub async fn bulk_write_rows(
        &self,
        job: &WriteJob,
        wait: &JobWait,
    ) -> Result<Listing<WriteRow>, Error> {
        let download = self.bulk_write_result(job).await?;
        let files = wait.unzip(&job.id, download).await?;
        Ok(files.rows().map_ok(WriteRow::of).boxed())
    }
}
