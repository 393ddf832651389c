//! How much memory a client takes that reads 200,000 rows: in a process of its own.

use std::{collections::HashSet, io::Write, process::Stdio, time::Duration};

use clock::Clock;
use futures_util::TryStreamExt;
use tokio::process::Command;
use zoho_crm::bulk::{BulkRead, JobWait};
use zoho_sim::Sim;

use crate::support::sim::{client_of, simulator};

/// The whole process of the client, its program and its threads too.
const RESIDENT_KIB_MAX: u64 = 100 * 1024;

const ROWS: usize = 200_000;
const FEW_ROWS: usize = 2_000;

const FIELDS: &[&str] = &[
    "First_Name",
    "Last_Name",
    "Company",
    "Email",
    "Phone",
    "Lead_Source",
    "Lead_Status",
    "Owner",
    "Created_Time",
    "Modified_Time",
];

/// Where the client's process finds the simulator.
const URL: &str = "ZOHO_CRM_TEST_BULK_URL";

const CLIENT: &str = "bulk_memory::the_client_reads_every_row";

/// Alone it reads a few rows of a simulator of its own; started by the test below, all of its.
#[tokio::test]
async fn the_client_reads_every_row() {
    let Some(url) = std::env::var_os(URL) else {
        let sim = simulator().await;
        sim.generate("Leads", FEW_ROWS).unwrap();
        assert_eq!(read(&sim.base_url()).await, FEW_ROWS);
        return;
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    let rows = read(url.to_str().unwrap()).await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM")).unwrap();
    let kib = line.split_whitespace().nth(1).unwrap();
    // To the process that started this one.
    writeln!(std::io::stdout(), "\nread {rows} rows, at most {kib} KiB").unwrap();
}

async fn read(url: &str) -> usize {
    let client = client_of(url);
    let wait = JobWait {
        first: Duration::from_millis(100),
        longest: Duration::from_millis(500),
        ..JobWait::default()
    };
    let mut rows = client.bulk_read_rows(&BulkRead::of("Leads", FIELDS), &wait);
    let mut ids = HashSet::new();
    while let Some(row) = rows.try_next().await.unwrap() {
        let id: u64 = row.get("Id").unwrap().parse().unwrap();
        assert!(ids.insert(id), "no row comes twice");
        assert!(row.get("Last_Name").is_some_and(|it| !it.is_empty()));
    }
    ids.len()
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn two_hundred_thousand_rows_are_read_in_less_than_100_mib() {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let sim = Sim::start(zoho_sim::Settings::on_loopback()).await.unwrap();
    sim.generate("Leads", ROWS).unwrap();
    let clock = Clock::real();
    let started = clock.monotonic();
    let client = Command::new(std::env::current_exe().unwrap())
        .args([CLIENT, "--exact", "--nocapture"])
        .env(URL, sim.base_url())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_mins(1), client).await;
    let output = output.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let line = text.lines().find(|it| it.starts_with("read ")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (rows, kib): (usize, u64) = (words[1].parse().unwrap(), words[5].parse().unwrap());
    let took = clock.monotonic().saturating_sub(started);
    writeln!(std::io::stdout(), "{line}, {took:?}").unwrap();
    assert_eq!(rows, ROWS);
    assert!(kib < RESIDENT_KIB_MAX, "{kib} KiB");
}
