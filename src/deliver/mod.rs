//! HTTP, AMQP and Zoho out: one `match` over the kinds of destination.

mod amqp;
mod error;
mod metrics;
#[cfg(test)]
pub(crate) mod sample;
mod settings;
mod stdout;
mod structured;
mod webhook;
mod zoho;

use std::{collections::HashMap, io::Write};

use clock::Clock;

use self::{amqp::Amqp, stdout::Stdout, webhook::Webhook, zoho::Zoho};
use crate::event::{ConnectionName, Delivery, DestinationName, OwnWrite, WriteTarget};

pub use self::{
    amqp::SILENCED,
    amqp::address::is_broker_url,
    error::{DeliverError, SetupError},
    metrics::Metrics,
    settings::{
        AmqpSettings, Backlog, Binding, Consumer, Exchange, ExchangeKind, Kind, OnFull,
        PullSettings, Queue, QueueKind, Rate, RetrySchedule, Settings, WebhookSettings,
        ZohoSettings,
    },
    structured::structured,
};

/// How one delivery ended; with what was written, where Zoho says how its echo is recognised.
pub type Delivered = Result<Option<OwnWrite>, DeliverError>;

/// The clients of all connections, for the destinations that write to Zoho.
pub type Clients = HashMap<ConnectionName, zoho_crm::Client>;

/// A destination as the dispatcher sees it: takes windows of deliveries of different records.
#[derive(Debug)]
pub struct Destination {
    name: DestinationName,
    clock: Clock,
    metrics: Metrics,
    kind: Transport,
}

#[derive(Debug)]
enum Transport {
    Amqp(Box<Amqp>),
    Webhook(Box<Webhook>),
    Stdout(Stdout),
    Zoho(Box<Zoho>),
    /// Nothing is sent: consumers come and take.
    Pull,
}

/// How much a destination takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Deliveries in one window, all of different records; 0 where nothing is sent (pull).
    pub window: usize,
    /// Windows in flight at once.
    pub lanes: usize,
}

impl Destination {
    /// Makes no connection yet: see [`Self::start`].
    ///
    /// # Errors
    /// When the settings cannot work (a client cannot be built, a connection is not there).
    pub fn new(
        name: &DestinationName,
        settings: &Settings,
        clock: &Clock,
        metrics: &Metrics,
        clients: &Clients,
    ) -> Result<Self, SetupError> {
        let kind = match &settings.kind {
            Kind::Amqp(amqp) => Transport::Amqp(Box::new(Amqp::new(name, amqp, clock, metrics)?)),
            Kind::Webhook(webhook) => {
                Transport::Webhook(Box::new(Webhook::new(name, webhook, clock)?))
            }
            Kind::Stdout => Transport::Stdout(Stdout::new(Box::new(std::io::stdout()))),
            Kind::Zoho(zoho) => Transport::Zoho(Box::new(Zoho::new(name, zoho, clock, clients)?)),
            Kind::Pull(_) => Transport::Pull,
        };
        Ok(Self {
            name: name.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            kind,
        })
    }

    /// Like `kind: stdout`, but writes elsewhere.
    pub fn to_writer(
        name: &DestinationName,
        writer: Box<dyn Write + Send>,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Self {
        Self {
            name: name.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            kind: Transport::Stdout(Stdout::new(writer)),
        }
    }

    /// How much it takes at once.
    pub fn capacity(&self) -> Capacity {
        match &self.kind {
            Transport::Amqp(_) => amqp::CAPACITY,
            Transport::Webhook(_) => webhook::CAPACITY,
            Transport::Stdout(_) => stdout::CAPACITY,
            Transport::Zoho(zoho) => zoho.capacity(),
            Transport::Pull => Capacity {
                window: 0,
                lanes: 0,
            },
        }
    }

    /// Connects in the background where there is a connection to keep, and declares what is to be declared. Neither
    /// waits nor fails: without it, and after each loss, the first delivery that needs it does so.
    pub fn start(&self) {
        match &self.kind {
            Transport::Amqp(amqp) => amqp.start(),
            Transport::Webhook(_) | Transport::Stdout(_) | Transport::Zoho(_) | Transport::Pull => {
            }
        }
    }

    /// One result per delivery, in the order given. Has a deadline of its own; never panics.
    pub async fn deliver(&self, window: &[Delivery]) -> Vec<Delivered> {
        let started = self.clock.monotonic();
        let results = match &self.kind {
            Transport::Amqp(amqp) => unwritten(amqp.deliver(window).await),
            Transport::Webhook(webhook) => unwritten(webhook.deliver(window).await),
            Transport::Stdout(stdout) => unwritten(stdout.deliver(window).await),
            Transport::Zoho(zoho) => zoho.deliver(window).await,
            Transport::Pull => unwritten(error::all(
                window.len(),
                &error::down("consumers of a pull destination come and take"),
            )),
        };
        debug_assert_eq!(results.len(), window.len());
        let took = self.clock.monotonic().saturating_sub(started);
        self.metrics.window(self.name.as_str(), &results, took);
        results
    }

    /// The records at Zoho that delivering this window may change.
    pub fn writes(&self, window: &[Delivery]) -> Vec<WriteTarget> {
        match &self.kind {
            Transport::Zoho(zoho) => zoho.writes(window),
            Transport::Amqp(_) | Transport::Webhook(_) | Transport::Stdout(_) | Transport::Pull => {
                vec![]
            }
        }
    }

    /// Closes connections, within 5 s.
    pub async fn close(&self) {
        match &self.kind {
            Transport::Amqp(amqp) => amqp.close().await,
            Transport::Webhook(_) | Transport::Stdout(_) | Transport::Zoho(_) | Transport::Pull => {
            }
        }
    }
}

fn unwritten(results: Vec<Result<(), DeliverError>>) -> Vec<Delivered> {
    results.into_iter().map(|it| it.map(|()| None)).collect()
}
