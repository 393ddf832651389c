//! Bulk writes: what they are, and how they are told.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    World,
    import::{Import, Row},
    jobs::{Failed, Order},
};
use crate::{answer::put, time};

/// How long the result of a bulk write is kept. Zoho: "Download bulk write result", v8.
pub(crate) const WRITE_RESULT_LIFE: Duration = Duration::from_hours(7 * 24);

/// A bulk write.
#[derive(Clone, Debug)]
pub(crate) struct WriteJob {
    pub(crate) order: Order,
    /// As it was sent, or null.
    pub(crate) callback: Value,
    pub(crate) encoding: Option<String>,
    pub(crate) parts: Vec<Part>,
    /// The id of the kept result.
    pub(crate) done: Option<Result<String, Failed>>,
}

/// One file of a bulk write.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) import: Import,
    /// The field mappings as they were sent, if they were.
    pub(crate) mappings: Option<Value>,
    /// Id of the uploaded zip.
    pub(crate) upload: u64,
    /// Within the zip; its only file, if none is named.
    pub(crate) file_name: Option<String>,
    pub(crate) counts: Counts,
    /// Why it was not written, once that is known.
    pub(crate) refused: Option<&'static str>,
}

/// How many rows became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) added: u64,
    pub(crate) updated: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, row: &Row) {
        match row {
            Row::Added(_) => self.added += 1,
            Row::Updated(_) => self.updated += 1,
            Row::Skipped(..) => self.skipped += 1,
        }
    }
}

impl WriteJob {
    fn failed(&self) -> bool {
        let all_refused = self.parts.iter().all(|it| it.refused.is_some());
        matches!(self.done, Some(Err(_))) || (self.done.is_some() && all_refused)
    }
}

impl World {
    /// A bulk write, in no envelope. Zoho: "Bulk write job details", v8.
    pub(crate) fn write_job(&self, id: u64) -> Option<Value> {
        let job = self.jobs.writes.get(&id)?;
        let status = match (
            &job.done,
            self.jobs.progress(job.order.begun, self.clock.monotonic()),
        ) {
            (Some(_), _) if job.failed() => "FAILED",
            (Some(_), _) => "COMPLETED",
            (None, "IN PROGRESS") => "IN PROGRESS",
            (None, _) => "ADDED",
        };
        let resource = job.parts.iter().map(|it| self.told_part(it, status));
        let mode = job.parts.first().map(|it| it.import.mode.name());
        let mut told = json!({
            "status": status,
            "character_encoding": job.encoding.as_deref().unwrap_or("UTF-8"),
            "resource": resource.collect::<Vec<_>>(),
            "id": id.to_string(),
            "callback": job.callback,
            "created_by": job.order.by.without_email(self.org),
            "operation": mode,
            "created_time": time::zoho(job.order.created),
        });
        if let Some(Ok(_)) = job.done {
            put(
                &mut told,
                "result",
                json!({"download_url": self.write_result_url(id)}),
            );
        }
        Some(told)
    }

    /// A whole URL, unlike a bulk read's: Zoho's is on a host for downloads.
    fn write_result_url(&self, id: u64) -> String {
        let (url, org) = (&self.base_url, self.zgid());
        format!("{url}/v2/crm/{org}/bulk-write/{id}/{id}.zip")
    }

    fn told_part(&self, part: &Part, status: &str) -> Value {
        let ended = matches!(status, "COMPLETED" | "FAILED");
        let status = match part.refused {
            Some(_) if ended => "SKIPPED",
            _ => status,
        };
        let Counts {
            added,
            updated,
            skipped,
        } = part.counts;
        json!({
            "status": status,
            "code": part.refused.unwrap_or("SUCCESS"),
            "message": part.refused.map_or("success", |_| "the file could not be read"),
            "type": "data",
            "module": {
                "api_name": part.import.module,
                "id": self.module_id(&part.import.module),
            },
            "field_mappings": part.mappings,
            "find_by": part.import.find_by,
            "ignore_empty": part.import.ignore_empty,
            "file": {
                "status": status,
                "name": part.file_name,
                "added_count": added,
                "skipped_count": skipped,
                "updated_count": updated,
                "total_count": added + skipped + updated,
            },
        })
    }
}
