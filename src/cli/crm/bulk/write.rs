//! `zohook crm bulk write`.

use std::{
    io::{BufWriter, Stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use futures_util::TryStreamExt;
use serde_json::Value;
use zoho_crm::{
    Client, Listing, Values,
    bulk::{BulkWrite, CsvZip, JobState, RowState, WriteOperation, WriteResource, WriteRow},
    is_api_name,
};

use crate::cli::{
    FAILED, complain,
    crm::{Session, wrong},
    output::{Rows, columns, row},
};

use super::watch::Watch;

const COLUMNS: [&str; 4] = ["row", "status", "id", "errors"];

#[derive(Debug, Args)]
pub(in crate::cli::crm) struct Arguments {
    /// The module's API name.
    #[arg(required_unless_present = "job")]
    module: Option<String>,
    /// The CSV file; its header has the fields' API names.
    #[arg(required_unless_present = "job")]
    file: Option<PathBuf>,
    /// Nothing new: what became of the rows of this job, which was made before.
    #[arg(long, value_name = "ID", conflicts_with_all = ["module", "file"])]
    job: Option<String>,
    /// What becomes of the rows.
    #[arg(long, value_enum, default_value = "insert")]
    operation: Operation,
    /// The field by which records are found: `id`, or a unique one. For update and upsert.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Empty cells leave a field as it is.
    #[arg(long)]
    ignore_empty: bool,
    /// Print a line for each row, not only for those that were not written.
    #[arg(long)]
    each: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Operation {
    Insert,
    Update,
    Upsert,
}

/// A file on its way.
struct Import {
    client: Client,
    outcome: Outcome,
    watch: Watch,
    /// Rows of the file that are in a job.
    sent: u64,
}

/// What became of all rows so far.
struct Outcome {
    rows: Rows<BufWriter<Stdout>>,
    each: bool,
    written: u64,
    failed: u64,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let operation = match arguments.operation {
        Operation::Insert => WriteOperation::Insert,
        Operation::Update => WriteOperation::Update,
        Operation::Upsert => WriteOperation::Upsert,
    };
    let watch = Watch::new("reading the file")?;
    let mut import = Import {
        client: session.client.clone(),
        outcome: Outcome {
            rows: Rows::new(session.format, Some(columns(&COLUMNS))),
            each: arguments.each,
            written: 0,
            failed: 0,
        },
        watch: watch.clone(),
        sent: 0,
    };
    let resume = |job: &str| {
        format!(
            "job {job} goes on at Zoho: `zohook crm bulk write --job {job}` tells what becomes of its rows, for a week"
        )
    };
    let (Some(module), Some(file)) = (&arguments.module, &arguments.file) else {
        let job = arguments.job.context("a module and a file, or --job")?;
        let work = import.end_of(&job);
        watch.over(work, resume).await?;
        return import.outcome.finish();
    };
    if operation != WriteOperation::Insert && arguments.by.is_none() {
        return Err(wrong("--by says by which field the records are found"));
    }
    let write = |resource| {
        let mut write = BulkWrite::new(operation, resource);
        write.ignore_empty = arguments.ignore_empty.then_some(true);
        for resource in &mut write.resources {
            resource.find_by.clone_from(&arguments.by);
        }
        write
    };
    let work = import.all_of(file, |file_id, part| {
        write(WriteResource::of(module, file_id, part))
    });
    let done = watch.over(work, resume).await;
    if let Err(error) = done {
        // What has come is worth having.
        if import.outcome.written + import.outcome.failed > 0 {
            import.outcome.rows.finish()?;
        }
        return Err(match import.sent {
            0 => error,
            sent => error.context(format!("the rows after {sent} of the file were not sent")),
        });
    }
    import.outcome.finish()
}

impl Import {
    /// Job after job.
    async fn all_of(
        &mut self,
        file: &Path,
        order: impl Fn(&str, &CsvZip) -> BulkWrite,
    ) -> anyhow::Result<()> {
        let mut parts = CsvZip::parts_of_file(file);
        let mut zgid = None;
        while let Some(part) = parts.try_next().await.with_context(|| shown(file))? {
            let zgid = if let Some(known) = &zgid {
                known
            } else {
                let asked = self.client.org().await?.zgid;
                zgid.insert(asked.context("zoho does not say the org's number")?)
            };
            check(&part).with_context(|| shown(file))?;
            let count = part.rows();
            let bar = &self.watch.bar;
            bar.set_message(format!("uploading {count} rows"));
            let file_id = self.client.upload_csv(&part, zgid).await?;
            let job = self
                .client
                .create_bulk_write(&order(&file_id, &part))
                .await?;
            self.watch.started(&job);
            self.sent += u64::try_from(count)?;
            self.end_of(&job).await?;
        }
        anyhow::ensure!(self.sent > 0, "{} has no rows", shown(file));
        Ok(())
    }

    /// Waits for a job, and takes what became of its rows.
    async fn end_of(&mut self, id: &str) -> anyhow::Result<()> {
        self.watch.started(id);
        let wait = self.watch.wait();
        let job = self.client.wait_for_bulk_write(id, &wait).await;
        let job = job.with_context(|| format!("job {id}"))?;
        if job.state != JobState::Completed && job.download_url.is_none() {
            self.watch.ended();
            let code = job.resources.first().map_or("none", |it| it.code.as_str());
            anyhow::bail!("job {id}: zoho did not do it: {code}");
        }
        let rows = self.client.bulk_write_rows(&job, &wait).await;
        self.outcome
            .add(rows.with_context(|| format!("job {id}"))?)
            .await?;
        self.watch.ended();
        Ok(())
    }
}

/// Before anything is sent.
fn check(part: &CsvZip) -> anyhow::Result<()> {
    match part.columns().iter().find(|it| !is_api_name(it)) {
        None => Ok(()),
        Some(name) => anyhow::bail!(
            "`{name}` in the header is no field's API name; the columns are separated by commas"
        ),
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

impl Outcome {
    async fn add(&mut self, mut rows: Listing<WriteRow>) -> anyhow::Result<()> {
        while let Some(found) = rows.try_next().await? {
            let number = self.written + self.failed + 1;
            let done = match found.state {
                RowState::Added | RowState::Updated => true,
                RowState::Skipped | RowState::Unprocessed | RowState::Other => false,
            };
            if done {
                self.written += 1;
            } else {
                self.failed += 1;
            }
            if self.each || !done {
                self.rows.add(row_of(number, found))?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<ExitCode> {
        self.rows.finish()?;
        let written = super::rows(self.written);
        complain(&format!("{written} written, {} not written", self.failed));
        Ok(if self.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FAILED)
        })
    }
}

fn row_of(number: u64, found: WriteRow) -> Values {
    let status = match found.state {
        RowState::Added => "inserted",
        RowState::Updated => "updated",
        RowState::Skipped => "failed",
        RowState::Unprocessed => "not processed",
        RowState::Other => "unknown",
    };
    let errors = found.errors.iter().map(|it| match &it.column {
        Some(column) => format!("{} ({column})", it.code),
        None => it.code.to_string(),
    });
    let errors = errors.collect::<Vec<_>>().join(", ");
    row([
        ("row", number.into()),
        ("status", status.into()),
        ("id", found.record_id.map_or(Value::Null, Value::from)),
        ("errors", errors.into()),
    ])
}
