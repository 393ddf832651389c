//! A file on its way to Zoho: from memory, or from a disk piece by piece.

use std::{fmt, io, path::PathBuf, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use reqwest::{
    Body,
    multipart::{Form, Part},
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, Take},
};

use crate::{Client, Error};

/// Bytes of a file held in memory while it is sent.
const PIECE_BYTES: usize = 64 * 1024;

/// A file to be sent. It is read anew whenever it is sent, and never held in memory as a whole unless given so.
#[derive(Clone)]
pub struct Upload {
    name: String,
    bytes: u64,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Held(Bytes),
    OnDisk(PathBuf),
}

impl Upload {
    /// Bytes in memory, under a file name with its extension.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the name is empty or there is nothing in it.
    pub fn of_bytes(name: &str, bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self::new(name, length, Content::Held(bytes))
    }

    /// A file on a disk, under its own name. It must stay as it is until it is sent.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be looked at; [`Error::Misuse`] when it is empty or not a file.
    pub async fn of_file(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let seen = tokio::fs::metadata(&path).await;
        let seen = seen.map_err(|source| Error::File {
            problem: "the file to send cannot be looked at",
            source: Some(Arc::new(source)),
        })?;
        if !seen.is_file() {
            return Err(Client::wrong("what is to be sent is not a file"));
        }
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned());
        Self::new(&name.unwrap_or_default(), seen.len(), Content::OnDisk(path))
    }

    /// The same file under another name.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the name is empty.
    pub fn named(self, name: &str) -> Result<Self, Error> {
        Self::new(name, self.bytes, self.content)
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(name: &str, bytes: u64, content: Content) -> Result<Self, Error> {
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Client::wrong("a file to send needs a name"));
        }
        if bytes == 0 {
            return Err(Client::wrong("a file to send has nothing in it"));
        }
        Ok(Self {
            name: name.to_owned(),
            bytes,
            content,
        })
    }

    /// Refuses a file that is larger than Zoho takes.
    pub(crate) fn fits(&self, bytes_max: u64) -> Result<(), Error> {
        if self.bytes <= bytes_max {
            return Ok(());
        }
        Err(Client::wrong("the file is larger than zoho takes"))
    }

    pub(crate) fn part(&self) -> Part {
        let body = match &self.content {
            Content::Held(bytes) => Body::from(bytes.clone()),
            Content::OnDisk(path) => from_disk(path.clone(), self.bytes),
        };
        Part::stream_with_length(body, self.bytes).file_name(self.name.clone())
    }

    /// A form with this as its only part, `file`.
    pub(crate) fn form(&self) -> Form {
        Form::new().part("file", self.part())
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

enum Reading {
    Closed(PathBuf, u64),
    Open(Take<File>),
}

/// The file's bytes, opened when the first are needed; a file that has become shorter fails.
fn from_disk(path: PathBuf, bytes: u64) -> Body {
    Body::wrap_stream(stream::try_unfold(
        Reading::Closed(path, bytes),
        |reading| async move {
            let mut open = match reading {
                Reading::Closed(path, bytes) => File::open(path).await?.take(bytes),
                Reading::Open(open) => open,
            };
            if open.limit() == 0 {
                return Ok(None);
            }
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            if open.read_buf(&mut piece).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            Ok(Some((piece.freeze(), Reading::Open(open))))
        },
    ))
}
