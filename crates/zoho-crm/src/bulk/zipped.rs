//! The result of a bulk job: a zip, kept in a file without a name until it is read, and unpacked piece by piece.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    sync::Arc,
    vec,
};

use bytes::{Bytes, BytesMut};
use flate2::{Crc, read::DeflateDecoder};
use futures_util::{StreamExt, stream};
use tokio::io::AsyncWriteExt;
use zip::{CompressionMethod, ZipArchive};

use super::rows::{self, Row};
use crate::{Download, Error, Listing};

/// Bytes of a zip. Zoho's largest have 200,000 records.
pub(super) const RESULT_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of all files of a zip together.
const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Files of one zip.
const FILES_MAX: usize = 100;

/// Bytes unpacked in one go where a file is read as bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Files that came in a zip, packed as they are, in a file of the system's temporary folder that has no name and goes
/// with this.
#[derive(Debug)]
pub struct Unzipped {
    zip: File,
    files: vec::IntoIter<Packed>,
}

/// Where a file is within a zip.
#[derive(Debug)]
struct Packed {
    name: String,
    start: u64,
    length: u64,
    bytes: u64,
    crc: u32,
    is_deflated: bool,
}

impl Unzipped {
    /// Takes a download in, on a disk, and looks at what is in it.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is not a zip, or one that cannot be read; [`Error::File`] when the temporary
    /// folder cannot be written; else those of the download.
    pub async fn of(download: Download) -> Result<Self, Error> {
        Self::with_progress(download, |_| ()).await
    }

    /// As [`Self::of`]; `told` is given the number of bytes so far.
    pub(super) async fn with_progress(
        mut download: Download,
        told: impl Fn(u64),
    ) -> Result<Self, Error> {
        if download.is_nothing() {
            return Self::of_nothing().await;
        }
        let zip = on_a_thread(tempfile::tempfile).await?.map_err(unwritable)?;
        let mut zip = tokio::fs::File::from_std(zip);
        let mut bytes = 0_u64;
        while let Some(piece) = download.chunk().await? {
            zip.write_all(&piece).await.map_err(unwritable)?;
            bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            told(bytes);
        }
        zip.flush().await.map_err(unwritable)?;
        drop(download);
        let zip = zip.into_std().await;
        on_a_thread(move || Self::look(zip)).await?
    }

    /// The names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.as_slice().iter().map(|it| it.name.as_str())
    }

    /// How many bytes the files have together.
    pub fn bytes(&self) -> u64 {
        self.files.as_slice().iter().map(|it| it.bytes).sum()
    }

    /// The rows of the CSV files, one file after another; a few hundred are in memory at a time.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is not CSV or was damaged on its way; the stream ends with it.
    pub fn rows(self) -> Listing<Row> {
        rows::stream(self)
    }

    /// The bytes of the files, one file after another, for what is not CSV.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn into_stream(self) -> Listing<Bytes> {
        let pieces = stream::try_unfold((self, None), |(mut zip, open)| async move {
            on_a_thread(move || {
                let mut open: Option<Unpacking> = open;
                loop {
                    let Some(file) = &mut open else {
                        open = zip.next_file()?;
                        if open.is_none() {
                            return Ok(None);
                        }
                        continue;
                    };
                    let piece = file.piece().map_err(unreadable)?;
                    if !piece.is_empty() {
                        return Ok(Some((piece, (zip, open))));
                    }
                    open = None;
                }
            })
            .await?
        });
        pieces.boxed()
    }

    /// The next file, from its start.
    pub(super) fn next_file(&mut self) -> Result<Option<Unpacking>, Error> {
        let Some(packed) = self.files.next() else {
            return Ok(None);
        };
        // The handles share their place in the file: one file is read after another.
        let mut zip = self.zip.try_clone().map_err(unreadable)?;
        zip.seek(SeekFrom::Start(packed.start))
            .map_err(unreadable)?;
        let packed_bytes = BufReader::new(zip.take(packed.length));
        Ok(Some(Unpacking {
            content: if packed.is_deflated {
                Content::Deflated(DeflateDecoder::new(packed_bytes))
            } else {
                Content::Stored(packed_bytes)
            },
            crc: Crc::new(),
            expected: packed.crc,
            left: packed.bytes,
            allowed: usize::MAX,
        }))
    }

    async fn of_nothing() -> Result<Self, Error> {
        let zip = on_a_thread(tempfile::tempfile).await?.map_err(unwritable)?;
        Ok(Self {
            zip,
            files: vec![].into_iter(),
        })
    }

    fn look(zip: File) -> Result<Self, Error> {
        let not_a_zip = |_: &_| Error::Malformed {
            problem: "a result that is not a zip",
        };
        let twin = zip.try_clone().map_err(unreadable)?;
        let mut archive = ZipArchive::new(BufReader::new(twin)).map_err(|it| not_a_zip(&it))?;
        if archive.len() > FILES_MAX {
            return Err(Error::Malformed {
                problem: "a zip of too many files",
            });
        }
        let mut files = Vec::with_capacity(archive.len());
        for at in 0..archive.len() {
            let file = archive.by_index_raw(at).map_err(|it| not_a_zip(&it))?;
            if file.is_dir() {
                continue;
            }
            let is_deflated = file.compression() == CompressionMethod::Deflated;
            let is_known = is_deflated || file.compression() == CompressionMethod::Stored;
            let start = file.data_start();
            let (true, false, Some(start)) = (is_known, file.encrypted(), start) else {
                return Err(Error::Malformed {
                    problem: "a zip that is packed in an unusual way",
                });
            };
            files.push(Packed {
                name: file.name().map_err(|it| not_a_zip(&it))?.into_owned(),
                start,
                length: file.compressed_size(),
                bytes: file.size(),
                crc: file.crc32(),
                is_deflated,
            });
        }
        let bytes = files
            .iter()
            .fold(0_u64, |sum, it| sum.saturating_add(it.bytes));
        if bytes > UNPACKED_BYTES_MAX {
            return Err(Error::Malformed {
                problem: "a zip of too many bytes",
            });
        }
        Ok(Self {
            zip,
            files: files.into_iter(),
        })
    }
}

