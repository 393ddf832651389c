//! How much webhooks were used.

use serde_json::Value;

use crate::{Error, records::Values};

/// What the numbers are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageGroup {
    /// Each day.
    Date,
    /// Each day and resource.
    DateAndResource,
    /// Each day, resource and type.
    DateResourceAndType,
}

impl UsageGroup {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::DateAndResource => "date,resource",
            Self::DateResourceAndType => "date,resource,type",
        }
    }
}

/// A usage report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebhookUsage {
    /// One entry a group, as Zoho gives it: its shape is not published.
    pub entries: Vec<Values>,
    /// Calls that webhooks may make a day; by edition, and known from here only.
    pub daily_max: Option<u64>,
}

impl WebhookUsage {
    pub(super) fn read(body: Value) -> Result<Self, Error> {
        let daily_max = body
            .get("info")
            .and_then(|it| it.get("max_limit"))
            .and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok()));
        Ok(Self {
            entries: first_list(body)?,
            daily_max,
        })
    }
}

/// The objects of the only list in an answer, whatever its key.
pub(super) fn first_list(body: Value) -> Result<Vec<Values>, Error> {
    let Value::Object(body) = body else {
        return Err(Error::Malformed {
            problem: "not an object",
        });
    };
    let mut values = body.into_iter().map(|(_, value)| value);
    let Some(Value::Array(list)) = values.find(Value::is_array) else {
        return Err(Error::Malformed {
            problem: "no list in the answer",
        });
    };
    let object = |entry| match entry {
        Value::Object(values) => Some(values),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    };
    let objects: Option<_> = list.into_iter().map(object).collect();
    objects.ok_or(Error::Malformed {
        problem: "an entry that is no object",
    })
}
