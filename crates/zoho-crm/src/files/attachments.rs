//! Attachments: files and links on records.

use std::fmt;

use serde_json::Value;

use super::{Upload, there};
use crate::{
    Call, Client, Download, Error, Listing, Values,
    parts::{ids_fit, only, record_fits, text_at, written_id},
    related::of_record,
    request::{ApiRequest, Cost},
};

/// Bytes of an attachment. Zoho: "Upload an attachment", v8.
pub const ATTACHMENT_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// Bytes of an attachment that are read; those made by other means than the API may be larger.
const DOWNLOAD_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What a list of attachments asks for; what begins with `$` comes unasked.
const FIELDS: &[&str] = &["File_Name", "Size", "Created_Time", "Modified_Time"];

/// A file or link on a record.
#[derive(Clone, PartialEq)]
pub struct Attachment {
    /// Its id.
    pub id: String,
    /// Its name; of a link, where it leads.
    pub file_name: Option<String>,
    /// How many bytes it has; none of a link.
    pub bytes: Option<u64>,
    /// Where it leads, if it is a link.
    pub link: Option<String>,
    /// When it was made, as Zoho writes it.
    pub created_time: Option<String>,
    /// All that Zoho said, these too.
    pub raw: Values,
}

/// A record's content is left out.
impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("id", &self.id)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Attachment {
    fn read(value: Value) -> Result<Self, Error> {
        let attachment = Self {
            id: text_at(&value, "/id").ok_or(Error::Malformed {
                problem: "an attachment without an id",
            })?,
            file_name: text_at(&value, "/File_Name"),
            bytes: text_at(&value, "/Size").and_then(|it| it.parse().ok()),
            link: text_at(&value, "/$link_url"),
            created_time: text_at(&value, "/Created_Time"),
            raw: Values::new(),
        };
        let raw = crate::parts::values(value)?;
        Ok(Self { raw, ..attachment })
    }
}

impl Client {
    /// Attaches a file of at most [`ATTACHMENT_BYTES_MAX`] bytes to a record and gives the attachment's id. Not sent
    /// again unless it was certainly not carried out.
    ///
    /// Zoho: "Upload an attachment", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when it is too large; else as the variants say.
    pub async fn attach(&self, module: &str, id: &str, file: &Upload) -> Result<String, Error> {
        record_fits(module, id)?;
        file.fits(ATTACHMENT_BYTES_MAX)?;
        let form = || Ok(file.form());
        let path = [module, id, "Attachments"];
        let request = ApiRequest::post(&path).multipart(&form).items("data");
        self.attached(&request).await
    }

    /// Attaches a link to a record and gives the attachment's id. Not sent again unless it was certainly not carried
    /// out.
    ///
    /// Zoho: "Upload an attachment", v8, `attachmentUrl`.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn attach_link(&self, module: &str, id: &str, url: &str) -> Result<String, Error> {
        record_fits(module, id)?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Self::wrong("a link begins with http:// or https://"));
        }
        let (path, query) = ([module, id, "Attachments"], [("attachmentUrl", url)]);
        let request = ApiRequest::post(&path).query(&query).items("data");
        self.attached(&request).await
    }

    /// All attachments of a record.
    ///
    /// Zoho: "Get attachments", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn attachments_of(&self, module: &str, id: &str) -> Listing<Attachment> {
        let path = [module, id, "Attachments"];
        self.listed(
            of_record(Call::AttachmentsList, path, FIELDS),
            Attachment::read,
        )
    }

    /// The bytes of an attachment; `None` when there is none, or when it is a link.
    ///
    /// Zoho: "Download an attachment", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn attachment(
        &self,
        module: &str,
        id: &str,
        attachment: &str,
    ) -> Result<Option<Download>, Error> {
        record_fits(module, id)?;
        ids_fit(&[attachment])?;
        let path = [module, id, "Attachments", attachment];
        let request = ApiRequest::get(&path);
        let opened = self
            .download(
                Call::AttachmentsDownload,
                Cost::ONE,
                &request,
                DOWNLOAD_BYTES_MAX,
            )
            .await;
        there(opened)
    }

    /// Deletes an attachment.
    ///
    /// Zoho: "Delete an attachment", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn delete_attachment(
        &self,
        module: &str,
        id: &str,
        attachment: &str,
    ) -> Result<(), Error> {
        record_fits(module, id)?;
        ids_fit(&[attachment])?;
        let path = [module, id, "Attachments", attachment];
        let request = ApiRequest::delete(&path).items("data");
        let results = self
            .send_items(Call::AttachmentsDelete, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    async fn attached(&self, request: &ApiRequest<'_>) -> Result<String, Error> {
        let results = self
            .send_items(Call::AttachmentsUpload, Cost::ONE, request, Some(1))
            .await?;
        written_id(&only(results)?)
    }
}
