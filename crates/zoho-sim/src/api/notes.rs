//! `/{module}/{id}/Notes`: the notes of one record. Notes of many are records of the module Notes.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{families::existing, paging::Page, write};
use crate::{
    answer::{Answer, Refusal, put},
    call::Call,
    family::Named,
    faults::CallTrouble,
    world::{World, record::Columns},
};

/// Zoho: "Create notes", v8, on the record that the URL names.
pub(super) fn create(world: &mut World, call: &Call, parent: &Named) -> Result<Answer, Refusal> {
    existing(world, parent)?;
    let mut body = call.json().ok_or_else(Refusal::unreadable_json)?;
    if let Some(notes) = body.get_mut("data").and_then(Value::as_array_mut) {
        for note in notes {
            let module = json!({"api_name": parent.module});
            put(
                note,
                "Parent_Id",
                json!({"id": parent.id, "module": module}),
            );
        }
    }
    let call = Call {
        body: Bytes::from(body.to_string()),
        ..call.clone()
    };
    Ok(write::insert(world, &call, "Notes"))
}

/// Zoho: "Get notes", v8: `fields` is needed; the newest first.
pub(super) fn list(world: &mut World, call: &Call, parent: &Named) -> Result<Answer, Refusal> {
    let record = existing(world, parent)?;
    let fields = fields(call)?;
    let now = world.clock.now();
    let page = Page::read(call, &format!("{}/{}/Notes", parent.module, parent.id), now)?;
    let notes: Vec<u64> = world.notes_of(record).rev().collect();
    let more = notes.len() > page.skip + page.rows;
    let reading = world.reading(&CallTrouble::default());
    let Some(table) = world.tables.get("Notes") else {
        return Ok(Answer::nothing());
    };
    let columns = Columns::of(&table.module, &fields);
    let data: Vec<Value> = notes
        .into_iter()
        .skip(page.skip)
        .take(page.rows)
        .filter_map(|id| Some(table.get(id)?.in_list(&columns, reading)))
        .collect();
    if data.is_empty() {
        return Ok(Answer::nothing());
    }
    world.counters.records_read += u64::try_from(data.len()).unwrap_or_default();
    let info = page.info(data.len(), more, now);
    Ok(Answer::ok(json!({"data": data, "info": info})))
}

/// The fields that reads of notes need to be told, be it of one note.
pub(super) fn fields(call: &Call) -> Result<Vec<&str>, Refusal> {
    let fields = call.parameter("fields").filter(|it| !it.is_empty());
    let fields = fields.ok_or_else(|| Refusal::parameter_missing("fields"))?;
    Ok(fields.split(',').map(str::trim).collect())
}
