//! `zohook crm mail`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use zoho_crm::{
    files::Upload,
    mail::{Address, Content, Mail},
};

use crate::cli::output::{self, Rows, columns, row};

use super::{Session, input};

const COLUMNS: [&str; 4] = ["email", "user_name", "kind", "default"];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The addresses that mails can come from.
    From,
    /// Send a mail to a record; prints its id. 20 credits.
    Send(Box<Send>),
}

#[derive(Debug, Args)]
pub(super) struct Send {
    /// The module's API name.
    module: String,
    /// The record's id.
    id: String,
    /// Who it goes to, with commas.
    #[arg(long, required = true, value_delimiter = ',', value_name = "EMAILS")]
    to: Vec<String>,
    /// Who it comes from; `mail from` lists who it can be. By default the first of them that Zoho calls the default.
    #[arg(long, value_name = "EMAIL")]
    from: Option<String>,
    /// Who gets a copy, with commas.
    #[arg(long, value_delimiter = ',', value_name = "EMAILS")]
    cc: Vec<String>,
    /// Who gets a copy unseen, with commas.
    #[arg(long, value_delimiter = ',', value_name = "EMAILS")]
    bcc: Vec<String>,
    /// The subject.
    #[arg(long, required_unless_present = "template")]
    subject: Option<String>,
    /// Plain text: the text itself, @FILE, or - for stdin.
    #[arg(long, value_name = "TEXT", conflicts_with = "html")]
    text: Option<String>,
    /// HTML: the text itself, @FILE, or - for stdin.
    #[arg(long, value_name = "HTML")]
    html: Option<String>,
    /// Id of an email template.
    #[arg(long, value_name = "ID")]
    template: Option<String>,
    /// A file that goes along; up to ten times.
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// When it is sent, e.g. 2026-12-01T08:00:00Z; now by default.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

pub(super) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::From => from(session).await,
        Command::Send(it) => send(session, *it).await,
    }
}

async fn from(session: &Session) -> anyhow::Result<ExitCode> {
    let mut rows = Rows::new(session.format, Some(columns(&COLUMNS)));
    for address in session.client.from_addresses().await? {
        rows.add(row([
            ("email", address.email.into()),
            ("user_name", address.user_name.into()),
            ("kind", address.kind.into()),
            ("default", address.default.into()),
        ]))?;
    }
    rows.finish()?;
    Ok(ExitCode::SUCCESS)
}

async fn send(session: &Session, arguments: Send) -> anyhow::Result<ExitCode> {
    let content = match (&arguments.text, &arguments.html) {
        (Some(text), _) => Some(Content::Text(input::text(text)?)),
        (None, Some(html)) => Some(Content::Html(input::text(html)?)),
        (None, None) => None,
    };
    let from = match arguments.from {
        Some(email) => email,
        None => default_sender(session).await?,
    };
    let people = |list: &[String]| list.iter().map(|it| Address::of(it)).collect();
    let mail = Mail {
        cc: people(&arguments.cc),
        bcc: people(&arguments.bcc),
        subject: arguments.subject,
        content,
        template: arguments.template,
        attachments: uploaded(session, &arguments.attach).await?,
        scheduled_at: arguments.at,
        ..Mail::new(Address::of(&from), people(&arguments.to))
    };
    let sent = session
        .client
        .send_mail(&arguments.module, &arguments.id, &mail)
        .await?;
    output::line(sent.message_id.as_deref().unwrap_or("sent"))?;
    Ok(ExitCode::SUCCESS)
}

async fn default_sender(session: &Session) -> anyhow::Result<String> {
    let known = session.client.from_addresses().await?;
    let chosen = known.into_iter().find(|it| it.default);
    let chosen = chosen.context("zoho has no default sender: say who with --from")?;
    Ok(chosen.email)
}

/// The ids of the files.
async fn uploaded(session: &Session, files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    if files.is_empty() {
        return Ok(vec![]);
    }
    let mut uploads = vec![];
    for file in files {
        let upload = Upload::of_file(file).await;
        uploads.push(upload.with_context(|| file.display().to_string())?);
    }
    let mut ids = vec![];
    let results = session.client.upload_files(&uploads).await?;
    for (result, file) in results.into_iter().zip(files) {
        ids.push(result.with_context(|| format!("{} cannot be sent along", file.display()))?);
    }
    Ok(ids)
}
