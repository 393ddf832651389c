//! `zohook crm attachments`.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Subcommand;
use futures_util::StreamExt;
use zoho_crm::{
    Download, Values,
    files::{Attachment, Upload},
};

use crate::cli::{
    complain,
    output::{self, Format, columns, row},
    progress,
};

use super::{Amount, Session};

const COLUMNS: [&str; 5] = ["id", "file_name", "bytes", "link", "created_time"];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The attachments of a record.
    List {
        /// The module's API name.
        module: String,
        /// The record's id.
        id: String,
        #[command(flatten)]
        amount: Amount,
    },
    /// Attach a file of up to 20 MiB, or a link; prints the attachment's id.
    Upload {
        /// The module's API name.
        module: String,
        /// The record's id.
        id: String,
        /// The file, or an http(s) URL for a link.
        file: String,
        /// What it is called there.
        #[arg(long)]
        name: Option<String>,
    },
    /// Get the bytes of an attachment.
    Download {
        /// The module's API name.
        module: String,
        /// The record's id.
        id: String,
        /// The attachment's id.
        attachment: String,
        /// Where to; - for stdout. By default the attachment's own name, here.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Delete an attachment.
    Delete {
        /// The module's API name.
        module: String,
        /// The record's id.
        id: String,
        /// The attachment's id.
        attachment: String,
    },
}

pub(super) async fn run(session: &Session, command: Command) -> anyhow::Result<ExitCode> {
    let client = &session.client;
    match command {
        Command::List { module, id, amount } => {
            let format = session.format;
            let listing = client.attachments_of(&module, &id);
            let rows = listing.map(move |it| it.map(|it| shown(it, format)));
            return session
                .print(rows.boxed(), Some(columns(&COLUMNS)), amount)
                .await;
        }
        Command::Upload {
            module,
            id,
            file,
            name,
        } => {
            let attached = if file.starts_with("https://") || file.starts_with("http://") {
                client.attach_link(&module, &id, &file).await?
            } else {
                let mut upload = Upload::of_file(&file).await.with_context(|| file.clone())?;
                if let Some(name) = name {
                    upload = upload.named(&name)?;
                }
                let bar = progress::waiting("uploading")?;
                let attached = client.attach(&module, &id, &upload).await?;
                bar.finish_and_clear();
                attached
            };
            output::line(&attached)?;
        }
        Command::Download {
            module,
            id,
            attachment,
            out,
        } => {
            let found = client.attachment(&module, &id, &attachment).await?;
            let Some(download) = found else {
                anyhow::bail!("there is no file {attachment} on this record");
            };
            save(download, out).await?;
        }
        Command::Delete {
            module,
            id,
            attachment,
        } => client.delete_attachment(&module, &id, &attachment).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(attachment: Attachment, format: Format) -> Values {
    if format == Format::Json {
        return attachment.raw;
    }
    row([
        ("id", attachment.id.into()),
        ("file_name", attachment.file_name.into()),
        ("bytes", attachment.bytes.into()),
        ("link", attachment.link.into()),
        ("created_time", attachment.created_time.into()),
    ])
}

/// Never over a file that is there; a file that came only in part does not stay.
async fn save(download: Download, out: Option<PathBuf>) -> anyhow::Result<()> {
    let bar = progress::bytes(download.bytes, "downloading")?;
    let own_name = || download.file_name.clone().map(PathBuf::from);
    let path = out
        .or_else(own_name)
        .context("zoho does not say what the file is called: say --out FILE")?;
    if path == Path::new("-") {
        let mut out = io::stdout();
        copy(download, &mut out, &bar).await?;
        bar.finish_and_clear();
        return out.flush().context("cannot write");
    }
    let shown = path.display();
    let mut file = File::create_new(&path).with_context(|| format!("cannot make {shown}"))?;
    if let Err(error) = copy(download, &mut file, &bar).await {
        if let Err(left) = fs::remove_file(&path) {
            complain(&format!("{shown} is incomplete and stays: {left}"));
        }
        return Err(error);
    }
    bar.finish_and_clear();
    output::line(&shown.to_string())
}

async fn copy(
    mut download: Download,
    out: &mut impl Write,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<()> {
    while let Some(piece) = download.chunk().await? {
        out.write_all(&piece)?;
        bar.inc(piece.len().try_into()?);
    }
    Ok(())
}
