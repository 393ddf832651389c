//! Waits on this machine for the browser that Zoho sends back after a consent.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use zoho_crm::{OAuth, OAuthError, Redirected};

/// The path of the redirect URI.
const PATH: &str = "/callback";

/// How long the person may take.
const WAIT_MAX: Duration = Duration::from_mins(10);

/// How long one connection may take.
const CONNECTION_MAX: Duration = Duration::from_secs(5);

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Listens on loopback alone.
pub(super) struct Listener {
    listener: TcpListener,
    port: u16,
}

impl Listener {
    /// Port 0 takes any free one.
    pub(super) async fn start(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("cannot listen on port {port}: choose another with --port"))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// As Zoho's console must have it.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    /// Until the answer to this question comes; whatever else calls is turned away, and does not end the wait.
    pub(super) async fn wait(self, oauth: &OAuth, state: &str) -> anyhow::Result<Redirected> {
        let answered = timeout(WAIT_MAX, self.answered(oauth, state)).await;
        answered.context("nobody consented within ten minutes")?
    }

    async fn answered(&self, oauth: &OAuth, state: &str) -> anyhow::Result<Redirected> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            // One after the other: a browser that holds a connection open without asking is cut off.
            let Ok(Some(target)) = timeout(CONNECTION_MAX, target(&mut stream)).await else {
                continue;
            };
            let (status, text, answer) = judge(oauth, &target, state);
            drop(timeout(CONNECTION_MAX, reply(&mut stream, status, text)).await);
            match answer {
                Some(Ok(redirected)) => return Ok(redirected),
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
        }
    }
}

/// What the browser is shown, and what it brought, if that ends the wait.
fn judge(
    oauth: &OAuth,
    target: &str,
    state: &str,
) -> (
    &'static str,
    &'static str,
    Option<Result<Redirected, OAuthError>>,
) {
    if target.split('?').next() != Some(PATH) {
        return ("404 Not Found", "There is nothing here.", None);
    }
    match oauth.redirected(target, state) {
        Ok(redirected) => (
            "200 OK",
            "Thank you. zohook has the consent; this page can be closed.",
            Some(Ok(redirected)),
        ),
        Err(OAuthError::NotOurs { .. }) => (
            "400 Bad Request",
            "This does not answer zohook's question: open the URL that it shows.",
            None,
        ),
        Err(error) => (
            "200 OK",
            "zohook was not given consent; see the terminal.",
            Some(Err(error)),
        ),
    }
}

/// The target of a GET; `None` for anything else.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = vec![];
    let mut piece = [0; 1024];
    while !head.windows(4).any(|it| it == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await.ok().filter(|it| *it > 0)?;
        head.extend_from_slice(piece.get(..count)?);
        if head.len() > HEAD_BYTES_MAX {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    if words.next() != Some("GET") {
        return None;
    }
    words.next().map(ToOwned::to_owned)
}

async fn reply(stream: &mut TcpStream, status: &str, text: &str) -> std::io::Result<()> {
    let page = format!("<!doctype html><meta charset=utf-8><title>zohook</title><p>{text}</p>");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
