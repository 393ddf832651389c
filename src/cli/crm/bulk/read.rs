//! `zohook crm bulk read`.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use futures_util::TryStreamExt;
use serde_json::{Map, Value};
use zoho_crm::{
    Listing,
    bulk::{BulkRead, Comparator, ReadCriteria, Row},
};

use crate::cli::{
    complain,
    crm::{Session, wrong},
    output::Format,
    progress,
};

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
    let bar = progress::waiting("making a job")?;
    let rows = session.client.bulk_read_rows(&read, &super::waiting(&bar));
    let count = match arguments.out {
        None => {
            let mut out = BufWriter::new(io::stdout());
            let count = write(rows, &mut out, json, &bar).await?;
            out.flush()?;
            count
        }
        Some(path) => into_file(rows, &path, json, &bar).await?,
    };
    bar.finish_and_clear();
    complain(&format!("{count} rows"));
    Ok(ExitCode::SUCCESS)
}

/// Under another name until it is complete.
async fn into_file(
    rows: Listing<Row>,
    path: &Path,
    json: bool,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<u64> {
    anyhow::ensure!(
        !path.exists(),
        "{} is there already: take it away first",
        path.display()
    );
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = File::create(&part).with_context(|| format!("cannot make {}", part.display()))?;
    let mut out = BufWriter::new(file);
    let count = write(rows, &mut out, json, bar).await?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    fs::rename(&part, path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(count)
}

async fn write(
    mut rows: Listing<Row>,
    out: &mut impl Write,
    json: bool,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<u64> {
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        if json {
            // One line each: a list of millions could not be read back.
            let pairs = row
                .iter()
                .map(|(name, cell)| (name.to_owned(), cell.into()));
            let values: Map<String, Value> = pairs.collect();
            writeln!(out, "{}", serde_json::to_string(&values)?)?;
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
    csv.write_record(cells)?;
    csv.flush().context("cannot write")
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
