//! Bytes out and in: the only place that knows the HTTP client.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use jiff::{Timestamp, fmt::rfc2822};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Error, SetupError, auth::AccessToken};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_CONNECTION_KEPT: Duration = Duration::from_mins(1);

/// An answer may have so many bytes: 200 records of 50 fields with the longest texts stay below.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The path all of the API is under.
const API_PATH: [&str; 2] = ["crm", "v8"];

/// An answer as it came.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is asked of the API.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest<'a> {
    /// Below `/crm/v8`, one entry a segment.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
}

/// Sends requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
}

impl Transport {
    /// The one function that builds an HTTP client. `direct` is for loopback, where no proxy of the environment is used.
    pub(crate) fn new(timeout: Duration, direct: bool) -> Result<Self, SetupError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(SetupError::NoCryptoProvider);
        }
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .pool_idle_timeout(IDLE_CONNECTION_KEPT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("zoho-crm-rust/", env!("CARGO_PKG_VERSION")));
        let builder = if direct { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(SetupError::Http)?;
        Ok(Self { http })
    }

    pub(crate) async fn get(
        &self,
        request: &ApiRequest<'_>,
        token: &AccessToken,
    ) -> Result<RawAnswer, Error> {
        let path: Vec<&str> = API_PATH.iter().chain(request.path).copied().collect();
        let mut url = join(&token.api_url, &path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let request = self
            .http
            .get(url)
            .header(http::header::AUTHORIZATION, authorization(&token.secret)?);
        exchange(request).await
    }

    pub(crate) async fn post_form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<RawAnswer, Error> {
        exchange(self.http.post(url.clone()).form(form)).await
    }
}

/// `base` with more path segments, each escaped.
pub(crate) fn join(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // Fails only for URLs that cannot have a path, and those have no host either.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// `Retry-After`, in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = http_date(text)?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// The answer's `Date`: Zoho's own time, to the second.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(http::header::DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

fn authorization(token: &SecretString) -> Result<http::HeaderValue, Error> {
    let text = format!("Zoho-oauthtoken {}", token.expose_secret());
    let mut value = http::HeaderValue::try_from(text)
        .ok()
        .ok_or(Error::Malformed {
            problem: "the access token cannot be put into a header",
        })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<RawAnswer, Error> {
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Error::Unreachable {
                problem: "too large",
                source: None,
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(RawAnswer {
        status,
        headers,
        body: body.freeze(),
    })
}

fn unreachable(source: reqwest::Error) -> Error {
    let problem = if source.is_timeout() {
        "timeout"
    } else if source.is_connect() {
        "connect"
    } else if source.is_body() || source.is_decode() {
        "body"
    } else {
        "request"
    };
    Error::Unreachable {
        problem,
        source: Some(Arc::new(source.without_url())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_escaped_and_a_base_path_is_kept() {
        let base = Url::parse("http://127.0.0.1:8181/zoho/").unwrap();
        assert_eq!(
            join(&base, &["crm", "v8", "a/b?c"]).as_str(),
            "http://127.0.0.1:8181/zoho/crm/v8/a%2Fb%3Fc"
        );
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = http_date("Sun, 22 Nov 2026 21:00:00 GMT").unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            retry_after(&headers, now)
        };
        let minute = Some(Duration::from_mins(1));
        assert_eq!(read("60"), minute);
        assert_eq!(read("Sun, 22 Nov 2026 21:01:00 GMT"), minute);
        assert_eq!(read("Sun, 22 Nov 2026 20:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
