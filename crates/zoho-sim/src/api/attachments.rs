//! `/{module}/{id}/Attachments`: files and links on records.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    families::existing,
    files::{FILE_BYTES_MAX, download as file, full, keep, one_file},
    paging::Page,
};
use crate::{
    answer::{Answer, Refusal, per_item},
    call::Call,
    family::Named,
    multipart, time,
    world::{World, papers::Attachment, people::Who},
};

/// Attachments come over the API as the integration user's.
const BY: Who = Who::Integration;

/// Zoho: "Upload an attachment", v8: a file, or a link as `attachmentUrl`.
pub(super) fn attach(world: &mut World, call: &Call, to: &Named) -> Result<Answer, Refusal> {
    let parent = existing(world, to)?;
    let (name, kept, link, bytes) = if let Some(link) = link(call) {
        if !link.starts_with("http://") && !link.starts_with("https://") {
            return Err(Refusal::invalid_data(
                json!({"param_name": "attachmentUrl"}),
            ));
        }
        (link.clone(), None, Some(link), 0)
    } else {
        let part = one_file(call, FILE_BYTES_MAX)?;
        let name = part.file_name.unwrap_or_default();
        let bytes = part.bytes.len();
        (
            name.clone(),
            Some(keep(world, &name, part.bytes)?),
            None,
            bytes,
        )
    };
    let attachment = Attachment {
        id: world.next_id(),
        module: to.module.clone(),
        parent,
        name,
        file: kept,
        link,
        bytes,
        at: time::whole_seconds(world.clock.now()),
        by: BY,
    };
    let by = attachment.by.without_email(world.org);
    let at = time::zoho(attachment.at);
    let item = json!({
        "code": "SUCCESS",
        "details": {
            "Modified_Time": at,
            "Modified_By": by,
            "Created_Time": at,
            "id": attachment.id.to_string(),
            "Created_By": by,
        },
        "message": "attachment uploaded successfully",
        "status": "success",
    });
    world.papers.attach(attachment).map_err(|_full| full())?;
    Ok(per_item("data", vec![Ok(item)], StatusCode::OK))
}

/// Zoho: "Get attachments", v8: `fields` is needed; the newest first.
pub(super) fn list(world: &World, call: &Call, of: &Named) -> Result<Answer, Refusal> {
    let parent = existing(world, of)?;
    let fields = call.parameter("fields").filter(|it| !it.is_empty());
    let fields = fields.ok_or_else(|| Refusal::parameter_missing("fields"))?;
    let fields: Vec<&str> = fields.split(',').map(str::trim).collect();
    let now = world.clock.now();
    let page = Page::read(call, &format!("{}/{}/Attachments", of.module, of.id), now)?;
    let mut all = world.papers.of(parent).rev().skip(page.skip);
    let data: Vec<Value> = all
        .by_ref()
        .take(page.rows)
        .map(|it| shown(world, it, &fields))
        .collect();
    if data.is_empty() {
        return Ok(Answer::nothing());
    }
    let info = page.info(data.len(), all.next().is_some(), now);
    Ok(Answer::ok(json!({"data": data, "info": info})))
}

/// Zoho: "Download an attachment", v8; a link has no bytes, its URL is told.
pub(super) fn download(world: &World, of: &Named, id: &str) -> Result<Answer, Refusal> {
    let attachment = find(world, of, id)?;
    let kept = attachment.file.as_ref();
    let kept = kept.and_then(|it| world.papers.file(it));
    Ok(kept.map_or_else(Answer::nothing, file))
}

/// Zoho: "Delete an attachment", v8.
pub(super) fn detach(world: &mut World, of: &Named, id: &str) -> Result<Answer, Refusal> {
    let id = find(world, of, id)?.id;
    world.papers.detach(id);
    let item = json!({
        "code": "SUCCESS",
        "details": {"id": id.to_string()},
        "message": "record deleted",
        "status": "success",
    });
    Ok(per_item("data", vec![Ok(item)], StatusCode::OK))
}

fn find<'a>(world: &'a World, of: &Named, id: &str) -> Result<&'a Attachment, Refusal> {
    let parent = existing(world, of)?;
    let found = id
        .parse()
        .ok()
        .and_then(|id: u64| world.papers.attachments.get(&id));
    found
        .filter(|it| it.parent == parent)
        .ok_or_else(|| Refusal::invalid_id(json!({"resource_path_index": 3})))
}

fn link(call: &Call) -> Option<String> {
    if let Some(link) = call.parameter("attachmentUrl") {
        return Some(link.to_owned());
    }
    let parts = multipart::parts(call);
    let part = parts.iter().find(|it| it.name == "attachmentUrl")?;
    String::from_utf8(part.bytes.to_vec()).ok()
}

fn shown(world: &World, attachment: &Attachment, fields: &[&str]) -> Value {
    let table = world.tables.get(&attachment.module);
    let parent = table.and_then(|it| it.get(attachment.parent)?.name(&it.module));
    let by = attachment.by.with_email(world.org);
    let at = time::zoho(attachment.at);
    let Value::Object(all) = json!({
        "Owner": by,
        "File_Name": attachment.name,
        "Size": attachment.bytes.to_string(),
        "Parent_Id": {"name": parent, "id": attachment.parent.to_string()},
        "Created_Time": at,
        "Created_By": by,
        "Modified_Time": at,
        "Modified_By": by,
        "Record_Status__s": "Available",
        "Attachment_Source__s": null,
        "File_Id__s": attachment.file,
        "$file_id": attachment.file,
        "$link_url": attachment.link,
        "$se_module": attachment.module,
        "$type": if attachment.link.is_some() { "Link URL" } else { "Attachment" },
        "$attachment_type": u8::from(attachment.link.is_some()),
        "$editable": true,
        "$sharing_permission": "full_access",
        "$state": "save",
    }) else {
        return Value::Null;
    };
    // What begins with a dollar sign comes unasked.
    let mut shown: Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| name.starts_with('$') || fields.contains(&name.as_str()))
        .collect();
    shown.insert("id".to_owned(), json!(attachment.id.to_string()));
    Value::Object(shown)
}
