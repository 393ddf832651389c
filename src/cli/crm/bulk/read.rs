//! `zohook crm bulk read`.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use serde_json::{Map, Value};
use zoho_crm::{
    Client, Error, Listing,
    bulk::{BulkRead, Comparator, JobWait, ReadCriteria, Row},
};

use crate::cli::{
    complain,
    crm::{Session, wrong},
    output::Format,
};

use super::{part::Part, watch::Watch};

const CANNOT_WRITE: &str = "cannot write the output";

/// Rows between two moves of the bar.
const TOLD_ROWS: u64 = 1000;

#[derive(Debug, Args)]
pub(in crate::cli::crm) struct Arguments {
    /// The module's API name.
    module: String,
    /// API names with commas, Owner.email too; all columns by default.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    fields: Vec<String>,
    /// Which records: FIELD COMPARATOR VALUE, e.g. `Amount greater_than 1000`; a JSON list for in and between. Several
    /// must all hold.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// One of them will do.
    #[arg(long, requires = "conditions")]
    any: bool,
    /// Only what this custom view shows, by its id.
    #[arg(long, value_name = "ID")]
    view: Option<String>,
    /// Of a job that was made before, with the same other arguments: an export that was interrupted.
    #[arg(long, value_name = "ID")]
    job: Option<String>,
    /// Into this new file, which appears once it is complete; to stdout by default.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let read = BulkRead {
        fields: arguments.fields,
        criteria: criteria(&arguments.conditions, arguments.any)?,
        cvid: arguments.view,
        ..BulkRead::of(&arguments.module, &[])
    };
    let json = match session.format {
        Format::Json => true,
        // A table of so many rows helps nobody.
        Format::Csv | Format::Plain | Format::Table => false,
    };
    let part = arguments.out.as_deref().map(Part::of).transpose()?;
    let watch = Watch::new("making a job")?;
    let rows = match arguments.job {
        None => session.client.bulk_read_rows(&read, &watch.wait()),
        Some(job) => resumed(session.client.clone(), job, read, watch.wait()),
    };
    let work = async {
        match part {
            None => {
                let mut out = BufWriter::new(io::stdout());
                let count = write(
                    rows,
                    &mut out,
                    json,
                    (&watch.bar, io::stdout().is_terminal()),
                )
                .await?;
                out.flush().context(CANNOT_WRITE)?;
                anyhow::Ok(count)
            }
            Some(mut part) => {
                let count = write(rows, &mut part, json, (&watch.bar, false)).await?;
                part.keep()?;
                Ok(count)
            }
        }
    };
    let resume = |job: &str| {
        format!(
            "job {job} goes on at Zoho: the same command with --job {job} gets its rows, for a day"
        )
    };
    let count = watch.over(work, resume).await?;
    complain(&super::rows(count));
    Ok(ExitCode::SUCCESS)
}

/// The rows of a job that was made before, and of those after it.
fn resumed(client: Client, job: String, read: BulkRead, wait: JobWait) -> Listing<Row> {
    let start = async move {
        let job = client.wait_for_bulk_read(&job, &wait).await?;
        let files = client.bulk_read_files(&job, &wait).await?;
        let rest = match job.next_page() {
            Some(page) => client.bulk_read_rows(&BulkRead { page, ..read }, &wait),
            None => stream::empty().boxed(),
        };
        Ok::<_, Error>(files.rows().chain(rest))
    };
    stream::once(start).try_flatten().boxed()
}

/// `on_screen` when rows and bar would share a screen.
async fn write(
    mut rows: Listing<Row>,
    out: &mut impl Write,
    json: bool,
    (bar, on_screen): (&ProgressBar, bool),
) -> anyhow::Result<u64> {
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        if on_screen && !bar.is_finished() {
            bar.finish_and_clear();
        }
        if json {
            // One line each: a list of millions could not be read back.
            let pairs = row
                .iter()
                .map(|(name, cell)| (name.to_owned(), cell.into()));
            let values: Map<String, Value> = pairs.collect();
            writeln!(out, "{}", serde_json::to_string(&values)?).context(CANNOT_WRITE)?;
        } else {
            if count == 0 {
                line(out, row.columns())?;
            }
            line(out, row.cells())?;
        }
        count += 1;
        if count % TOLD_ROWS == 0 {
            bar.set_message(format!("{count} rows"));
        }
    }
    Ok(count)
}

fn line<'a>(out: &mut impl Write, cells: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(cells).context(CANNOT_WRITE)?;
    csv.flush().context(CANNOT_WRITE)
}

fn criteria(conditions: &[String], any: bool) -> anyhow::Result<Option<ReadCriteria>> {
    let mut all = vec![];
    for condition in conditions {
        let mut parts = condition.trim().splitn(3, ' ');
        let (Some(field), Some(word), Some(text)) = (parts.next(), parts.next(), parts.next())
        else {
            let text = format!("`{condition}` is not FIELD COMPARATOR VALUE");
            return Err(wrong(text));
        };
        let Some(comparator) = Comparator::parse(word) else {
            let known = Comparator::ALL.map(Comparator::as_str).join(", ");
            return Err(wrong(format!("`{word}` is not one of {known}")));
        };
        // Lists for `in` and `between`; whatever else is a text, as in the records.
        let value = match serde_json::from_str(text) {
            Ok(Value::Array(list)) => Value::Array(list),
            _ => Value::from(text),
        };
        all.push(ReadCriteria::is(field, comparator, value));
    }
    Ok(match (all.len(), any) {
        (0, _) => None,
        (1, _) => all.pop(),
        (_, true) => Some(ReadCriteria::Any(all)),
        (_, false) => Some(ReadCriteria::All(all)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_a_field_a_comparator_and_a_value() {
        let given = [
            "City equal New York".to_owned(),
            "Amount between [1, 2]".to_owned(),
        ];
        let expected = ReadCriteria::All(vec![
            ReadCriteria::is("City", Comparator::Equal, "New York"),
            ReadCriteria::is("Amount", Comparator::Between, json!([1, 2])),
        ]);
        assert!(criteria(&given, false).unwrap() == Some(expected));
        assert!(criteria(&[], false).unwrap().is_none());
        for bad in ["City", "City equal", "City is x"] {
            assert!(criteria(&[bad.to_owned()], false).is_err(), "{bad}");
        }
    }
}
