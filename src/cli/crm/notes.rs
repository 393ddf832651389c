//! `zohook crm notes`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use zoho_crm::notes::Note;

use crate::cli::output;

use super::{Amount, Session, borrowed, input, with_id};

/// Fields of a note unless others are asked for.
const FIELDS: &str = "Note_Title,Note_Content,Owner,Created_Time";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The notes of a record.
    List {
        /// The module's API name.
        module: String,
        /// The record's id.
        id: String,
        /// API names with commas.
        #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = FIELDS)]
        fields: Vec<String>,
        #[command(flatten)]
        amount: Amount,
    },
    /// One note.
    Get {
        /// The note's id.
        id: String,
        /// API names with commas.
        #[arg(long, value_delimiter = ',', value_name = "NAMES", default_value = FIELDS)]
        fields: Vec<String>,
    },
    /// Add a note to a record; prints its id.
    Add {
        /// The module's API name.
        module: String,
        /// The record's id.
        id: String,
        #[command(flatten)]
        note: NoteArguments,
    },
    /// Change a note.
    Update {
        /// The note's id.
        id: String,
        #[command(flatten)]
        note: NoteArguments,
    },
    /// Delete a note.
    Delete {
        /// The note's id.
        id: String,
    },
}

/// What a note says.
#[derive(Debug, Args)]
pub(super) struct NoteArguments {
    /// The text itself, @FILE, or - for stdin.
    text: String,
    /// Its title.
    #[arg(long)]
    title: Option<String>,
}

impl NoteArguments {
    fn note(self) -> anyhow::Result<Note> {
        Ok(Note {
            title: self.title,
            content: input::text(&self.text)?,
        })
    }
}

pub(super) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    let client = &session.client;
    match command {
        Command::List {
            module,
            id,
            fields,
            amount,
        } => {
            let listing = client.notes_of(&module, &id, &borrowed(&fields));
            return session.print(listing, Some(with_id(&fields)), amount).await;
        }
        Command::Get { id, fields } => {
            let Some(note) = client.note(&id, &borrowed(&fields)).await? else {
                anyhow::bail!("there is no note {id}");
            };
            output::one(session.format, &note)?;
        }
        Command::Add { module, id, note } => {
            output::line(&client.add_note(&module, &id, &note.note()?).await?)?;
        }
        Command::Update { id, note } => client.update_note(&id, &note.note()?).await?,
        Command::Delete { id } => client.delete_note(&id).await?,
    }
    Ok(ExitCode::SUCCESS)
}
