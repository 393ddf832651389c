//! `zohook crm bulk`: hundreds of thousands of records out, tens of thousands in.

mod part;
mod read;
mod watch;
mod write;

use std::process::ExitCode;

use clap::Subcommand;

use super::Session;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Export records as CSV, however many. 50 credits for each 200,000.
    Read(read::Arguments),
    /// Import a CSV file whose header has API names, however long. 500 credits for each 25,000 rows.
    Write(write::Arguments),
}

/// `1 row`, `2 rows`.
fn rows(count: u64) -> String {
    let word = if count == 1 { "row" } else { "rows" };
    format!("{count} {word}")
}

pub(super) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Read(it) => read::run(session, it).await,
        Command::Write(it) => write::run(session, it).await,
    }
}
