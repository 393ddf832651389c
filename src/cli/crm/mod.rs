//! `zohook crm`: Zoho's API at a terminal and in scripts.

mod attachments;
mod bulk;
mod composite;
mod convert;
mod coql;
mod delete;
mod deleted;
mod get;
mod input;
mod list;
mod mail;
mod metadata;
mod notes;
mod raw;
mod results;
mod search;
mod tags;
mod timeline;
mod users;
mod write;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use futures_util::TryStreamExt;
use zoho_crm::{Client, Listing, Values};

use crate::config::RefreshToken;

use super::{
    Ended, advice, complain,
    org::OrgArguments,
    output::{Format, OutputArguments, Rows},
};

/// Rows of a listing unless more are asked for.
const ROWS_DEFAULT: usize = 200;

const EXAMPLES: &str = "\
Examples:
  zohook crm list Leads --fields Last_Name,Email --max 50
  zohook crm coql \"select Last_Name from Leads where Company = 'Example' limit 10\" --json
  zohook crm insert Leads --set Last_Name=Doe --set Company=Example --set Annual_Revenue:=5000
  zohook crm upsert Contacts --by Email --file contacts.csv

On a terminal the output is a table. Into a pipe or file it is a line for each row, its values separated by tabs, without
a header; tabs and line breaks within values are written as \\t and \\n.

Exit codes: 0 done, 1 failed (also when one record of several did), 2 wrong arguments, 64 bad configuration.";

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
    /// One record, with all it has.
    Get(get::Arguments),
    /// The records of a module.
    List(list::Arguments),
    /// A query in COQL.
    Coql(coql::Arguments),
    /// Records by criteria, email, phone or word; Zoho's index is some seconds behind.
    Search(search::Arguments),
    /// Make records.
    Insert(write::Insert),
    /// Change records.
    Update(write::Update),
    /// Make records, or change those that are there.
    Upsert(write::Upsert),
    /// Move records to the recycle bin.
    Delete(delete::Arguments),
    /// What was deleted: when and by whom; Zoho knows it for 120 days.
    Deleted(deleted::Arguments),
    /// Who changed a record, when, and what in it.
    Timeline(timeline::Arguments),
    /// Make accounts, contacts and deals of leads.
    Convert(convert::Arguments),
    /// Tags of a module and of records.
    #[command(subcommand)]
    Tags(tags::Command),
    /// Notes of records.
    #[command(subcommand)]
    Notes(notes::Command),
    /// Files and links of records.
    #[command(subcommand)]
    Attachments(attachments::Command),
    /// Mails to records.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Export and import by jobs in the background.
    #[command(subcommand)]
    Bulk(bulk::Command),
    /// The users of the org.
    Users(users::Arguments),
    /// The org: name, edition, time zone.
    Org,
    /// The modules of the org, or all that is known of one.
    Modules(metadata::Modules),
    /// The fields of a module.
    Fields(metadata::Fields),
    /// Up to five requests in one call.
    Composite(composite::Arguments),
    /// Any call at all.
    Raw(raw::Arguments),
}

/// What every command works with.
struct Session {
    client: Client,
    format: Format,
}

/// How many rows of a listing are wanted.
#[derive(Clone, Copy, Debug, Args)]
struct Amount {
    /// At most so many rows.
    #[arg(long, value_name = "N", default_value_t = ROWS_DEFAULT, conflicts_with = "all")]
    max: usize,
    /// All there are.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let org = arguments.org.find(RefreshToken::Needed)?;
    let at = org.data_center.clone();
    let session = Session {
        client: org.client(None)?,
        format: arguments.output.format(),
    };
    let done = match arguments.command {
        Command::Get(it) => get::run(&session, &it).await,
        Command::List(it) => list::run(&session, &it).await,
        Command::Coql(it) => coql::run(&session, &it).await,
        Command::Search(it) => search::run(&session, it).await,
        Command::Insert(it) => write::insert(&session, &it).await,
        Command::Update(it) => write::update(&session, &it).await,
        Command::Upsert(it) => write::upsert(&session, &it).await,
        Command::Delete(it) => delete::run(&session, &it).await,
        Command::Deleted(it) => deleted::run(&session, &it).await,
        Command::Timeline(it) => timeline::run(&session, &it).await,
        Command::Convert(it) => convert::run(&session, it).await,
        Command::Tags(it) => tags::run(&session, it).await,
        Command::Notes(it) => notes::run(&session, it).await,
        Command::Attachments(it) => attachments::run(&session, it).await,
        Command::Mail(it) => mail::run(&session, it).await,
        Command::Bulk(it) => bulk::run(&session, it).await,
        Command::Users(it) => users::run(&session, &it).await,
        Command::Org => users::org(&session).await,
        Command::Modules(it) => metadata::modules(&session, &it).await,
        Command::Fields(it) => metadata::fields(&session, &it).await,
        Command::Composite(it) => composite::run(&session, &it).await,
        Command::Raw(it) => raw::run(&session, &it).await,
    };
    done.map_err(|error| advice::add(error, &at))
}

impl Amount {
    fn rows(self) -> usize {
        if self.all { usize::MAX } else { self.max }
    }
}

impl Session {
    /// Prints a listing as it comes, and says where there would have been more.
    async fn print(
        &self,
        mut listing: Listing<Values>,
        columns: Option<Vec<String>>,
        amount: Amount,
    ) -> anyhow::Result<ExitCode> {
        let mut rows = Rows::new(self.format, columns);
        let mut left = amount.rows();
        loop {
            match listing.try_next().await {
                Ok(Some(_)) if left == 0 => {
                    rows.finish()?;
                    complain("there is more: --max N or --all");
                    break;
                }
                Ok(Some(row)) => rows.add(row)?,
                Ok(None) => {
                    rows.finish()?;
                    break;
                }
                Err(error) => {
                    // What has come is worth having, and is visibly not all.
                    rows.finish()?;
                    return Err(error.into());
                }
            }
            left -= 1;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A list as the API takes it.
fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// The columns of a listing: the id, and what was asked for.
fn with_id(fields: &[String]) -> Vec<String> {
    let id = std::iter::once("id".to_owned());
    let others = fields.iter().filter(|it| *it != "id").cloned();
    id.chain(others).collect()
}

/// Arguments that cannot be meant.
fn wrong(text: impl Into<String>) -> anyhow::Error {
    Ended::Usage(text.into()).into()
}
