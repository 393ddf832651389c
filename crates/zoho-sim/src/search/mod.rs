//! What a search looks for, and whether a record has it.

mod criteria;

use serde_json::{Value, json};

use self::criteria::Criteria;
use crate::{
    answer::Refusal,
    call::Call,
    world::{
        module::{DataType, Field, Module},
        record::{Record, Version},
    },
};

/// The shortest text searched for, in characters. Zoho: "Search records", v8.
pub(crate) const TEXT_MIN: usize = 2;

/// A search.
#[derive(Debug)]
pub(crate) enum Search {
    Criteria(Criteria),
    /// Part of a value of one of these fields, in lower case.
    Text(Vec<Field>, String),
    /// The digits of a phone number.
    Phone(Vec<Field>, String),
}

impl Search {
    /// Reads the parameters; the first of them that is there counts.
    pub(crate) fn read(call: &Call, module: &Module) -> Result<Self, Refusal> {
        let of_types = |types: &[DataType]| {
            let fields = module.fields.iter();
            let fields = fields.filter(|it| types.contains(&it.data_type));
            fields.cloned().collect::<Vec<_>>()
        };
        if let Some(text) = call.parameter("criteria") {
            return Criteria::read(text, module).map(Self::Criteria);
        }
        if let Some(text) = call.parameter("email") {
            let text = long_enough("email", text)?;
            return Ok(Self::Text(of_types(&[DataType::Email]), text));
        }
        if let Some(text) = call.parameter("phone") {
            long_enough("phone", text)?;
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            return Ok(Self::Phone(of_types(&[DataType::Phone]), digits));
        }
        if let Some(text) = call.parameter("word") {
            let text = long_enough("word", text)?;
            let types = [
                DataType::Text,
                DataType::Email,
                DataType::Phone,
                DataType::Website,
                DataType::TextArea,
                DataType::Picklist,
            ];
            return Ok(Self::Text(of_types(&types), text));
        }
        Err(Refusal::new(
            "EXPECTED_PARAM_MISSING",
            "one of the expected parameter is missing",
            json!({"param_names": ["criteria", "email", "phone", "word"]}),
        ))
    }

    pub(crate) fn finds(&self, record: &Record, version: &Version, org: u64) -> bool {
        let text = |field: &Field| match &*record.value_in(version, field, org) {
            Value::String(text) => text.to_lowercase(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => String::new(),
        };
        match self {
            Self::Criteria(criteria) => criteria.hold(record, version, org),
            Self::Text(fields, wanted) => fields.iter().any(|it| text(it).contains(wanted)),
            Self::Phone(fields, digits) => {
                !digits.is_empty()
                    && fields.iter().any(|it| {
                        let number = text(it);
                        let number: String = number.chars().filter(char::is_ascii_digit).collect();
                        number.contains(digits)
                    })
            }
        }
    }
}

/// A text to search for, in lower case.
fn long_enough(parameter: &str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.chars().count() < TEXT_MIN {
        return Err(Refusal::invalid_data(
            json!({"param_name": parameter, "minimum_length": TEXT_MIN}),
        ));
    }
    Ok(text.to_lowercase())
}
