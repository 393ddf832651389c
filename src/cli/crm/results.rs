//! What became of each of many records: a row for each, and exit code 1 when one of them failed.

use std::process::ExitCode;

use indicatif::ProgressBar;
use serde_json::Value;
use zoho_crm::{Batch, Error, ItemError, Values};

use std::io::{BufWriter, Stdout};

use crate::cli::{
    FAILED, complain,
    output::{Format, Rows, columns, row},
    progress,
};

/// Records between two moves of the bar: whole calls.
const STEP: usize = 500;

const COLUMNS: [&str; 6] = ["row", "status", "id", "error", "field", "path"];

/// A record that was done.
#[derive(Clone, Debug)]
pub(super) struct Step {
    status: &'static str,
    id: String,
}

impl Step {
    pub(super) fn of(status: &'static str, id: impl Into<String>) -> Self {
        Self {
            status,
            id: id.into(),
        }
    }
}

/// Rows of results on their way out, with a bar on stderr.
pub(super) struct Results {
    rows: Rows<BufWriter<Stdout>>,
    bar: ProgressBar,
    done: usize,
    failed: usize,
}

impl Results {
    /// For so many records.
    pub(super) fn new(format: Format, total: usize, what: &str) -> anyhow::Result<Self> {
        let bar = if total > STEP {
            progress::counting(total.try_into()?, what)?
        } else {
            ProgressBar::hidden()
        };
        Ok(Self {
            rows: Rows::new(format, Some(columns(&COLUMNS))),
            bar,
            done: 0,
            failed: 0,
        })
    }

    /// How many records are handed over at once.
    #[expect(clippy::unused_self, reason = "reads better at the caller")]
    pub(super) fn step(&self) -> usize {
        STEP
    }

    /// Takes the next records' results. The failure of a whole call ends it: what was done before it is written.
    pub(super) fn add(&mut self, batch: Result<Batch<Step>, Error>) -> anyhow::Result<()> {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) if self.done + self.failed == 0 => return Err(error.into()),
            Err(error) => return Err(self.stop(error)),
        };
        // A call that failed as a whole, as the next one would.
        let stopped = batch.iter().find_map(|it| {
            let error = &it.as_ref().err()?.error;
            error.retry_after().map(|_| error.clone())
        });
        for result in batch {
            let number = self.done + self.failed + 1;
            match &result {
                Ok(_) => self.done += 1,
                Err(_) => self.failed += 1,
            }
            self.rows.add(row_of(number, &result))?;
            self.bar.inc(1);
        }
        stopped.map_or(Ok(()), |error| Err(self.stop(error)))
    }

    fn stop(&mut self, error: Error) -> anyhow::Error {
        if let Err(failed) = self.rows.finish() {
            return failed;
        }
        let number = self.done + self.failed;
        let text = format!("ended after {number} records; what follows was not sent");
        anyhow::Error::from(error).context(text)
    }

    /// Exit code 1 when a record failed.
    pub(super) fn finish(mut self) -> anyhow::Result<ExitCode> {
        self.bar.finish_and_clear();
        self.rows.finish()?;
        if self.failed == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let all = self.done + self.failed;
        complain(&format!("{} of {all} records failed", self.failed));
        Ok(ExitCode::from(FAILED))
    }
}

fn row_of(number: usize, result: &Result<Step, ItemError>) -> Values {
    let text = |it: Option<&str>| it.map_or(Value::Null, Value::from);
    match result {
        Ok(step) => row([
            ("row", number.into()),
            ("status", step.status.into()),
            ("id", step.id.as_str().into()),
            ("error", Value::Null),
            ("field", Value::Null),
            ("path", Value::Null),
        ]),
        Err(error) => row([
            ("row", number.into()),
            // Sent, and no answer came.
            (
                "status",
                if error.may_be_done {
                    "unknown"
                } else {
                    "failed"
                }
                .into(),
            ),
            // Of a duplicate: the record that is there.
            ("id", text(error.duplicate_id.as_deref())),
            (
                "error",
                match error.code.as_str() {
                    "none" => error.error.to_string().into(),
                    code => code.into(),
                },
            ),
            (
                "field",
                text(error.api_name.as_ref().map(zoho_crm::Code::as_str)),
            ),
            ("path", text(error.json_path.as_deref())),
        ]),
    }
}
