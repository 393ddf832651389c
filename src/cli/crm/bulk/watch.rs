//! Looks on while a job runs: a bar, and the job's id for whoever is stopped before its end.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{HumanBytes, HumanCount, ProgressBar};
use zoho_crm::{
    Error,
    bulk::{JobStep, JobWait},
};

use crate::cli::{complain, is_closed_pipe, progress, until_interrupted};

/// The first pause between two questions about a job.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The bar, and the job of the moment.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) bar: ProgressBar,
    job: Arc<Mutex<Option<String>>>,
}

impl Watch {
    pub(super) fn new(what: &str) -> anyhow::Result<Self> {
        Ok(Self {
            bar: progress::waiting(what)?,
            job: Arc::default(),
        })
    }

    /// Waits for a job, and says on the bar how far it is.
    pub(super) fn wait(&self) -> JobWait {
        let watch = self.clone();
        JobWait {
            first: PAUSE_FIRST,
            progress: Some(Arc::new(move |step| watch.see(step))),
            ..JobWait::default()
        }
    }

    /// There is a job now; from here on it can be come back to.
    pub(super) fn started(&self, job: &str) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.to_owned());
    }

    /// Nothing is left to come back to.
    pub(super) fn ended(&self) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Works until that is done or a person interrupts it. `resume` says what to do with the id of a job that goes on.
    pub(super) async fn over<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
        resume: impl Fn(&str) -> String,
    ) -> anyhow::Result<T> {
        let error = tokio::select! {
            done = work => match done {
                Ok(done) => {
                    self.bar.finish_and_clear();
                    return Ok(done);
                }
                Err(error) => error,
            },
            signal = until_interrupted() => {
                signal?;
                anyhow::anyhow!("interrupted")
            }
        };
        self.bar.finish_and_clear();
        let job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = job.as_deref()
            && !is_closed_pipe(&error)
            && !is_final(&error)
        {
            complain(&resume(job));
        }
        Err(error)
    }

    fn see(&self, step: &JobStep) {
        if let JobStep::Created { job } | JobStep::Asked { job, .. } = step {
            self.started(job);
        }
        if !self.bar.is_finished() {
            self.bar.set_message(told(step));
        }
    }
}

/// Whether Zoho has said that nothing comes of the job.
fn is_final(error: &anyhow::Error) -> bool {
    let mut found = error.chain().filter_map(|it| it.downcast_ref::<Error>());
    found.any(|it| matches!(it, Error::Invalid { .. } | Error::Gone { .. }))
}

fn told(step: &JobStep) -> String {
    match step {
        JobStep::Created { job } => format!("job {job} is made"),
        JobStep::Asked { job, state, rows } => match rows {
            Some(rows) => format!("job {job}: {state}, {} rows", HumanCount(*rows)),
            None => format!("job {job}: {state}"),
        },
        JobStep::Downloaded { job, bytes, of } => match of {
            Some(of) => format!(
                "job {job}: {} of {} downloaded",
                HumanBytes(*bytes),
                HumanBytes(*of)
            ),
            None => format!("job {job}: {} downloaded", HumanBytes(*bytes)),
        },
        _ => "working".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use zoho_crm::Code;

    use super::*;

    #[tokio::test]
    async fn a_job_is_named_where_it_can_be_come_back_to() {
        let failed = |error: Error| async move { Err::<(), _>(anyhow::Error::from(error)) };
        let lost = Error::Malformed { problem: "lost" };
        let gone = Error::Gone {
            status: 404,
            code: Code::new("NOT_FOUND"),
        };
        for (error, named) in [(lost, true), (gone, false)] {
            let watch = Watch::new("working").unwrap();
            watch.started("7");
            let asked = std::cell::Cell::new(false);
            let resume = |job: &str| {
                asked.set(job == "7");
                String::new()
            };
            assert!(watch.over(failed(error), resume).await.is_err());
            assert_eq!(asked.get(), named);
        }
    }
}
