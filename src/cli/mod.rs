//! The command line: one file a command, each thin: parse, call, print.

mod check;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A self-hosted webhook receiver and event router for Zoho CRM.
#[derive(Debug, Parser)]
#[command(name = "zohook", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say all that is wrong with a routes.yaml.
    Check(check::Arguments),
}

/// Failed.
const FAILED: u8 = 1;

/// Bad configuration.
const BAD_CONFIGURATION: u8 = 64;

/// Parses the process's arguments and does what they say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match cli.command {
        Command::Check(arguments) => check::run(&arguments),
    }
}

#[expect(clippy::print_stderr, reason = "the command line talks to a person")]
fn complain(text: &str) {
    eprintln!("{text}");
}
