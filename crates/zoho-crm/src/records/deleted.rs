//! What was deleted: the only trace of a record that can no longer be read.

use std::{fmt, sync::Arc};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;

use super::{NOT_A_MODULE, UserRef, is_api_name, time_in};
use crate::{
    Call, Client, Error, Listing,
    page::{page, pages},
    request::{ApiRequest, Cost},
    time,
};

/// Zoho: "Get deleted records", v8.
const PER_PAGE: &str = "200";

/// `GET /{module}/deleted`.
#[derive(Clone, Copy, Debug)]
pub struct DeletedQuery<'a> {
    /// The module's API name.
    pub module: &'a str,
    /// Which of them.
    pub kind: DeletedKind,
    /// Only those deleted after this (to the second).
    pub since: Option<Timestamp>,
}

/// Where deleted records are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletedKind {
    /// Anywhere.
    #[default]
    All,
    /// In the recycle bin, for 60 days.
    Recycle,
    /// Nowhere any more; Zoho knows of them for 120 days.
    Permanent,
}

impl DeletedKind {
    /// Zoho's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Recycle => "recycle",
            Self::Permanent => "permanent",
        }
    }
}

/// A record that is no longer there.
#[derive(Clone, PartialEq)]
pub struct Deleted {
    /// The record's id.
    pub id: String,
    /// What it was called, where Zoho says.
    pub display_name: Option<String>,
    /// In the recycle bin ([`DeletedKind::Recycle`]) or gone for good.
    pub kind: DeletedKind,
    /// When.
    pub deleted_time: Option<Timestamp>,
    /// By whom.
    pub deleted_by: Option<UserRef>,
    /// Who had created it.
    pub created_by: Option<UserRef>,
}

/// The record's name is left out.
impl fmt::Debug for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deleted")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("deleted_time", &self.deleted_time)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Lists deleted records, the last deleted first, with one page in memory. Two credits a page.
    ///
    /// Zoho: "Get deleted records", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn deleted(&self, query: &DeletedQuery<'_>) -> Listing<Deleted> {
        if !is_api_name(query.module) {
            return stream::iter([Err(NOT_A_MODULE)]).boxed();
        }
        let asked = Arc::new((
            self.clone(),
            query.module.to_owned(),
            query.kind,
            query.since.map(time::zoho),
        ));
        pages(1_u32, move |number| {
            let asked = Arc::clone(&asked);
            async move {
                let (client, module, kind, since) = &*asked;
                let number_text = number.to_string();
                let query = [
                    ("type", kind.as_str()),
                    ("page", number_text.as_str()),
                    ("per_page", PER_PAGE),
                ];
                let since = since.as_deref();
                let headers: Vec<_> = since
                    .map(|it| ("If-Modified-Since", it))
                    .into_iter()
                    .collect();
                let path = [module.as_str(), "deleted"];
                let request = ApiRequest::get(&path).query(&query).headers(&headers);
                let answer = client.send(Call::Deleted, Cost::light(2), &request).await?;
                let page = page(&answer, "data")?.try_map(|it| read(&it))?;
                let next = page.more.then_some(number + 1);
                Ok((page.items, next))
            }
        })
    }
}

fn read(entry: &Value) -> Result<Deleted, Error> {
    let text = |key| {
        let text = entry.get(key).and_then(Value::as_str);
        text.map(ToOwned::to_owned)
    };
    let user = |key| entry.get(key).and_then(UserRef::read);
    Ok(Deleted {
        id: text("id").ok_or(Error::Malformed {
            problem: "a deleted record without an id",
        })?,
        display_name: text("display_name"),
        kind: match text("type").as_deref() {
            Some("permanent") => DeletedKind::Permanent,
            _ => DeletedKind::Recycle,
        },
        deleted_time: time_in(entry, "deleted_time"),
        deleted_by: user("deleted_by"),
        created_by: user("created_by"),
    })
}
