//! The load: keep-alive connections over plain TCP, so that the client costs little.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::CONNECTIONS;

/// Bytes of a body, about.
const BODY_BYTES: usize = 1024;

/// Id of the first record that is changed.
pub(super) const FIRST_ID: u64 = 1_000_000_000_000_000_000;

/// Where to POST.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub address: SocketAddr,
    pub path: String,
}

/// What came of it.
pub(super) struct Load {
    pub answered: usize,
    pub took: Duration,
    /// Sorted.
    pub latencies: Vec<Duration>,
}

/// Each request is another record's change.
fn request(target: &Target, number: usize) -> Vec<u8> {
    let id = FIRST_ID + number as u64;
    let mut body = format!(
        r#"{{"server_time":{},"query_params":{{}},"module":"Leads","resource_uri":"https://www.zohoapis.com/crm/v2/Leads","ids":["{id}"],"affected_fields":[{{"{id}":["Company","Phone"]}}],"operation":"update","channel_id":"1000000068001","token":"token-of-the-bench","padding":""#,
        1_750_000_000_000_u64 + number as u64,
    );
    let padding = BODY_BYTES.saturating_sub(body.len() + 2);
    body.extend(std::iter::repeat_n('x', padding));
    body.push_str("\"}");
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        target.path,
        target.address,
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// As many as are answered in this time.
pub(super) async fn for_a_while(target: Target, length: Duration) -> Load {
    let until = Instant::now() + length;
    run(target, move |_| Instant::now() < until).await
}

/// Exactly so many.
pub(super) async fn so_many(target: Target, count: usize) -> Load {
    run(target, move |number| number < count).await
}

async fn run(target: Target, go_on: impl Fn(usize) -> bool + Clone + Send + 'static) -> Load {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (target, next, go_on) = (target.clone(), Arc::clone(&next), go_on.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(target.address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut latencies = vec![];
                let mut buffer = vec![0; 4096];
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if !go_on(number) {
                        return latencies;
                    }
                    let sent = Instant::now();
                    stream.write_all(&request(&target, number)).await.unwrap();
                    read_answer(&mut stream, &mut buffer).await;
                    latencies.push(sent.elapsed());
                }
            })
        })
        .collect();
    let mut latencies = vec![];
    for worker in workers {
        latencies.extend(worker.await.unwrap());
    }
    let took = started.elapsed();
    latencies.sort_unstable();
    Load {
        answered: latencies.len(),
        took,
        latencies,
    }
}

/// One answer with a Content-Length; anything but a 2xx ends the bench.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let text = String::from_utf8_lossy(&buffer[..filled]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().unwrap())
            })
            .unwrap_or(0);
        if body.len() >= length {
            assert!(text.starts_with("HTTP/1.1 2"), "{head}");
            return;
        }
    }
}
