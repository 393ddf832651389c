//! A running router, asked through its admin port.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::event::DestinationName;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Deliveries that wait, by destination of the file that the router works by.
///
/// # Errors
/// When it cannot be asked, or refuses.
pub(super) async fn backlogs(admin: &Url) -> anyhow::Result<BTreeMap<DestinationName, u64>> {
    #[derive(Deserialize)]
    struct Answer {
        destinations: BTreeMap<String, Backlog>,
    }
    #[derive(Deserialize)]
    struct Backlog {
        depth: u64,
    }
    let text = get(admin, "api/v1/backlog").await?;
    let answer: Answer =
        serde_json::from_str(&text).context("the answer is none of a zohook router")?;
    let of_each = answer.destinations.into_iter();
    Ok(of_each
        .map(|(name, it)| (DestinationName::new(name), it.depth))
        .collect())
}

/// The text of a path of the admin port.
async fn get(admin: &Url, path: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
    let mut request = client.get(format!("{}/{path}", admin.as_str().trim_end_matches('/')));
    if let Some(token) = secrets("ZOHOOK_ADMIN_TOKEN").first() {
        request = request.bearer_auth(token.expose_secret());
    }
    let asked = async {
        let answer = request.send().await?;
        Ok((answer.status(), answer.text().await?))
    };
    let asked: reqwest::Result<_> = asked.await;
    let (status, text) = asked
        .map_err(reqwest::Error::without_url)
        .with_context(|| format!("no router answers at {admin}"))?;
    match status.as_u16() {
        200 => Ok(text),
        401 => bail!("{admin} asks for a token: set ZOHOOK_ADMIN_TOKEN to one of the router's"),
        _ => bail!("{admin} answers {status} to /{path}"),
    }
}

/// Of the environment, a list with commas, for rotation: all are accepted, the first signs.
pub(super) fn secrets(name: &str) -> Vec<SecretString> {
    let value = crate::config::environment(name).unwrap_or_default();
    value
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(SecretString::from)
        .collect()
}
