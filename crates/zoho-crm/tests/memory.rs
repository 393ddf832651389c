//! How much memory long lists take: a process of its own, so that no other test's is counted.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a failing helper should fail the test")]

use std::{fs, sync::Arc, time::Duration};

use clock::Clock;
use futures_util::TryStreamExt;
use zoho_crm::{
    Client, Credentials, DataCenter, Limits, ListQuery, MemoryTokenStore, PageAt, Settings,
};
use zoho_sim::Sim;

const RECORDS: u64 = 50_000;
/// All records as values take some 50 MiB; a page of them a fifth of one.
const GROWTH_KIB_MAX: u64 = 8 * 1024;

/// The most memory that the process has had in use, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let kib = line.and_then(|it| it.trim().strip_suffix(" kB"));
    kib.unwrap().trim().parse().unwrap()
}

fn client(sim: &Sim) -> Client {
    let url: url::Url = sim.base_url().parse().unwrap();
    let settings = Settings {
        data_center: DataCenter::custom(url.clone(), url).unwrap(),
        credentials: Credentials {
            client_id: Sim::CLIENT_ID.into(),
            client_secrets: vec![Sim::CLIENT_SECRET.into()],
            refresh_tokens: vec![Sim::REFRESH_TOKEN.into()],
        },
        limits: Limits::default(),
        timeout: Duration::from_secs(30),
        observer: None,
    };
    Client::new(
        settings,
        Arc::new(MemoryTokenStore::default()),
        Clock::real(),
    )
    .unwrap()
}

/// The simulator is in the same process: what it takes for the calls counts too.
#[tokio::test]
async fn fifty_thousand_records_are_listed_in_constant_memory() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let sim = Sim::start(zoho_sim::Settings::on_loopback()).await.unwrap();
    sim.generate("Leads", usize::try_from(RECORDS).unwrap())
        .unwrap();
    let client = client(&sim);
    let fields = [
        "Last_Name",
        "First_Name",
        "Company",
        "Email",
        "Phone",
        "City",
    ];
    let query = ListQuery::of("Leads", &fields);
    // What the first call sets up is not a list's.
    client.list_page(&query, PageAt::Number(1)).await.unwrap();
    let before = peak_kib();
    let mut listing = client.list(&query);
    let mut taken = 0;
    while listing.try_next().await.unwrap().is_some() {
        taken += 1;
    }
    let growth = peak_kib() - before;
    assert_eq!(taken, RECORDS);
    assert!(
        growth < GROWTH_KIB_MAX,
        "grown by {growth} KiB from {before} KiB"
    );
}
