//! From what a call brought to what one caller asked for; pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use zoho_crm::Values;

use super::Fields;
use crate::event::Record;

/// Comes with every record, asked or not.
pub(super) const ID: &str = "id";

/// Asked for with every group of fields; tells versions of a record apart.
pub(super) const MODIFIED_TIME: &str = "Modified_Time";

/// The caller's own fields plus id and `Modified_Time`, whatever else the same call fetched; absent ones are null.
/// `all` is what [`Fields::All`] means for this module.
pub(super) fn project(values: &Values, wanted: &Fields, all: &[String]) -> Record {
    let names: Box<dyn Iterator<Item = &String>> = match wanted {
        Fields::All => Box::new(all.iter()),
        Fields::Only(names) => Box::new(names.iter()),
    };
    let fields: BTreeSet<String> = names
        .cloned()
        .chain([ID.to_owned(), MODIFIED_TIME.to_owned()])
        .collect();
    let values = fields
        .iter()
        .map(|name| {
            let value = values.get(name).cloned().unwrap_or(Value::Null);
            (name.clone(), value)
        })
        .collect();
    Record { values, fields }
}

/// What [`Fields::All`] means for a record read alone: all it has but Zoho's notes about it (`$approved`, …).
pub(super) fn names_of(values: &Values) -> Vec<String> {
    let names = values.keys().filter(|it| !it.starts_with('$'));
    names.cloned().collect()
}

/// Zoho: ISO 8601 with an offset, to the second.
pub(super) fn modified_at(values: &Values) -> Option<Timestamp> {
    values.get(MODIFIED_TIME)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(wanted: &Fields, expected: &Value) {
        let Value::Object(values) = json!({
            "id": "1", "Last_Name": "Doe", "Amount": 7, "$approved": true,
            "Modified_Time": "2026-11-22T21:15:26+05:30"
        }) else {
            unreachable!()
        };
        let record = project(&values, wanted, &names_of(&values));
        assert_eq!(serde_json::to_value(&record.values).unwrap(), *expected);
        assert!(record.values.keys().eq(record.fields.iter()));
        assert_eq!(
            modified_at(&values).unwrap().to_string(),
            "2026-11-22T15:45:26Z"
        );
    }

    #[test]
    fn each_caller_gets_its_own_fields_and_null_for_what_is_absent() {
        check(
            &Fields::Only(["Amount".to_owned(), "Stage".to_owned()].into()),
            &json!({"id": "1", "Amount": 7, "Stage": null, "Modified_Time": "2026-11-22T21:15:26+05:30"}),
        );
        check(
            &Fields::Only(["$approved".to_owned()].into()),
            &json!({"id": "1", "$approved": true, "Modified_Time": "2026-11-22T21:15:26+05:30"}),
        );
        check(
            &Fields::All,
            &json!({"id": "1", "Last_Name": "Doe", "Amount": 7, "Modified_Time": "2026-11-22T21:15:26+05:30"}),
        );
    }

    #[test]
    fn a_module_without_modified_time_has_none() {
        assert_eq!(modified_at(&Values::new()), None);
    }
}