/// A file of a zip being unpacked: fails when it has other bytes than were packed, or more than are allowed.
pub(super) struct Unpacking {
    content: Content,
    crc: Crc,
    expected: u32,
    /// Bytes to come.
    left: u64,
    /// Bytes that may come before more are allowed.
    allowed: usize,
}

enum Content {
    Stored(BufReader<io::Take<File>>),
    Deflated(DeflateDecoder<BufReader<io::Take<File>>>),
}

impl Unpacking {
    /// So many bytes may come from now on.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.allowed = bytes;
    }

    /// The next bytes; none at the end.
    fn piece(&mut self) -> io::Result<Bytes> {
        let mut piece = BytesMut::zeroed(PIECE_BYTES);
        let read = self.read(&mut piece)?;
        piece.truncate(read);
        Ok(piece.freeze())
    }
}

impl Read for Unpacking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = into.len().min(self.allowed);
        let Some(into) = into.get_mut(..wanted).filter(|it| !it.is_empty()) else {
            return Err(damaged());
        };
        let read = match &mut self.content {
            Content::Stored(content) => content.read(into)?,
            Content::Deflated(content) => content.read(into)?,
        };
        if read == 0 {
            let is_whole = self.left == 0 && self.crc.sum() == self.expected;
            return if is_whole { Ok(0) } else { Err(damaged()) };
        }
        self.crc.update(into.get(..read).unwrap_or_default());
        let bytes = u64::try_from(read).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(bytes).ok_or_else(damaged)?;
        self.allowed = self.allowed.saturating_sub(read);
        Ok(read)
    }
}

fn damaged() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

/// Does what may wait for a disk where that holds nobody up.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|stopped| Error::File {
        problem: "a file was not worked on to its end",
        source: Some(Arc::new(io::Error::other(stopped))),
    })
}

/// A failure to read a result that is here: its own, or the disk's.
pub(super) fn unreadable(source: io::Error) -> Error {
    let is_damaged = matches!(
        source.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    );
    if is_damaged {
        return Error::Malformed {
            problem: "a damaged result",
        };
    }
    Error::File {
        problem: "a result in the temporary folder cannot be read",
        source: Some(Arc::new(source)),
    }
}

fn unwritable(source: io::Error) -> Error {
    Error::File {
        problem: "a result cannot be kept in the temporary folder",
        source: Some(Arc::new(source)),
    }
}
