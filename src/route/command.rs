//! What a send asks of Zoho, as the bytes that every attempt carries.

use serde_json::{Map, Value};

use super::{body::Rendered, table::Write};
use crate::event::{Action, Command, DeliveryId, RecordId};

/// The whole command. What is created holds the delivery's id, by which a repeat finds it.
pub(super) fn command<'a>(
    write: &'a Write,
    record: Option<String>,
    values: Option<Rendered<'a>>,
    id: DeliveryId,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut values = values.unwrap_or_else(|| Rendered::Computed(Value::Object(Map::new())));
    if let (Action::Create, Rendered::Map(entries)) = (write.action, &mut values) {
        let id = Value::String(id.to_string());
        for field in &write.unique_fields {
            entries.push((field, Rendered::Computed(id.clone())));
        }
    }
    serde_json::to_vec(&Command {
        action: write.action,
        module: write.module.clone(),
        id: record.map(RecordId::new),
        unique_fields: write.unique_fields.clone(),
        trigger: write.trigger.clone(),
        values,
    })
}
