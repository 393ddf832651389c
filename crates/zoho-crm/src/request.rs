//! What is asked of the API: where, how, with what, and what it costs.

use http::Method;
use reqwest::multipart::Form;
use serde_json::Value;
use url::Url;

use crate::{DataCenter, Error, transport::join};

/// Records per credit of a write. Zoho: "API limits", v8; so are the numbers below.
const WRITTEN_PER_CREDIT: usize = 10;
/// Writes of more records than this are heavy.
const LIGHT_RECORDS_MAX: usize = 10;
/// Records per credit of a delete.
const DELETED_PER_CREDIT: usize = 100;
/// Records per credit of adding or removing tags.
const TAGGED_PER_CREDIT: usize = 50;

/// What is asked of the API.
#[derive(Clone)]
pub(crate) struct ApiRequest<'a> {
    pub(crate) method: Method,
    pub(crate) root: Root<'a>,
    /// Below the root, one entry a segment.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Body<'a>,
    pub(crate) accept: Accept,
}

/// What a path starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Root<'a> {
    /// `/crm/v8`.
    Crm,
    /// `/crm/bulk/v8`.
    Bulk,
    /// `/crm/v8` of the data centre's upload host.
    Upload,
    /// An address of Zoho's, such as a `download_url`: a path on the API host, or a whole URL of it or of the data
    /// centre's own domain. Anything else is refused, or a token would go there.
    Api(&'a str),
}

/// What is sent along.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    None,
    Json(&'a Value),
    /// Made anew for every attempt.
    Multipart(&'a (dyn Fn() -> Result<Form, Error> + Send + Sync)),
}

/// Which answers other than a success are the caller's to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    /// None: each is an error.
    Success,
    /// A refusal that carries results per item under this key.
    Items(&'static str),
    /// Any refusal of the request itself.
    Refusals,
}

impl<'a> ApiRequest<'a> {
    pub(crate) const fn new(method: Method, path: &'a [&'a str]) -> Self {
        Self {
            method,
            root: Root::Crm,
            path,
            query: &[],
            headers: &[],
            body: Body::None,
            accept: Accept::Success,
        }
    }

    pub(crate) const fn get(path: &'a [&'a str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) const fn post(path: &'a [&'a str]) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) const fn put(path: &'a [&'a str]) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(crate) const fn patch(path: &'a [&'a str]) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub(crate) const fn delete(path: &'a [&'a str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub(crate) fn root(self, root: Root<'a>) -> Self {
        Self { root, ..self }
    }

    pub(crate) fn query(self, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { query, ..self }
    }

    pub(crate) fn headers(self, headers: &'a [(&'static str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    pub(crate) fn json(self, body: &'a Value) -> Self {
        let body = Body::Json(body);
        Self { body, ..self }
    }

    pub(crate) fn multipart(
        self,
        form: &'a (dyn Fn() -> Result<Form, Error> + Send + Sync),
    ) -> Self {
        let body = Body::Multipart(form);
        Self { body, ..self }
    }

    /// The answer has one result an item under this key, even where it is a refusal.
    pub(crate) fn items(self, key: &'static str) -> Self {
        let accept = Accept::Items(key);
        Self { accept, ..self }
    }

    pub(crate) fn accept(self, accept: Accept) -> Self {
        Self { accept, ..self }
    }

    /// Whether it asks for what changed only, so that 304 is an answer.
    pub(crate) fn is_conditional(&self) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name);
        names.any(|it| it.eq_ignore_ascii_case("if-modified-since"))
    }

    /// Where it goes, for a token that is good on `api`.
    pub(crate) fn url(&self, api: &Url, data_center: &DataCenter) -> Result<Url, Error> {
        let mut url = match self.root {
            Root::Crm => join(api, &["crm", "v8"]),
            Root::Bulk => join(api, &["crm", "bulk", "v8"]),
            Root::Upload => join(&data_center.upload_base(api)?, &["crm", "v8"]),
            Root::Api(address) => data_center.address(api, address)?,
        };
        if !self.path.is_empty() {
            url = join(&url, self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.query);
        }
        Ok(url)
    }
}

/// What a call uses up. Zoho: "API limits", v8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) credits: u64,
    /// Whether it counts against the sub-concurrency too.
    pub(crate) heavy: bool,
}

impl Cost {
    /// Most calls: one credit.
    pub(crate) const ONE: Self = Self::light(1);

    pub(crate) const fn light(credits: u64) -> Self {
        Self {
            credits,
            heavy: false,
        }
    }

    pub(crate) const fn heavy(credits: u64) -> Self {
        Self {
            credits,
            heavy: true,
        }
    }

    /// Insert, update or upsert of so many records.
    pub(crate) fn writes(records: usize) -> Self {
        Self {
            credits: per(records, WRITTEN_PER_CREDIT),
            heavy: records > LIGHT_RECORDS_MAX,
        }
    }

    /// Delete of so many records.
    pub(crate) fn deletes(records: usize) -> Self {
        Self::light(per(records, DELETED_PER_CREDIT))
    }

    /// Tags added to or removed from so many records.
    pub(crate) fn tags(records: usize) -> Self {
        Self::light(per(records, TAGGED_PER_CREDIT))
    }
}

fn per(records: usize, credit: usize) -> u64 {
    u64::try_from(records.div_ceil(credit).max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Region;

    #[test]
    fn costs_are_those_of_the_documentation() {
        let cost = |cost: Cost| (cost.credits, cost.heavy);
        assert_eq!(cost(Cost::ONE), (1, false));
        assert_eq!(cost(Cost::writes(1)), (1, false));
        assert_eq!(cost(Cost::writes(10)), (1, false));
        assert_eq!(cost(Cost::writes(11)), (2, true));
        assert_eq!(cost(Cost::writes(100)), (10, true));
        assert_eq!(cost(Cost::deletes(100)), (1, false));
        assert_eq!(cost(Cost::tags(51)), (2, false));
    }

    #[test]
    fn every_root_has_its_place() {
        let center = DataCenter::region(Region::Eu).unwrap();
        let api = Url::parse("https://www.zohoapis.eu").unwrap();
        let url = |request: ApiRequest<'_>| request.url(&api, &center).unwrap().to_string();
        assert_eq!(
            url(ApiRequest::get(&["Leads", "1"]).query(&[("fields", "a,b")])),
            "https://www.zohoapis.eu/crm/v8/Leads/1?fields=a%2Cb"
        );
        assert_eq!(
            url(ApiRequest::post(&["read"]).root(Root::Bulk)),
            "https://www.zohoapis.eu/crm/bulk/v8/read"
        );
        assert_eq!(
            url(ApiRequest::post(&["upload"]).root(Root::Upload)),
            "https://content.zohoapis.eu/crm/v8/upload"
        );
        assert_eq!(
            url(ApiRequest::get(&[]).root(Root::Api("/crm/bulk/v7/read/1/result"))),
            "https://www.zohoapis.eu/crm/bulk/v7/read/1/result"
        );
    }
}
