//! Bulk jobs: hundreds of thousands of records read, tens of thousands written, by jobs that take minutes.
//!
//! A job is made, waited for, and its result read. [`Client::bulk_read_rows`](crate::Client::bulk_read_rows) does all
//! of it for a read; the steps are methods of their own too, so that a program that was stopped can go on with the
//! job's id.

mod job;
mod read;
mod rows;
mod write;
mod zipped;

pub use self::{
    job::{JobState, JobStep, JobWait, Progress},
    read::{
        BulkRead, CALENDAR_ROWS_MAX, CRITERIA_MAX, Comparator, FileType, ROWS_MAX, ReadCriteria,
        ReadJob, ReadPage, ReadResult,
    },
    rows::Row,
    write::{
        BulkWrite, COLUMNS_MAX, ColumnMapping, CsvZip, RowError, RowState, WRITE_ROWS_MAX,
        WriteJob, WriteOperation, WriteResource, WriteRow, WrittenFile, WrittenResource,
        ZIP_BYTES_MAX,
    },
    zipped::Unzipped,
};

use serde_json::{Value, json};

use crate::{Client, Error};

/// The job in an answer or in what a callback posts: in an envelope `{"data": [job]}` or, as bulk write tells it,
/// without one.
fn job_of(body: &[u8]) -> Result<Value, Error> {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let mut body = body.ok_or(Error::Malformed {
        problem: "not json",
    })?;
    match body.pointer_mut("/data/0") {
        Some(job) => Ok(job.take()),
        None => Ok(body),
    }
}

/// Who is told of a job's end. Zoho signs nothing: a secret in the URL is the only proof of who posts.
fn callback(url: &str) -> Result<Value, Error> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Client::wrong("a callback goes to an http url"));
    }
    Ok(json!({ "url": url, "method": "post" }))
}
