//! Where a new refresh token goes: to the person, or into a file of its own.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use zoho_crm::{Consented, DataCenter, TokenStore};

use crate::cli::{complain, org::Org};

/// Where the refresh token goes.
#[derive(Debug, Args)]
pub(super) struct KeepArguments {
    /// Write the refresh token into this new file, for its owner alone to read, instead of to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl KeepArguments {
    /// Refuses a file that is there before a code is spent on it.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match &self.out {
            Some(path) if path.exists() => {
                anyhow::bail!("{} is there already: take it away first", path.display())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Hands the refresh token over, and keeps the access token for the next command.
    pub(super) async fn keep(
        &self,
        mut org: Org,
        data_center: &DataCenter,
        consented: Consented,
    ) -> anyhow::Result<ExitCode> {
        // First of all: a code cannot be redeemed twice.
        self.hand_over(&consented.refresh_token)?;
        if data_center.api_url() != org.data_center.api_url() {
            complain(&format!(
                "The org lives at {}: from now on say so, e.g. with --data-center.",
                data_center.api_url()
            ));
        }
        org.data_center = data_center.clone();
        org.refresh_tokens = vec![consented.refresh_token];
        org.token_store()?.save(&consented.token).await?;
        if !consented.scopes.is_empty() {
            org.remember_scopes(&consented.scopes)?;
            complain(&format!("Scopes: {}", consented.scopes.join(" ")));
        }
        complain(
            "It is good until it is revoked, or until the user's twenty-first consent to this client.",
        );
        complain("See whether all is well: zohook auth status");
        Ok(ExitCode::SUCCESS)
    }

    fn hand_over(&self, token: &SecretString) -> anyhow::Result<()> {
        let Some(path) = &self.out else {
            if io::stdout().is_terminal() {
                complain(
                    "The refresh token; give it to ZOHO_REFRESH_TOKEN or to your secret store, and to nobody else:",
                );
            }
            writeln!(io::stdout(), "{}", token.expose_secret())?;
            return Ok(());
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options
            .open(path)
            .and_then(|mut it| writeln!(it, "{}", token.expose_secret()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        complain(&format!(
            "The refresh token is in {0}. Use it with --refresh-token-file {0}, or in routes.yaml as ${{file:{0}}}.",
            path.display()
        ));
        Ok(())
    }
}
