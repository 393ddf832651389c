//! A file on its way from Zoho, in pieces, so that its size is no matter.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use http::{HeaderMap, header};

use crate::{
    Error,
    limits::Permit,
    transport::{TIMED_OUT, TOO_LARGE, unreachable},
};

/// The longest file name that is given; longer ones lose their beginning.
const NAME_CHARS_MAX: usize = 255;

/// A file on its way. It counts as a call in flight until it is dropped, so it should be read without long pauses.
pub struct Download {
    /// What Zoho calls the file: a plain name without a path, safe to create in a folder of one's own.
    pub file_name: Option<String>,
    /// What Zoho says it is.
    pub content_type: Option<String>,
    /// How many bytes it has, where Zoho says so.
    pub bytes: Option<u64>,
    nothing: bool,
    left: u64,
    timeout: Duration,
    response: reqwest::Response,
    _permit: Permit,
}

impl Download {
    pub(crate) fn new(
        response: reqwest::Response,
        permit: Permit,
        timeout: Duration,
        bytes_max: u64,
    ) -> Result<Self, Error> {
        let bytes = response.content_length();
        if bytes.is_some_and(|it| it > bytes_max) {
            return Err(TOO_LARGE);
        }
        let headers = response.headers();
        let content_type = headers.get(header::CONTENT_TYPE);
        Ok(Self {
            file_name: file_name(headers),
            content_type: content_type
                .and_then(|it| it.to_str().ok())
                .map(ToOwned::to_owned),
            bytes,
            nothing: response.status() == http::StatusCode::NO_CONTENT,
            left: bytes_max,
            timeout,
            response,
            _permit: permit,
        })
    }

    /// Whether Zoho said that there is no such file (204).
    pub fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it is cut short, stalls or has more bytes than are taken. Then the whole file is to
    /// be asked for again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = match tokio::time::timeout(self.timeout, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(unreachable)?,
            Err(_elapsed) => return Err(TIMED_OUT),
        };
        if let Some(chunk) = &chunk {
            let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.left = self.left.checked_sub(bytes).ok_or(TOO_LARGE)?;
        }
        Ok(chunk)
    }

    /// The pieces as a stream, which ends with the first error.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes, Error>> {
        stream::try_unfold(self, |mut download| async move {
            Ok(download.chunk().await?.map(|chunk| (chunk, download)))
        })
        .boxed()
    }

    /// All of it at once, in memory.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub async fn into_bytes(mut self) -> Result<Bytes, Error> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// The name in `Content-Disposition`: `filename*=UTF-8''…` where there is one, else `filename=…`.
fn file_name(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(header::CONTENT_DISPOSITION)?;
    let text = String::from_utf8_lossy(header.as_bytes());
    let parameters: Vec<(String, String)> = parameters(&text);
    let find = |name: &str| {
        let mut found = parameters.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    };
    let extended = find("filename*").and_then(|it| it.splitn(3, '\'').nth(2).map(percent_decoded));
    let name = extended.or_else(|| find("filename").map(ToOwned::to_owned))?;
    plain(&name)
}

/// `; name=value` and `; name="value"`, names in lower case.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        let Some(part) = parts.last_mut() else {
            break;
        };
        match c {
            _ if escaped => {
                escaped = false;
                part.push(c);
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => parts.push(String::new()),
            _ => part.push(c),
        }
    }
    let pairs = parts.iter().filter_map(|it| it.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = vec![];
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = [ahead.next(), ahead.next()].map(|it| hex(it.unwrap_or_default()));
        match (byte, digits) {
            (b'%', [Some(high), Some(low)]) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    let digit = char::from(digit).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// The last part of what may be a path, without what a file system could trip over.
fn plain(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next()?.trim();
    let clean: Vec<char> = last.chars().filter(|it| !it.is_control()).collect();
    let skip = clean.len().saturating_sub(NAME_CHARS_MAX);
    let name: String = clean.into_iter().skip(skip).collect();
    (!matches!(name.as_str(), "" | "." | "..")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(disposition: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(disposition.as_bytes()).unwrap();
        headers.insert(header::CONTENT_DISPOSITION, value);
        file_name(&headers)
    }

    #[test]
    fn a_file_name_is_found_however_it_is_written() {
        for (disposition, expected) in [
            ("attachment; filename=\"a; b.zip\"", "a; b.zip"),
            ("attachment;filename=1234.zip", "1234.zip"),
            ("attachment; FileName=\"a \\\"b\\\".csv\"", "a \"b\".csv"),
            (
                "attachment; filename=x.txt; filename*=UTF-8''na%C3%AFve%20file.txt",
                "naïve file.txt",
            ),
            ("attachment; filename*=UTF-8''50%25%", "50%%"),
        ] {
            assert_eq!(name(disposition).as_deref(), Some(expected));
        }
        assert_eq!(name("attachment"), None);
    }

    #[test]
    fn a_file_name_never_leads_out_of_its_folder() {
        assert_eq!(name("a; filename=../../etc/x").as_deref(), Some("x"));
        assert_eq!(
            name("a; filename*=UTF-8''..%2F..%5Cx").as_deref(),
            Some("x")
        );
        assert_eq!(name("a; filename=\"..\""), None);
        assert_eq!(name("a; filename=\"x/\""), None);
    }
}
