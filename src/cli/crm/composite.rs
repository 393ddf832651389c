//! `zohook crm composite`: requests from a file, in one call.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};
use zoho_crm::composite::{Composite, SubId, SubRequest};

use crate::cli::{
    FAILED, complain,
    output::{Rows, columns, row},
};

use super::{Session, input};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// JSON, `-` for stdin: a list of up to five {"method", "uri": "/crm/v8/…", "params", "headers", "body"}, where
    /// "@{1:$.data[0].details.id}" stands for a value of the first one's answer.
    file: PathBuf,
    /// When one fails, undo the others.
    #[arg(long)]
    rollback: bool,
    /// All at once.
    #[arg(long, conflicts_with = "rollback")]
    parallel: bool,
}

/// One request of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    uri: String,
    #[serde(default)]
    params: Map<String, Value>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Option<Value>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = arguments.file.display().to_string();
    let bytes = input::bytes(&arguments.file)?;
    let asked: Vec<Asked> =
        serde_json::from_slice(&bytes).with_context(|| format!("{name} is not such a list"))?;
    let mut composite = Composite::new();
    if arguments.rollback {
        composite = composite.rollback_on_fail();
    }
    if arguments.parallel {
        composite = composite.parallel();
    }
    let mut ids: Vec<SubId> = vec![];
    for (index, asked) in asked.into_iter().enumerate() {
        let added = request(asked, &ids).and_then(|it| Ok(composite.add(it)?));
        ids.push(added.with_context(|| format!("request {} of {name}", index + 1))?);
    }
    let answers = session.client.composite(&composite).await?;
    let mut rows = Rows::new(
        session.format,
        Some(columns(&["request", "status", "error", "body"])),
    );
    let mut failed = 0;
    for (index, answer) in answers.into_iter().enumerate() {
        let (status, error, body) = match &answer {
            Ok(answer) => (
                answer.status.into(),
                answer.body().err().map(|it| it.to_string()),
                answer.body.clone().unwrap_or_default(),
            ),
            Err(error) => (Value::Null, Some(error.code.to_string()), Value::Null),
        };
        failed += usize::from(error.is_some());
        rows.add(row([
            ("request", (index + 1).into()),
            ("status", status),
            ("error", error.into()),
            ("body", body),
        ]))?;
    }
    rows.finish()?;
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("{failed} of {} requests failed", ids.len()));
    Ok(ExitCode::from(FAILED))
}

/// As the client takes it: with each reference to an earlier answer declared.
fn request(asked: Asked, earlier: &[SubId]) -> anyhow::Result<SubRequest> {
    let method = asked.method.to_uppercase().parse()?;
    let mut texts = asked.uri.clone();
    let mut request = SubRequest::new(method, asked.uri);
    for (name, value) in &asked.params {
        texts.push_str(&plain(value));
        request = request.param(name, plain(value));
    }
    for (name, value) in &asked.headers {
        texts.push_str(&plain(value));
        request = request.header(name, plain(value));
    }
    if let Some(body) = asked.body {
        texts.push_str(&body.to_string());
        request = request.body(body);
    }
    for (number, path) in references(&texts) {
        let at = number.checked_sub(1).and_then(|it| earlier.get(it));
        let at = at.with_context(|| format!("@{{{number}:…}} is not an earlier request"))?;
        request = request.uses(&at.at(path)?);
    }
    Ok(request)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// Number and path of each `@{1:$.data[0].details.id}`.
fn references(text: &str) -> Vec<(usize, &str)> {
    let parts = text.split("@{").skip(1);
    parts
        .filter_map(|part| {
            let (inside, _) = part.split_once('}')?;
            let (number, path) = inside.split_once(':')?;
            Some((number.parse().ok()?, path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let text =
            r#"/crm/v8/Deals/@{1:$.data[0].details.id}{"a":"x@{2:$.data[0].Name}"} @{x} @{3"#;
        let expected = vec![(1, "$.data[0].details.id"), (2, "$.data[0].Name")];
        assert_eq!(references(text), expected);
    }

    #[test]
    fn a_reference_to_what_is_not_earlier_is_refused() {
        let asked = serde_json::json!({"method": "get", "uri": "/crm/v8/Deals/@{1:$.data[0].id}"});
        let asked: Asked = serde_json::from_value(asked).unwrap();
        let error = request(asked, &[]).unwrap_err().to_string();
        assert!(error.contains("not an earlier request"), "{error}");
    }
}
