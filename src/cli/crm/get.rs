//! `zohook crm get`.

use std::process::ExitCode;

use clap::Args;
use zoho_crm::{Converted, IfModified, OneQuery};

use crate::cli::output;

use super::{Session, borrowed};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The module's API name.
    module: String,
    /// The record's id.
    id: String,
    /// Only these fields.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    fields: Vec<String>,
    /// Also a lead that was converted.
    #[arg(long)]
    converted: bool,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let fields = borrowed(&arguments.fields);
    let mut query = OneQuery::of(&arguments.module, &arguments.id);
    query.fields = &fields;
    if arguments.converted {
        query.converted = Converted::Both;
    }
    let found = match session.client.record_if(&query).await? {
        IfModified::Is(one) => one.record,
        IfModified::NotModified => None,
    };
    let Some(record) = found else {
        anyhow::bail!(
            "{} has no record {}, or not for this user",
            arguments.module,
            arguments.id
        );
    };
    output::one(session.format, &record)?;
    Ok(ExitCode::SUCCESS)
}
