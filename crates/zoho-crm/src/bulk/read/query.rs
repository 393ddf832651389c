//! What a bulk read asks for.

use std::fmt;

use serde_json::{Map, Value, json};

use super::super::callback;
use crate::{
    Client, Error,
    parts::{ids_fit, module_fits},
    records::is_api_name,
};

/// Records of one job. Zoho: "Create bulk read job", v8; so are the numbers below.
pub const ROWS_MAX: u64 = 200_000;
/// Entries of one calendar file.
pub const CALENDAR_ROWS_MAX: u64 = 20_000;
/// Comparisons of one query.
pub const CRITERIA_MAX: usize = 25;

/// Columns of one query.
const FIELDS_MAX: usize = 200;
/// Groups within groups.
const DEPTH_MAX: usize = 8;

/// What a bulk read asks for. Notes, attachments and emails cannot be read so.
#[derive(Clone, PartialEq)]
pub struct BulkRead {
    /// The module's API name.
    pub module: String,
    /// API names of up to 200 columns, `Owner.email` too; all of them when empty.
    pub fields: Vec<String>,
    /// Which records.
    pub criteria: Option<ReadCriteria>,
    /// Id of a custom view whose records are meant.
    pub cvid: Option<String>,
    /// Where to begin.
    pub page: ReadPage,
    /// As what.
    pub file_type: FileType,
    /// URL that Zoho posts the job to at its end. Put a secret into it: Zoho signs nothing.
    pub callback: Option<String>,
}

/// Where a bulk read begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReadPage {
    /// At the first record.
    #[default]
    First,
    /// At this page of [`ROWS_MAX`] records, the first being 1.
    Number(u64),
    /// Where the job before ended; good for a day, with the same query.
    Token(String),
}

/// What a bulk read makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileType {
    /// Rows.
    #[default]
    Csv,
    /// A calendar, of `Events`.
    Ics,
}

/// Which records a bulk read is about.
#[derive(Clone, PartialEq)]
pub enum ReadCriteria {
    /// A comparison.
    Is {
        /// API name of a field, or of a field of the record it names: `Account_Name.Phone`.
        field: String,
        /// How.
        comparator: Comparator,
        /// With what; several in a list for those that take several.
        value: Value,
    },
    /// All of these.
    All(Vec<Self>),
    /// Any of these.
    Any(Vec<Self>),
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    /// Is it.
    Equal,
    /// Is not.
    NotEqual,
    /// Is one of a list.
    In,
    /// Is none of a list.
    NotIn,
    /// Is less.
    LessThan,
    /// Is not more.
    LessEqual,
    /// Is more.
    GreaterThan,
    /// Is not less.
    GreaterEqual,
    /// Contains a text.
    Contains,
    /// Does not.
    NotContains,
    /// Starts with a text.
    StartsWith,
    /// Ends with a text.
    EndsWith,
    /// Is between two, or one of them.
    Between,
    /// Is not.
    NotBetween,
}

impl Comparator {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Equal,
        Self::NotEqual,
        Self::In,
        Self::NotIn,
        Self::LessThan,
        Self::LessEqual,
        Self::GreaterThan,
        Self::GreaterEqual,
        Self::Contains,
        Self::NotContains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Between,
        Self::NotBetween,
    ];

    /// Zoho's word: `equal`, `not_equal`, `in`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::NotEqual => "not_equal",
            Self::In => "in",
            Self::NotIn => "not_in",
            Self::LessThan => "less_than",
            Self::LessEqual => "less_equal",
            Self::GreaterThan => "greater_than",
            Self::GreaterEqual => "greater_equal",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Between => "between",
            Self::NotBetween => "not_between",
        }
    }

    /// The comparison with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == word)
    }
}

impl BulkRead {
    /// All records of a module, with these columns; all columns when empty.
    pub fn of(module: &str, fields: &[&str]) -> Self {
        Self {
            module: module.to_owned(),
            fields: fields.iter().map(|it| (*it).to_owned()).collect(),
            criteria: None,
            cvid: None,
            page: ReadPage::First,
            file_type: FileType::Csv,
            callback: None,
        }
    }

