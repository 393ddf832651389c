//! `zohook healthcheck`: the one command a container without a shell can run.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::FAILED;

/// Longest wait for the answer.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Admin port of the router to ask.
    #[arg(long, env = "ZOHOOK_ADMIN_LISTEN", default_value = "127.0.0.1:9180")]
    admin_listen: SocketAddr,
}

/// Exit 0 when `/readyz` answers 200.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let address = reachable(arguments.admin_listen);
    let status = timeout(TIMEOUT, ask(address))
        .await
        .context("no answer in time")??;
    if status.starts_with("HTTP/1.1 200") {
        return Ok(ExitCode::SUCCESS);
    }
    super::complain(&format!("not ready: {status}"));
    Ok(ExitCode::from(FAILED))
}

/// A wildcard address is where it listens, not where it can be asked.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let loopback = match listen {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    if listen.ip().is_unspecified() {
        SocketAddr::new(loopback, listen.port())
    } else {
        listen
    }
}

async fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("nothing listens on {address}"))?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![];
    stream.take(4096).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
