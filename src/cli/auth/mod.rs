//! `zohook auth`: consent, from getting it to taking it back.

mod keep;
mod listener;
mod login;
mod revoke;
mod status;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::RefreshToken;

use super::{advice, org::OrgArguments, output::OutputArguments};

const EXAMPLES: &str = "\
A new org, the short way (Zoho's API console, \"Self Client\", tab \"Generate Code\"):
  zohook auth code --data-center eu
With a consent page in the browser (\"Server-based Applications\", redirect URI http://localhost:8765/callback):
  zohook auth login --data-center eu
Then put the refresh token where ZOHO_REFRESH_TOKEN or your routes.yaml takes it from, and see whether all is well:
  zohook auth status";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    org: OrgArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask a person for consent in the browser; gives a refresh token.
    Login(login::Login),
    /// Redeem a code of a self client; gives a refresh token.
    Code(login::Code),
    /// Whether Zoho takes the credentials; org, user, scopes, credits left.
    Status,
    /// Make the refresh token worthless.
    Revoke(revoke::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // Before anything is asked.
    let refresh = match &arguments.command {
        Command::Login(it) => it.check()?,
        Command::Code(it) => it.check()?,
        Command::Status | Command::Revoke(_) => RefreshToken::Needed,
    };
    let org = arguments.org.find(refresh)?;
    let at = org.data_center.clone();
    let format = arguments.output.format();
    let done = match arguments.command {
        Command::Login(it) => login::login(org, &it).await,
        Command::Code(it) => login::code(org, &it).await,
        Command::Status => status::run(&org, format).await,
        Command::Revoke(it) => revoke::run(&org, &it).await,
    };
    done.map_err(|error| advice::add(error, &at))
}
