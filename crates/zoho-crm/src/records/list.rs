//! Listing a module: page by page, or all of it as a stream.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::{Converted, NOT_A_MODULE, Values, check_fields, is_api_name, is_record_id, record_in};
use crate::{
    Call, Client, Error, Listing, Page,
    page::{NO_WAY_ON, page, pages},
    request::{ApiRequest, Cost},
    time,
};

/// Records of a page. Zoho: "Get records", v8; so is the next.
const PER_PAGE_MAX: usize = 200;

/// Records that page numbers reach; what follows needs page tokens.
const BY_NUMBER_MAX: usize = 2_000;

/// `GET /{module}?fields=`.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery<'a> {
    /// The module's API name.
    pub module: &'a str,
    /// 1 to [`FIELDS_MAX`](crate::FIELDS_MAX) API names; `id` always comes with them.
    pub fields: &'a [&'a str],
    /// Only what this custom view shows (`cvid`); then three credits a page, and no sort.
    pub view: Option<&'a str>,
    /// In which order; Zoho's default is the newest id first.
    pub sort: Option<Sort>,
    /// Whether converted leads are shown.
    pub converted: Converted,
    /// Whether records that wait for an approval are shown; Zoho's default when not given.
    pub approved: Option<Approved>,
    /// Records of a page, 1 to 200.
    pub per_page: usize,
    /// Only what was changed after this (to the second).
    pub modified_since: Option<Timestamp>,
}

impl<'a> ListQuery<'a> {
    /// All of a module's records, in the largest pages.
    pub const fn of(module: &'a str, fields: &'a [&'a str]) -> Self {
        Self {
            module,
            fields,
            view: None,
            sort: None,
            converted: Converted::Hidden,
            approved: None,
            per_page: PER_PAGE_MAX,
            modified_since: None,
        }
    }
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// The smallest or oldest first.
    pub ascending: bool,
}

/// What a list can be sorted by; Zoho allows no other field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// The record's id.
    Id,
    /// When it was created.
    CreatedTime,
    /// When it was last changed.
    ModifiedTime,
}

impl SortBy {
    /// The field's API name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::CreatedTime => "Created_Time",
            Self::ModifiedTime => "Modified_Time",
        }
    }
}

/// Which records of an approval process a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// `approved=true`.
    Only,
    /// `approved=false`: those that wait.
    Waiting,
    /// `approved=both`.
    Both,
}

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageAt<'a> {
    /// By number, from 1; within the first 2000 records.
    Number(usize),
    /// By [`Page::next_page_token`] of an earlier page of the same list; good for a day.
    Token(&'a str),
}

impl Client {
    /// Lists a module's records, however many, with one page in memory: by page numbers as far as they reach (2000
    /// records), then by page tokens, as far as those do (Zoho: 100,000 records; then `PAGINATION_LIMIT_EXCEEDED`, for
    /// which COQL or bulk read are the way).
    ///
    /// Zoho: "Get records", v8. Rich text is cut to 500 characters; subforms and multi-select lookups are not in it.
    /// One credit a page.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn list(&self, query: &ListQuery<'_>) -> Listing<Values> {
        let asked = match Asked::new(query) {
            Ok(asked) => Arc::new((self.clone(), asked)),
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        pages(Start::Number(1), move |start| {
            let asked = Arc::clone(&asked);
            async move {
                let (client, asked) = &*asked;
                let page = client.list_some(asked, &start).await?;
                let next = asked.next(&start, &page)?;
                Ok((page.items, next))
            }
        })
    }

    /// One page of a module's records. With [`ListQuery::modified_since`], "nothing was changed" (304) is an empty
    /// page.
    ///
    /// Zoho: "Get records", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the query breaks a limit, [`Error::RestartPaging`] for a page token that
    /// has expired or belongs to another list; else as the variants say.
    pub async fn list_page(
        &self,
        query: &ListQuery<'_>,
        at: PageAt<'_>,
    ) -> Result<Page<Values>, Error> {
        let asked = Asked::new(query)?;
        let start = match at {
            PageAt::Number(number) if asked.reaches(number) => Start::Number(number),
            PageAt::Number(_) => {
                return Err(Self::wrong("page numbers reach the first 2000 records"));
            }
            PageAt::Token(token) => Start::Token(token.to_owned()),
        };
        self.list_some(&asked, &start).await
    }

    async fn list_some(&self, asked: &Asked, start: &Start) -> Result<Page<Values>, Error> {
        let number;
        let at = match start {
            Start::Number(page) => {
                number = page.to_string();
                ("page", number.as_str())
            }
            Start::Token(token) => ("page_token", token.as_str()),
        };
        let mut pairs: Vec<_> = asked.pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
        pairs.push(at);
        let since = asked.since.as_deref();
        let headers: Vec<_> = since
            .map(|it| ("If-Modified-Since", it))
            .into_iter()
            .collect();
        let path = [asked.module.as_str()];
        let request = ApiRequest::get(&path).query(&pairs).headers(&headers);
        let answer = self.send(Call::List, asked.cost, &request).await?;
        page(&answer, "data")?.try_map(record_in)
    }
}

