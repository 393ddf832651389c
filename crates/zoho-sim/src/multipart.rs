//! Files sent as `multipart/form-data`.

use bytes::Bytes;
use futures_util::{FutureExt, stream};

use crate::call::Call;

/// Parts read of one body.
const PARTS_MAX: usize = 16;

/// One part of a multipart body.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Nothing for a plain form field.
    pub(crate) file_name: Option<String>,
    pub(crate) bytes: Bytes,
}

/// The parts of a call's body; none if it is not multipart, or cut off.
pub(crate) fn parts(call: &Call) -> Vec<Part> {
    let content_type = call.header("content-type").unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        return vec![];
    };
    // The body is all there, so nothing is ever waited for.
    read(call.body.clone(), boundary)
        .now_or_never()
        .unwrap_or_default()
}

async fn read(body: Bytes, boundary: String) -> Vec<Part> {
    let body = stream::iter([Ok::<_, std::io::Error>(body)]);
    let mut fields = multer::Multipart::new(body, boundary);
    let mut parts = vec![];
    while parts.len() < PARTS_MAX
        && let Ok(Some(field)) = fields.next_field().await
    {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(ToOwned::to_owned);
        match field.bytes().await {
            Ok(bytes) => parts.push(Part {
                name,
                file_name,
                bytes,
            }),
            Err(_cut_off) => return vec![],
        }
    }
    parts
}
