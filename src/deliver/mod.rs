//! HTTP and AMQP out: one `match` over the kinds of destination.

mod error;
mod settings;

use std::time::Duration;

use clock::Clock;

use crate::event::{Delivery, DestinationName};

pub use self::{
    error::{DeliverError, SetupError},
    settings::{
        AmqpSettings, Backlog, Binding, Consumer, Exchange, ExchangeKind, Kind, OnFull,
        PullSettings, Queue, QueueKind, Rate, RetrySchedule, Settings, WebhookSettings,
    },
};

/// A destination as the dispatcher sees it: takes windows of deliveries of different records.
pub struct Destination {}

/// How much a destination takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Deliveries in one window, all of different records.
    pub window: usize,
    /// Windows in flight at once.
    pub lanes: usize,
    /// How long the oldest may wait for a window to fill; zero sends what is there.
    pub linger: Duration,
}

impl Destination {
    /// Makes no connection yet; that is done, and done again, by the first delivery that needs it.
    ///
    /// # Errors
    /// When the settings cannot work (a client cannot be built).
    pub fn new(
        name: &DestinationName,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Self, SetupError> {
        let _ = (name, settings, clock);
        todo!("deliver helper")
    }

    /// How much it takes at once.
    pub fn capacity(&self) -> Capacity {
        todo!("deliver helper")
    }

    /// One result per delivery, in the order given. Has a deadline of its own; never panics.
    pub async fn deliver(&self, window: &[Delivery]) -> Vec<Result<(), DeliverError>> {
        let _ = window;
        todo!("deliver helper")
    }

    /// Closes connections, within 5 s.
    pub async fn close(&self) {}
}
