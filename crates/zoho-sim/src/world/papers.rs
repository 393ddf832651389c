//! What is kept beside the records: files, attachments, photos, mails.

use std::{
    collections::BTreeMap,
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::{World, jobs::Step, people::Who};

/// Bytes of all files together; further ones are refused.
const KEPT_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Files, attachments and mails kept, each; of mails the first ids go first.
const KEPT_MAX: usize = 100_000;

/// Everything kept beside the records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Papers {
    files: BTreeMap<String, Stored>,
    bytes: usize,
    serial: u64,
    pub(crate) attachments: BTreeMap<u64, Attachment>,
    /// File ids by record id.
    pub(crate) photos: BTreeMap<u64, String>,
    /// By message id.
    pub(crate) mails: BTreeMap<String, Mail>,
}

/// A file's name and content.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

/// A file or a link on a record.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) id: u64,
    pub(crate) module: String,
    pub(crate) parent: u64,
    pub(crate) name: String,
    /// In the files, unless it is a link.
    pub(crate) file: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) bytes: usize,
    pub(crate) at: Timestamp,
    pub(crate) by: Who,
}

/// A mail to a record.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) module: String,
    pub(crate) record: u64,
    /// Not so before its time.
    pub(crate) sent: bool,
    pub(crate) at: Timestamp,
    /// The mail as the call had it.
    pub(crate) sent_as: Value,
}

/// There is no room for another file.
#[derive(Debug, thiserror::Error)]
#[error("no room for another file")]
pub(crate) struct Full;

impl Papers {
    /// Keeps a file and gives its id: 64 hexadecimal digits, as Zoho's.
    pub(crate) fn keep(&mut self, org: u64, name: &str, bytes: Bytes) -> Result<String, Full> {
        if self.files.len() >= KEPT_MAX || self.bytes + bytes.len() > KEPT_BYTES_MAX {
            return Err(Full);
        }
        self.serial += 1;
        let id = opaque(org, 0, self.serial);
        self.bytes += bytes.len();
        self.files.insert(
            id.clone(),
            Stored {
                name: name.to_owned(),
                bytes,
            },
        );
        Ok(id)
    }

    pub(crate) fn file(&self, id: &str) -> Option<&Stored> {
        self.files.get(id)
    }

    pub(crate) fn drop_file(&mut self, id: &str) {
        if let Some(file) = self.files.remove(id) {
            self.bytes = self.bytes.saturating_sub(file.bytes.len());
        }
    }

    pub(crate) fn attach(&mut self, attachment: Attachment) -> Result<(), Full> {
        if self.attachments.len() >= KEPT_MAX {
            return Err(Full);
        }
        self.attachments.insert(attachment.id, attachment);
        Ok(())
    }

    /// Removes an attachment, and its file unless it was uploaded on its own.
    pub(crate) fn detach(&mut self, id: u64) -> bool {
        let Some(attachment) = self.attachments.remove(&id) else {
            return false;
        };
        if let Some(file) = attachment.file {
            self.drop_file(&file);
        }
        true
    }

    /// Attachments of a record, oldest first.
    pub(crate) fn of(&self, parent: u64) -> impl DoubleEndedIterator<Item = &Attachment> {
        self.attachments
            .values()
            .filter(move |it| it.parent == parent)
    }

    fn forget(&mut self, record: u64) {
        let gone: Vec<u64> = self.of(record).map(|it| it.id).collect();
        for id in gone {
            self.detach(id);
        }
        if let Some(photo) = self.photos.remove(&record) {
            self.drop_file(&photo);
        }
    }
}

impl World {
    /// Keeps a mail, sent now or at a time; gives its message id.
    pub(crate) fn keep_mail(
        &mut self,
        (module, record): (String, u64),
        sent_as: Value,
        scheduled: Option<Timestamp>,
    ) -> String {
        let now = self.clock.now();
        let serial = self.next_id();
        let id = opaque(self.org, 1, serial);
        if self.papers.mails.len() >= KEPT_MAX {
            self.papers.mails.pop_first();
        }
        let mail = Mail {
            module,
            record,
            sent: scheduled.is_none(),
            at: scheduled.unwrap_or(now),
            sent_as,
        };
        self.papers.mails.insert(id.clone(), mail);
        if let Some(at) = scheduled {
            let wait = at.duration_since(now).try_into().unwrap_or_default();
            let due = self.clock.monotonic().saturating_add(wait);
            self.jobs.schedule(due, Step::Mail(id.clone()));
        }
        id
    }

    /// A deleted record takes its notes, attachments and photo with it.
    pub(super) fn delete_papers(&mut self, record: u64, by: Who) {
        self.papers.forget(record);
        let notes: Vec<u64> = self.notes_of(record).collect();
        let stamp = self.stamp(by);
        if let Some(table) = self.tables.get_mut("Notes") {
            for note in notes {
                table.delete(note, stamp);
            }
        }
    }

    /// Ids of a record's notes, oldest first.
    pub(crate) fn notes_of(&self, record: u64) -> impl DoubleEndedIterator<Item = u64> {
        let id = record.to_string();
        let notes = self.tables.get("Notes").into_iter();
        notes
            .flat_map(super::table::Table::rows)
            .filter(move |note| {
                let parent = note.current.values.get("Parent_Id");
                parent.is_some_and(|it| it.get("id").and_then(Value::as_str) == Some(&id))
            })
            .map(|it| it.id)
    }
}

/// 64 hexadecimal digits that say nothing, always the same for the same numbers.
pub(crate) fn opaque(org: u64, first: u64, second: u64) -> String {
    let mut text = String::new();
    for part in 0..4_u8 {
        let mut hasher = DefaultHasher::new();
        (org, first, second, part).hash(&mut hasher);
        let written = write!(text, "{:016x}", hasher.finish());
        debug_assert!(written.is_ok());
    }
    text
}
