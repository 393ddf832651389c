//! Pages of a list: by number within the first 2000 rows, by page token beyond.

use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{answer::Refusal, call::Call, time, world::order::Position};

/// Rows per page. Zoho: "Get records", v8; so are the three below.
const PER_PAGE_MAX: usize = 200;
/// Rows that `page` reaches.
const ROWS_BY_PAGE: usize = 2_000;
/// Rows that page tokens reach.
const ROWS_BY_TOKEN: usize = 100_000;
/// Life of a page token.
const TOKEN_LIFE: Duration = Duration::from_hours(24);
/// Separates the parts of a page token.
const SEPARATOR: char = '-';

/// Which rows of a list are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Rows before it.
    pub(super) skip: usize,
    pub(super) rows: usize,
    /// Where it is, if its token says so.
    pub(super) place: Option<Place>,
    /// What page tokens of this list are bound to.
    bound_to: u64,
}

/// Where a page is in a list whose records have positions: what comes in between, or goes, moves
/// no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Behind(Position),
    Before(Position),
}

impl Page {
    /// Reads `page`, `per_page` and `page_token`.
    pub(super) fn read(call: &Call, path: &str, now: Timestamp) -> Result<Self, Refusal> {
        let per_page = per_page(call)?;
        let bound_to = bound_to(call, path);
        let Some(token) = call.parameter("page_token") else {
            let skip = page(call)?.saturating_sub(1).saturating_mul(per_page);
            if skip.saturating_add(per_page) > ROWS_BY_PAGE {
                return Err(Refusal::new(
                    "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
                    "the limit of records that can be fetched by page is exceeded, use page_token",
                    json!({"limit": ROWS_BY_PAGE, "param_name": "page"}),
                ));
            }
            return Ok(Self {
                skip,
                rows: per_page,
                place: None,
                bound_to,
            });
        };
        if call.parameter("page").is_some() {
            return Err(Refusal::new(
                "AMBIGUITY_DURING_PROCESSING",
                "page and page_token cannot be given together",
                json!({"ambiguity_due_to": [{"param_name": "page"}, {"param_name": "page_token"}]}),
            ));
        }
        Self {
            skip: 0,
            rows: per_page,
            place: None,
            bound_to,
        }
        .at_token(token, now)
    }

    fn at_token(mut self, token: &str, now: Timestamp) -> Result<Self, Refusal> {
        let (skip, expires, bound_to, place) = read_token(token).ok_or_else(|| {
            Refusal::new(
                "INVALID_DATA",
                "the page_token given seems to be invalid",
                json!({"param_name": "page_token"}),
            )
        })?;
        if expires <= now.as_second() {
            return Err(Refusal::new(
                "EXPIRED_VALUE",
                "the page_token has expired",
                json!({"param_name": "page_token"}),
            ));
        }
        if bound_to != self.bound_to {
            return Err(Refusal::new(
                "TOKEN_BOUND_DATA_MISMATCH",
                "the parameters differ from those of the page_token",
                json!({"param_name": "page_token"}),
            ));
        }
        self.skip = skip;
        self.place = place;
        if skip.saturating_add(self.rows) > ROWS_BY_TOKEN {
            return Err(Refusal::new(
                "PAGINATION_LIMIT_EXCEEDED",
                "the limit of records that can be fetched is exceeded",
                json!({"limit": ROWS_BY_TOKEN, "param_name": "page_token"}),
            ));
        }
        Ok(self)
    }

    /// The `info` of the answer with `count` rows.
    pub(super) fn info(self, count: usize, more: bool, now: Timestamp) -> Value {
        self.info_between(count, more, now, None)
    }

    /// The `info` of the answer with `count` rows, of which `ends` are the first and the last: the
    /// pages before and behind keep to them.
    pub(super) fn info_between(
        self,
        count: usize,
        more: bool,
        now: Timestamp,
        ends: Option<(Position, Position)>,
    ) -> Value {
        let expires = now.checked_add(TOKEN_LIFE).unwrap_or(Timestamp::MAX);
        let (first, last) = (ends.map(|it| it.0), ends.map(|it| it.1));
        let next = more.then(|| {
            let place = last.map(Place::Behind);
            self.token(self.skip + self.rows, expires, place)
        });
        let previous = (self.skip > 0).then(|| {
            let place = first.map(Place::Before);
            self.token(self.skip.saturating_sub(self.rows), expires, place)
        });
        let any_token = next.is_some() || previous.is_some();
        json!({
            "per_page": self.rows,
            "count": count,
            "page": self.skip / self.rows.max(1) + 1,
            "more_records": more,
            "next_page_token": next,
            "previous_page_token": previous,
            "page_token_expiry": any_token.then(|| time::zoho(expires)),
        })
    }

