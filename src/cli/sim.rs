//! `zohook sim`: the simulator as a command.

use std::{
    net::SocketAddr, num::NonZeroUsize, ops::RangeInclusive, path::PathBuf, process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use zoho_sim::{Settings, Sim};

use super::say;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where it pretends to be Zoho: accounts server and API at once.
    #[arg(long, default_value = "127.0.0.1:8181")]
    listen: SocketAddr,
    /// What callers are told to call, if not where it listens: behind a proxy, in a container.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Same seed, same run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Records to begin with: a JSON object of lists, `{"Leads": [{"Last_Name": "…"}]}`.
    #[arg(long)]
    load: Option<PathBuf>,
    /// Edition of the org, which says how many calls may run at once.
    #[arg(long, value_enum, default_value_t = Edition::Enterprise)]
    edition: Edition,
    /// API credits per rolling 24 hours.
    #[arg(long, default_value_t = 5_000_000)]
    daily_credits: u64,
    /// Time each answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Time until search knows of a change, in milliseconds: one number, or least-most.
    #[arg(
        long,
        alias = "index-delay",
        value_name = "MS[-MS]",
        default_value = "2000-5000",
        value_parser = read_span
    )]
    index_delay_ms: RangeInclusive<u64>,
    /// Time a bulk job or a conversion in the background takes, in milliseconds.
    #[arg(long, default_value_t = 300)]
    bulk_time_ms: u64,
    /// Records per page of a bulk read.
    #[arg(long, default_value = "200000")]
    bulk_page_rows: NonZeroUsize,
    /// Let workflow webhooks call loopback and private hosts, which Zoho refuses.
    #[arg(long)]
    webhooks_to_private_hosts: bool,
}

/// The editions, with how many calls may run at once.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Edition {
    /// 5 calls at once
    Free,
    /// 10 calls at once
    Standard,
    /// 15 calls at once
    Professional,
    /// 20 calls at once
    Enterprise,
    /// 25 calls at once
    Ultimate,
}

impl From<Edition> for zoho_sim::Edition {
    fn from(edition: Edition) -> Self {
        match edition {
            Edition::Free => Self::Free,
            Edition::Standard => Self::Standard,
            Edition::Professional => Self::Professional,
            Edition::Enterprise => Self::Enterprise,
            Edition::Ultimate => Self::Ultimate,
        }
    }
}

impl Arguments {
    fn settings(&self) -> Settings {
        let (least, most) = (self.index_delay_ms.start(), self.index_delay_ms.end());
        let mut settings = Settings::on_loopback();
        settings.listen = self.listen;
        settings.public_url.clone_from(&self.public_url);
        settings.seed = self.seed;
        settings.edition = self.edition.into();
        settings.daily_credits = self.daily_credits;
        settings.latency = Duration::from_millis(self.latency_ms);
        settings.index_delay = Duration::from_millis(*least)..=Duration::from_millis(*most);
        settings.bulk_time = Duration::from_millis(self.bulk_time_ms);
        settings.bulk_page_rows = self.bulk_page_rows.get();
        settings.webhooks_to_private_hosts = self.webhooks_to_private_hosts;
        settings
    }
}

/// `500`, or `2000-5000`.
fn read_span(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    match (least.trim().parse(), most.trim().parse()) {
        (Ok(least), Ok(most)) if least <= most => Ok(least..=most),
        _ => Err("milliseconds are wanted: `500`, or least and most, `2000-5000`".to_owned()),
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let sim = Sim::start(arguments.settings())
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(flags: &[&str]) -> Result<Settings, clap::Error> {
        let words = ["sim"].iter().chain(flags);
        Command::try_parse_from(words).map(|it| it.arguments.settings())
    }

    #[test]
    fn without_flags_it_is_as_the_crate_has_it() {
        let (told, crates) = (settings(&[]).unwrap(), Settings::on_loopback());
        assert_eq!(told.edition, crates.edition);
        assert_eq!(told.daily_credits, crates.daily_credits);
        assert_eq!(told.index_delay, crates.index_delay);
        assert_eq!(told.bulk_time, crates.bulk_time);
        assert_eq!(told.bulk_page_rows, crates.bulk_page_rows);
        assert_eq!(told.seed, crates.seed);
    }

    #[test]
    fn flags_say_how_the_org_behaves() {
        let told = settings(&["--edition", "free", "--index-delay", "500"]).unwrap();
        assert_eq!(told.edition.concurrency_max(), 5);
        let half_a_second = Duration::from_millis(500);
        assert_eq!(told.index_delay, half_a_second..=half_a_second);
        let told = settings(&["--index-delay-ms", "0-1000", "--bulk-time-ms", "0"]).unwrap();
        assert_eq!(told.index_delay, Duration::ZERO..=Duration::from_secs(1));
        assert_eq!(told.bulk_time, Duration::ZERO);
        for wrong in [
            ["--index-delay-ms", "5-1"],
            ["--index-delay-ms", "soon"],
            ["--edition", "gold"],
            ["--bulk-page-rows", "0"],
        ] {
            assert!(settings(&wrong).is_err(), "{wrong:?}");
        }
    }
}
