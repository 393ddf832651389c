//! `zohook serve`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use clock::Clock;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use crate::{
    app::{App, Options, StoreUrl},
    config::{self, Fingerprint},
    deliver,
    telemetry::{self, Format},
};

use super::{BAD_CONFIGURATION, FAILED};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The route table.
    #[arg(long, env = "ZOHOOK_ROUTES", default_value = "routes.yaml")]
    routes: PathBuf,
    /// Public port, where Zoho calls.
    #[arg(long, env = "ZOHOOK_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Admin port: /livez /readyz /metrics /api/v1. Off loopback it needs `ZOHOOK_ADMIN_TOKEN`.
    #[arg(long, env = "ZOHOOK_ADMIN_LISTEN", default_value = "127.0.0.1:9180")]
    admin_listen: SocketAddr,
    /// Where everything is kept.
    #[arg(long, env = "ZOHOOK_STORE", default_value = "sqlite:data/zohook.db")]
    store: StoreUrl,
    /// Log lines as text or JSON.
    #[arg(long, env = "ZOHOOK_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: Format,
    /// Which log lines: `info`, `debug`, `zohook=debug,warn`, …
    #[arg(long, env = "ZOHOOK_LOG", default_value = "info")]
    log: String,
    /// How long a stop may take, in seconds; what is not delivered then is delivered after the next start.
    #[arg(long, env = "ZOHOOK_DRAIN_SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    drain_seconds: u64,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(arguments.log_format, &arguments.log, deliver::SILENCED)?;
    // Before the file is read: a change from here on is noticed.
    let known = Fingerprint::of(&arguments.routes);
    let config = match config::load(&arguments.routes, &config::environment) {
        Ok(config) => config,
        Err(problems) => {
            super::check::complain_about(&problems);
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        }
    };
    if !config.warnings.is_empty() {
        super::check::complain_about(&config.warnings);
    }
    let options = Options {
        routes: arguments.routes,
        listen: arguments.listen,
        admin_listen: arguments.admin_listen,
        store: arguments.store,
        admin_tokens: secrets("ZOHOOK_ADMIN_TOKEN"),
        store_keys: secrets("ZOHOOK_STORE_KEY"),
    };
    let app = App::start(config, options, Clock::real()).await?;
    info!(
        public = %app.public_address(),
        admin = %app.admin_address(),
        version = env!("CARGO_PKG_VERSION"),
        "zohook accepts"
    );
    let why = until_told_to_stop(&app, known).await?;
    info!(why, "stopping");
    if app.stop(Duration::from_secs(arguments.drain_seconds)).await {
        info!("stopped; all that was accepted is kept");
        Ok(ExitCode::SUCCESS)
    } else {
        warn!(
            "stopped before everything in flight came back; it is delivered again after the next start"
        );
        Ok(ExitCode::from(FAILED))
    }
}

/// A list with commas, for rotation: all are accepted, the first signs.
fn secrets(name: &str) -> Vec<SecretString> {
    let value = config::environment(name).unwrap_or_default();
    value
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(SecretString::from)
        .collect()
}

/// SIGTERM and SIGINT stop; SIGHUP and a changed file reload.
async fn until_told_to_stop(app: &App, mut known: Fingerprint) -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            () = app.part_ended() => {
                error!("a part of zohook ended by itself");
                return Ok("a part ended");
            }
            _ = hang_up.recv() => {}
            () = app.file_changed(&known) => {}
        }
        known = known.again();
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = app.reload(&config::environment) => {}
        }
    }
}
