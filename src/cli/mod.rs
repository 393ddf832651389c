//! The command line: one file a command, each thin: parse, call, print.

mod advice;
mod auth;
mod check;
mod crm;
mod demo;
mod healthcheck;
mod org;
mod output;
mod progress;
mod prompt;
mod running;
mod serve;
mod sim;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// A self-hosted webhook receiver and event router for Zoho CRM.
#[derive(Debug, Parser)]
#[command(name = "zohook", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, enrich, route and deliver.
    Serve(serve::Arguments),
    /// The whole product in one process, with nothing installed: simulator, router, CRM activity, events scrolling by.
    Demo(demo::Arguments),
    /// Say all that is wrong with a routes.yaml.
    Check(check::Arguments),
    /// Get consent at Zoho, see whether it is still good, take it back.
    Auth(auth::Arguments),
    /// Use the API of Zoho CRM: read, search, write, tag, convert, export, import.
    Crm(crm::Arguments),
    /// Pretend to be Zoho CRM.
    Sim(sim::Arguments),
    /// Ask a running router whether it can accept; for containers.
    Healthcheck(healthcheck::Arguments),
}

/// Done.
const SUCCESS: u8 = 0;

/// Failed.
const FAILED: u8 = 1;

/// Used wrongly, as clap has it.
const USAGE: u8 = 2;

/// Bad configuration (`EX_USAGE`).
const BAD_CONFIGURATION: u8 = 64;

/// How long calls that block a thread may hold up the end of the process.
const BLOCKED_MAX: Duration = Duration::from_secs(2);

/// Why a command ended with another code than [`FAILED`].
#[derive(Debug, thiserror::Error)]
enum Ended {
    /// The file or the environment must change.
    #[error("{0}")]
    BadConfiguration(String),
    /// The arguments must change.
    #[error("{0}")]
    Usage(String),
}

/// Parses the process's arguments and does what they say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match cli.command {
        Command::Check(arguments) => in_runtime(check::run(arguments)),
        Command::Serve(arguments) => in_runtime(serve::run(arguments)),
        Command::Demo(arguments) => in_runtime(demo::run(arguments)),
        Command::Auth(arguments) => in_runtime(auth::run(arguments)),
        Command::Crm(arguments) => in_runtime(crm::run(arguments)),
        Command::Sim(arguments) => in_runtime(sim::run(arguments)),
        Command::Healthcheck(arguments) => in_runtime(healthcheck::run(arguments)),
    }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    // Fails only when it was done before, and this is the one place.
    drop(rustls::crypto::ring::default_provider().install_default());
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let result = runtime.block_on(work);
            // Not for as long as it takes: a write to an output that nobody reads never returns.
            runtime.shutdown_timeout(BLOCKED_MAX);
            result
        });
    result.unwrap_or_else(|error| {
        if is_closed_pipe(&error) {
            // Who reads us has read enough, as `head` does.
            return ExitCode::SUCCESS;
        }
        complain(&format!("error: {error:#}"));
        ExitCode::from(match error.downcast_ref::<Ended>() {
            Some(Ended::BadConfiguration(_)) => BAD_CONFIGURATION,
            Some(Ended::Usage(_)) => USAGE,
            None => FAILED,
        })
    })
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |it: &io::Error| it.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|it| {
        let by_csv = || {
            let csv::ErrorKind::Io(error) = it.downcast_ref::<csv::Error>()?.kind() else {
                return None;
            };
            Some(closed(error))
        };
        it.downcast_ref().is_some_and(closed) || by_csv().unwrap_or(false)
    })
}

/// To the person at the terminal; who has hung up is not told.
fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// The same, on stdout.
fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

/// Until SIGTERM or SIGINT.
async fn until_interrupted() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
