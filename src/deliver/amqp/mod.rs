//! Publishing to RabbitMQ: the only place that knows lapin.

pub(super) mod address;
mod connection;
mod message;
mod publisher;
mod topology;
mod unroutable;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clock::Clock;
use lapin::types::ShortString;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use self::{
    address::Address,
    connection::{Ask, Lane, Owner},
    publisher::{Lost, Prepared, Verdict},
    unroutable::Streaks,
};
use super::{
    AmqpSettings, Capacity, DeliverError, Metrics, SetupError,
    error::{all, down, failed},
};
use crate::event::{Delivery, DestinationName, QuarantineReason};

/// Targets (prefixes) of log events that may carry what we publish, or log-in data: no setting may turn them on. lapin
/// logs returned messages with their payload at level WARN.
pub const SILENCED: &[&str] = &[
    "lapin",
    "amq_protocol",
    "amq_protocol_tcp",
    "amq_protocol_uri",
];

/// Messages unconfirmed on one channel.
const WINDOW: usize = 200;
/// Channels at once.
const LANES: usize = 4;

pub(super) const CAPACITY: Capacity = Capacity {
    window: WINDOW,
    lanes: LANES,
};

/// Asks that wait for the owner: each lane has one at most, and one that comes back.
const ASKS_MAX: usize = 4 * LANES;

/// Longest wait for the owner to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// One broker, one exchange.
pub(super) struct Amqp {
    name: DestinationName,
    exchange: ShortString,
    timeout: Duration,
    metrics: Metrics,
    lanes: Semaphore,
    streaks: Mutex<Streaks>,
    asks: mpsc::Sender<Ask>,
    owner: Mutex<Task>,
    cancel: CancellationToken,
}

/// The owner is started by the first delivery.
enum Task {
    Waiting(Box<Owner>),
    Running(JoinHandle<()>),
    Ended,
}

impl fmt::Debug for Amqp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amqp")
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

