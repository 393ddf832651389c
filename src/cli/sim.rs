//! `zohook sim`: the simulator as a command.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use zoho_sim::{Settings, Sim};

use super::say;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where it pretends to be Zoho: accounts server and API at once.
    #[arg(long, default_value = "127.0.0.1:8181")]
    listen: SocketAddr,
    /// Same seed, same run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Records to begin with: a JSON object of lists, `{"Leads": [{"Last_Name": "…"}]}`.
    #[arg(long)]
    load: Option<PathBuf>,
    /// Time each answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::on_loopback();
    settings.listen = arguments.listen;
    settings.seed = arguments.seed;
    settings.latency = Duration::from_millis(arguments.latency_ms);
    let sim = Sim::start(settings)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    if let Some(path) = arguments.load {
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let snapshot = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        let count = sim.load(&snapshot)?;
        say(&format!("loaded {count} records"));
    }
    let url = sim.base_url();
    say(&format!(
        "zohook sim pretends to be Zoho CRM\n  API and accounts server  {url}\n  client_id 1000.SIM · client_secret sim · \
         refresh_token 1000.sim.refresh\n  counters and faults      {url}/sim/"
    ));
    super::until_interrupted().await?;
    sim.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
