//! Which org a command talks to, how it signs in there, and where its access token is kept between two commands.

use std::{
    fs::{self, DirBuilder},
    io::Read,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use clock::Clock;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;
use zoho_crm::{
    Client, Credentials, DataCenter, Environment, FileTokenStore, Limits, OAuth, OAuthClient,
    Observer, Region,
};

use crate::config::{self, RefreshToken};

use super::{Ended, check, prompt};

/// Where a route table is looked for, as by `serve`.
const ROUTES: &str = "routes.yaml";

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest secret that is read from a file, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// The org: one of a route table's connections, or what flags and environment say.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which org")]
pub(super) struct OrgArguments {
    /// The route table that names the org. Without it, and without a data centre or URLs: ./routes.yaml.
    #[arg(long, env = "ZOHOOK_ROUTES", global = true, value_name = "FILE")]
    routes: Option<PathBuf>,
    /// Which of its connections; needed where it has several.
    #[arg(long, global = true, value_name = "NAME")]
    connection: Option<String>,
    /// Without a route table: where the org lives (com eu in com.au jp ca sa cn uk).
    #[arg(long, env = "ZOHO_DATA_CENTER", global = true, value_parser = region, value_name = "NAME")]
    data_center: Option<Region>,
    /// Without a route table: production, sandbox or developer.
    #[arg(long, env = "ZOHO_ENVIRONMENT", global = true, value_parser = environment, value_name = "NAME")]
    environment: Option<Environment>,
    /// In place of a data centre: base URL of the API.
    #[arg(long, env = "ZOHO_API_URL", global = true, value_name = "URL")]
    api_url: Option<Url>,
    /// In place of a data centre: base URL of the accounts server.
    #[arg(long, env = "ZOHO_ACCOUNTS_URL", global = true, value_name = "URL")]
    accounts_url: Option<Url>,
    /// Without a route table: the OAuth client's id. Its secret comes from `ZOHO_CLIENT_SECRET`, the refresh token from
    /// `ZOHO_REFRESH_TOKEN`, or both from files: never from the command line, which everybody on the machine can read.
    #[arg(
        long,
        env = "ZOHO_CLIENT_ID",
        global = true,
        value_name = "ID",
        hide_env_values = true
    )]
    client_id: Option<String>,
    /// File with the client's secret.
    #[arg(
        long,
        env = "ZOHO_CLIENT_SECRET_FILE",
        global = true,
        value_name = "FILE"
    )]
    client_secret_file: Option<PathBuf>,
    /// File with the refresh token.
    #[arg(
        long,
        env = "ZOHO_REFRESH_TOKEN_FILE",
        global = true,
        value_name = "FILE"
    )]
    refresh_token_file: Option<PathBuf>,
    /// Where the access token is kept between two calls, encrypted [default: `$XDG_STATE_HOME/zohook` or
    /// `~/.local/state/zohook`].
    #[arg(long, env = "ZOHOOK_STATE_DIR", global = true, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
}

/// An org, and how to sign in there.
#[derive(Clone, Debug)]
pub(super) struct Org {
    /// Where that was found, for people.
    pub(super) found_in: String,
    pub(super) data_center: DataCenter,
    pub(super) client_id: SecretString,
    pub(super) client_secrets: Vec<SecretString>,
    /// None where it is about to be got.
    pub(super) refresh_tokens: Vec<SecretString>,
    limits: Limits,
    timeout: Duration,
    state_dir: PathBuf,
}

impl OrgArguments {
    /// Finds it; what is missing is asked for only where a refresh token is about to be got.
    pub(super) fn find(&self, refresh: RefreshToken) -> anyhow::Result<Org> {
        let state_dir = self.state_dir()?;
        let elsewhere = self.data_center.is_some() || self.api_url.is_some();
        if let Some(path) = &self.routes {
            return self.in_file(path, refresh, state_dir);
        }
        if self.connection.is_some() || (!elsewhere && Path::new(ROUTES).exists()) {
            return self.in_file(Path::new(ROUTES), refresh, state_dir);
        }
        self.in_environment(refresh, state_dir)
    }

