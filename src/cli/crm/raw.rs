//! `zohook crm raw`: for what there is no command for.

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::Value;
use zoho_crm::RawRequest;

use crate::cli::{FAILED, complain};

use super::{Session, input, wrong};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// GET, POST, PUT, PATCH or DELETE.
    #[arg(value_parser = method)]
    method: http::Method,
    /// Below /crm/v8 (Leads/actions/count), or whole (/crm/bulk/v8/read/ID), without the query.
    path: String,
    /// A parameter of the query; not yet encoded.
    #[arg(long, value_name = "NAME=TEXT")]
    query: Vec<String>,
    /// JSON to send: the text itself, @FILE, or - for stdin.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut query = vec![];
    for text in &arguments.query {
        let Some(pair) = text.split_once('=') else {
            return Err(wrong(format!("`{text}` is not NAME=TEXT")));
        };
        query.push(pair);
    }
    let body: Option<Value> = match &arguments.body {
        None => None,
        Some(body) => match serde_json::from_str(&input::text(body)?) {
            Ok(body) => Some(body),
            Err(error) => return Err(wrong(format!("the body is not JSON: {error}"))),
        },
    };
    let request = RawRequest {
        method: &arguments.method,
        path: &arguments.path,
        query: &query,
        body: body.as_ref(),
    };
    let answer = session.client.raw(&request).await?;
    if let Some(body) = &answer.body {
        writeln!(std::io::stdout(), "{body:#}")?;
    }
    if matches!(answer.status, 200..=399) {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("zoho refuses it: status {}", answer.status));
    Ok(ExitCode::from(FAILED))
}

fn method(name: &str) -> Result<http::Method, String> {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let upper = name.to_uppercase();
    let fits = known.contains(&upper.as_str());
    let method = fits.then(|| upper.parse().ok()).flatten();
    method.ok_or_else(|| format!("there are {}", known.join(", ")))
}
