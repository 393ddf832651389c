//! `zohook crm bulk`: hundreds of thousands of records out, tens of thousands in.

mod read;
mod write;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Subcommand;
use indicatif::ProgressBar;
use zoho_crm::bulk::{JobStep, JobWait};

use super::Session;

/// The first pause between two questions about a job.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Export records as CSV, however many. 50 credits for each 200,000.
    Read(read::Arguments),
    /// Import a CSV file whose header has API names, however long. 500 credits for each 25,000 rows.
    Write(write::Arguments),
}

pub(super) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Read(it) => read::run(session, it).await,
        Command::Write(it) => write::run(session, it).await,
    }
}

/// Waits for a job, and says on the bar how far it is.
fn waiting(bar: &ProgressBar) -> JobWait {
    let bar = bar.clone();
    JobWait {
        first: PAUSE_FIRST,
        progress: Some(Arc::new(move |step| bar.set_message(told(step)))),
        ..JobWait::default()
    }
}

fn told(step: &JobStep) -> String {
    match step {
        JobStep::Created { job } => format!("job {job} is made"),
        JobStep::Asked { job, state, rows } => match rows {
            Some(rows) => format!("job {job}: {state}, {rows} rows"),
            None => format!("job {job}: {state}"),
        },
        JobStep::Downloaded { job, bytes, of } => match of {
            Some(of) => format!("job {job}: {} of {} KiB", bytes >> 10, of >> 10),
            None => format!("job {job}: {} KiB", bytes >> 10),
        },
        _ => "working".to_owned(),
    }
}
