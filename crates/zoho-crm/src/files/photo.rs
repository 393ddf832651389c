//! Photos of records.

use super::{Upload, there};
use crate::{
    Call, Client, Download, Error,
    parts::{only, record_fits},
    request::{ApiRequest, Cost},
};

/// Bytes of a photo. Zoho: "Upload a photo", v8.
pub const PHOTO_BYTES_MAX: u64 = 10 * 1024 * 1024;

impl Client {
    /// Gives a record a photo, in place of the one it has. Leads, contacts, accounts, products, vendors and custom
    /// modules have photos. Not sent again unless it was certainly not carried out.
    ///
    /// Zoho: "Upload a photo", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when it is larger than [`PHOTO_BYTES_MAX`]; else as the variants say.
    pub async fn set_photo(&self, module: &str, id: &str, photo: &Upload) -> Result<(), Error> {
        record_fits(module, id)?;
        photo.fits(PHOTO_BYTES_MAX)?;
        let form = || Ok(photo.form());
        let path = [module, id, "photo"];
        let request = ApiRequest::post(&path).multipart(&form).items("data");
        let results = self
            .send_items(Call::PhotoUpload, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// The photo of a record; `None` when it has none.
    ///
    /// Zoho: "Download a photo", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn photo(&self, module: &str, id: &str) -> Result<Option<Download>, Error> {
        record_fits(module, id)?;
        let path = [module, id, "photo"];
        let request = ApiRequest::get(&path);
        let opened = self
            .download(Call::PhotoDownload, Cost::ONE, &request, PHOTO_BYTES_MAX)
            .await;
        there(opened)
    }

    /// Takes a record's photo away, if it has one.
    ///
    /// Zoho: "Delete a photo", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn delete_photo(&self, module: &str, id: &str) -> Result<(), Error> {
        record_fits(module, id)?;
        let path = [module, id, "photo"];
        let request = ApiRequest::delete(&path).items("data");
        let results = self
            .send_items(Call::PhotoDelete, Cost::ONE, &request, None)
            .await?;
        // Nothing is said where there was no photo.
        if results.is_empty() {
            return Ok(());
        }
        only(results).map(drop)
    }
}