/// A query, checked and kept.
struct Asked {
    module: String,
    pairs: Vec<(&'static str, String)>,
    since: Option<String>,
    per_page: usize,
    cost: Cost,
}

/// Where a page starts.
enum Start {
    Number(usize),
    Token(String),
}

impl Asked {
    fn new(query: &ListQuery<'_>) -> Result<Self, Error> {
        let ListQuery {
            module,
            fields,
            view,
            sort,
            ..
        } = *query;
        if !is_api_name(module) {
            return Err(NOT_A_MODULE);
        }
        check_fields(fields)?;
        if fields.is_empty() {
            return Err(Client::wrong("a list call takes 1 to 50 fields"));
        }
        if view.is_some() && sort.is_some() {
            return Err(Client::wrong("a custom view has its own order"));
        }
        if !view.is_none_or(is_record_id) {
            return Err(Client::wrong("not a custom view's id"));
        }
        if !(1..=PER_PAGE_MAX).contains(&query.per_page) {
            return Err(Client::wrong("a page has 1 to 200 records"));
        }
        let mut pairs = vec![
            ("fields", fields.join(",")),
            ("per_page", query.per_page.to_string()),
        ];
        if let Some(view) = view {
            pairs.push(("cvid", view.to_owned()));
        }
        if let Some(Sort { by, ascending }) = sort {
            let order = if ascending { "asc" } else { "desc" };
            pairs.push(("sort_by", by.as_str().to_owned()));
            pairs.push(("sort_order", order.to_owned()));
        }
        if let Some(converted) = query.converted.parameter() {
            pairs.push(("converted", converted.to_owned()));
        }
        if let Some(approved) = query.approved {
            let approved = match approved {
                Approved::Only => "true",
                Approved::Waiting => "false",
                Approved::Both => "both",
            };
            pairs.push(("approved", approved.to_owned()));
        }
        Ok(Self {
            module: module.to_owned(),
            pairs,
            since: query.modified_since.map(time::zoho),
            per_page: query.per_page,
            cost: match (view, sort) {
                (Some(_), _) => Cost::heavy(3),
                (None, Some(_)) => Cost::heavy(1),
                (None, None) => Cost::ONE,
            },
        })
    }

    fn reaches(&self, number: usize) -> bool {
        number > 0 && number.saturating_mul(self.per_page) <= BY_NUMBER_MAX
    }

    fn next(&self, start: &Start, page: &Page<Values>) -> Result<Option<Start>, Error> {
        if !page.more {
            return Ok(None);
        }
        if let Start::Number(number) = start
            && self.reaches(number + 1)
        {
            return Ok(Some(Start::Number(number + 1)));
        }
        match &page.next_page_token {
            Some(token) => Ok(Some(Start::Token(token.clone()))),
            None => Err(NO_WAY_ON),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(query: &ListQuery<'_>) -> (u64, bool) {
        let cost = Asked::new(query).unwrap().cost;
        (cost.credits, cost.heavy)
    }

    #[test]
    fn views_and_sorts_are_heavy() {
        let plain = ListQuery::of("Leads", &["Last_Name"]);
        let sort = Some(Sort {
            by: SortBy::ModifiedTime,
            ascending: true,
        });
        let view = Some("4150868000000087501");
        assert_eq!(cost(&plain), (1, false));
        assert_eq!(cost(&ListQuery { sort, ..plain }), (1, true));
        assert_eq!(cost(&ListQuery { view, ..plain }), (3, true));
        assert!(
            Asked::new(&ListQuery {
                view,
                sort,
                ..plain
            })
            .is_err()
        );
    }

    #[test]
    fn numbers_go_on_until_2000_and_tokens_from_there() {
        let asked = |per_page| {
            let query = ListQuery::of("Leads", &["Last_Name"]);
            Asked::new(&ListQuery { per_page, ..query }).unwrap()
        };
        let page = |token: Option<&str>| Page {
            items: vec![],
            more: true,
            next_page_token: token.map(ToOwned::to_owned),
            answered_at: Timestamp::UNIX_EPOCH,
        };
        let after = |per_page, number, token| match asked(per_page)
            .next(&Start::Number(number), &page(token))
        {
            Ok(Some(Start::Number(number))) => number.to_string(),
            Ok(Some(Start::Token(token))) => token,
            Ok(None) => "end".to_owned(),
            Err(error) => error.class().to_owned(),
        };
        assert_eq!(after(200, 9, Some("t")), "10");
        assert_eq!(after(200, 10, Some("t")), "t");
        assert_eq!(after(200, 10, None), "malformed");
        assert_eq!(after(150, 12, Some("t")), "13");
        assert_eq!(after(150, 13, Some("t")), "t", "14 pages would be 2100");
    }
}
