//! Zoho that gives the answers a test has, one after another, and what it was asked.

use std::io::{Read, Write};

use serde_json::Value;
use wiremock::{Request, ResponseTemplate};

use super::{Zoho, granted};

/// Gives these answers to the calls in turn, the last again and again.
pub(crate) async fn answering(answers: Vec<ResponseTemplate>) -> Zoho {
    Zoho::start(
        |n, _| granted(n),
        move |n, _| answers.get(n - 1).or(answers.last()).unwrap().clone(),
    )
    .await
}

/// The calls that came: method, path with query, body.
pub(crate) async fn asked(zoho: &Zoho) -> Vec<(String, String, Value)> {
    let requests = zoho.server.received_requests().await.unwrap();
    let of_api = |it: &&Request| it.url.path().starts_with("/crm");
    requests.iter().filter(of_api).map(shown).collect()
}

/// The last call that came, as it was.
pub(crate) async fn last_asked(zoho: &Zoho) -> Request {
    let requests = zoho.server.received_requests().await.unwrap();
    let of_api = |it: &Request| it.url.path().starts_with("/crm");
    requests.into_iter().rfind(of_api).unwrap()
}

/// The header of a call.
pub(crate) fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

/// The heads of a multipart body's parts, and their bytes.
pub(crate) fn parts(request: &Request) -> Vec<(String, Vec<u8>)> {
    let (_, boundary) = header(request, "content-type")
        .split_once("multipart/form-data; boundary=")
        .unwrap();
    let boundary = format!("--{boundary}").into_bytes();
    let at = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).position(|it| it == text);
    let mut parts = vec![];
    let mut rest = request.body.get(boundary.len()..).unwrap();
    while let Some(end) = at(rest, &boundary) {
        let part = rest.get(..end).unwrap();
        let head = at(part, b"\r\n\r\n").unwrap();
        let text = String::from_utf8(part.get(..head).unwrap().to_vec()).unwrap();
        let bytes = part.get(head + 4..end - 2).unwrap();
        parts.push((text.trim().to_owned(), bytes.to_vec()));
        rest = rest.get(end + boundary.len()..).unwrap();
    }
    parts
}

fn shown(request: &Request) -> (String, String, Value) {
    let query = request.url.query().map(|it| format!("?{it}"));
    (
        request.method.to_string(),
        format!("{}{}", request.url.path(), query.unwrap_or_default()),
        serde_json::from_slice(&request.body).unwrap_or_default(),
    )
}

/// A zip of these files, written without going back, as a server does.
pub(crate) fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new_stream(vec![]);
    for (name, text) in files {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(*name, options).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The one file of a zip: its name, and its text.
pub(crate) fn unzipped(bytes: &[u8]) -> (String, String) {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    assert_eq!(zip.len(), 1);
    let mut file = zip.by_index(0).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    (file.name().unwrap().into_owned(), text)
}
