//! `zohook crm delete`.

use std::process::ExitCode;

use clap::Args;

use super::{
    Session, borrowed,
    results::{Results, Step},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The module's API name.
    module: String,
    /// The records' ids; `-` reads them from stdin, one a line.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Workflow rules do not hear of it.
    #[arg(long)]
    no_workflows: bool,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let ids = super::input::ids(&arguments.ids)?;
    let mut results = Results::new(session.format, ids.len(), "deleting")?;
    for ids in ids.chunks(results.step()) {
        let ids = borrowed(ids);
        let done = session
            .client
            .delete(&arguments.module, &ids, !arguments.no_workflows)
            .await;
        let done = done.map(|batch| {
            let batch = batch.into_iter();
            batch
                .map(|it| it.map(|id| Step::of("deleted", id)))
                .collect()
        });
        results.add(done)?;
    }
    results.finish()
}
