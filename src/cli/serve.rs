//! `zohook serve`.

use std::{net::SocketAddr, path::PathBuf, pin::pin, process::ExitCode, time::Duration};

use clap::Args;
use clock::Clock;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tracing::{error, info, warn};

use crate::{
    admin::NoToken,
    app::{App, Options, StoreUrl},
    config::{self, Fingerprint},
    deliver,
    telemetry::{self, Format},
};

use super::{BAD_CONFIGURATION, Ended, FAILED, SUCCESS, running::secrets};

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
    telemetry::init(arguments.log_format, &arguments.log, deliver::SILENCED)
        .map_err(|error| Ended::BadConfiguration(error.to_string()))?;
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
    let app = App::start(config, options, Clock::real()).await;
    let app = app.map_err(|error| match error.downcast::<NoToken>() {
        Ok(error) => Ended::BadConfiguration(error.to_string()).into(),
        Err(error) => error,
    })?;
    info!(
        public = %app.public_address(),
        admin = %app.admin_address(),
        version = env!("CARGO_PKG_VERSION"),
        "zohook accepts"
    );
    let drain = Duration::from_secs(arguments.drain_seconds);
    let Stop { why, within } = until_told_to_stop(&app, known, drain).await?;
    info!(why, "stopping");
    if app.stop(within).await {
        info!("stopped; all that was accepted is kept");
        // Whoever restarts what failed must see that nobody asked for this.
        let ended = if why == PART_ENDED { FAILED } else { SUCCESS };
        Ok(ExitCode::from(ended))
    } else {
        warn!(
            "stopped before everything in flight came back; it is delivered again after the next start"
        );
        Ok(ExitCode::from(FAILED))
    }
}

/// Why we stop when nobody told us to.
const PART_ENDED: &str = "a part ended";

/// Told to stop, or having to.
struct Stop {
    why: &'static str,
    /// What is left of the time it may take.
    within: Duration,
}

/// SIGTERM and SIGINT stop; SIGHUP and a changed file reload. A reload under way is ended first, so that nothing of it is
/// left half done.
async fn until_told_to_stop(
    app: &App,
    mut known: Fingerprint,
    drain: Duration,
) -> anyhow::Result<Stop> {
    let clock = Clock::real();
    let stop = |why, within| Ok(Stop { why, within });
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return stop("SIGTERM", drain),
            _ = interrupt.recv() => return stop("SIGINT", drain),
            () = app.part_ended() => {
                error!("a part of zohook ended by itself");
                return stop(PART_ENDED, drain);
            }
            _ = hang_up.recv() => {}
            () = app.file_changed(&known) => {}
        }
        known = known.again();
        let mut reload = pin!(app.reload(&config::environment));
        let why = tokio::select! {
            _ = reload.as_mut() => continue,
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        let told_at = clock.monotonic();
        if timeout(drain, reload).await.is_err() {
            warn!("the reload under way did not end");
        }
        let spent = clock.monotonic().saturating_sub(told_at);
        return stop(why, drain.saturating_sub(spent));
    }
}
