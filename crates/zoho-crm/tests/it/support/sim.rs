//! A simulator of its own for each test, and clients of it.

use std::{sync::Arc, time::Duration};

use clock::Clock;
use zoho_crm::{Client, Credentials, DataCenter, Limits, MemoryTokenStore, Settings};
use zoho_sim::{Edition, Sim};

pub(crate) async fn simulator() -> Sim {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = zoho_sim::Settings {
        edition: Edition::Standard,
        ..zoho_sim::Settings::on_loopback()
    };
    Sim::start(settings).await.unwrap()
}

pub(crate) fn settings(sim: &Sim) -> Settings {
    settings_of(&sim.base_url())
}

fn settings_of(url: &str) -> Settings {
    let url: url::Url = url.parse().unwrap();
    Settings {
        data_center: DataCenter::custom(url.clone(), url).unwrap(),
        credentials: Credentials {
            client_id: Sim::CLIENT_ID.into(),
            client_secrets: vec![Sim::CLIENT_SECRET.into()],
            refresh_tokens: vec![Sim::REFRESH_TOKEN.into()],
        },
        limits: Limits {
            credits_daily: None,
            credits_reserve_percent: 0,
            concurrency: 10,
            ..Limits::default()
        },
        timeout: Duration::from_secs(30),
        observer: None,
    }
}

pub(crate) fn client(sim: &Sim) -> Client {
    client_with(settings(sim))
}

/// A client of a simulator in another process.
pub(crate) fn client_of(url: &str) -> Client {
    client_with(settings_of(url))
}

pub(crate) fn client_with(settings: Settings) -> Client {
    let store = Arc::new(MemoryTokenStore::default());
    Client::new(settings, store, Clock::real()).unwrap()
}