    fn token(self, skip: usize, expires: Timestamp, place: Option<Place>) -> String {
        let mut token = String::new();
        let mut written = write!(
            token,
            "{skip:x}{SEPARATOR}{:x}{SEPARATOR}{:016x}",
            expires.as_second(),
            self.bound_to
        );
        let (side, at) = match place {
            Some(Place::Behind(at)) => ('b', at),
            Some(Place::Before(at)) => ('a', at),
            None => return token,
        };
        written = written.and(write!(
            token,
            "{SEPARATOR}{side}{SEPARATOR}{:x}{SEPARATOR}{:x}",
            at.at.as_second(),
            at.id
        ));
        debug_assert!(written.is_ok());
        token
    }
}

fn read_token(token: &str) -> Option<(usize, i64, u64, Option<Place>)> {
    let mut parts = token.split(SEPARATOR);
    let skip = usize::from_str_radix(parts.next()?, 16).ok()?;
    let expires = i64::from_str_radix(parts.next()?, 16).ok()?;
    let bound_to = u64::from_str_radix(parts.next()?, 16).ok()?;
    let place = match parts.next() {
        None => None,
        Some(side) => {
            let at = i64::from_str_radix(parts.next()?, 16).ok()?;
            let id = u64::from_str_radix(parts.next()?, 16).ok()?;
            let at = Timestamp::from_second(at).ok()?;
            let position = Position { at, id };
            Some(match side {
                "b" => Place::Behind(position),
                "a" => Place::Before(position),
                _ => return None,
            })
        }
    };
    let read = (skip, expires, bound_to, place);
    parts.next().is_none().then_some(read)
}

fn bound_to(call: &Call, path: &str) -> u64 {
    let mut parameters: Vec<_> = call
        .query
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "page" | "page_token"))
        .collect();
    parameters.sort();
    let mut hasher = DefaultHasher::new();
    (path, parameters).hash(&mut hasher);
    hasher.finish()
}

/// The number of the page asked for, from 1 on.
pub(super) fn page(call: &Call) -> Result<usize, Refusal> {
    number(call, "page", 1)
}

/// Rows per page.
pub(super) fn per_page(call: &Call) -> Result<usize, Refusal> {
    let rows = number(call, "per_page", PER_PAGE_MAX)?;
    if rows > PER_PAGE_MAX {
        return Err(Refusal::limit("per_page", PER_PAGE_MAX));
    }
    Ok(rows)
}

fn number(call: &Call, name: &str, default: usize) -> Result<usize, Refusal> {
    let Some(text) = call.parameter(name) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Refusal::invalid_data(
            json!({"param_name": name, "expected_data_type": "integer"}),
        )),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::*;
    use crate::call::Operation;

    fn call(query: &[(&str, &str)]) -> Call {
        let query = query.iter();
        Call {
            method: Method::GET,
            operation: Operation::Records("Leads".into()),
            query: query.map(|it| (it.0.to_owned(), it.1.to_owned())).collect(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    fn token(info: &Value, name: &str) -> String {
        info[name].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_leads_behind_the_last_record_and_back_before_the_first() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = |id| Position { at: now, id };
        let first = Page::read(&call(&[("per_page", "50")]), "Leads", now).unwrap();
        let info = first.info_between(50, true, now, Some((at(9), at(5))));
        assert_eq!(info["previous_page_token"], Value::Null);
        let next = token(&info, "next_page_token");
        assert!(
            next.len() <= 96,
            "the longest token that clients need to bear"
        );
        let parameters = [("per_page", "50"), ("page_token", &next)];
        let second = Page::read(&call(&parameters), "Leads", now).unwrap();
        assert_eq!(second.skip, 50);
        assert_eq!(second.place, Some(Place::Behind(at(5))));
        let info = second.info_between(50, false, now, Some((at(4), at(1))));
        assert_eq!(
            (&info["page"], &info["next_page_token"]),
            (&json!(2), &Value::Null)
        );
        let back = token(&info, "previous_page_token");
        let parameters = [("per_page", "50"), ("page_token", &back)];
        let again = Page::read(&call(&parameters), "Leads", now).unwrap();
        assert_eq!((again.skip, again.place), (0, Some(Place::Before(at(4)))));
    }

    #[test]
    fn a_token_lives_a_day_is_bound_to_its_list_and_ends_at_a_hundred_thousand_rows() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let day = Duration::from_hours(24);
        let page = Page::read(&call(&[]), "Leads", now).unwrap();
        let refused = |token: &str, path: &str, now: Timestamp| {
            let read = Page::read(&call(&[("page_token", token)]), path, now);
            read.err().map(|it| it.code)
        };
        let good = page.token(99_800, now + day, None);
        assert_eq!(refused(&good, "Leads", now), None);
        assert_eq!(refused(&good, "Leads", now + day), Some("EXPIRED_VALUE"));
        assert_eq!(
            refused(&good, "Deals", now),
            Some("TOKEN_BOUND_DATA_MISMATCH")
        );
        let beyond = page.token(99_801, now + day, None);
        assert_eq!(
            refused(&beyond, "Leads", now),
            Some("PAGINATION_LIMIT_EXCEEDED")
        );
        assert_eq!(refused("c8582e7c7", "Leads", now), Some("INVALID_DATA"));
    }
}
