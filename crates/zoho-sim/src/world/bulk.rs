//! Bulk jobs as they are told: to who asks, and to the callback.

use std::time::Duration;

use serde_json::{Value, json};

use super::{World, jobs::ReadJob};
use crate::{answer::put, time};

/// Life of a page token. Zoho: "Create bulk read job", v8.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_hours(24);
/// How long the result of a bulk read is kept. Zoho: "Download bulk read result", v8.
pub(crate) const READ_RESULT_LIFE: Duration = Duration::from_hours(24);

impl World {
    /// A bulk read in its envelope. Zoho: "Get bulk read job details", v8.
    pub(crate) fn read_job(&self, id: u64) -> Option<Value> {
        let job = self.jobs.reads.get(&id)?;
        Some(json!({"data": [self.read_detail(job)]}))
    }

    fn read_detail(&self, job: &ReadJob) -> Value {
        let now = self.clock.monotonic();
        let mut detail = json!({
            "id": job.order.id.to_string(),
            "operation": "read",
            "state": match &job.done {
                None => self.jobs.progress(job.order.begun, now),
                Some(Ok(_)) => "COMPLETED",
                Some(Err(_)) => "FAILURE",
            },
            "query": job.query,
            "created_by": job.order.by.without_email(self.org),
            "created_time": time::zoho(job.order.created),
            "file_type": if job.export.calendar { "ics" } else { "csv" },
        });
        match &job.done {
            None => {}
            Some(Ok(result)) => {
                let mut told = json!({
                    "page": job.page,
                    "per_page": self.jobs.page_rows,
                    "count": result.rows,
                    "download_url": format!("/crm/bulk/v8/read/{}/result", job.order.id),
                    "more_records": result.more,
                });
                if let Some(token) = &result.next_page_token {
                    put(&mut told, "next_page_token", json!(token));
                }
                put(&mut detail, "result", told);
            }
            Some(Err(_)) => {
                let error = json!({
                    "status": "error",
                    "code": "INTERNAL_SERVER_ERROR",
                    "message": "the job could not be completed",
                    "details": {},
                });
                put(&mut detail, "result", json!({"error_message": error}));
            }
        }
        detail
    }
}
