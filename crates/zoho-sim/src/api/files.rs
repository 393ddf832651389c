//! Photos of records, and files uploaded on their own.

use http::StatusCode;
use serde_json::{Value, json};

use super::families::existing;
use crate::{
    answer::{Answer, File, Refusal, per_item},
    call::Call,
    family::Named,
    multipart::{self, Part},
    world::{World, papers::Stored},
};

/// Files per upload. Zoho: "Upload files", v8.
const FILES_MAX: usize = 10;
/// Bytes of a file or attachment. Zoho: "Upload files", v8, "Upload an attachment", v8.
pub(super) const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Bytes of a photo. Zoho: "Upload a photo", v8.
const PHOTO_BYTES_MAX: usize = 10 * 1024 * 1024;
/// What a download says it is, unless it is a picture.
pub(super) const DOWNLOAD: &str = "application/x-download";
/// Modules whose records have photos. Zoho: "Upload a photo", v8.
const WITH_PHOTOS: &[&str] = &["Leads", "Contacts", "Accounts", "Products", "Vendors"];

/// Zoho: "Upload a photo", v8.
pub(super) fn put_photo(world: &mut World, call: &Call, of: &Named) -> Result<Answer, Refusal> {
    let record = with_photo(world, of)?;
    let part = one_file(call, PHOTO_BYTES_MAX)?;
    let name = part.file_name.unwrap_or_default();
    if picture_type(&name).is_none() {
        return Err(Refusal::new(
            "INVALID_DATA",
            "the file is not a picture",
            json!({"api_name": "file", "supported_values": ["png", "jpeg", "jpg", "gif", "bmp"]}),
        ));
    }
    let file = keep(world, &name, part.bytes)?;
    if let Some(before) = world.papers.photos.insert(record, file) {
        world.papers.drop_file(&before);
    }
    Ok(done("photo uploaded successfully"))
}

/// Zoho: "Download a photo", v8: 204 when there is none.
pub(super) fn photo(world: &World, of: &Named) -> Result<Answer, Refusal> {
    let record = with_photo(world, of)?;
    let file = world.papers.photos.get(&record);
    let file = file.and_then(|it| world.papers.file(it));
    Ok(file.map_or_else(Answer::nothing, download))
}

/// Zoho: "Delete a photo", v8.
pub(super) fn delete_photo(world: &mut World, of: &Named) -> Result<Answer, Refusal> {
    let record = with_photo(world, of)?;
    let Some(file) = world.papers.photos.remove(&record) else {
        return Ok(Answer::nothing());
    };
    world.papers.drop_file(&file);
    Ok(done("photo deleted successfully"))
}

/// Zoho: "Upload files", v8: files for file fields, mails and inline pictures.
pub(super) fn upload(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let files: Vec<Part> = multipart::parts(call)
        .into_iter()
        .filter(|it| it.file_name.is_some())
        .collect();
    if files.is_empty() {
        return Err(Refusal::parameter_missing("file"));
    }
    if files.len() > FILES_MAX {
        return Err(Refusal::limit("file", FILES_MAX));
    }
    let kept = files
        .into_iter()
        .map(|part| {
            let part = fits(part, FILE_BYTES_MAX)?;
            let name = part.file_name.unwrap_or_default();
            let id = keep(world, &name, part.bytes)?;
            Ok(json!({
                "code": "SUCCESS",
                "details": {"name": name, "id": id},
                "message": "file uploaded Succesfully",
                "status": "success",
            }))
        })
        .collect();
    Ok(per_item("data", kept, StatusCode::OK))
}

/// Zoho: "Get file", v8.
pub(super) fn fetch(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let id = call.parameter("id");
    let id = id.ok_or_else(|| Refusal::parameter_missing("id"))?;
    let file = world.papers.file(id);
    file.map(download)
        .ok_or_else(|| Refusal::invalid_id(json!({"param_name": "id"})))
}

/// The one file of a multipart body.
pub(super) fn one_file(call: &Call, bytes_max: usize) -> Result<Part, Refusal> {
    let file = multipart::parts(call)
        .into_iter()
        .find(|it| it.name == "file" && it.file_name.is_some());
    fits(
        file.ok_or_else(|| Refusal::parameter_missing("file"))?,
        bytes_max,
    )
}

pub(super) fn keep(world: &mut World, name: &str, bytes: bytes::Bytes) -> Result<String, Refusal> {
    let org = world.org;
    let kept = world.papers.keep(org, name, bytes);
    kept.map_err(|_full| full())
}

/// The org's storage is used up.
pub(super) fn full() -> Refusal {
    Refusal::new(
        "LIMIT_EXCEEDED",
        "the file storage of the org is used up",
        json!({}),
    )
}

/// A kept file as the answer.
pub(super) fn download(file: &Stored) -> Answer {
    Answer::file(File {
        name: file.name.clone(),
        content_type: picture_type(&file.name).unwrap_or(DOWNLOAD),
        bytes: file.bytes.clone(),
    })
}

fn fits(part: Part, bytes_max: usize) -> Result<Part, Refusal> {
    if part.bytes.is_empty() {
        return Err(Refusal::invalid_data(
            json!({"api_name": "file", "minimum_length": 1}),
        ));
    }
    if part.bytes.len() > bytes_max {
        return Err(Refusal::new(
            "FILE_SIZE_MORE_THAN_ALLOWED_SIZE",
            "the file is larger than allowed",
            json!({"api_name": "file", "maximum_length": bytes_max}),
        ));
    }
    Ok(part)
}

fn with_photo(world: &World, of: &Named) -> Result<u64, Refusal> {
    if world.tables.contains_key(&of.module) && !WITH_PHOTOS.contains(&of.module.as_str()) {
        return Err(Refusal::new(
            "NOT_SUPPORTED",
            "photos are not supported for the module",
            json!({"resource_path_index": 0}),
        ));
    }
    existing(world, of)
}

fn picture_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        _ => return None,
    })
}

fn done(message: &str) -> Answer {
    let body: Value = json!({
        "code": "SUCCESS", "details": {}, "message": message, "status": "success",
    });
    Answer::ok(body)
}
