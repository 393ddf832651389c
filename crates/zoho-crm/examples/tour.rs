//! A tour of the client, on a simulated org: the example of the README.

use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use serde_json::{Map, json};
use zoho_crm::{
    Channel, ChannelEvent, Client, Clock, Credentials, DataCenter, Limits, ListQuery,
    MemoryTokenStore, Settings, UserType, WriteOptions,
};
use zoho_sim::Sim;

/// Goes through what the client can do.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let org = Sim::start(zoho_sim::Settings::on_loopback()).await?;
    let url: url::Url = org.base_url().parse()?;
    let settings = Settings {
        // For a real org: DataCenter::region(Region::Eu)?
        data_center: DataCenter::custom(url.clone(), url)?,
        credentials: Credentials {
            client_id: Sim::CLIENT_ID.into(),
            client_secrets: vec![Sim::CLIENT_SECRET.into()],
            refresh_tokens: vec![Sim::REFRESH_TOKEN.into()],
        },
        limits: Limits::default(),
        timeout: Duration::from_secs(30),
        observer: None,
    };
    // FileTokenStore keeps the token for the next start, and for other processes.
    let store = Arc::new(MemoryTokenStore::default());
    let client = Client::new(settings, store, Clock::real())?;
    client.learn_limits().await?; // as many calls at once as the org's edition allows

    // Records are written in any number; each has a result of its own.
    let lead = |name: &str, email: &str| {
        let values = [
            ("Last_Name", name),
            ("Company", "Example"),
            ("Email", email),
        ];
        Map::from_iter(values.map(|(key, value)| (key.to_owned(), json!(value))))
    };
    let leads = [
        lead("Doe", "doe@example.com"),
        lead("Roe", "roe@example.com"),
        lead("Poe", "not an address"),
    ];
    let options = WriteOptions {
        duplicate_check_fields: &["Email"],
        ..WriteOptions::default()
    };
    let written = client.upsert("Leads", &leads, &options).await?;
    let ids: Vec<&str> = written.iter().flatten().map(|it| it.id.as_str()).collect();
    let refused = written.iter().filter_map(|it| it.as_ref().err());
    let refused: Vec<_> = refused.map(|it| it.code.as_str()).collect();
    assert_eq!((ids.len(), refused), (2, vec!["INVALID_DATA"]));

    // A list is a stream over any number of pages, one of them in memory.
    let mut leads = client.list(&ListQuery::of("Leads", &["Last_Name", "Company"]));
    while let Some(lead) = leads.try_next().await? {
        assert_eq!(lead.get("Company"), Some(&json!("Example")));
    }

    // One record, with all it has; None if it is not there.
    for id in ids {
        assert!(client.record("Leads", id).await?.record.is_some());
        client.delete_one("Leads", id, true).await?;
        assert!(client.record("Leads", id).await?.record.is_none());
    }

    // What an org is made of.
    let fields = client.fields("Leads").await?;
    assert!(fields.iter().any(|it| it.api_name == "Last_Name"));
    let users: Vec<_> = client.users(UserType::ActiveUsers).try_collect().await?;
    assert!(!users.is_empty());

    // To be told of changes. Zoho signs nothing: give channels a token, and look at when they end.
    let events: Vec<_> = ChannelEvent::parse("Leads.all").into_iter().collect();
    let channel = Channel::new("1000000068001", &events, "https://hooks.example.com/zoho");
    for granted in client.enable_channels(&[channel]).await? {
        assert!(!granted?.shortened);
    }
    Ok(())
}
