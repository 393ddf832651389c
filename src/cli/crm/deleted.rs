//! `zohook crm deleted`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use futures_util::StreamExt;
use jiff::Timestamp;
use zoho_crm::{Deleted, DeletedKind, DeletedQuery, UserRef, Values};

use crate::cli::output::{columns, row};

use super::{Amount, Session};

const COLUMNS: [&str; 6] = [
    "id",
    "name",
    "kind",
    "deleted_time",
    "deleted_by",
    "created_by",
];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The module's API name.
    module: String,
    /// Where they are: in the recycle bin for 60 days, gone for good after that.
    #[arg(long, value_enum, default_value = "all")]
    kind: Kind,
    /// Only what was deleted after this, e.g. 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    #[command(flatten)]
    amount: Amount,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    All,
    Recycle,
    Permanent,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let query = DeletedQuery {
        module: &arguments.module,
        kind: match arguments.kind {
            Kind::All => DeletedKind::All,
            Kind::Recycle => DeletedKind::Recycle,
            Kind::Permanent => DeletedKind::Permanent,
        },
        since: arguments.since,
    };
    let rows = session.client.deleted(&query).map(|it| it.map(shown));
    session
        .print(rows.boxed(), Some(columns(&COLUMNS)), arguments.amount)
        .await
}

fn shown(deleted: Deleted) -> Values {
    let name = |it: Option<UserRef>| it.map(|it| it.name);
    row([
        ("id", deleted.id.into()),
        ("name", deleted.display_name.into()),
        ("kind", deleted.kind.as_str().into()),
        (
            "deleted_time",
            deleted.deleted_time.map(|it| it.to_string()).into(),
        ),
        ("deleted_by", name(deleted.deleted_by).into()),
        ("created_by", name(deleted.created_by).into()),
    ])
}
