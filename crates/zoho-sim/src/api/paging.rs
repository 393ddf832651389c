//! Pages of a list: by number within the first 2000 rows, by page token beyond.

use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{answer::Refusal, call::Call, time};

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
    pub(super) skip: usize,
    pub(super) rows: usize,
    /// What page tokens of this list are bound to.
    bound_to: u64,
}

impl Page {
    /// Reads `page`, `per_page` and `page_token`.
    pub(super) fn read(call: &Call, path: &str, now: Timestamp) -> Result<Self, Refusal> {
        let per_page = number(call, "per_page", PER_PAGE_MAX)?;
        if per_page > PER_PAGE_MAX {
            return Err(Refusal::limit("per_page", PER_PAGE_MAX));
        }
        let bound_to = bound_to(call, path);
        let Some(token) = call.parameter("page_token") else {
            let skip = number(call, "page", 1)?
                .saturating_sub(1)
                .saturating_mul(per_page);
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
            bound_to,
        }
        .at_token(token, now)
    }

    fn at_token(mut self, token: &str, now: Timestamp) -> Result<Self, Refusal> {
        let (skip, expires, bound_to) = read_token(token).ok_or_else(|| {
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
        let expires = now.checked_add(TOKEN_LIFE).unwrap_or(Timestamp::MAX);
        let next = more.then(|| self.token(self.skip + self.rows, expires));
        let previous =
            (self.skip > 0).then(|| self.token(self.skip.saturating_sub(self.rows), expires));
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

    fn token(self, skip: usize, expires: Timestamp) -> String {
        let mut token = String::new();
        let written = write!(
            token,
            "{skip:x}{SEPARATOR}{:x}{SEPARATOR}{:016x}",
            expires.as_second(),
            self.bound_to
        );
        debug_assert!(written.is_ok());
        token
    }
}

fn read_token(token: &str) -> Option<(usize, i64, u64)> {
    let mut parts = token.split(SEPARATOR);
    let read = (
        usize::from_str_radix(parts.next()?, 16).ok()?,
        i64::from_str_radix(parts.next()?, 16).ok()?,
        u64::from_str_radix(parts.next()?, 16).ok()?,
    );
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
