//! One entry of `connections`.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zoho_crm::{Client, Credentials, DataCenter, Limits, SetupError, TokenStore};

use super::metrics::ConnectionMetrics;
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

impl Connection {
    pub(super) fn client(
        &self,
        store: Arc<dyn TokenStore>,
        clock: &Clock,
        metrics: &Arc<ConnectionMetrics>,
    ) -> Result<Client, SetupError> {
        let observer = Arc::clone(metrics);
        let settings = zoho_crm::Settings {
            data_center: DataCenter::custom(self.api_url.clone(), self.accounts_url.clone())?,
            credentials: Credentials {
                client_id: self.client_id.clone(),
                client_secrets: self.client_secret.clone(),
                refresh_tokens: self.refresh_token.clone(),
            },
            limits: self.limits(),
            timeout: self.timeout,
            observer: Some(Arc::new(move |event| observer.observe(event))),
        };
        let client = Client::new(settings, store, clock.clone())?;
        metrics.presume_authorized();
        Ok(client)
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            credits_daily: self.credits_daily,
            credits_reserve_percent: self.credits_reserve_percent,
            concurrency: self.concurrency,
            ..Limits::default()
        }
    }

    /// Whether a client of the other, which remembers what it used and was refused, does for this one: all is the same
    /// but the limits.
    pub(super) fn can_keep_client_of(&self, other: &Self) -> bool {
        let Self {
            name,
            api_url,
            accounts_url,
            client_id,
            client_secret,
            refresh_token,
            credits_daily: _,
            credits_reserve_percent: _,
            concurrency: _,
            timeout,
        } = other;
        self.name == *name
            && self.api_url == *api_url
            && self.accounts_url == *accounts_url
            && self.client_id.expose_secret() == client_id.expose_secret()
            && are_same(&self.client_secret, client_secret)
            && are_same(&self.refresh_token, refresh_token)
            && self.timeout == *timeout
    }
}

fn are_same(some: &[SecretString], others: &[SecretString]) -> bool {
    let some = some.iter().map(ExposeSecret::expose_secret);
    some.eq(others.iter().map(ExposeSecret::expose_secret))
}
