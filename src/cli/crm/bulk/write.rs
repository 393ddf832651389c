//! `zohook crm bulk write`.

use std::{
    io::{BufWriter, Stdout},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use futures_util::TryStreamExt;
use serde_json::Value;
use zoho_crm::{
    Listing, Values,
    bulk::{BulkWrite, CsvZip, JobState, RowState, WriteOperation, WriteResource, WriteRow},
};

use crate::cli::{
    FAILED, complain,
    crm::{Session, wrong},
    output::{Rows, columns, row},
    progress,
};

const COLUMNS: [&str; 4] = ["row", "status", "id", "errors"];

#[derive(Debug, Args)]
pub(in crate::cli::crm) struct Arguments {
    /// The module's API name.
    module: String,
    /// The CSV file; its header has the fields' API names.
    file: PathBuf,
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
    if operation != WriteOperation::Insert && arguments.by.is_none() {
        return Err(wrong("--by says by which field the records are found"));
    }
    let bar = progress::waiting("reading the file")?;
    let org = session.client.org().await?;
    let zgid = org.zgid.context("zoho does not say the org's number")?;
    let mut outcome = Outcome {
        rows: Rows::new(session.format, Some(columns(&COLUMNS))),
        each: arguments.each,
        written: 0,
        failed: 0,
    };
    let wait = super::waiting(&bar);
    let mut parts = CsvZip::parts_of_file(&arguments.file);
    while let Some(part) = parts.try_next().await.context("the file")? {
        bar.set_message(format!("uploading {} rows", part.rows()));
        let file = session.client.upload_csv(&part, &zgid).await?;
        let mut resource = WriteResource::of(&arguments.module, &file, &part);
        resource.find_by.clone_from(&arguments.by);
        let mut write = BulkWrite::new(operation, resource);
        write.ignore_empty = arguments.ignore_empty.then_some(true);
        let id = session.client.create_bulk_write(&write).await?;
        let before = outcome.written + outcome.failed;
        let done = async {
            let job = session.client.wait_for_bulk_write(&id, &wait).await?;
            anyhow::ensure!(
                job.state == JobState::Completed || job.download_url.is_some(),
                "zoho did not do it: {}",
                job.resources.first().map_or("none", |it| it.code.as_str())
            );
            let rows = session.client.bulk_write_rows(&job, &wait).await?;
            outcome.add(rows).await
        };
        done.await
            .with_context(|| format!("job {id}, the rows after {before}"))?;
    }
    bar.finish_and_clear();
    outcome.finish()
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
        complain(&format!(
            "{} rows written, {} not written",
            self.written, self.failed
        ));
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