    fn in_file(
        &self,
        path: &Path,
        refresh: RefreshToken,
        state_dir: PathBuf,
    ) -> anyhow::Result<Org> {
        if !path.exists() {
            let text = format!(
                "there is no file {}: say which with --routes",
                path.display()
            );
            return Err(Ended::BadConfiguration(text).into());
        }
        let name = self.connection.as_deref();
        let found = config::load_connection(path, name, refresh, &config::environment);
        let connection = found.map_err(|problems| {
            check::complain_about(&problems);
            Ended::BadConfiguration(format!("{} does not say which org", path.display()))
        })?;
        let data_center = DataCenter::custom(connection.api_url, connection.accounts_url)
            .map_err(|error| Ended::BadConfiguration(error.to_string()))?;
        Ok(Org {
            found_in: format!("connection {} of {}", connection.name, path.display()),
            data_center,
            client_id: connection.client_id,
            client_secrets: connection.client_secret,
            refresh_tokens: connection.refresh_token,
            limits: Limits {
                credits_daily: connection.credits_daily,
                credits_reserve_percent: connection.credits_reserve_percent,
                concurrency: connection.concurrency,
                ..Limits::default()
            },
            timeout: connection.timeout,
            state_dir,
        })
    }

    fn in_environment(&self, refresh: RefreshToken, state_dir: PathBuf) -> anyhow::Result<Org> {
        let asks = refresh == RefreshToken::NotYet && prompt::can_ask();
        let mut missing = vec![];
        let id = match &self.client_id {
            Some(id) => Some(id.clone().into()),
            None if asks => Some(prompt::line("Client id (from Zoho's API console): ")?.into()),
            None => None,
        };
        if id.is_none() {
            missing.push("the client's id: --client-id or ZOHO_CLIENT_ID");
        }
        let mut secret = secret("ZOHO_CLIENT_SECRET", self.client_secret_file.as_deref())?;
        if secret.is_none() && asks {
            secret = Some(prompt::secret("Client secret (not shown): ")?);
        }
        if secret.is_none() {
            missing.push("its secret: ZOHO_CLIENT_SECRET or --client-secret-file");
        }
        let token = match refresh {
            RefreshToken::NotYet => None,
            RefreshToken::Needed => {
                secret_of_refresh(self.refresh_token_file.as_deref(), &mut missing)?
            }
        };
        let data_center = self.data_center(asks)?;
        if data_center.is_none() {
            missing.push("where the org lives: --data-center, or --api-url and --accounts-url");
        }
        let (Some(client_id), Some(secret), Some(data_center), []) =
            (id, secret, data_center, missing.as_slice())
        else {
            let text = format!(
                "there is no {ROUTES} here, and without one this is missing:\n  {}",
                missing.join("\n  ")
            );
            return Err(Ended::BadConfiguration(text).into());
        };
        Ok(Org {
            found_in: "the flags and the environment".to_owned(),
            data_center,
            client_id,
            client_secrets: vec![secret],
            refresh_tokens: token.into_iter().collect(),
            limits: Limits::default(),
            timeout: TIMEOUT,
            state_dir,
        })
    }

    fn data_center(&self, asks: bool) -> anyhow::Result<Option<DataCenter>> {
        let wrong = |text: String| Err(Ended::BadConfiguration(text).into());
        let region = match (self.data_center, &self.api_url, &self.accounts_url) {
            (None, Some(api), Some(accounts)) => {
                return match DataCenter::custom(api.clone(), accounts.clone()) {
                    Ok(data_center) => Ok(Some(data_center)),
                    Err(error) => wrong(error.to_string()),
                };
            }
            (None, Some(_), None) | (None, None, Some(_)) => {
                return wrong("--api-url and --accounts-url go together".to_owned());
            }
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return wrong(
                    "give --data-center or --api-url and --accounts-url, not both".to_owned(),
                );
            }
            (Some(region), None, None) => region,
            (None, None, None) if asks => {
                let question = "Data centre (com eu in com.au jp ca sa cn uk): ";
                match region(prompt::line(question)?.trim()) {
                    Ok(region) => region,
                    Err(text) => return wrong(text),
                }
            }
            (None, None, None) => return Ok(None),
        };
        let environment = self.environment.unwrap_or_default();
        Ok(Some(DataCenter::environment(region, environment)?))
    }

    fn state_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.state_dir {
            return Ok(folder.clone());
        }
        let set = |name| config::environment(name).filter(|it| !it.is_empty());
        if let Some(state) = set("XDG_STATE_HOME") {
            return Ok(Path::new(&state).join("zohook"));
        }
        let Some(home) = set("HOME") else {
            let text = "say where the access token is kept: --state-dir or ZOHOOK_STATE_DIR";
            return Err(Ended::BadConfiguration(text.to_owned()).into());
        };
        Ok(Path::new(&home).join(".local/state/zohook"))
    }
}

