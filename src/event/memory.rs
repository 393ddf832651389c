//! How much memory values take, roughly.

use serde_json::{Map, Value};

/// Bytes of an entry beside its name and value.
const ENTRY: usize = 80;

/// Bytes of all entries. No deeper than JSON is read.
pub fn map_bytes(map: &Map<String, Value>) -> usize {
    map.iter()
        .map(|(name, value)| ENTRY + name.len() + value_bytes(value))
        .sum()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => size_of::<Value>(),
        Value::String(text) => size_of::<Value>() + text.len(),
        Value::Array(list) => list.iter().map(value_bytes).sum(),
        Value::Object(map) => map_bytes(map),
    }
}
