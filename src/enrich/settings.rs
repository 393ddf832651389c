//! One entry of `connections`.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use secrecy::SecretString;
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
        let metrics = Arc::clone(metrics);
        let settings = zoho_crm::Settings {
            data_center: DataCenter::custom(self.api_url.clone(), self.accounts_url.clone())?,
            credentials: Credentials {
                client_id: self.client_id.clone(),
                client_secrets: self.client_secret.clone(),
                refresh_tokens: self.refresh_token.clone(),
            },
            limits: Limits {
                credits_daily: self.credits_daily,
                credits_reserve_percent: self.credits_reserve_percent,
                concurrency: self.concurrency,
                ..Limits::default()
            },
            timeout: self.timeout,
            observer: Some(Arc::new(move |event| metrics.observe(event))),
        };
        Client::new(settings, store, clock.clone())
    }
}
