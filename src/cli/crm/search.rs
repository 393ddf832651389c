//! `zohook crm search`.

use std::process::ExitCode;

use clap::Args;
use zoho_crm::search::{By, Search};

use super::{Amount, Session, with_id};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("by").required(true))]
pub(super) struct Arguments {
    /// The module's API name.
    module: String,
    /// E.g. `((Last_Name:equals:Doe)and(Company:starts_with:Ex))`.
    #[arg(long, group = "by", value_name = "CRITERIA")]
    criteria: Option<String>,
    /// In any email field.
    #[arg(long, group = "by", value_name = "ADDRESS")]
    email: Option<String>,
    /// In any phone field.
    #[arg(long, group = "by", value_name = "NUMBER")]
    phone: Option<String>,
    /// In any field that is searched.
    #[arg(long, group = "by", value_name = "TEXT")]
    word: Option<String>,
    /// Only these fields.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    fields: Vec<String>,
    /// Also leads that were converted.
    #[arg(long)]
    converted: bool,
    #[command(flatten)]
    amount: Amount,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let by = match arguments {
        Arguments {
            criteria: Some(it), ..
        } => By::Written(it),
        Arguments {
            email: Some(it), ..
        } => By::Email(it),
        Arguments {
            phone: Some(it), ..
        } => By::Phone(it),
        Arguments { word, .. } => By::Word(word.unwrap_or_default()),
    };
    let columns = if arguments.fields.is_empty() {
        None
    } else {
        Some(with_id(&arguments.fields))
    };
    let search = Search {
        module: arguments.module,
        by,
        fields: arguments.fields,
        converted: arguments.converted,
    };
    let listing = session.client.search_all(search);
    session.print(listing, columns, arguments.amount).await
}
