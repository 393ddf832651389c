//! The file: lock, open, format, and what its errors mean.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use crate::store::error::{Refusal, StoreError};

/// The steps from an empty file to the format this program writes, which is their number. A new file takes all of them,
/// an older one those that it lacks, a newer one is refused. A step is never changed once it was released.
const STEPS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("format_2_own_writes.sql"),
    include_str!("format_3_deletes.sql"),
    include_str!("format_4_token_requests.sql"),
];
/// Written into the file's header: "zohk".
const APPLICATION_ID: i64 = 0x7a6f_686b;
/// Bytes of a page; set when the file is made. Against 4 KiB: a seventh less CPU per event, rows of 1 KiB leave less of
/// a page empty (docs/decisions/0002-store-layout.md).
pub(super) const PAGE_BYTES: u64 = 8192;
/// How long a connection waits for a lock of another connection of ours.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Statements kept prepared.
const STATEMENTS_MAX: usize = 96;

/// Holds the store's lock while it lives.
#[derive(Debug)]
pub(in crate::store) struct Lock {
    _file: File,
}

/// Takes the lock file beside the store.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let unusable = |detail: String| StoreError::Unusable { detail };
    let directory = directory(path);
    make_directory(&directory)
        .map_err(|error| unusable(format!("cannot make {}: {error}", directory.display())))?;
    let path = &one_name(path).map_err(unusable)?;
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| unusable(format!("cannot open {}: {error}", lock_path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(unusable(format!(
            "{} is held by another process: one router at a time may use {}",
            lock_path.display(),
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unusable(format!(
            "cannot lock {}: {error}; does its filesystem have locks?",
            lock_path.display()
        ))),
    }
}

/// The same for whoever means the same file, so that its lock is the same too.
fn one_name(path: &Path) -> Result<PathBuf, String> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(error) => return Err(format!("cannot look at {}: {error}", path.display())),
    };
    if metadata.nlink() > 1 {
        return Err(format!(
            "{} has other names (hard links), under which another router could open it: leave one",
            path.display()
        ));
    }
    path.canonicalize()
        .map_err(|error| format!("cannot find where {} is: {error}", path.display()))
}

/// Opens or creates the file, and migrates it.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path).map_err(|error| unusable(path, &error))?;
    let format = prepare_format(&connection).map_err(|error| unusable(path, &error))?;
    if format > STEPS.len() {
        return Err(StoreError::Unusable {
            detail: format!(
                "{} has format {format}, this version knows up to {}: use a newer version",
                path.display(),
                STEPS.len()
            ),
        });
    }
    sync_directory(path).map_err(|error| StoreError::Unusable {
        detail: format!("cannot fsync the directory of {}: {error}", path.display()),
    })?;
    Ok(connection)
}

/// Opens the file anew after its disk failed: what the log holds must reach the file first.
pub(super) fn reopen(path: &Path) -> Result<Connection, Fault> {
    let connection = connect(path)?;
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(Fault::Disk("the log is in use".to_owned()));
    }
    Ok(connection)
}

/// A connection for reading only.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    keep_statements(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2048;")?;
    Ok(connection)
}

/// A connection for checkpoints.
pub(super) fn connect_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.execute_batch("PRAGMA synchronous = FULL;")?;
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    keep_statements(&connection)?;
    connection.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES};"))?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some("the filesystem cannot hold a write-ahead log".to_owned()),
        ));
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -16384;",
    )?;
    Ok(connection)
}

/// A prepared statement stays prepared: without the guarantee SQLite plans some of them anew each time a value is bound
/// (its statistics are compiled in), which was a fifth of the writer's time.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes or migrates the tables; gives the format of the file, which is newer than ours where nothing was done.
fn prepare_format(connection: &Connection) -> rusqlite::Result<usize> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    for (at, step) in STEPS.iter().enumerate().skip(found) {
        let format = at + 1;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;\n{step}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {format};\nCOMMIT;",
        ))?;
        if found > 0 {
            tracing::info!(format, "the store was brought to a newer format");
        }
    }
    Ok(found.max(STEPS.len()))
}

/// Each that is made is fsynced into the one above, else a power loss could take the store with its directory.
fn make_directory(directory: &Path) -> std::io::Result<()> {
    let is_missing = |it: &&Path| !it.as_os_str().is_empty() && !it.is_dir();
    let missing: Vec<_> = directory.ancestors().take_while(is_missing).collect();
    fs::create_dir_all(directory)?;
    for made in missing {
        File::open(parent(made))?.sync_all()?;
    }
    Ok(())
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(directory(path))?.sync_all()
}

fn directory(path: &Path) -> PathBuf {
    parent(path).to_owned()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

fn unusable(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::Unusable {
        detail: format!("{}: {error}", path.display()),
    }
}

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No room: roll back, go on.
    Full,
    /// Anything else: what was written is unknown, open anew.
    Disk(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            Self::Full
        } else {
            Self::Disk(error.to_string())
        }
    }
}

impl From<&Fault> for Refusal {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Full => Self::DiskFull,
            Fault::Disk(detail) => Self::Io(detail.clone()),
        }
    }
}
