//! Parameters that several reads take.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    answer::Refusal,
    call::Call,
    faults::CallTrouble,
    time,
    world::{
        order::{Order, SortBy},
        record::Record,
    },
};

/// Fields per list read. Zoho: "Get records", v8.
const FIELDS_MAX: usize = 50;
/// Ids per list read; not stated by Zoho, the norm of its API.
pub(super) const IDS_MAX: usize = 100;

/// Which converted leads a list gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Converted {
    No,
    Only,
    Both,
}

impl Converted {
    pub(super) fn takes(self, record: &Record) -> bool {
        match self {
            Self::No => !record.converted,
            Self::Only => record.converted,
            Self::Both => true,
        }
    }

    pub(super) fn read(call: &Call) -> Result<Self, Refusal> {
        match call.parameter("converted") {
            None | Some("false") => Ok(Self::No),
            Some("true") => Ok(Self::Only),
            Some("both") => Ok(Self::Both),
            Some(_) => Err(Refusal::invalid_data(
                json!({"param_name": "converted", "supported_values": ["true", "false", "both"]}),
            )),
        }
    }
}

/// A parameter that must be there.
pub(super) fn required<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    call.parameter(name)
        .filter(|it| !it.is_empty())
        .ok_or_else(|| Refusal::parameter_missing(name))
}

/// The names in `fields`, which must be there.
pub(super) fn fields(call: &Call) -> Result<Vec<&str>, Refusal> {
    let fields: Vec<&str> = names(call.parameter("fields").unwrap_or_default());
    if fields.is_empty() {
        return Err(Refusal::parameter_missing("fields"));
    }
    if fields.len() > FIELDS_MAX {
        return Err(Refusal::limit("fields", FIELDS_MAX));
    }
    Ok(fields)
}

/// The names of a list with commas.
pub(super) fn names(list: &str) -> Vec<&str> {
    let names = list.split(',').map(str::trim);
    names.filter(|it| !it.is_empty()).collect()
}

/// The numbers in `ids`, if it is there; what is no number is no record.
pub(super) fn ids(call: &Call) -> Result<Option<Vec<u64>>, Refusal> {
    let Some(ids) = call.ids() else {
        return Ok(None);
    };
    if ids.len() > IDS_MAX {
        return Err(Refusal::limit("ids", IDS_MAX));
    }
    Ok(Some(ids.iter().filter_map(|it| it.parse().ok()).collect()))
}

/// `sort_by` and `sort_order`: the newest id first, unless told otherwise.
pub(super) fn order(call: &Call) -> Result<Order, Refusal> {
    let by = match call.parameter("sort_by") {
        None => SortBy::Id,
        Some(name) => {
            let found = SortBy::ALL.into_iter().find(|it| it.name() == name);
            found.ok_or_else(|| {
                Refusal::invalid_data(json!({
                    "param_name": "sort_by",
                    "supported_values": SortBy::ALL.map(SortBy::name),
                }))
            })?
        }
    };
    let ascending = ascending(call)?;
    Ok(Order { by, ascending })
}

/// `sort_order`: descending, unless told otherwise.
pub(super) fn ascending(call: &Call) -> Result<bool, Refusal> {
    match call.parameter("sort_order") {
        None | Some("desc") => Ok(false),
        Some("asc") => Ok(true),
        Some(_) => Err(Refusal::invalid_data(
            json!({"param_name": "sort_order", "supported_values": ["asc", "desc"]}),
        )),
    }
}

/// The time of `If-Modified-Since`.
pub(super) fn since(call: &Call) -> Option<Timestamp> {
    call.header("if-modified-since").and_then(time::parse)
}

/// Whether a scripted fault hides this id.
pub(super) fn is_missing(id: u64, trouble: &CallTrouble) -> bool {
    trouble
        .missing
        .as_ref()
        .is_some_and(|ids| ids.is_empty() || ids.contains(&id.to_string()))
}
