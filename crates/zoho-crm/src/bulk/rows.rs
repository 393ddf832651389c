//! CSV rows of a result, a few hundred at a time.

use std::sync::Arc;

use csv::{Reader, ReaderBuilder, StringRecord};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::zipped::{Unpacking, Unzipped, on_a_thread, unreadable};
use crate::{Error, Listing};

/// Rows read in one go.
const ROWS_AT_ONCE: usize = 500;

/// Bytes of rows after which no more are read in one go.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// Bytes of one row: 200 columns of the longest texts stay below.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A row of a CSV file, and the names of its columns.
#[derive(Clone)]
pub struct Row {
    columns: Arc<StringRecord>,
    cells: StringRecord,
}

impl Row {
    /// The cell in this column; `None` when there is no such column. What has no value is empty.
    pub fn get(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|it| it == column)?;
        self.cells.get(at)
    }

    /// The names of the columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter()
    }

    /// The cells, in the columns' order.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        self.cells.iter()
    }

    /// Columns with their cells.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().zip(self.cells.iter())
    }
}

/// Which columns there are, and nothing of what is in them.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row")
            .field("columns", &self.columns.len())
            .finish_non_exhaustive()
    }
}

/// All rows of all files.
pub(super) fn stream(zip: Unzipped) -> Listing<Row> {
    let reading = Reading { zip, open: None };
    let batches = stream::try_unfold(reading, |mut reading| async move {
        on_a_thread(move || {
            let rows = reading.some_rows()?;
            Ok::<_, Error>((!rows.is_empty()).then_some((rows, reading)))
        })
        .await?
    });
    let rows = batches.map_ok(|rows| stream::iter(rows.into_iter().map(Ok::<_, Error>)));
    rows.try_flatten().boxed()
}

struct Reading {
    zip: Unzipped,
    open: Option<Open>,
}

struct Open {
    columns: Arc<StringRecord>,
    reader: Reader<Unpacking>,
}

impl Reading {
    /// The next rows; none at the end.
    fn some_rows(&mut self) -> Result<Vec<Row>, Error> {
        let (mut rows, mut bytes) = (vec![], 0);
        while rows.len() < ROWS_AT_ONCE && bytes < BYTES_AT_ONCE {
            let Some(open) = &mut self.open else {
                let Some(file) = self.zip.next_file()? else {
                    break;
                };
                self.open = Some(Open::new(file)?);
                continue;
            };
            let Some(row) = open.row()? else {
                self.open = None;
                continue;
            };
            bytes += row.cells.as_slice().len();
            rows.push(row);
        }
        Ok(rows)
    }
}

impl Open {
    fn new(mut file: Unpacking) -> Result<Self, Error> {
        file.allow(ROW_BYTES_MAX);
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
        let columns = Arc::new(reader.headers().map_err(not_csv)?.clone());
        Ok(Self { columns, reader })
    }

    fn row(&mut self) -> Result<Option<Row>, Error> {
        self.reader.get_mut().allow(ROW_BYTES_MAX);
        let mut cells = StringRecord::new();
        let there = self.reader.read_record(&mut cells).map_err(not_csv)?;
        Ok(there.then(|| Row {
            columns: Arc::clone(&self.columns),
            cells,
        }))
    }
}

fn not_csv(error: csv::Error) -> Error {
    if let csv::ErrorKind::Io(source) = error.into_kind() {
        return unreadable(source);
    }
    Error::Malformed {
        problem: "a result that is not csv",
    }
}
