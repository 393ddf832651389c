//! One entry of `connections`.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::event::ConnectionName;

/// A Zoho org and our access to it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name in the file.
    pub name: ConnectionName,
    /// Base of the API, e.g. `https://www.zohoapis.com`.
    pub api_url: Url,
    /// Base of the accounts server, e.g. `https://accounts.zoho.com`.
    pub accounts_url: Url,
    /// OAuth client.
    pub client_id: SecretString,
    /// Its secrets; the first that works is used.
    pub client_secret: Vec<SecretString>,
    /// Refresh tokens; the first that works is used.
    pub refresh_token: Vec<SecretString>,
    /// Credits a rolling day may use; `None` leaves it to Zoho.
    pub credits_daily: Option<u64>,
    /// Share of the daily credits we never touch, in percent.
    pub credits_reserve_percent: u8,
    /// Calls in flight at once.
    pub concurrency: usize,
    /// Longest wait for one answer.
    pub timeout: Duration,
}
