//! Bytes out and in: the only place that knows the HTTP client.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use jiff::{Timestamp, fmt::rfc2822};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    Error, SetupError,
    auth::AccessToken,
    request::{ApiRequest, Body},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_CONNECTION_KEPT: Duration = Duration::from_mins(1);

/// An answer may have so many bytes: 200 records of 50 fields with the longest texts stay below.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest time for one upload or download; Zoho's largest files are a few hundred megabytes.
const TRANSFER_TIMEOUT: Duration = Duration::from_hours(1);

/// An answer as it came.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Sends requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    /// Longest wait for one answer, or for more of one.
    pub(crate) timeout: Duration,
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
        Ok(Self { http, timeout })
    }

    /// Sends a request and takes in its answer.
    pub(crate) async fn exchange(
        &self,
        request: &ApiRequest<'_>,
        url: Url,
        token: &AccessToken,
    ) -> Result<RawAnswer, Error> {
        let built = self.build(request, url, token)?;
        let built = match request.body {
            Body::Multipart(_) => built.timeout(TRANSFER_TIMEOUT),
            Body::None | Body::Json(_) => built,
        };
        exchange(built).await
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn open(
        &self,
        request: &ApiRequest<'_>,
        url: Url,
        token: &AccessToken,
    ) -> Result<reqwest::Response, Error> {
        let built = self.build(request, url, token)?.timeout(TRANSFER_TIMEOUT);
        match tokio::time::timeout(self.timeout, built.send()).await {
            Ok(sent) => sent.map_err(unreachable),
            Err(_elapsed) => Err(TIMED_OUT),
        }
    }

    fn build(
        &self,
        request: &ApiRequest<'_>,
        url: Url,
        token: &AccessToken,
    ) -> Result<reqwest::RequestBuilder, Error> {
        let mut built = self
            .http
            .request(request.method.clone(), url)
            .header(http::header::AUTHORIZATION, authorization(&token.secret)?);
        for (name, value) in request.headers {
            built = built.header(*name, *value);
        }
        Ok(match request.body {
            Body::None => built,
            Body::Json(body) => built.json(body),
            Body::Multipart(form) => built.multipart(form()?),
        })
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
    collect(request.send().await.map_err(unreachable)?).await
}

/// Takes in the whole body of an answer.
pub(crate) async fn collect(mut response: reqwest::Response) -> Result<RawAnswer, Error> {
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(TOO_LARGE);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(RawAnswer {
        status,
        headers,
        body: body.freeze(),
    })
}

/// An answer, or more of one, did not come in time.
pub(crate) const TIMED_OUT: Error = Error::Unreachable {
    problem: "timeout",
    source: None,
};

/// An answer has more bytes than are taken.
pub(crate) const TOO_LARGE: Error = Error::Unreachable {
    problem: "too large",
    source: None,
};

/// A connection that could not be made is told apart: then the request did not get there.
pub(crate) fn unreachable(source: reqwest::Error) -> Error {
    let problem = if source.is_connect() {
        "connect"
    } else if source.is_timeout() {
        "timeout"
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
