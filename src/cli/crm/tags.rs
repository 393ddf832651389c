//! `zohook crm tags`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use zoho_crm::tags::{NewTag, Tag};

use crate::cli::output::{self, Rows, columns, row};

use super::{
    Amount, Session, borrowed, input,
    list::FieldList,
    results::{Results, Step},
    with_id,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The tags of a module.
    List {
        /// The module's API name.
        module: String,
    },
    /// Make tags.
    Create {
        /// The module's API name.
        module: String,
        /// Up to 25 characters each.
        #[arg(required = true)]
        names: Vec<String>,
        /// One of Zoho's colours, as #RRGGBB.
        #[arg(long)]
        color: Option<String>,
    },
    /// Change name and colour of a tag.
    Update {
        /// The module's API name.
        module: String,
        /// The tag's id.
        id: String,
        /// What it is called from now on.
        name: String,
        /// One of Zoho's colours, as #RRGGBB.
        #[arg(long)]
        color: Option<String>,
    },
    /// Delete a tag, from all its records too.
    Delete {
        /// The tag's id.
        id: String,
    },
    /// How many records have a tag.
    Count {
        /// The module's API name.
        module: String,
        /// The tag's id.
        id: String,
    },
    /// Add tags to records; those that do not exist are made.
    Add(Tagging),
    /// Remove tags from records.
    Remove(Tagging),
    /// The records that have a tag.
    Records {
        /// The module's API name.
        module: String,
        /// The tag's name.
        tag: String,
        #[command(flatten)]
        fields: FieldList,
        #[command(flatten)]
        amount: Amount,
    },
}

#[derive(Debug, Args)]
pub(super) struct Tagging {
    /// The module's API name.
    module: String,
    /// The records' ids; `-` reads them from stdin, one a line.
    #[arg(required = true)]
    ids: Vec<String>,
    /// A tag's name.
    #[arg(long, required = true, value_name = "NAME")]
    tag: Vec<String>,
    /// The records keep no other tag (`add`).
    #[arg(long)]
    replace: bool,
}

pub(super) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    let client = &session.client;
    match command {
        Command::List { module } => {
            let tags = client.tags(&module).await?;
            let mut rows = Rows::new(session.format, Some(columns(&["id", "name", "color_code"])));
            for tag in tags.items {
                rows.add(row([
                    ("id", tag.id.into()),
                    ("name", tag.name.into()),
                    ("color_code", tag.color_code.into()),
                ]))?;
            }
            rows.finish()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Create {
            module,
            names,
            color,
        } => create(session, &module, names, color).await,
        Command::Update {
            module,
            id,
            name,
            color,
        } => {
            let tag = Tag {
                id,
                name,
                color_code: color,
            };
            client.update_tag(&module, &tag).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Delete { id } => {
            client.delete_tag(&id).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Count { module, id } => {
            output::line(&client.tag_count(&module, &id).await?.to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Add(it) => add(session, &it).await,
        Command::Remove(it) => remove(session, &it).await,
        Command::Records {
            module,
            tag,
            fields,
            amount,
        } => {
            let fields = fields.of(client, &module).await?;
            let listing = client.tagged(&module, &tag, &borrowed(&fields));
            session.print(listing, Some(with_id(&fields)), amount).await
        }
    }
}

async fn create(
    session: &Session,
    module: &str,
    names: Vec<String>,
    color: Option<String>,
) -> anyhow::Result<ExitCode> {
    let new = |name| NewTag {
        name,
        color_code: color.clone(),
    };
    let tags: Vec<NewTag> = names.into_iter().map(new).collect();
    let mut results = Results::new(session.format, tags.len(), "creating")?;
    let done = session.client.create_tags(module, &tags).await;
    results.add(done.map(|batch| {
        let batch = batch.into_iter();
        batch
            .map(|it| it.map(|id| Step::of("created", id)))
            .collect()
    }))?;
    results.finish()
}

async fn add(session: &Session, tagging: &Tagging) -> anyhow::Result<ExitCode> {
    let ids = input::ids(&tagging.ids)?;
    let tags: Vec<NewTag> = tagging.tag.iter().map(|it| it.as_str().into()).collect();
    let mut results = Results::new(session.format, ids.len(), "tagging")?;
    for ids in ids.chunks(results.step()) {
        let borrowed = borrowed(ids);
        let client = &session.client;
        let done = client.add_tags(&tagging.module, &borrowed, &tags, tagging.replace);
        results.add(tagged(done.await, ids, "tagged"))?;
    }
    results.finish()
}

async fn remove(session: &Session, tagging: &Tagging) -> anyhow::Result<ExitCode> {
    if tagging.replace {
        return Err(super::wrong("--replace is for `add`"));
    }
    let ids = input::ids(&tagging.ids)?;
    let names = borrowed(&tagging.tag);
    let mut results = Results::new(session.format, ids.len(), "untagging")?;
    for ids in ids.chunks(results.step()) {
        let borrowed = borrowed(ids);
        let client = &session.client;
        let done = client.remove_tags(&tagging.module, &borrowed, &names);
        results.add(tagged(done.await, ids, "untagged"))?;
    }
    results.finish()
}

/// A result names its record.
fn tagged(
    done: Result<zoho_crm::Batch<()>, zoho_crm::Error>,
    ids: &[String],
    status: &'static str,
) -> Result<zoho_crm::Batch<Step>, zoho_crm::Error> {
    let steps = done?.into_iter().zip(ids);
    Ok(steps
        .map(|(it, id)| it.map(|()| Step::of(status, id.as_str())))
        .collect())
}
