//! COQL: queries in Zoho's own language, written by hand or built, alone or as a stream of all rows.

mod condition;
mod literal;
mod select;

use serde_json::{Value, json};

use self::select::Span;
pub use self::{
    condition::{Condition, FieldName, IN_MAX, field},
    literal::Literal,
    select::{
        AGGREGATES_MAX, COLUMNS_MAX, CRITERIA_MAX, Column, GROUP_MAX, ORDER_MAX, Order, PAGE_MAX,
        ROWS_MAX, Select,
    },
};
pub(crate) use self::{literal::moment, select::limit_of};
use crate::{
    Call, Client, Error, Listing, Page, Values, page,
    parts::values,
    request::{ApiRequest, Cost},
};

/// Rows of a query, and what else it said.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// One entry a row. Aggregates have their alias or `COUNT(id)` as name.
    pub page: Page<Values>,
    /// What was asked for with `include_meta`, as Zoho gave it.
    pub meta: Option<Value>,
}

/// Where a stream of rows goes on.
#[derive(Clone)]
struct Place {
    offset: u64,
    given: u64,
    after: Option<String>,
    last: Option<String>,
}

impl Client {
    /// Runs a query written by hand. Heavy; 1 credit, 2 above a limit of 200, 3 above 1000.
    ///
    /// Zoho: "Query API", v8. Never put values into it that come from outside: use a [`Select`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a query that Zoho does not understand (`SYNTAX_ERROR`, `INVALID_QUERY`); else as the
    /// variants say.
    pub async fn coql(&self, query: &str) -> Result<Page<Values>, Error> {
        Ok(self.coql_rows(query, false).await?.page)
    }

    /// The same, with what Zoho says of the fields in it (`include_meta`).
    ///
    /// # Errors
    /// As [`Self::coql`].
    pub async fn coql_with_meta(&self, query: &str) -> Result<Rows, Error> {
        self.coql_rows(query, true).await
    }

    /// One page of a built query: 200 rows unless it has a limit, 2000 at most.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when it breaks one of COQL's limits; else as [`Self::coql`].
    pub async fn select(&self, select: &Select) -> Result<Page<Values>, Error> {
        self.coql(&select.text()?).await
    }

    /// All rows of a built query, by pages of 2000; up to its limit, if it has one.
    ///
    /// Zoho gives 100,000 rows by offset. A query of plain columns ordered by nothing else than `id`, ascending, goes
    /// on after that by id, which is then in every row. Any other ends with an error if there are more rows.
    ///
    /// # Errors
    /// The stream ends with the first error; [`Error::RestartPaging`] where there are more than 100,000 rows that
    /// cannot be reached.
    pub fn select_all(&self, select: Select) -> Listing<Values> {
        let client = self.clone();
        let keyed = select.is_keyed();
        let select = if keyed { select.keyed() } else { select };
        let (offset, wanted) = select.wanted();
        let start = Place {
            offset,
            given: 0,
            after: None,
            last: None,
        };
        page::pages(start, move |place| {
            let (client, select) = (client.clone(), select.clone());
            async move { client.next_rows(&select, wanted, place).await }
        })
    }

    async fn next_rows(
        &self,
        select: &Select,
        wanted: u64,
        mut place: Place,
    ) -> Result<(Vec<Values>, Option<Place>), Error> {
        if wanted == 0 {
            return Ok((vec![], None));
        }
        let left = wanted.saturating_sub(place.given);
        if place.offset >= ROWS_MAX {
            if !select.is_keyed() || place.last.is_none() {
                return Err(Error::RestartPaging {
                    code: crate::Code::new("LIMIT_EXCEEDED"),
                });
            }
            place.after = place.last.take();
            place.offset = 0;
        }
        let span = Span {
            offset: place.offset,
            limit: left.min(PAGE_MAX).min(ROWS_MAX - place.offset),
            after: place.after.as_deref(),
        };
        let page = self.coql(&select.page(&span)?).await?;
        let rows = u64::try_from(page.items.len()).unwrap_or(u64::MAX);
        let last = page.items.last().and_then(|it| it.get("id"));
        let next = Place {
            offset: place.offset.saturating_add(rows),
            given: place.given.saturating_add(rows),
            last: last.and_then(Value::as_str).map(ToOwned::to_owned),
            after: place.after,
        };
        let goes_on = page.more && next.given < wanted;
        Ok((page.items, goes_on.then_some(next)))
    }

    async fn coql_rows(&self, query: &str, meta: bool) -> Result<Rows, Error> {
        let body = if meta {
            json!({ "select_query": query, "include_meta": ["fields"] })
        } else {
            json!({ "select_query": query })
        };
        let request = ApiRequest::post(&["coql"]).json(&body);
        let answer = self
            .send(Call::Coql, cost(limit_of(query)), &request)
            .await?;
        let meta = if meta && !answer.is_empty() {
            let mut envelope = answer.json()?;
            ["meta", "fields"]
                .iter()
                .find_map(|key| envelope.get_mut(key).map(Value::take))
        } else {
            None
        };
        Ok(Rows {
            page: page::page(&answer, "data")?.try_map(values)?,
            meta,
        })
    }
}

/// Zoho: "API limits", v8: by the limit of the query.
pub(crate) fn cost(limit: u64) -> Cost {
    Cost::heavy(match limit {
        0..=200 => 1,
        201..=1000 => 2,
        _ => 3,
    })
}