    pub(super) fn to_json(&self) -> Result<Value, Error> {
        self.check()?;
        let mut query = Map::new();
        let mut put = |name: &str, value: Value| {
            query.insert(name.to_owned(), value);
        };
        put("module", json!({ "api_name": self.module }));
        if !self.fields.is_empty() {
            put("fields", self.fields.clone().into());
        }
        if let Some(criteria) = &self.criteria {
            put("criteria", criteria.to_json());
        }
        if let Some(cvid) = &self.cvid {
            put("cvid", cvid.clone().into());
        }
        match &self.page {
            ReadPage::First => {}
            ReadPage::Number(page) => put("page", (*page).into()),
            ReadPage::Token(token) => put("page_token", token.clone().into()),
        }
        let mut body = json!({ "query": query });
        if let Some(members) = body.as_object_mut() {
            if let Some(url) = &self.callback {
                members.insert("callback".to_owned(), callback(url)?);
            }
            if self.file_type == FileType::Ics {
                members.insert("file_type".to_owned(), "ics".into());
            }
        }
        Ok(body)
    }

    fn check(&self) -> Result<(), Error> {
        module_fits(&self.module)?;
        ids_fit(&self.cvid.iter().map(String::as_str).collect::<Vec<_>>())?;
        if self.fields.len() > FIELDS_MAX {
            return Err(Client::wrong("a bulk read has at most 200 columns"));
        }
        if !self.fields.iter().all(|it| is_column(it)) {
            return Err(Client::wrong("not a field's name"));
        }
        if self.page == ReadPage::Number(0) {
            return Err(Client::wrong("the first page is 1"));
        }
        if self.file_type == FileType::Ics && self.module != "Events" {
            return Err(Client::wrong("a calendar is made of Events only"));
        }
        match &self.criteria {
            Some(criteria) => {
                let comparisons = criteria.check(DEPTH_MAX)?;
                if comparisons > CRITERIA_MAX {
                    return Err(Client::wrong("a bulk read has at most 25 comparisons"));
                }
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Callback and criteria, which hold a secret and values, are left out.
impl fmt::Debug for BulkRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkRead")
            .field("module", &self.module)
            .field("fields", &self.fields)
            .field("cvid", &self.cvid)
            .field("page", &self.page)
            .field("file_type", &self.file_type)
            .finish_non_exhaustive()
    }
}

impl ReadCriteria {
    /// A comparison.
    pub fn is(field: &str, comparator: Comparator, value: impl Into<Value>) -> Self {
        Self::Is {
            field: field.to_owned(),
            comparator,
            value: value.into(),
        }
    }

    fn to_json(&self) -> Value {
        let group = |operator: &str, members: &[Self]| {
            let members: Vec<Value> = members.iter().map(Self::to_json).collect();
            json!({ "group_operator": operator, "group": members })
        };
        match self {
            Self::Is {
                field,
                comparator,
                value,
            } => json!({
                "field": { "api_name": field },
                "comparator": comparator.as_str(),
                "value": value,
            }),
            Self::All(members) => group("and", members),
            Self::Any(members) => group("or", members),
        }
    }

    /// How many comparisons there are.
    fn check(&self, depth: usize) -> Result<usize, Error> {
        match self {
            Self::Is { field, .. } if is_column(field) => Ok(1),
            Self::Is { .. } => Err(Client::wrong("not a field's name")),
            Self::All(members) | Self::Any(members) => {
                if members.is_empty() {
                    return Err(Client::wrong("a group of no comparisons"));
                }
                let depth = depth.checked_sub(1);
                let depth = depth.ok_or(Client::wrong("groups too deep within groups"))?;
                members.iter().map(|it| it.check(depth)).sum()
            }
        }
    }
}

impl fmt::Debug for ReadCriteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCriteria").finish_non_exhaustive()
    }
}

/// `Phone`, or `Account_Name.Phone`.
fn is_column(name: &str) -> bool {
    let (first, second) = name.split_once('.').unwrap_or((name, "id"));
    is_api_name(first) && is_api_name(second)
}
