//! What deliveries cost and how they end, by destination.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{DeliverError, Delivered};

/// From a stdout flush to a webhook's timeout.
const LATENCY_BUCKETS_SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0,
];

/// The metrics of this stage. Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    attempts: IntCounterVec,
    duration: HistogramVec,
    connected: IntGaugeVec,
    connects: IntCounterVec,
    returned: IntCounterVec,
    leases: IntCounterVec,
}

impl Metrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// When one of these names is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let attempts = counter(
            "zohook_delivery_attempts_total",
            "Messages offered to a destination, by outcome: delivered, destination (its fault), message (its own), gone.",
            &["destination", "outcome"],
        )?;
        let connects = counter(
            "zohook_destination_connects_total",
            "Connections to a broker, by outcome: connected, failed.",
            &["destination", "outcome"],
        )?;
        let returned = counter(
            "zohook_deliveries_returned_total",
            "Messages that a broker returned because no queue is bound for them.",
            &["destination"],
        )?;
        let leases = counter(
            "zohook_pull_leases_total",
            "Leases of a pull destination, by outcome: leased, acked, nacked, lapsed.",
            &["destination", "outcome"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "zohook_delivery_duration_seconds",
                "Time from offering a window of messages to a destination until all of it is settled.",
            )
            .buckets(LATENCY_BUCKETS_SECONDS.to_vec()),
            &["destination"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        let connected = IntGaugeVec::new(
            Opts::new(
                "zohook_destination_connected",
                "1 while the connection to a broker is up and its exchange and queues were there when last looked for, else 0.",
            ),
            &["destination"],
        )?;
        registry.register(Box::new(connected.clone()))?;
        Ok(Self {
            attempts,
            duration,
            connected,
            connects,
            returned,
            leases,
        })
    }

    /// One window was settled.
    pub(crate) fn window(&self, destination: &str, results: &[Delivered], took: Duration) {
        for result in results {
            let outcome = match result {
                Ok(_) => "delivered",
                Err(DeliverError::Destination { .. }) => "destination",
                Err(DeliverError::Message { .. }) => "message",
                Err(DeliverError::Gone { .. }) => "gone",
            };
            self.attempts
                .with_label_values(&[destination, outcome])
                .inc();
        }
        self.duration
            .with_label_values(&[destination])
            .observe(took.as_secs_f64());
    }

    pub(crate) fn set_connected(&self, destination: &str, connected: bool) {
        self.connected
            .with_label_values(&[destination])
            .set(i64::from(connected));
    }

    /// The destination is gone, or starts anew.
    pub(crate) fn forget_connection(&self, destination: &str) {
        // An error means that it was never there.
        drop(self.connected.remove_label_values(&[destination]));
    }

    pub(crate) fn connect_tried(&self, destination: &str, connected: bool) {
        let outcome = if connected { "connected" } else { "failed" };
        self.connects
            .with_label_values(&[destination, outcome])
            .inc();
    }

    pub(crate) fn returned(&self, destination: &str, count: usize) {
        self.returned
            .with_label_values(&[destination])
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// `outcome` is one of `leased`, `acked`, `nacked`, `lapsed`.
    pub(crate) fn leases(&self, destination: &str, outcome: &'static str, count: usize) {
        self.leases
            .with_label_values(&[destination, outcome])
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}
