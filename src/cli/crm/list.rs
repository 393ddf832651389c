//! `zohook crm list`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use zoho_crm::{Client, Converted, FIELDS_MAX, ListQuery, Sort, SortBy};

use super::{Amount, Session, borrowed, with_id, wrong};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The module's API name.
    module: String,
    #[command(flatten)]
    fields: FieldList,
    /// Only what this custom view shows, by its id.
    #[arg(long, value_name = "ID", conflicts_with = "sort")]
    view: Option<String>,
    /// In this order.
    #[arg(long, value_enum, value_name = "BY")]
    sort: Option<By>,
    /// The largest or newest first.
    #[arg(long, requires = "sort")]
    descending: bool,
    /// Only what was changed after this, e.g. 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Also leads that were converted.
    #[arg(long)]
    converted: bool,
    #[command(flatten)]
    amount: Amount,
}

/// Which fields of a module.
#[derive(Debug, Args)]
pub(super) struct FieldList {
    /// API names with commas, or `all`; the mandatory ones and the times by default.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    fields: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Id,
    Created,
    Modified,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let module = arguments.module.as_str();
    let fields = arguments.fields.of(&session.client, module).await?;
    let names = borrowed(&fields);
    let mut query = ListQuery::of(module, &names);
    query.view = arguments.view.as_deref();
    query.modified_since = arguments.since;
    query.sort = arguments.sort.map(|by| Sort {
        by: match by {
            By::Id => SortBy::Id,
            By::Created => SortBy::CreatedTime,
            By::Modified => SortBy::ModifiedTime,
        },
        ascending: !arguments.descending,
    });
    if arguments.converted {
        query.converted = Converted::Both;
    }
    // One more tells whether there is more.
    query.per_page = arguments
        .amount
        .rows()
        .saturating_add(1)
        .clamp(1, query.per_page);
    let listing = session.client.list(&query);
    session
        .print(listing, Some(with_id(&fields)), arguments.amount)
        .await
}

impl FieldList {
    pub(super) async fn of(&self, client: &Client, module: &str) -> anyhow::Result<Vec<String>> {
        let all = matches!(self.fields.as_slice(), [only] if only == "all");
        if !all && !self.fields.is_empty() {
            return Ok(self.fields.clone());
        }
        let known = client.fields(module).await?;
        let wanted = known
            .iter()
            .filter(|it| it.is_listed() && it.api_name != "id");
        let times = ["Created_Time", "Modified_Time"];
        let wanted =
            wanted.filter(|it| all || it.mandatory || times.contains(&it.api_name.as_str()));
        let mut names: Vec<String> = wanted.map(|it| it.api_name.clone()).collect();
        if !all {
            names.sort_by_key(|it| times.contains(&it.as_str()));
        }
        if names.len() > FIELDS_MAX {
            let text = format!(
                "{module} has {} fields, and a list takes {FIELDS_MAX}: name those you need",
                names.len()
            );
            return Err(wrong(text));
        }
        anyhow::ensure!(
            !names.is_empty(),
            "{module} has no fields that could be listed"
        );
        Ok(names)
    }
}
