//! The last refused requests of each source, so that a user can see why Zoho is not heard.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::HeaderMap;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::event::SourceName;

/// Kept for each source.
const REFUSED_MAX: usize = 100;

/// Kept of each request.
const HEADERS_MAX: usize = 32;

/// Kept of each name, in bytes.
const HEADER_NAME_BYTES_MAX: usize = 64;

/// A refused request: its shape, and nothing of its values or body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedRequest {
    /// When.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// Why: a word of a closed set.
    pub reason: &'static str,
    /// `GET`, `POST`, `PUT`, `DELETE`, `HEAD` or `other`.
    pub method: &'static str,
    /// The caller, behind trusted proxies.
    pub peer: IpAddr,
    /// In the order received, the first 32.
    pub headers: Vec<RefusedHeader>,
    /// Length of the query string, in bytes.
    pub query_bytes: usize,
    /// Length of the body as sent, in bytes; `None` when it was not read.
    pub body_bytes: Option<usize>,
}

/// A header's name and the length of its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedHeader {
    /// Lower case, cut at 64 bytes.
    pub name: String,
    /// In bytes.
    pub value_bytes: usize,
}

/// What is kept of `headers`.
pub(super) fn shape_of(headers: &HeaderMap) -> Vec<RefusedHeader> {
    headers
        .iter()
        .take(HEADERS_MAX)
        .map(|(name, value)| RefusedHeader {
            name: name.as_str().chars().take(HEADER_NAME_BYTES_MAX).collect(),
            value_bytes: value.len(),
        })
        .collect()
}

/// RFC 3339.
fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[derive(Debug, Default)]
pub(super) struct Refusals {
    by_source: Mutex<HashMap<SourceName, VecDeque<RefusedRequest>>>,
}

impl Refusals {
    pub(super) fn push(&self, source: &SourceName, request: RefusedRequest) {
        let mut by_source = self.lock();
        let list = match by_source.get_mut(source) {
            Some(list) => list,
            None => by_source.entry(source.clone()).or_default(),
        };
        if list.len() >= REFUSED_MAX {
            list.pop_front();
        }
        list.push_back(request);
    }

    pub(super) fn list(&self, source: &SourceName) -> Vec<RefusedRequest> {
        let by_source = self.lock();
        by_source
            .get(source)
            .map(|list| list.iter().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn keep_only(&self, keep: impl Fn(&str) -> bool) {
        self.lock().retain(|source, _| keep(source.as_str()));
    }

    /// The list is whole after every step, so one that a panic left behind is fine.
    fn lock(&self) -> MutexGuard<'_, HashMap<SourceName, VecDeque<RefusedRequest>>> {
        self.by_source
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query_bytes: usize) -> RefusedRequest {
        RefusedRequest {
            at: Timestamp::UNIX_EPOCH,
            reason: "no_token",
            method: "POST",
            peer: [127, 0, 0, 1].into(),
            headers: vec![],
            query_bytes,
            body_bytes: None,
        }
    }

    #[test]
    fn the_last_hundred_of_each_source_are_kept() {
        let refusals = Refusals::default();
        let (one, two) = (SourceName::new("one"), SourceName::new("two"));
        for number in 0..150 {
            refusals.push(&one, request(number));
        }
        refusals.push(&two, request(0));
        let kept: Vec<_> = refusals
            .list(&one)
            .iter()
            .map(|it| it.query_bytes)
            .collect();
        assert_eq!(kept, (50..150).collect::<Vec<_>>());
        refusals.keep_only(|it| it == "two");
        assert_eq!(refusals.list(&one), []);
        assert_eq!(refusals.list(&two).len(), 1);
    }

    #[test]
    fn values_are_not_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("x-zohook-secret", "hunter2".parse().unwrap());
        let shape = shape_of(&headers);
        let expected = RefusedHeader {
            name: "x-zohook-secret".to_owned(),
            value_bytes: 7,
        };
        assert_eq!(shape, [expected]);
    }
}
