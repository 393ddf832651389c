//! How fast is zohook beside a bare axum POST and the simplest honest relay, on this machine, in this run?
//!
//! `cargo bench --bench relay` (needs `AMQP_URL`; `-- --rounds 3 --messages 20000 --json`). Every server is a process
//! of its own; the client, 64 connections with keep-alive, is the same for all. Prints medians and ratios.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench stops where it fails, prints, and takes the real time"
)]

mod client;
mod queue;
mod report;
mod servers;

use std::time::Duration;

use clap::Parser;

use self::{
    client::Load,
    queue::Broker,
    report::{Measure, Report},
    servers::Server,
};

/// Connections of the client.
const CONNECTIONS: usize = 64;

#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Rounds; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Length of one accept measurement, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Messages of one end-to-end measurement.
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// Only measurements whose name holds this text; ratios need their baseline.
    #[arg(long, default_value = "")]
    only: String,
    /// For machines.
    #[arg(long)]
    json: bool,
    /// Be one of the baselines instead: `bare` or `relay`.
    #[arg(long, hide = true)]
    serve: Option<String>,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match arguments.serve.as_deref() {
            Some("bare") => servers::serve_bare().await,
            Some("relay") => servers::serve_relay().await,
            Some(other) => panic!("no baseline {other}"),
            None => run(&arguments).await,
        }
    });
}

async fn run(arguments: &Arguments) {
    let broker = Broker::connect().await;
    let mut report = Report::default();
    let wanted = |name: &str| name.contains(&arguments.only);
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        let length = Duration::from_secs(arguments.seconds);

        let name = "bare axum POST";
        if wanted(name) {
            let bare = Server::bare().await;
            let load = client::for_a_while(bare.target("/"), length).await;
            report.add(name, Measure::new(&load, &bare));
            bare.stop().await;
        }

        let name = "zohook: accept";
        if wanted(name) {
            let accept = Server::zohook("nobody", &broker).await;
            let load = client::for_a_while(accept.target("/in/bench"), length).await;
            accept.until_idle().await;
            report.add(name, Measure::new(&load, &accept));
            accept.stop().await;
        }

        let name = "relay: to the queue";
        if wanted(name) {
            broker.empty().await;
            let relay = Server::relay(&broker).await;
            let load = through(&relay, "/", &broker, arguments.messages).await;
            report.add(name, Measure::new(&load, &relay));
            relay.stop().await;
        }

        for (name, routes) in [
            ("zohook: to the queue, enrich none", "plain"),
            ("zohook: to the queue, enriched", "enriched"),
        ] {
            if !wanted(name) {
                continue;
            }
            broker.empty().await;
            let zohook = Server::zohook(routes, &broker).await;
            let load = through(&zohook, "/in/bench", &broker, arguments.messages).await;
            let calls = zohook.api_calls();
            report.add(name, Measure::new(&load, &zohook).with_calls(calls));
            zohook.stop().await;
        }
    }
    report.print(arguments.json);
}

/// Sends `messages` and waits until that many are confirmed in the queue; the rate is of the whole.
async fn through(server: &Server, path: &str, broker: &Broker, messages: usize) -> Load {
    let started = std::time::Instant::now();
    let mut load = client::so_many(server.target(path), messages).await;
    broker.until_holds(messages).await;
    load.took = started.elapsed();
    load
}
