//! `zohook demo`: simulator, router, CRM activity and a consumer in one process, with nothing installed.

mod activity;
mod consumer;
mod show;
mod subscribe;

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use clock::Clock;
use jiff::SignedDuration;
use tokio::sync::mpsc;
use zoho_sim::Sim;

use crate::{
    app::{App, Options, StoreUrl},
    config, deliver,
    store::Ledger,
    telemetry::{self, Format},
};

use self::{
    activity::Activity,
    consumer::{Consumer, Received},
    show::Screen,
};

use super::{FAILED, say};

/// What the router runs with.
const ROUTES: &str = include_str!("routes.yaml");

/// Ends the lines of [`ROUTES`] that are taken when `AMQP_URL` is set.
const RABBITMQ_MARK: &str = "# rabbitmq";

/// Longest wait for what is under way when the activity ends.
const SETTLE_MAX: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How long, for example 30s or 5m; without it until Ctrl-C.
    #[arg(long = "for", value_parser = duration)]
    length: Option<Duration>,
    /// Changes in the CRM, for example 5/s; 1 to 1000 a second.
    #[arg(long, default_value = "5/s", value_parser = per_second)]
    rate: u32,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text
        .parse()
        .map_err(|error| format!("expected a duration such as 30s or 5m: {error}"))?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err("must be more than nothing".to_owned()),
    }
}

fn per_second(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse() {
        Ok(rate @ 1..=1000) => Ok(rate),
        Ok(_) | Err(_) => Err("expected a rate from 1/s to 1000/s".to_owned()),
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(Format::Text, "warn", deliver::SILENCED)?;
    let clock = Clock::real();
    let folder = Folder::new()?;
    let sim = Sim::start(zoho_sim::Settings::on_loopback()).await?;
    let secrets = Secrets::random();
    let (consumer, address, events) = Consumer::start(&secrets.sign).await?;
    let base_url = sim.base_url();
    let environment = environment(&base_url, &format!("http://{address}/events"), &secrets);
    let app = start(&folder, &environment, &clock).await?;
    let notify_url = format!("http://{}/in/crm?k={}", app.public_address(), secrets.key);
    subscribe::to_everything(&base_url, &notify_url, &secrets.token).await?;
    introduce(&base_url, &app, environment.contains_key("AMQP_URL"));

    let screen = Screen::of_stdout();
    screen.head();
    let mut activity = Activity::new(&sim, arguments.rate);
    act_and_show(&mut activity, events, screen, (&clock, arguments.length)).await;
    let ledger = settled(&app, &clock).await?;
    // A change of nothing is told by nobody, so what counts is what the CRM told.
    let told = sim.counters().callbacks.ids;
    let seen = consumer.seen();
    screen.end(&ledger, seen, (activity.made(), told));
    let all_arrived = seen.distinct + ledger.changes.superseded == told;
    let stopped = app.stop(SETTLE_MAX).await;
    sim.shutdown().await;
    if ledger.adds_up() && all_arrived && stopped {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::from(FAILED))
    }
}

/// Made up for this run.
struct Secrets {
    token: String,
    key: String,
    sign: [u8; 24],
}

impl Secrets {
    fn random() -> Self {
        Self {
            token: uuid::Uuid::new_v4().simple().to_string(),
            key: uuid::Uuid::new_v4().simple().to_string(),
            sign: rand::random(),
        }
    }
}

/// A folder for the store that goes with the demo.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("zohook-demo-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in the temporary folder harms nobody.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn environment(zoho: &str, consumer: &str, secrets: &Secrets) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<_, _> = [
        ("ZOHO_URL", zoho.to_owned()),
        ("CONSUMER_URL", consumer.to_owned()),
        ("DEMO_TOKEN", secrets.token.clone()),
        ("DEMO_KEY", secrets.key.clone()),
        (
            "DEMO_SIGN",
            format!("whsec_{}", BASE64_STANDARD.encode(secrets.sign)),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let Some(url) = config::environment("AMQP_URL") {
        environment.insert("AMQP_URL".to_owned(), url);
    }
    environment
}

async fn start(
    folder: &Folder,
    environment: &BTreeMap<String, String>,
    clock: &Clock,
) -> anyhow::Result<App> {
    let routes = folder.0.join("routes.yaml");
    let rabbitmq = environment.contains_key("AMQP_URL");
    let lines = ROUTES
        .lines()
        .filter(|it| rabbitmq || !it.ends_with(RABBITMQ_MARK));
    std::fs::write(&routes, lines.collect::<Vec<_>>().join("\n"))?;
    let config = config::load(&routes, &|name| environment.get(name).cloned())
        .map_err(|problems| anyhow::anyhow!("{}", problems.render_for_terminal()))?;
    let loopback = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let options = Options {
        routes,
        listen: loopback,
        admin_listen: loopback,
        store: StoreUrl::Sqlite(folder.0.join("zohook.db")),
        admin_tokens: vec![],
        store_keys: vec![],
    };
    App::start(config, options, clock.clone())
        .await
        .context("the router does not start")
}

fn introduce(zoho: &str, app: &App, rabbitmq: bool) {
    say("zohook demo: Zoho CRM (simulated), zohook and a consumer, all in this process\n");
    say(&format!("  Zoho CRM   {zoho}"));
    say(&format!(
        "  zohook     http://{}/in/crm",
        app.public_address()
    ));
    say(&format!(
        "  metrics    http://{}/metrics",
        app.admin_address()
    ));
    if rabbitmq {
        say("  RabbitMQ   exchange zohook-demo, queue zohook-demo");
    }
    say("");
}

/// Changes records and shows what arrives, until the time is up or Ctrl-C.
async fn act_and_show(
    activity: &mut Activity<'_>,
    mut events: mpsc::Receiver<Received>,
    screen: Screen,
    (clock, length): (&Clock, Option<Duration>),
) {
    let show_clock = clock.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            screen.event(&event, show_clock.now());
        }
    });
    let time_is_up = async {
        match length {
            Some(length) => clock.sleep(length).await,
            None => std::future::pending().await,
        }
    };
    let until = async {
        tokio::select! {
            () = time_is_up => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    activity.go_on(clock, until).await;
}

/// The ledger once nothing is under way any more.
async fn settled(app: &App, clock: &Clock) -> anyhow::Result<Ledger> {
    let until = clock.monotonic().saturating_add(SETTLE_MAX);
    loop {
        // What the CRM sent last may still be on its way to us.
        clock.sleep(Duration::from_millis(300)).await;
        let ledger = app.store().ledger().await?;
        let waiting = ledger.changes.waiting + ledger.deliveries.waiting;
        if waiting == 0 || clock.monotonic() > until {
            return Ok(ledger);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_duration_and_a_rate_is_per_second() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("1m"), Ok(Duration::from_mins(1)));
        assert!(duration("0s").is_err());
        assert!(duration("soon").is_err());
        assert_eq!(per_second("5/s"), Ok(5));
        assert!(per_second("0/s").is_err());
        assert!(per_second("5000/s").is_err());
    }
}
