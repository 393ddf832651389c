//! `zohook auth revoke`.

use std::process::ExitCode;

use clap::Args;
use zoho_crm::OAuthError;

use crate::cli::{Ended, FAILED, complain, org::Org, prompt};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(org: &Org, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if !arguments.yes {
        if !prompt::can_ask() {
            let text = "nobody is there to confirm it: add --yes";
            return Err(Ended::Usage(text.to_owned()).into());
        }
        complain(&format!(
            "Everything that uses the refresh token of {} stops working, a running router too.",
            org.found_in
        ));
        if !prompt::is_sure("Revoke it?")? {
            complain("Nothing was done.");
            return Ok(ExitCode::from(FAILED));
        }
    }
    let oauth = org.oauth()?;
    for token in &org.refresh_tokens {
        match oauth.revoke(token).await {
            Ok(()) => complain("Revoked."),
            // Zoho says the same of a token that was revoked before.
            Err(OAuthError::BadToken { code }) => {
                complain(&format!("Zoho knows no such token (any more): {code}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    org.forget()?;
    Ok(ExitCode::SUCCESS)
}
