//! A TCP proxy that cuts, hangs, delays and slows down on command.

use std::{net::SocketAddr, time::Duration};

use clock::Clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What the proxy does with connections, those it has and new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes on what comes.
    Pass,
    /// Closes all; new ones are closed at once.
    Cut,
    /// Takes connections and bytes, passes nothing on.
    Hang,
    /// Passes on late.
    Delay(Duration),
    /// Passes on so many bytes a second, of each connection and direction.
    Slow { bytes_per_second: u32 },
}

/// Listens on a port of its own until dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    passed_bytes: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let passed_bytes = watch::Sender::new(0);
        let passed = passed_bytes.clone();
        tokio::spawn(async move {
            let mut gone = modes.clone();
            loop {
                let client = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    // The proxy was dropped.
                    _ = gone.wait_for(|_| false) => return,
                };
                if *modes.borrow() != Mode::Cut
                    && let Ok(server) = TcpStream::connect(target).await
                {
                    let (client_in, client_out) = client.into_split();
                    let (server_in, server_out) = server.into_split();
                    tokio::spawn(pump(client_in, server_out, modes.clone(), passed.clone()));
                    tokio::spawn(pump(server_in, client_out, modes.clone(), passed.clone()));
                }
            }
        });
        Self {
            address,
            mode,
            passed_bytes,
        }
    }

    /// From now on, for connections that are open too.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Waits until so many bytes more have passed, in both directions together.
    pub(crate) async fn passed(&self, more_bytes: u64) {
        let mut passed = self.passed_bytes.subscribe();
        let until = *passed.borrow() + more_bytes;
        passed.wait_for(|it| *it >= until).await.unwrap();
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    passed_bytes: watch::Sender<u64>,
) {
    let mut cut = mode.clone();
    let pass = async {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let count = from.read(&mut bytes).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            let Ok(now) = mode.wait_for(|it| *it != Mode::Hang).await.map(|it| *it) else {
                return;
            };
            let wait = match now {
                Mode::Delay(wait) => wait,
                Mode::Slow { bytes_per_second } => {
                    Duration::from_secs(1) * u32::try_from(count).unwrap() / bytes_per_second
                }
                Mode::Pass | Mode::Cut | Mode::Hang => Duration::ZERO,
            };
            if !wait.is_zero() {
                Clock::real().sleep(wait).await;
            }
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
            passed_bytes.send_modify(|it| *it += u64::try_from(count).unwrap());
        }
    };
    tokio::select! {
        () = pass => {}
        _ = cut.wait_for(|it| *it == Mode::Cut) => {}
    }
}
