//! Files: attachments of records, their photos, and files on their own for file fields and mails.

mod attachments;
mod photo;
mod store;
mod upload;

pub use self::{
    attachments::{ATTACHMENT_BYTES_MAX, Attachment},
    photo::PHOTO_BYTES_MAX,
    store::{FILE_BYTES_MAX, FILES_MAX},
    upload::Upload,
};

use crate::{Download, Error};

/// A file that is there, or none.
fn there(opened: Result<Download, Error>) -> Result<Option<Download>, Error> {
    match opened {
        Ok(download) if download.is_nothing() => Ok(None),
        Ok(download) => Ok(Some(download)),
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error),
    }
}
