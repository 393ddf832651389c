//! Rows packed as Zoho takes them for a bulk write: a zip of one CSV file.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Cursor, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use csv::ByteRecord;
use futures_util::{StreamExt, stream};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{Client, Error, Listing, bulk::zipped::on_a_thread};

/// Rows of one file. Zoho: "Limitations of bulk write", v8; so are the numbers below.
pub const WRITE_ROWS_MAX: usize = 25_000;
/// Columns of one file.
pub const COLUMNS_MAX: usize = 200;
/// Bytes of one zip.
pub const ZIP_BYTES_MAX: usize = 25 * 1024 * 1024;

const TOO_LARGE: &str = "a zip for a bulk write has at most 25 MiB";

/// Up to [`WRITE_ROWS_MAX`] rows of up to [`COLUMNS_MAX`] columns, zipped; at most [`ZIP_BYTES_MAX`] bytes, in memory.
#[derive(Clone)]
pub struct CsvZip {
    name: String,
    columns: Vec<String>,
    rows: usize,
    zip: Bytes,
}

impl CsvZip {
    /// Rows from memory, under the name of a CSV file.
    ///
    /// # Errors
    /// [`Error::Misuse`] when they break a limit, or a row has more or fewer cells than there are columns.
    pub fn of_rows<R, C>(
        name: &str,
        columns: &[&str],
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self, Error>
    where
        R: IntoIterator<Item = C>,
        C: AsRef<[u8]>,
    {
        let mut packer = Packer::new(name, columns.iter().map(|it| (*it).to_owned()).collect())?;
        for row in rows {
            if packer.rows == WRITE_ROWS_MAX {
                return Err(Client::wrong("a bulk write has at most 25000 rows a file"));
            }
            packer.add(&row.into_iter().collect())?;
        }
        packer.finish()
    }

    /// A CSV file with a head, in as many parts as its rows need: `leads-1.csv`, `leads-2.csv`, … One part is in
    /// memory at a time.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read; [`Error::Misuse`] when it is not CSV or breaks a limit. The stream ends
    /// with the first.
    pub fn parts_of_file(path: impl Into<PathBuf>) -> Listing<Self> {
        let start = Source::Closed(path.into());
        stream::try_unfold(start, |source| async move {
            on_a_thread(move || {
                let mut parts = match source {
                    Source::Closed(path) => Parts::open(path)?,
                    Source::Open(parts) => parts,
                };
                let part = parts.next()?;
                Ok(part.map(|it| (it, Source::Open(parts))))
            })
            .await?
        })
        .boxed()
    }

    /// Its CSV file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names in its head.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows it has, the head not counted.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The zip.
    pub fn zip(&self) -> Bytes {
        self.zip.clone()
    }

    pub(super) fn zip_name(&self) -> String {
        format!("{}.zip", stem(&self.name))
    }
}

/// What is in it stays out.
impl fmt::Debug for CsvZip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvZip")
            .field("columns", &self.columns.len())
            .field("rows", &self.rows)
            .field("bytes", &self.zip.len())
            .finish_non_exhaustive()
    }
}

enum Source {
    Closed(PathBuf),
    Open(Box<Parts>),
}

/// A CSV file that becomes several.
struct Parts {
    stem: String,
    reader: csv::Reader<BufReader<File>>,
    columns: Vec<String>,
    part: usize,
    /// The first row of the next part.
    waiting: Option<ByteRecord>,
}

impl Parts {
    fn open(path: PathBuf) -> Result<Box<Self>, Error> {
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned());
        let file = File::open(path).map_err(|source| Error::File {
            problem: "the csv file cannot be opened",
            source: Some(Arc::new(source)),
        })?;
        let mut reader = csv::Reader::from_reader(BufReader::new(file));
        let columns = reader.headers().map_err(unreadable)?;
        let columns = columns.iter().map(ToOwned::to_owned).collect();
        let mut waiting = ByteRecord::new();
        let there = reader.read_byte_record(&mut waiting).map_err(unreadable)?;
        Ok(Box::new(Self {
            stem: stem(&name.unwrap_or_default()).to_owned(),
            reader,
            columns,
            part: 0,
            waiting: there.then_some(waiting),
        }))
    }

    fn next(&mut self) -> Result<Option<CsvZip>, Error> {
        let Some(first) = self.waiting.take() else {
            return Ok(None);
        };
        self.part += 1;
        let name = format!("{}-{}.csv", self.stem, self.part);
        let mut packer = Packer::new(&name, self.columns.clone())?;
        packer.add(&first)?;
        let mut row = ByteRecord::new();
        while self.reader.read_byte_record(&mut row).map_err(unreadable)? {
            if packer.rows == WRITE_ROWS_MAX {
                self.waiting = Some(row);
                break;
            }
            packer.add(&row)?;
        }
        packer.finish().map(Some)
    }
}

/// A zip being made.
struct Packer {
    name: String,
    columns: Vec<String>,
    rows: usize,
    writer: csv::Writer<ZipWriter<Bounded>>,
}

impl Packer {
    fn new(name: &str, columns: Vec<String>) -> Result<Self, Error> {
        let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
        if stem(name).is_empty() || !name.chars().all(plain) {
            return Err(Client::wrong("not the name of a csv file"));
        }
        if !(1..=COLUMNS_MAX).contains(&columns.len()) {
            return Err(Client::wrong("a bulk write has 1 to 200 columns"));
        }
        let mut zip = ZipWriter::new(Bounded::default());
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        zip.start_file(name, options)
            .map_err(|_too_large| Client::wrong(TOO_LARGE))?;
        let mut writer = csv::Writer::from_writer(zip);
        writer
            .write_record(&columns)
            .map_err(|it| unwritable(&it))?;
        Ok(Self {
            name: name.to_owned(),
            columns,
            rows: 0,
            writer,
        })
    }

    fn add(&mut self, row: &ByteRecord) -> Result<(), Error> {
        let written = self.writer.write_byte_record(row);
        written.map_err(|it| unwritable(&it))?;
        self.rows += 1;
        Ok(())
    }

    fn finish(self) -> Result<CsvZip, Error> {
        let zip = self.writer.into_inner();
        let zip = zip.map_err(|_too_large| Client::wrong(TOO_LARGE))?;
        let zip = zip.finish();
        let zip = zip.map_err(|_too_large| Client::wrong(TOO_LARGE))?;
        Ok(CsvZip {
            name: self.name,
            columns: self.columns,
            rows: self.rows,
            zip: zip.0.into_inner().into(),
        })
    }
}

/// Bytes in memory, never more than a zip may have.
#[derive(Default)]
struct Bounded(Cursor<Vec<u8>>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.get_ref().len() + bytes.len() > ZIP_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// `leads` of `leads.csv`.
fn stem(name: &str) -> &str {
    name.strip_suffix(".csv").unwrap_or(name)
}

fn unwritable(error: &csv::Error) -> Error {
    if matches!(error.kind(), csv::ErrorKind::UnequalLengths { .. }) {
        return Client::wrong("a row has more or fewer cells than columns");
    }
    Client::wrong(TOO_LARGE)
}

fn unreadable(error: csv::Error) -> Error {
    if let csv::ErrorKind::Io(source) = error.into_kind() {
        return Error::File {
            problem: "the csv file cannot be read",
            source: Some(Arc::new(source)),
        };
    }
    Client::wrong("the file is not csv with as many cells in each row as in its head")
}
