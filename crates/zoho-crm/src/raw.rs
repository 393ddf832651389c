//! Any call at all, for what this crate has no method for.

use std::fmt;

use http::Method;
use serde_json::Value;

use crate::{
    Call, Client, Error,
    request::{Accept, ApiRequest, Cost, Root},
};

/// What Zoho answered, as it is.
#[derive(Clone, PartialEq)]
pub struct RawResponse {
    /// HTTP status.
    pub status: u16,
    /// The body; `None` when there is none.
    pub body: Option<Value>,
}

/// A record's content is left out.
impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawResponse")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A call as its parts.
#[derive(Clone, Copy)]
pub struct RawRequest<'a> {
    /// How.
    pub method: &'a Method,
    /// Below `/crm/v8` (`Leads/actions/count`), or whole (`/crm/bulk/v8/read`), without the query.
    pub path: &'a str,
    /// Not yet encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Sent as JSON.
    pub body: Option<&'a Value>,
}

/// Query and body may hold values, and are left out.
impl fmt::Debug for RawRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl<'a> RawRequest<'a> {
    /// `GET`, without a query.
    pub const fn get(path: &'a str) -> Self {
        Self {
            method: &Method::GET,
            path,
            query: &[],
            body: None,
        }
    }
}

impl Client {
    /// Makes any call that is answered with JSON. It is counted as one credit and as heavy, whatever it really is; a
    /// read is sent again where that may help, all else only if it was certainly not carried out.
    ///
    /// A refusal of the request (4xx, but for 401 and 429) is an answer here, for the caller to read.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the path cannot be one; else as the variants say.
    pub async fn raw(&self, request: &RawRequest<'_>) -> Result<RawResponse, Error> {
        let path = request.path.split('/');
        let whole = request.path.starts_with('/');
        let segments: Vec<&str> = path.skip(usize::from(whole)).collect();
        if segments.iter().any(|it| matches!(*it, "" | "." | "..")) {
            return Err(Self::wrong("not a path of the api"));
        }
        if whole && segments.first() != Some(&"crm") {
            return Err(Self::wrong("a whole path starts with /crm"));
        }
        let root = if whole { Root::Api("/") } else { Root::Crm };
        let mut sent = ApiRequest::new(request.method.clone(), &segments)
            .root(root)
            .query(request.query)
            .accept(Accept::Refusals);
        if let Some(body) = request.body {
            sent = sent.json(body);
        }
        let answer = self.send(Call::Raw, Cost::heavy(1), &sent).await?;
        Ok(RawResponse {
            status: answer.status,
            body: if answer.is_empty() {
                None
            } else {
                Some(answer.json()?)
            },
        })
    }
}
