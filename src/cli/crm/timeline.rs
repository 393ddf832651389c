//! `zohook crm timeline`.

use std::process::ExitCode;

use clap::Args;
use futures_util::StreamExt;
use serde_json::{Value, json};
use zoho_crm::{
    Values,
    timeline::{FieldChange, TimelineEntry, TimelineQuery},
};

use crate::cli::output::{Format, columns, row};

use super::{Amount, Session};

const COLUMNS: [&str; 5] = ["at", "action", "by", "source", "changes"];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The module's API name.
    module: String,
    /// The record's id.
    id: String,
    /// The oldest first, instead of the newest.
    #[arg(long)]
    oldest_first: bool,
    #[command(flatten)]
    amount: Amount,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let query = TimelineQuery {
        oldest_first: arguments.oldest_first,
        ..TimelineQuery::default()
    };
    let format = session.format;
    let entries = session
        .client
        .timeline(&arguments.module, &arguments.id, &query);
    let rows = entries.map(move |it| it.map(|entry| shown(entry, format)));
    session
        .print(rows.boxed(), Some(columns(&COLUMNS)), arguments.amount)
        .await
}

fn shown(entry: TimelineEntry, format: Format) -> Values {
    if format == Format::Json {
        return entry.values;
    }
    let changes: Value = match format {
        Format::Table => {
            let changes = entry.changes.iter().map(for_people);
            changes.collect::<Vec<_>>().join(", ").into()
        }
        Format::Plain | Format::Csv | Format::Json => entry.changes.iter().map(exact).collect(),
    };
    row([
        ("at", entry.at.map(|it| it.to_string()).into()),
        ("action", entry.action.into()),
        ("by", entry.by.map(|it| it.name).into()),
        ("source", entry.source.into()),
        ("changes", changes),
    ])
}

fn for_people(change: &FieldChange) -> String {
    let text = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    format!(
        "{}: {} → {}",
        change.api_name,
        text(&change.old),
        text(&change.new)
    )
}

fn exact(change: &FieldChange) -> Value {
    json!({ "field": change.api_name, "old": change.old, "new": change.new })
}
