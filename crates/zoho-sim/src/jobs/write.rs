//! The work of a bulk write: rows, some at a time, into records, and a zip that says which.

use std::io::{Cursor, Read, Write};

use bytes::Bytes;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    shared::Shared,
    world::{
        World,
        bulk_write::{Part, WriteJob},
        import::{Import, Mapping, ROWS_AT_ONCE, Row},
        jobs::Failed,
        notify::Callback,
    },
};

/// Rows of a file. Zoho: "Bulk write limitations", v8.
const ROWS_MAX: usize = 25_000;
/// Columns of a file. Same source.
const COLUMNS_MAX: usize = 200;
/// Bytes of a file, unpacked.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Columns of the file that the result repeats. Zoho: "Download bulk write result", v8.
const COLUMNS_REPEATED: usize = 3;

pub(super) async fn run(shared: &Shared, id: u64) {
    let job = shared.world(|world| world.jobs.writes.get(&id).cloned());
    let Some(job) = job else {
        return;
    };
    let written = if job.order.fails {
        None
    } else {
        write(shared, id, &job).await.ok()
    };
    shared.world(|world| finish(world, id, written));
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[error("not written")]
enum Unwritten {
    Csv(#[from] csv::Error),
    Zip(#[from] zip::result::ZipError),
    Io(#[from] std::io::Error),
}

/// A file, read.
struct Sheet {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

async fn write(shared: &Shared, id: u64, job: &WriteJob) -> Result<Bytes, Unwritten> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (at, part) in job.parts.iter().enumerate() {
        let file = shared.world(|world| {
            let file = world.jobs.upload(part.upload);
            file.and_then(|it| world.papers.file(it))
                .map(|it| it.bytes.clone())
        });
        match read(&file.unwrap_or_default(), part) {
            Err(code) => shared.world(|world| {
                if let Some(part) = part_of(world, id, at) {
                    part.refused = Some(code);
                }
            }),
            Ok(sheet) => {
                let result = write_sheet(shared, (id, at), &part.import, &sheet).await?;
                zip.start_file(result_name(part), options)?;
                zip.write_all(&result)?;
            }
        }
    }
    Ok(Bytes::from(zip.finish()?.into_inner()))
}

/// Zoho: "the filename would be in the modulename-filename format".
fn result_name(part: &Part) -> String {
    let name = part.file_name.as_deref().unwrap_or("bulkwrite.csv");
    let name = name.rsplit('/').next().unwrap_or(name);
    format!("{}-{name}", part.import.module)
}

/// The file of a part, or the code that says why it cannot be written.
fn read(zipped: &[u8], part: &Part) -> Result<Sheet, &'static str> {
    let invalid = "INVALID_FILE_FORMAT";
    let mut zip = ZipArchive::new(Cursor::new(zipped)).map_err(|_no_zip| invalid)?;
    let name = part.file_name.as_deref().unwrap_or_default();
    let file = zip.by_name(name).map_err(|_no_file| invalid)?;
    let mut bytes = vec![];
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let read = read.map_err(|_cut_off| invalid)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err("LIMIT_EXCEEDED");
    }
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut rows = reader.records();
    let cells =
        |it: csv::StringRecord| -> Vec<String> { it.iter().map(ToOwned::to_owned).collect() };
    let head = match rows.next() {
        // Before its cells are copied: there may be millions.
        Some(Ok(head)) if head.len() > COLUMNS_MAX => return Err("LIMIT_EXCEEDED"),
        Some(Ok(head)) => cells(head),
        Some(Err(_)) => return Err(invalid),
        None => return Err("EMPTY_FILE"),
    };
    let mut sheet = Sheet { head, rows: vec![] };
    for row in rows {
        let row = row.map_err(|_no_row| invalid)?;
        if row.len() > COLUMNS_MAX || sheet.rows.len() >= ROWS_MAX {
            return Err("LIMIT_EXCEEDED");
        }
        sheet.rows.push(cells(row));
    }
    Ok(sheet)
}

/// Writes the rows, and gives the CSV that says what became of each.
async fn write_sheet(
    shared: &Shared,
    (id, at): (u64, usize),
    import: &Import,
    sheet: &Sheet,
) -> Result<Vec<u8>, Unwritten> {
    let mut import = import.clone();
    if import.columns.is_empty() {
        import.columns = shared.world(|world| {
            let table = world.tables.get(&import.module);
            table.map_or_else(Vec::new, |it| Mapping::by_head(&it.module, &sheet.head))
        });
    }
    let repeated: Vec<&Mapping> = import
        .columns
        .iter()
        .filter(|it| it.index < sheet.head.len())
        .take(COLUMNS_REPEATED)
        .collect();
    let mut result = csv::Writer::from_writer(vec![]);
    let head = repeated.iter().map(|it| title(sheet, it));
    result.write_record(head.chain(["STATUS", "RECORD_ID", "ERRORS"]))?;
    for rows in sheet.rows.chunks(ROWS_AT_ONCE) {
        let done = shared.world(|world| {
            let done = world.import(&import, rows);
            if let Some(part) = part_of(world, id, at) {
                for row in &done {
                    part.counts.add(row);
                }
            }
            done
        });
        for (row, done) in rows.iter().zip(&done) {
            let cells = repeated
                .iter()
                .map(|it| row.get(it.index).map_or("", |it| it.as_str()));
            let (status, record, errors) = told(&import, sheet, done);
            result.write_record(cells.chain([status, record.as_str(), errors.as_str()]))?;
        }
        // Calls want their turn.
        tokio::task::yield_now().await;
    }
    Ok(result
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?)
}

/// The last three columns of a row.
fn told(import: &Import, sheet: &Sheet, row: &Row) -> (&'static str, String, String) {
    match row {
        Row::Added(id) => ("ADDED", id.to_string(), String::new()),
        Row::Updated(id) => ("UPDATED", id.to_string(), String::new()),
        Row::Skipped(code, field) => {
            let column = import.columns.iter().find(|it| it.field == *field);
            let title = column.map_or(field.as_str(), |it| title(sheet, it));
            ("SKIPPED", String::new(), format!("{code}-{title}"))
        }
    }
}

fn title<'a>(sheet: &'a Sheet, column: &'a Mapping) -> &'a str {
    sheet.head.get(column.index).unwrap_or(&column.field)
}

fn part_of(world: &mut World, id: u64, at: usize) -> Option<&mut Part> {
    world.jobs.writes.get_mut(&id)?.parts.get_mut(at)
}

fn finish(world: &mut World, id: u64, written: Option<Bytes>) {
    let org = world.org;
    let kept = written.and_then(|zip| world.papers.keep(org, &format!("{id}.zip"), zip).ok());
    let Some(job) = world.jobs.writes.get_mut(&id) else {
        return;
    };
    job.done = Some(kept.ok_or(Failed));
    if let Some(url) = job.order.callback.clone()
        && let Some(body) = world.write_job(id)
    {
        world.queue(0, Callback::json(url, &body, id));
    }
}
