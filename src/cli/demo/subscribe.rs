//! Subscribes the router to the simulated CRM, as a user would with two calls.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// Longest wait for an answer of the simulator.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One channel for all that happens to Leads and Deals.
pub(super) async fn to_everything(zoho: &str, notify_url: &str, token: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
    let answer: Value = client
        .post(format!("{zoho}/oauth/v2/token"))
        .form(&[
            ("grant_type", "refresh_token"),
            ("client_id", "1000.SIM"),
            ("client_secret", "sim"),
            ("refresh_token", "1000.sim.refresh"),
        ])
        .send()
        .await?
        .json()
        .await?;
    let access_token = answer
        .get("access_token")
        .and_then(Value::as_str)
        .context("the simulator gave no access token")?;
    let answer: Value = client
        .post(format!("{zoho}/crm/v8/actions/watch"))
        .header("Authorization", format!("Zoho-oauthtoken {access_token}"))
        .json(&json!({ "watch": [{
            "channel_id": "1000000068001",
            "events": ["Leads.all", "Deals.all"],
            "notify_url": notify_url,
            "token": token,
            "notify_on_related_action": false,
        }]}))
        .send()
        .await?
        .json()
        .await?;
    let status = answer.pointer("/watch/0/status").and_then(Value::as_str);
    ensure!(
        status == Some("success"),
        "the simulator refused the channel: {answer}"
    );
    Ok(())
}
