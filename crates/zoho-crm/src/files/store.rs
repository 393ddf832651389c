//! Files on their own: for file fields, mails and pictures in texts.

use reqwest::multipart::Form;

use super::{Upload, there};
use crate::{
    Batch, Call, Client, Download, Error,
    parts::written_id,
    request::{ApiRequest, Cost},
};

/// Files of one upload. Zoho: "Upload files", v8.
pub const FILES_MAX: usize = 10;

/// Bytes of a file. Zoho: "Upload files", v8.
pub const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// The longest id of a file that is taken; those seen have 64 characters.
const ID_CHARS_MAX: usize = 200;

impl Client {
    /// Uploads up to [`FILES_MAX`] files and gives their ids, for file fields and mails. Not sent again unless it was
    /// certainly not carried out.
    ///
    /// Zoho: "Upload files", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when there are too many or one is larger than [`FILE_BYTES_MAX`]; else as the
    /// variants say. Each file has its own result.
    pub async fn upload_files(&self, files: &[Upload]) -> Result<Batch<String>, Error> {
        if !(1..=FILES_MAX).contains(&files.len()) {
            return Err(Self::wrong("an upload takes 1 to 10 files"));
        }
        for file in files {
            file.fits(FILE_BYTES_MAX)?;
        }
        let form = || {
            let parts = files.iter().map(Upload::part);
            Ok(parts.fold(Form::new(), |form, part| form.part("file", part)))
        };
        let request = ApiRequest::post(&["files"]).multipart(&form).items("data");
        let results = self
            .send_items(Call::FilesUpload, Cost::ONE, &request, Some(files.len()))
            .await?;
        let ids = results.into_iter().map(|it| match it {
            Ok(entry) => written_id(&entry).map(Ok),
            Err(error) => Ok(Err(error)),
        });
        ids.collect()
    }

    /// Uploads one file and gives its id, as [`Self::upload_files`].
    ///
    /// # Errors
    /// As there.
    pub async fn upload_file(&self, file: &Upload) -> Result<String, Error> {
        let ids = self.upload_files(std::slice::from_ref(file)).await?;
        let id = ids.into_iter().next().ok_or(Error::Malformed {
            problem: "no result",
        })?;
        id.map_err(Error::from)
    }

    /// The bytes of a file that was uploaded on its own or sits in a file field; `None` when there is none.
    ///
    /// Zoho: "Get file", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn file(&self, id: &str) -> Result<Option<Download>, Error> {
        if id.is_empty() || id.len() > ID_CHARS_MAX {
            return Err(Self::wrong("not a file's id"));
        }
        let query = [("id", id)];
        let request = ApiRequest::get(&["files"]).query(&query);
        let opened = self
            .download(Call::FilesDownload, Cost::ONE, &request, FILE_BYTES_MAX)
            .await;
        there(opened)
    }
}
