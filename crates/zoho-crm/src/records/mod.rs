//! Records: reading, listing, writing and deleting them, in any number.

mod delete;
mod deleted;
mod full;
mod list;
mod read;
mod write;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub(crate) use self::write::written;
pub use self::{
    deleted::{Deleted, DeletedKind, DeletedQuery},
    list::{Approved, ListQuery, PageAt, Sort, SortBy},
    read::{IfModified, Listed, One, OneQuery, RecordQuery},
    write::{Action, Condition, Trigger, WriteOptions, Written},
};
use crate::{Error, client::Answer, time};

/// A record's values by API name.
pub type Values = Map<String, Value>;

/// Ids in one list call. Zoho states no limit for `ids=`; 100 is the norm of its API.
pub const IDS_MAX: usize = 100;

/// Fields in one list call. Zoho: "Get records", v8.
pub const FIELDS_MAX: usize = 50;

/// Records in one write or delete. Zoho: "Insert records", v8. More are sent as several calls.
pub const WRITTEN_MAX: usize = 100;

/// The longest API name that is sent; Zoho's own are shorter.
const NAME_CHARS_MAX: usize = 120;

/// The longest record id that is sent; Zoho's have up to 20 digits.
const ID_CHARS_MAX: usize = 40;

/// Which leads a read shows: Zoho hides converted ones unless asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Converted {
    /// Those not converted (Zoho's default).
    #[default]
    Hidden,
    /// `converted=true`: no others.
    Only,
    /// `converted=both`.
    Both,
}

impl Converted {
    /// What is sent, if anything.
    const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Hidden => None,
            Self::Only => Some("true"),
            Self::Both => Some("both"),
        }
    }
}

/// A user as records name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRef {
    /// The user's id.
    pub id: String,
    /// The user's full name.
    pub name: String,
}

impl UserRef {
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let text = |key| value.get(key).and_then(Value::as_str);
        Some(Self {
            id: text("id")?.to_owned(),
            name: text("name").unwrap_or_default().to_owned(),
        })
    }
}

/// Whether the text can be a module's or field's API name: letters, digits and `_`, and `$` or `.` within fields.
pub fn is_api_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.');
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.chars().all(fits)
        && text.chars().any(char::is_alphanumeric)
}

/// Whether the text can be a record's id: letters and digits only.
pub fn is_record_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Refuses what could lead elsewhere.
fn check_place(module: &str, ids: &[&str]) -> Result<(), Error> {
    if !is_api_name(module) {
        return Err(NOT_A_MODULE);
    }
    if !ids.iter().all(|it| is_record_id(it)) {
        return Err(NOT_AN_ID);
    }
    Ok(())
}

/// Refuses fields that cannot be ones, or too many.
fn check_fields(fields: &[&str]) -> Result<(), Error> {
    let problem = if fields.len() > FIELDS_MAX {
        "a list call takes 1 to 50 fields"
    } else if !fields.iter().all(|it| is_api_name(it)) {
        "not a field's name"
    } else {
        return Ok(());
    };
    Err(Error::Misuse { problem })
}

const NOT_A_MODULE: Error = Error::Misuse {
    problem: "not a module's name",
};
const NOT_AN_ID: Error = Error::Misuse {
    problem: "not a record's id",
};

/// The records under `data`; an empty answer has none.
pub(crate) fn records_in(answer: &Answer) -> Result<Vec<Values>, Error> {
    if answer.is_empty() {
        return Ok(vec![]);
    }
    let Value::Object(mut envelope) = answer.json()? else {
        return Err(Error::Malformed {
            problem: "not an object",
        });
    };
    let Some(Value::Array(data)) = envelope.remove("data") else {
        return Err(Error::Malformed {
            problem: "no list under data",
        });
    };
    data.into_iter().map(record_in).collect()
}

fn record_in(entry: Value) -> Result<Values, Error> {
    if let Value::Object(values) = entry
        && values.get("id").is_some_and(Value::is_string)
    {
        return Ok(values);
    }
    Err(Error::Malformed {
        problem: "a record without an id",
    })
}

fn time_in(value: &Value, key: &str) -> Option<Timestamp> {
    time::parse(value.get(key)?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_that_could_lead_elsewhere_are_refused() {
        for good in ["Leads", "Sales_Orders", "$approval_state", "Owner.email"] {
            assert!(is_api_name(good), "{good}");
        }
        for bad in ["", "..", "a/b", "a,b", "a?b", "Léads", &"a".repeat(121)] {
            assert!(!is_api_name(bad), "{bad}");
        }
        assert!(is_record_id("4150868000000376008"));
        for bad in ["", "1,2", "../org", "1 2", &"1".repeat(41)] {
            assert!(!is_record_id(bad), "{bad}");
        }
    }
}
