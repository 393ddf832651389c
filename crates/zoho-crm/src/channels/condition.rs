//! Which changes a channel hears of: those of some fields only.

use serde_json::{Value, json};

use crate::{Client, Error, records::is_api_name};

/// Conditions of a channel, each of one module. Zoho: "Enable notifications", v8.
pub const CONDITIONS_MAX: usize = 2;

/// Fields of all conditions of a channel together. Same source.
pub const CONDITION_FIELDS_MAX: usize = 10;

/// How the fields of a condition go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionJoin {
    /// All of them changed.
    And,
    /// One of them changed.
    Or,
}

/// A module's field, or the module itself, by API name and, where known, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionField<'a> {
    /// Its API name.
    pub api_name: &'a str,
    /// Its id, from the field's metadata.
    pub id: Option<&'a str>,
}

/// Changes of these fields.
#[derive(Clone, Copy, Debug)]
pub struct ChannelCondition<'a> {
    /// Of this module; its events must be among the channel's.
    pub module: ConditionField<'a>,
    /// How the fields go together.
    pub join: ConditionJoin,
    /// 1 to [`CONDITION_FIELDS_MAX`].
    pub fields: &'a [ConditionField<'a>],
}

impl ConditionField<'_> {
    fn to_json(self) -> Value {
        match self.id {
            Some(id) => json!({"api_name": self.api_name, "id": id}),
            None => json!({"api_name": self.api_name}),
        }
    }
}

impl ChannelCondition<'_> {
    fn to_json(self) -> Value {
        json!({
            "type": "field_selection",
            "module": self.module.to_json(),
            "field_selection": group(self.join, self.fields),
        })
    }
}

/// A group holds two objects at most, so the third field and all after it go into a group within, and so on.
fn group(join: ConditionJoin, fields: &[ConditionField<'_>]) -> Value {
    let word = match join {
        ConditionJoin::And => "and",
        ConditionJoin::Or => "or",
    };
    let field = |it: &ConditionField<'_>| json!({"field": it.to_json()});
    let members: Vec<Value> = match fields {
        [first, rest @ ..] if rest.len() > 1 => vec![field(first), group(join, rest)],
        few => few.iter().map(field).collect(),
    };
    json!({"group_operator": word, "group": members})
}

/// All conditions of a channel, as they are sent.
pub(super) fn conditions(list: &[ChannelCondition<'_>]) -> Result<Value, Error> {
    let fields: usize = list.iter().map(|it| it.fields.len()).sum();
    let problem = if !(1..=CONDITIONS_MAX).contains(&list.len()) {
        "a channel takes 1 or 2 conditions"
    } else if fields > CONDITION_FIELDS_MAX {
        "the conditions of a channel take 10 fields together"
    } else if list.iter().any(|it| it.fields.is_empty()) {
        "a condition without fields"
    } else if !list.iter().all(|it| is_api_name(it.module.api_name)) {
        "not a module's name"
    } else if !list
        .iter()
        .flat_map(|it| it.fields)
        .all(|it| is_api_name(it.api_name))
    {
        "not a field's name"
    } else {
        return Ok(list.iter().map(|it| it.to_json()).collect());
    };
    Err(Client::wrong(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(api_name: &str) -> ConditionField<'_> {
        ConditionField { api_name, id: None }
    }

    fn leads<'a>(fields: &'a [ConditionField<'a>]) -> ChannelCondition<'a> {
        ChannelCondition {
            module: ConditionField {
                api_name: "Leads",
                id: Some("554023000000000131"),
            },
            join: ConditionJoin::Or,
            fields,
        }
    }

    #[test]
    fn two_fields_are_one_group() {
        let fields = [
            ConditionField {
                api_name: "Phone",
                id: Some("554023000000000593"),
            },
            field("Email"),
        ];
        assert_eq!(
            conditions(&[leads(&fields)]).unwrap(),
            json!([{
                "type": "field_selection",
                "module": {"api_name": "Leads", "id": "554023000000000131"},
                "field_selection": {
                    "group_operator": "or",
                    "group": [
                        {"field": {"api_name": "Phone", "id": "554023000000000593"}},
                        {"field": {"api_name": "Email"}},
                    ],
                },
            }])
        );
    }

    #[test]
    fn more_fields_are_nested_so_that_no_group_holds_more_than_two() {
        let names = ["A", "B", "C", "D"].map(field);
        let all = ChannelCondition {
            join: ConditionJoin::And,
            ..leads(&names)
        };
        assert_eq!(
            conditions(&[all]).unwrap()[0]["field_selection"],
            json!({"group_operator": "and", "group": [
                {"field": {"api_name": "A"}},
                {"group_operator": "and", "group": [
                    {"field": {"api_name": "B"}},
                    {"group_operator": "and", "group": [
                        {"field": {"api_name": "C"}},
                        {"field": {"api_name": "D"}},
                    ]},
                ]},
            ]})
        );
    }

    /// Fields of a group and all within; fails where one holds more than two.
    fn count(group: &Value) -> usize {
        let members = group["group"].as_array().unwrap();
        assert!(members.len() <= 2, "{group}");
        members
            .iter()
            .map(|it| {
                if it.get("field").is_some() {
                    1
                } else {
                    count(it)
                }
            })
            .sum()
    }

    #[test]
    fn every_number_of_fields_fits() {
        for number in 1..=CONDITION_FIELDS_MAX {
            let fields = vec![field("A"); number];
            let written = conditions(&[leads(&fields)]).unwrap();
            assert_eq!(count(&written[0]["field_selection"]), number);
        }
    }

    #[test]
    fn limits_hold_for_all_conditions_together() {
        let six = vec![field("A"); 6];
        let five = &six[..5];
        assert!(conditions(&[leads(&six), leads(&six)]).is_err());
        assert!(conditions(&[leads(five), leads(five)]).is_ok());
        assert!(conditions(&[leads(five), leads(&[]), leads(&[])]).is_err());
        assert!(conditions(&[leads(&[])]).is_err());
        assert!(conditions(&[]).is_err());
        assert!(conditions(&[leads(&[field("a b")])]).is_err());
    }
}
