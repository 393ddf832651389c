//! What the command line and the environment say, beside the file.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use secrecy::SecretString;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The route table, read again on change.
    pub routes: PathBuf,
    /// Public port.
    pub listen: SocketAddr,
    /// Admin port.
    pub admin_listen: SocketAddr,
    /// Where everything is kept.
    pub store: StoreUrl,
    /// Any of them opens the admin port.
    pub admin_tokens: Vec<SecretString>,
    /// The first seals access tokens, all open them; empty: a key derived from the client secret.
    pub store_keys: Vec<SecretString>,
}

/// Which engine, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`: one file, one process.
    Sqlite(PathBuf),
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => {
                Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()))
            }
            Some(("postgres" | "postgresql", _)) => {
                Err("PostgreSQL is not supported by this version: use sqlite:PATH".to_owned())
            }
            _ => Err("expected sqlite:PATH, for example sqlite:data/zohook.db".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_path_behind_sqlite() {
        let sqlite = |path: &str| Ok(StoreUrl::Sqlite(path.into()));
        assert_eq!("sqlite:data/zohook.db".parse(), sqlite("data/zohook.db"));
        assert_eq!("sqlite:/data/z.db".parse(), sqlite("/data/z.db"));
        assert_eq!("sqlite:///data/z.db".parse(), sqlite("/data/z.db"));
        for bad in ["", "sqlite:", "data.db", "postgres://localhost/z"] {
            assert!(bad.parse::<StoreUrl>().is_err(), "{bad}");
        }
    }
}
