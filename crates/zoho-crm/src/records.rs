//! Reading records: up to a hundred at a time, or one.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{Call, Client, Error, client::Answer, transport::ApiRequest};

/// A record's values by API name.
pub type Values = Map<String, Value>;

/// Ids in one list call. Zoho states no limit for `ids=`; 100 is the norm of its API.
pub const IDS_MAX: usize = 100;

/// Fields in one list call. Zoho: "Get records", v8.
pub const FIELDS_MAX: usize = 50;

/// The longest API name that is sent; Zoho's own are shorter.
const NAME_CHARS_MAX: usize = 120;

/// The longest record id that is sent; Zoho's have up to 20 digits.
const ID_CHARS_MAX: usize = 40;

/// Which leads a list shows: Zoho hides converted ones unless asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Converted {
    /// Those not converted (Zoho's default).
    #[default]
    Hidden,
    /// `converted=both`.
    Both,
}

/// `GET /{module}?ids=&fields=`.
#[derive(Clone, Copy, Debug)]
pub struct RecordQuery<'a> {
    /// The module's API name.
    pub module: &'a str,
    /// 1 to [`IDS_MAX`] record ids.
    pub ids: &'a [&'a str],
    /// 1 to [`FIELDS_MAX`] API names; `id` always comes with them.
    pub fields: &'a [&'a str],
    /// Whether converted leads are shown.
    pub converted: Converted,
}

/// What a list call found: absent ids are simply not there, and the order is Zoho's.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// One entry a record, each with its `id`.
    pub records: Vec<Values>,
    /// Zoho's time when it answered (its `Date` header, to the second).
    pub answered_at: Timestamp,
}

/// What asking for one record found.
#[derive(Clone, Debug, PartialEq)]
pub struct One {
    /// `None` when Zoho does not have it, or not for us.
    pub record: Option<Values>,
    /// Zoho's time when it answered (its `Date` header, to the second).
    pub answered_at: Timestamp,
}

impl Client {
    /// Reads up to [`IDS_MAX`] records with one call and one credit.
    ///
    /// Zoho: "Get records", v8. Rich text is cut to 500 characters; subforms and multi-select lookups are not in it.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the query breaks a limit; else as the variants say.
    pub async fn records(&self, query: &RecordQuery<'_>) -> Result<Listed, Error> {
        check(query)?;
        let ids = query.ids.join(",");
        let fields = query.fields.join(",");
        let per_page = IDS_MAX.to_string();
        let mut pairs = vec![
            ("ids", ids.as_str()),
            ("fields", fields.as_str()),
            ("per_page", per_page.as_str()),
        ];
        if query.converted == Converted::Both {
            pairs.push(("converted", "both"));
        }
        let request = ApiRequest {
            path: &[query.module],
            query: &pairs,
        };
        let answer = self.read(Call::List, &request).await?;
        Ok(Listed {
            answered_at: answer.answered_at,
            records: records_in(&answer)?,
        })
    }

    /// Reads one record with everything it has, subforms and multi-select lookups too.
    ///
    /// Zoho: "Get records", v8. 204, 404 and `INVALID_DATA` all mean that there is no such record (for us).
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when module or id cannot be one; else as the variants say.
    pub async fn record(&self, module: &str, id: &str) -> Result<One, Error> {
        if !is_api_name(module) || !is_record_id(id) {
            return Err(Self::wrong("not a module's or not a record's name"));
        }
        let request = ApiRequest {
            path: &[module, id],
            query: &[],
        };
        let answer = match self.read(Call::One, &request).await {
            Ok(answer) => answer,
            Err(Error::Gone { .. }) => return Ok(self.nothing()),
            Err(Error::Invalid { code, .. }) if code.as_str() == "INVALID_DATA" => {
                return Ok(self.nothing());
            }
            Err(error) => return Err(error),
        };
        Ok(One {
            answered_at: answer.answered_at,
            record: records_in(&answer)?.into_iter().next(),
        })
    }

    fn nothing(&self) -> One {
        One {
            record: None,
            answered_at: self.inner.clock.now(),
        }
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

fn check(query: &RecordQuery<'_>) -> Result<(), Error> {
    let problem = if !is_api_name(query.module) {
        "not a module's name"
    } else if !(1..=IDS_MAX).contains(&query.ids.len()) {
        "a list call takes 1 to 100 ids"
    } else if !(1..=FIELDS_MAX).contains(&query.fields.len()) {
        "a list call takes 1 to 50 fields"
    } else if !query.ids.iter().all(|it| is_record_id(it)) {
        "not a record's id"
    } else if !query.fields.iter().all(|it| is_api_name(it)) {
        "not a field's name"
    } else {
        return Ok(());
    };
    Err(Client::wrong(problem))
}

/// The records under `data`; an empty answer has none.
fn records_in(answer: &Answer) -> Result<Vec<Values>, Error> {
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
