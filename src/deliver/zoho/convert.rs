//! Conversions of leads, which Zoho may do in the background.

use std::time::Duration;

use zoho_crm::{
    Error,
    convert::{Conversion, Converted},
};

use super::{Zoho, answer};
use crate::deliver::Delivered;

/// A conversion in the background is asked for so often,
const POLL_EVERY: Duration = Duration::from_secs(1);

/// and waited for so long.
const FINISHED_WITHIN: Duration = Duration::from_mins(1);

/// Done is what is converted, not what is only scheduled.
pub(super) async fn lead(zoho: &Zoho, id: &str, how: &Conversion) -> Result<Delivered, Error> {
    match zoho.client.convert_lead(id, how).await? {
        Converted::Done { .. } => Ok(Ok(None)),
        Converted::Scheduled { job_id } => Ok(in_background(zoho, &job_id).await),
    }
}

async fn in_background(zoho: &Zoho, job_id: &str) -> Delivered {
    let started = zoho.clock.monotonic();
    while zoho.clock.monotonic().saturating_sub(started) < FINISHED_WITHIN {
        zoho.clock.sleep(POLL_EVERY).await;
        match zoho.client.conversion_status(job_id).await {
            Ok(job) if job.converted > 0 => return Ok(None),
            Ok(job) if job.failed > 0 || job.status == "failed" => {
                let detail = "zoho could not convert the lead in the background";
                return Err(answer::refused(detail.to_owned(), None));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the conversion's status cannot be read"),
        }
    }
    Err(answer::unclear(
        "zoho still converts the lead in the background",
    ))
}
