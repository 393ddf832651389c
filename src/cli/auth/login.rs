//! `zohook auth login` and `zohook auth code`: a refresh token for a consent.

use std::process::ExitCode;

use clap::Args;
use zoho_crm::{Consent, OAuth, SCOPES};

use crate::{
    cli::{complain, org::Org, prompt},
    config::RefreshToken,
};

use super::{keep::KeepArguments, listener::Listener};

/// Where Zoho's console must have the redirect URI, unless another port is chosen.
const PORT: u16 = 8765;

#[derive(Debug, Args)]
pub(super) struct Login {
    /// What is asked for, with commas; by default all that zohook can use.
    #[arg(long, value_delimiter = ',', value_name = "SCOPES")]
    scopes: Vec<String>,
    /// Port on this machine that the browser is sent back to. The redirect URI, as Zoho's console must have it, is
    /// <http://localhost:PORT/callback>.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    #[command(flatten)]
    keep: KeepArguments,
}

#[derive(Debug, Args)]
pub(super) struct Code {
    #[command(flatten)]
    keep: KeepArguments,
}

impl Login {
    pub(super) fn check(&self) -> anyhow::Result<RefreshToken> {
        self.keep.check()?;
        Ok(RefreshToken::NotYet)
    }
}

impl Code {
    pub(super) fn check(&self) -> anyhow::Result<RefreshToken> {
        self.keep.check()?;
        Ok(RefreshToken::NotYet)
    }
}

pub(super) async fn login(org: Org, arguments: &Login) -> anyhow::Result<ExitCode> {
    let oauth = org.oauth()?;
    let listener = Listener::start(arguments.port).await?;
    let redirect_uri = listener.redirect_uri();
    let state = OAuth::new_state();
    let given: Vec<&str> = arguments.scopes.iter().map(String::as_str).collect();
    let url = oauth.consent_url(&Consent {
        scopes: if given.is_empty() { &SCOPES } else { &given },
        redirect_uri: &redirect_uri,
        state: &state,
    });
    complain(&format!(
        "Zoho's API console must have {redirect_uri} as an authorized redirect URI of this client.\n\
         Open this in a browser on this machine, as the user whose rights zohook shall have:\n\n{url}\n\n\
         Waiting for the answer …"
    ));
    let redirected = listener.wait(&oauth, &state).await?;
    let oauth = oauth.at(redirected.data_center);
    let consented = oauth
        .exchange(&redirected.code, Some(&redirect_uri))
        .await?;
    arguments
        .keep
        .keep(org, oauth.data_center(), consented)
        .await
}

pub(super) async fn code(org: Org, arguments: &Code) -> anyhow::Result<ExitCode> {
    let oauth = org.oauth()?;
    if prompt::can_ask() {
        complain(&format!(
            "In Zoho's API console open your Self Client, tab \"Generate Code\". Scopes, all that zohook can use:\n\n{}\n\n\
             The code is good for the minutes you choose there, and once.",
            SCOPES.join(",")
        ));
    }
    let code = prompt::secret("Paste the code (not shown): ")?;
    let consented = oauth.exchange(&code, None).await?;
    arguments
        .keep
        .keep(org, oauth.data_center(), consented)
        .await
}
