//! `notification_condition`: which changed fields a channel wants to hear of.

use serde_json::{Map, Value};

/// Conditions per channel, objects per group, fields in all.
/// Zoho: "Enable notifications", v8; the group limit was met in the field.
const CONDITIONS_MAX: usize = 2;
const GROUP_MAX: usize = 2;
const FIELDS_MAX: usize = 10;

/// Err with the limit that is exceeded; 0 for a wrong shape.
pub(crate) fn check(conditions: &Value) -> Result<(), usize> {
    if conditions.is_null() {
        return Ok(());
    }
    let list = conditions.as_array().ok_or(0_usize)?;
    if list.len() > CONDITIONS_MAX {
        return Err(CONDITIONS_MAX);
    }
    let mut fields = 0;
    for condition in list {
        fields += count_fields(condition.get("field_selection").ok_or(0_usize)?)?;
    }
    if fields > FIELDS_MAX {
        return Err(FIELDS_MAX);
    }
    Ok(())
}

/// Whether an edit of `module` that changed these fields is wanted.
pub(crate) fn wants(conditions: &Value, module: &str, changed: &Map<String, Value>) -> bool {
    let Some(list) = conditions.as_array() else {
        return true;
    };
    let mut of_module = list
        .iter()
        .filter(|it| {
            it.pointer("/module/api_name")
                .is_none_or(|name| name.as_str() == Some(module))
        })
        .peekable();
    of_module.peek().is_none()
        || of_module.any(|it| {
            it.get("field_selection")
                .is_none_or(|selection| holds(selection, changed))
        })
}

fn count_fields(selection: &Value) -> Result<usize, usize> {
    if selection.get("field").is_some() {
        return Ok(1);
    }
    let group = selection.get("group").and_then(Value::as_array);
    let group = group.ok_or(0_usize)?;
    if group.len() > GROUP_MAX {
        return Err(GROUP_MAX);
    }
    let mut fields = 0;
    for member in group {
        fields += count_fields(member)?;
    }
    Ok(fields)
}

fn holds(selection: &Value, changed: &Map<String, Value>) -> bool {
    if let Some(field) = selection.pointer("/field/api_name").and_then(Value::as_str) {
        return changed.contains_key(field);
    }
    let Some(group) = selection.get("group").and_then(Value::as_array) else {
        return false;
    };
    let operator = selection.get("group_operator").and_then(Value::as_str);
    if operator.is_some_and(|it| it.eq_ignore_ascii_case("and")) {
        group.iter().all(|it| holds(it, changed))
    } else {
        group.iter().any(|it| holds(it, changed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(name: &str) -> Value {
        json!({"field": {"api_name": name, "id": "1"}})
    }

    fn group(operator: &str, members: &[Value]) -> Value {
        json!({"group_operator": operator, "group": members})
    }

    fn condition(selection: &Value) -> Value {
        json!([{"type": "field_selection", "module": {"api_name": "Leads", "id": "1"},
                "field_selection": selection}])
    }

    #[test]
    fn groups_hold_two_members_and_ten_fields_in_all() {
        let two = group("or", &[field("A"), field("B")]);
        assert_eq!(check(&condition(&two)), Ok(()));
        let three = group("or", &[field("A"), field("B"), field("C")]);
        assert_eq!(check(&condition(&three)), Err(2));
        let nested = |fields: usize| {
            (0..fields)
                .map(|n| field(&n.to_string()))
                .reduce(|left, right| group("or", &[left, right]))
                .unwrap()
        };
        assert_eq!(check(&condition(&nested(10))), Ok(()));
        assert_eq!(check(&condition(&nested(11))), Err(10));
        assert_eq!(check(&json!("no list")), Err(0));
    }

    #[test]
    fn an_edit_is_wanted_if_its_fields_are_selected() {
        let changed = json!({"Phone": "1", "City": "Rome"});
        let changed = changed.as_object().unwrap();
        for (selection, wanted) in [
            (group("or", &[field("Phone"), field("Email")]), true),
            (group("and", &[field("Phone"), field("Email")]), false),
            (group("and", &[field("Phone"), field("City")]), true),
            (field("Email"), false),
        ] {
            let wants = wants(&condition(&selection), "Leads", changed);
            assert_eq!(wants, wanted, "{selection}");
        }
        assert!(wants(&condition(&field("Email")), "Deals", changed));
        assert!(wants(&Value::Null, "Leads", changed));
    }
}
