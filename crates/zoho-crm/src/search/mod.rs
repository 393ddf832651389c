//! Searching a module: by criteria, email, phone or word.

mod criteria;

use std::fmt;

use crate::{
    Call, Client, Code, Error, Listing, Page, Values, page,
    parts::{PER_PAGE_MAX, fields_joined, module_fits, values},
    request::{ApiRequest, Cost},
};

pub use self::criteria::{CRITERIA_MAX, Criteria, IN_MAX, Term};

/// Records a search finds at most. Zoho: "Search records", v8.
pub const RESULTS_MAX: u32 = 2000;

/// The shortest text that is searched for, in characters. Zoho: "Search records", v8.
pub const CHARS_MIN: usize = 2;

/// What to search by.
#[derive(Clone, PartialEq, Eq)]
pub enum By {
    /// Comparisons of fields.
    Criteria(Criteria),
    /// The same, written by hand: `(Last_Name:equals:Doe)`. Never put values into it that come from outside.
    Written(String),
    /// Records with this address in any email field.
    Email(String),
    /// Records with this number in any phone field.
    Phone(String),
    /// Records with this word in any searchable field.
    Word(String),
}

/// What is searched for may be a record's, and is left out.
impl fmt::Debug for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Criteria(_) => "Criteria",
            Self::Written(_) => "Written",
            Self::Email(_) => "Email",
            Self::Phone(_) => "Phone",
            Self::Word(_) => "Word",
        })
    }
}

/// `GET /{module}/search`.
///
/// Zoho's index is behind by seconds: a record just written may not be found. COQL is not behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The module's API name.
    pub module: String,
    /// What to search by.
    pub by: By,
    /// Up to [`FIELDS_MAX`](crate::FIELDS_MAX) API names; all when empty.
    pub fields: Vec<String>,
    /// Whether converted leads are found too.
    pub converted: bool,
}

impl Client {
    /// One page of what a search finds, the first being 1. Heavy; 1 credit.
    ///
    /// Zoho: "Search records", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the search breaks a limit; [`Error::Invalid`] with `LIMIT_REACHED` past
    /// [`RESULTS_MAX`] records; else as the variants say.
    pub async fn search(&self, search: &Search, page: u32) -> Result<Page<Values>, Error> {
        module_fits(&search.module)?;
        let names: Vec<&str> = search.fields.iter().map(String::as_str).collect();
        let (key, text) = match &search.by {
            By::Criteria(criteria) => ("criteria", criteria.text()?),
            By::Written(text) => ("criteria", text.clone()),
            By::Email(text) => ("email", text.clone()),
            By::Phone(text) => ("phone", text.clone()),
            By::Word(text) => ("word", text.clone()),
        };
        if text.chars().count() < CHARS_MIN {
            return Err(Self::wrong("a search takes two characters at least"));
        }
        if page == 0 || page > RESULTS_MAX / PER_PAGE_MAX {
            return Err(limit_reached());
        }
        let (page, per_page) = (page.to_string(), PER_PAGE_MAX.to_string());
        let mut query = vec![
            (key, text.as_str()),
            ("page", &page),
            ("per_page", &per_page),
        ];
        let fields = if names.is_empty() {
            String::new()
        } else {
            fields_joined(&names)?
        };
        if !fields.is_empty() {
            query.push(("fields", &fields));
        }
        if search.converted {
            query.push(("converted", "both"));
        }
        let path = [search.module.as_str(), "search"];
        let request = ApiRequest::get(&path).query(&query);
        let answer = self.send(Call::Search, Cost::heavy(1), &request).await?;
        page::page(&answer, "data")?.try_map(values)
    }

    /// All that a search finds, by pages of 200.
    ///
    /// # Errors
    /// The stream ends with the first error: [`Error::Invalid`] with `LIMIT_REACHED` after [`RESULTS_MAX`] records if
    /// there are more.
    pub fn search_all(&self, search: Search) -> Listing<Values> {
        let client = self.clone();
        page::pages(1, move |number: u32| {
            let (client, search) = (client.clone(), search.clone());
            async move {
                let page = client.search(&search, number).await?;
                Ok((page.items, page.more.then(|| number.saturating_add(1))))
            }
        })
    }
}

/// As Zoho says it.
fn limit_reached() -> Error {
    Error::Invalid {
        status: 400,
        code: Code::new("LIMIT_REACHED"),
        name: None,
    }
}