impl Amqp {
    pub(super) fn new(
        name: &DestinationName,
        settings: &AmqpSettings,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, SetupError> {
        let wrong = |detail: String| SetupError {
            name: name.as_str().to_owned(),
            detail,
            source: None,
        };
        topology::check(settings).map_err(wrong)?;
        let addresses = settings
            .url
            .iter()
            .map(Address::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(wrong)?;
        if addresses.is_empty() {
            return Err(wrong("needs at least one url".to_owned()));
        }
        let exchange = ShortString::try_new(settings.exchange.name.as_str())
            .map_err(|error| wrong(error.to_string()))?;
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let cancel = CancellationToken::new();
        let owner = Owner {
            name: name.as_str().to_owned(),
            settings: settings.clone(),
            addresses,
            clock: clock.clone(),
            metrics: metrics.clone(),
            cancel: cancel.clone(),
            asks: asked,
        };
        Ok(Self {
            name: name.clone(),
            exchange,
            timeout: settings.timeout,
            metrics: metrics.clone(),
            lanes: Semaphore::new(LANES),
            streaks: Mutex::default(),
            asks,
            owner: Mutex::new(Task::Waiting(Box::new(owner))),
            cancel,
        })
    }

    pub(super) async fn deliver(&self, window: &[Delivery]) -> Vec<Result<(), DeliverError>> {
        let obtain = async {
            let permit = self.lanes.acquire().await;
            (permit, self.lane().await)
        };
        // The permit is held until the window is settled.
        let (_permit, lane) = match tokio::time::timeout(self.timeout, obtain).await {
            Ok((permit, Ok(lane))) => (permit, lane),
            Ok((_, Err(problem))) => return all(window.len(), &down(problem)),
            Err(_elapsed) => {
                let problem = format!("no connection within {} s", self.timeout.as_secs_f32());
                return all(window.len(), &down(problem));
            }
        };
        // Only a confirm makes it a success.
        let mut results = all(window.len(), &failed("not settled"));
        let prepared = prepare(window, lane.frame_bytes_max, &mut results);
        let published =
            publisher::publish(&lane.channel, &self.exchange, &prepared, self.timeout).await;
        match published {
            Ok(verdicts) => {
                self.tell(Ask::Back(lane));
                self.judge(&prepared, &verdicts, &mut results);
            }
            Err(lost) => {
                let (problem, hung) = match lost {
                    Lost::Failed(problem) => (problem, false),
                    Lost::TimedOut => (
                        format!("no confirm within {} s", self.timeout.as_secs_f32()),
                        true,
                    ),
                };
                self.tell(Ask::Lost { lane, hung });
                for it in &prepared {
                    put(&mut results, it.index, Err(down(problem.as_str())));
                }
            }
        }
        results
    }

    /// Ends the owner and with it the connection.
    pub(super) async fn close(&self) {
        self.cancel.cancel();
        let task = match self.owner.lock() {
            Ok(mut task) => std::mem::replace(&mut *task, Task::Ended),
            Err(_poisoned) => return,
        };
        if let Task::Running(handle) = task
            && tokio::time::timeout(CLOSE_TIMEOUT, handle).await.is_err()
        {
            tracing::warn!(destination.name = %self.name, "the connection did not close in time");
        }
    }

    async fn lane(&self) -> Result<Lane, String> {
        let closed = || "the destination is closed".to_owned();
        self.start();
        let (reply, answer) = oneshot::channel();
        self.asks
            .send(Ask::Lane(reply))
            .await
            .map_err(|_closed| closed())?;
        answer.await.map_err(|_closed| closed())?
    }

    fn start(&self) {
        if let Ok(mut task) = self.owner.lock() {
            *task = match std::mem::replace(&mut *task, Task::Ended) {
                Task::Waiting(owner) => Task::Running(tokio::spawn(owner.run())),
                other @ (Task::Running(_) | Task::Ended) => other,
            };
        }
    }

    /// A full queue loses a channel, which closes itself, and nothing else.
    fn tell(&self, ask: Ask) {
        drop(self.asks.try_send(ask));
    }

    fn judge(
        &self,
        prepared: &[Prepared<'_>],
        verdicts: &[Verdict],
        results: &mut [Result<(), DeliverError>],
    ) {
        let mut streaks = self.streaks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut returned = 0;
        for (it, verdict) in prepared.iter().zip(verdicts) {
            let key = it.routing_key.as_str();
            match verdict {
                Verdict::Confirmed => {
                    streaks.routed(key);
                    put(results, it.index, Ok(()));
                }
                Verdict::Refused => {
                    put(
                        results,
                        it.index,
                        Err(failed(
                            "the broker refused the message (nack): is a queue full?",
                        )),
                    );
                }
                Verdict::Returned => {
                    returned += 1;
                    let detail = format!(
                        "no queue is bound to exchange {:?} for routing key {key:?}",
                        self.exchange.as_str()
                    );
                    let error = if streaks.returned(key, it.delivery.key) {
                        failed(detail)
                    } else {
                        DeliverError::Message {
                            reason: QuarantineReason::Unroutable,
                            detail,
                            attempts_max: None,
                        }
                    };
                    put(results, it.index, Err(error));
                }
            }
        }
        self.metrics.returned(self.name.as_str(), returned);
    }
}

/// What AMQP can carry; the others have their result.
fn prepare<'a>(
    window: &'a [Delivery],
    frame_bytes_max: u32,
    results: &mut [Result<(), DeliverError>],
) -> Vec<Prepared<'a>> {
    let mut prepared = Vec::with_capacity(window.len());
    for (index, delivery) in window.iter().enumerate() {
        let message = &delivery.planned.message;
        let made = message::properties(message, frame_bytes_max)
            .and_then(|properties| Ok((properties, message::routing_key(message)?)));
        match made {
            Ok((properties, routing_key)) => prepared.push(Prepared {
                index,
                delivery,
                routing_key,
                properties,
            }),
            Err(error) => put(results, index, Err(error)),
        }
    }
    prepared
}

fn put(results: &mut [Result<(), DeliverError>], index: usize, outcome: Result<(), DeliverError>) {
    if let Some(result) = results.get_mut(index) {
        *result = outcome;
    }
}