impl Org {
    /// A client whose token outlives the process: Zoho gives ten in ten minutes.
    pub(super) fn client(&self, observer: Option<Observer>) -> anyhow::Result<Client> {
        let settings = zoho_crm::Settings {
            data_center: self.data_center.clone(),
            credentials: self.credentials(),
            limits: self.limits,
            timeout: self.timeout,
            observer,
        };
        let store = Arc::new(self.token_store()?);
        Ok(Client::new(settings, store, Clock::real())?)
    }

    pub(super) fn oauth(&self) -> anyhow::Result<OAuth> {
        let client = OAuthClient {
            id: self.client_id.clone(),
            secret: self.client_secrets.first().cloned().unwrap_or_default(),
        };
        Ok(OAuth::new(
            self.data_center.clone(),
            client,
            self.timeout,
            Clock::real(),
        )?)
    }

    /// A file of this client and refresh token alone.
    pub(super) fn token_store(&self) -> anyhow::Result<FileTokenStore> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.state_dir)
            .with_context(|| format!("cannot make {}", self.state_dir.display()))?;
        let path = self.state_dir.join(format!("token-{}", self.mark()));
        Ok(FileTokenStore::new(path, &self.credentials(), None))
    }

    /// What was consented to, where this machine saw the consent.
    pub(super) fn scopes(&self) -> Option<String> {
        fs::read_to_string(self.scopes_path()).ok()
    }

    pub(super) fn remember_scopes(&self, scopes: &[String]) -> anyhow::Result<()> {
        let path = self.scopes_path();
        fs::write(&path, scopes.join(" "))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Forgets the access token and the scopes.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        let token = self.token_store()?.path().to_owned();
        for path in [token, self.scopes_path()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn scopes_path(&self) -> PathBuf {
        self.state_dir.join(format!("scopes-{}", self.mark()))
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            client_id: self.client_id.clone(),
            client_secrets: self.client_secrets.clone(),
            refresh_tokens: self.refresh_tokens.clone(),
        }
    }

    /// Tells clients and refresh tokens apart without giving them away.
    fn mark(&self) -> String {
        let mut hash = Sha256::new();
        let texts = [
            self.data_center.accounts_url().as_str(),
            self.client_id.expose_secret(),
        ];
        let tokens = self.refresh_tokens.iter().map(ExposeSecret::expose_secret);
        for text in texts.into_iter().chain(tokens) {
            hash.update(text);
            hash.update([0]);
        }
        let mut mark = hex::encode(hash.finalize());
        mark.truncate(16);
        mark
    }
}

fn secret_of_refresh(
    file: Option<&Path>,
    missing: &mut Vec<&'static str>,
) -> anyhow::Result<Option<SecretString>> {
    let token = secret("ZOHO_REFRESH_TOKEN", file)?;
    if token.is_none() {
        missing.push(
            "a refresh token: ZOHO_REFRESH_TOKEN or --refresh-token-file; `zohook auth login` gets one",
        );
    }
    Ok(token)
}

/// From the file where one is named, else from the environment.
fn secret(name: &str, file: Option<&Path>) -> anyhow::Result<Option<SecretString>> {
    let Some(path) = file else {
        let value = config::environment(name).filter(|it| !it.trim().is_empty());
        return Ok(value.map(SecretString::from));
    };
    let mut text = String::new();
    let opened = fs::File::open(path);
    let read = opened.and_then(|it| it.take(SECRET_BYTES_MAX).read_to_string(&mut text));
    if let Err(error) = read {
        let text = format!("cannot read {}: {error}", path.display());
        return Err(Ended::BadConfiguration(text).into());
    }
    match text.trim() {
        "" => Err(Ended::BadConfiguration(format!("{} is empty", path.display())).into()),
        text => Ok(Some(text.into())),
    }
}

fn region(name: &str) -> Result<Region, String> {
    Region::parse(name).ok_or_else(|| {
        let names = Region::ALL.map(Region::as_str).join(", ");
        format!("no data centre is called `{name}`; there are {names}")
    })
}

fn environment(name: &str) -> Result<Environment, String> {
    Environment::parse(name).ok_or_else(|| "there are production, sandbox and developer".to_owned())
}
