//! What a simulator is told at its start.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use clock::Clock;

/// How one simulated org behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Same seed, same ids, tokens and fault decisions.
    pub seed: u64,
    /// Added to every answer, while the call counts as running.
    pub latency: Duration,
    /// Decides the concurrency limit and what `GET /org` says.
    pub edition: Edition,
    /// API credits per rolling 24 hours.
    pub daily_credits: u64,
    /// How long a bulk job or a conversion in the background takes: a third of it added, a third
    /// queued, a third in progress.
    pub bulk_time: Duration,
    /// Records per page of a bulk read; Zoho's are 200,000.
    pub bulk_page_rows: usize,
    /// How long search takes to know of a change, at least and at most: each record has its own
    /// delay. What was loaded or generated is known at once.
    pub index_delay: RangeInclusive<Duration>,
    /// Take workflow webhooks to loopback and private hosts, which Zoho refuses.
    pub webhooks_to_private_hosts: bool,
    /// What callers are told to call (`api_domain`, `resource_uri`), if not the listen address.
    pub public_url: Option<String>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Settings {
    /// Any free loopback port, no latency, Enterprise with its largest credit limit, bulk jobs of
    /// 300 ms, search 2 to 5 s behind, the real clock.
    pub fn on_loopback() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            latency: Duration::ZERO,
            edition: Edition::Enterprise,
            daily_credits: 5_000_000,
            bulk_time: Duration::from_millis(300),
            bulk_page_rows: 200_000,
            webhooks_to_private_hosts: false,
            index_delay: Duration::from_secs(2)..=Duration::from_secs(5),
            public_url: None,
            clock: Clock::real(),
        }
    }
}

/// The editions, which differ in how many calls may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// 5 calls at once.
    Free,
    /// 10 calls at once.
    Standard,
    /// 15 calls at once.
    Professional,
    /// 20 calls at once.
    Enterprise,
    /// 25 calls at once.
    Ultimate,
}

impl Edition {
    /// Calls that may run at once for one org and app. Zoho: "API limits", v8.
    pub fn concurrency_max(self) -> u32 {
        match self {
            Self::Free => 5,
            Self::Standard => 10,
            Self::Professional => 15,
            Self::Enterprise => 20,
            Self::Ultimate => 25,
        }
    }

    pub(crate) fn paid_type(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Standard => "standard",
            Self::Professional => "professional",
            Self::Enterprise => "enterprise",
            Self::Ultimate => "ultimate",
        }
    }
}
