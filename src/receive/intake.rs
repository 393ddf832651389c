//! Reads a request's body within its limits, as sent and decompressed.

use std::io::{self, Read};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use futures_util::StreamExt;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::Refused;
use crate::event::Undecodable;

/// Room for the bytes of bodies, held while they are in memory.
pub(super) struct Room<'a> {
    all: &'a Semaphore,
    held: Option<SemaphorePermit<'a>>,
}

impl<'a> Room<'a> {
    /// None of `all` yet; a permit is a byte.
    pub(super) const fn of(all: &'a Semaphore) -> Self {
        Self { all, held: None }
    }

    /// Takes room for so many bytes more.
    fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        let bytes = u32::try_from(bytes).map_err(|_too_many| Refused::Busy)?;
        let more = self.all.try_acquire_many(bytes);
        let more = more.map_err(|_too_many| Refused::Busy)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

/// Reads all of `body`, at most `bytes_max` bytes. The time is the caller's to limit.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    room: &mut Room<'_>,
) -> Result<Bytes, Refused> {
    if announced_bytes(headers).is_some_and(|it| it > bytes_max) {
        return Err(Refused::TooLarge);
    }
    let mut chunks = body.into_data_stream();
    let mut whole = Bytes::new();
    // One chunk is the usual case, and is not copied.
    let mut joined = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            return Err(Refused::Incomplete);
        };
        let so_far = whole.len().max(joined.len());
        if chunk.len() > bytes_max.saturating_sub(so_far) {
            return Err(Refused::TooLarge);
        }
        room.take(chunk.len())?;
        if so_far == 0 {
            whole = chunk;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&whole);
            }
            joined.extend_from_slice(&chunk);
        }
    }
    Ok(if joined.is_empty() {
        whole
    } else {
        joined.freeze()
    })
}

fn announced_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Undoes the content encoding. `Ok(Err(_))` where there is one that we cannot undo.
pub(super) fn decompress(
    headers: &HeaderMap,
    bytes: &Bytes,
    bytes_max: usize,
    room: &mut Room<'_>,
) -> Result<Result<Bytes, Undecodable>, Refused> {
    let mut encodings = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|it| it.to_str().unwrap_or("unknown").split(','))
        .map(str::trim)
        .filter(|it| !it.is_empty() && !it.eq_ignore_ascii_case("identity"));
    let encoding = encodings.next().filter(|_| !bytes.is_empty());
    let Some(encoding) = encoding else {
        return Ok(Ok(bytes.clone()));
    };
    let is_gzip = ["gzip", "x-gzip"]
        .iter()
        .any(|it| encoding.eq_ignore_ascii_case(it));
    if !is_gzip || encodings.next().is_some() {
        return Ok(Err(Undecodable::Encoding));
    }
    match gunzip(bytes, bytes_max) {
        Ok(plain) if plain.len() > bytes_max => Err(Refused::TooLarge),
        Ok(plain) => {
            room.take(plain.len())?;
            Ok(Ok(plain.into()))
        }
        Err(_) => Ok(Err(Undecodable::Encoding)),
    }
}

/// Stops one byte after `bytes_max`.
fn gunzip(bytes: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut plain = vec![];
    MultiGzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use futures_util::stream;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn encoded(encoding: &[&str], bytes: &[u8]) -> Result<Result<Bytes, Undecodable>, Refused> {
        let mut headers = HeaderMap::new();
        for encoding in encoding {
            headers.append(CONTENT_ENCODING, encoding.parse().unwrap());
        }
        let all = Semaphore::new(100);
        let bytes = Bytes::copy_from_slice(bytes);
        decompress(&headers, &bytes, 10, &mut Room::of(&all))
    }

    #[test]
    fn gzip_is_undone_up_to_the_limit() {
        let plain = Ok(Ok(Bytes::from_static(b"0123456789")));
        assert_eq!(encoded(&[], b"0123456789"), plain);
        assert_eq!(encoded(&["identity"], b"0123456789"), plain);
        assert_eq!(encoded(&["gzip"], b""), Ok(Ok(Bytes::new())));
        assert_eq!(encoded(&["GZip"], &gzip(b"0123456789")), plain);
        let two = [gzip(b"01234"), gzip(b"56789")].concat();
        assert_eq!(encoded(&["x-gzip"], &two), plain);
        assert_eq!(
            encoded(&["gzip"], &gzip(b"0123456789a")),
            Err(Refused::TooLarge)
        );
        assert_eq!(
            encoded(&["gzip"], &gzip(&vec![0; 1_000_000])),
            Err(Refused::TooLarge)
        );
    }

    #[test]
    fn what_cannot_be_undone_is_undecodable() {
        let no = Ok(Err(Undecodable::Encoding));
        assert_eq!(encoded(&["gzip"], b"no gzip"), no);
        assert_eq!(encoded(&["gzip"], &gzip(b"0123456789")[..20]), no);
        assert_eq!(encoded(&["br"], b"1"), no);
        assert_eq!(encoded(&["gzip, gzip"], &gzip(b"1")), no);
        assert_eq!(encoded(&["gzip", "br"], &gzip(b"1")), no);
    }

    #[tokio::test]
    async fn chunks_are_joined_up_to_the_limit() {
        let read = async |chunks: &[&'static str], bytes_max| {
            let chunks: Vec<_> = chunks.iter().map(|it| Ok::<_, io::Error>(*it)).collect();
            let body = Body::from_stream(stream::iter(chunks));
            let all = Semaphore::new(100);
            read(&HeaderMap::new(), body, bytes_max, &mut Room::of(&all)).await
        };
        assert_eq!(read(&[], 0).await, Ok(Bytes::new()));
        assert_eq!(read(&["abc"], 3).await, Ok("abc".into()));
        assert_eq!(read(&["a", "b", "", "c"], 3).await, Ok("abc".into()));
        assert_eq!(read(&["a", "b", "cd"], 3).await, Err(Refused::TooLarge));
        assert_eq!(read(&["abcd"], 3).await, Err(Refused::TooLarge));
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_not_even_read() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, "4".parse().unwrap());
        let body = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let all = Semaphore::new(100);
        let read = read(&headers, body, 3, &mut Room::of(&all)).await;
        assert_eq!(read, Err(Refused::TooLarge));
    }

    #[tokio::test]
    async fn bodies_share_the_room_there_is() {
        let all = Semaphore::new(10);
        let read = async |room: &mut Room<'_>, text: &'static str| {
            read(&HeaderMap::new(), Body::from(text), 100, room).await
        };
        let (mut first, mut second) = (Room::of(&all), Room::of(&all));
        assert_eq!(read(&mut first, "0123456").await, Ok("0123456".into()));
        assert_eq!(read(&mut second, "0123").await, Err(Refused::Busy));
        drop(first);
        assert_eq!(read(&mut second, "0123").await, Ok("0123".into()));
        drop(second);
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_ENCODING, "gzip".parse().unwrap());
        let zipped = gzip(&[0; 11]).into();
        let plain = decompress(&headers, &zipped, 100, &mut Room::of(&all));
        assert_eq!(plain, Err(Refused::Busy));
    }
}
