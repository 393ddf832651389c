//! Publishing to RabbitMQ: the only place that knows lapin.

pub(super) mod address;
mod connection;
mod dial;
mod link;
mod message;
mod pace;
mod publisher;
mod suspects;
mod topology;
mod unroutable;
mod window;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
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
    pace::Pace,
    publisher::{Lost, Prepared, Verdict},
    suspects::Suspects,
    unroutable::Streaks,
    window::{Group, Groups},
};
use super::{
    AmqpSettings, Capacity, DeliverError, Metrics, SetupError,
    error::{all, down, failed, put, put_all},
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

/// So many messages that close their channel alone while none passes, and it is not the messages.
const ALONE_MAX: usize = 5;

/// Asks that wait for the owner: each lane has one at most, and one that comes back.
const ASKS_MAX: usize = 4 * LANES;

/// Longest wait for the owner to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// One broker, one exchange.
pub(super) struct Amqp {
    name: DestinationName,
    exchange: ShortString,
    timeout: Duration,
    clock: Clock,
    metrics: Metrics,
    lanes: Semaphore,
    pace: Pace,
    streaks: Mutex<Streaks>,
    suspects: Mutex<Suspects>,
    asks: mpsc::Sender<Ask>,
    owner: Mutex<Task>,
    cancel: CancellationToken,
}

/// How a group of messages fared.
enum Sent {
    /// Each has its result.
    Settled,
    /// None of them can be sent, so the broker was not asked.
    Unsent,
    /// The broker closed the channel over one of them.
    Closed(String),
    /// Nothing gets through.
    Down(String),
}

/// The owner is started when deliveries may come.
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
            clock: clock.clone(),
            metrics: metrics.clone(),
            lanes: Semaphore::new(LANES),
            pace: Pace::new(WINDOW),
            streaks: Mutex::default(),
            suspects: Mutex::default(),
            asks,
            owner: Mutex::new(Task::Waiting(Box::new(owner))),
            cancel,
        })
    }

    /// Ends by three times the timeout, however often the broker closes a channel.
    pub(super) async fn deliver(&self, window: &[Delivery]) -> Vec<Result<(), DeliverError>> {
        // Only a confirm makes it a success.
        let mut results = all(window.len(), &failed("not settled"));
        // The permit is held until the window is settled.
        let Ok(_permit) = tokio::time::timeout(self.timeout, self.lanes.acquire()).await else {
            return all(window.len(), &down("no channel in time"));
        };
        let started = self.clock.monotonic();
        let is_suspect = |place| {
            let suspects = self.suspects();
            window
                .get(place)
                .is_some_and(|it: &Delivery| suspects.contains(it.no))
        };
        let before = self.suspects().count();
        let mut groups = Groups::new(window.len(), is_suspect);
        let mut alone = vec![];
        let mut passed = false;
        while let Some(group) = groups.next(self.pace.together()) {
            let problem = match self.send(window, &group, &mut results).await {
                Sent::Settled => {
                    passed = true;
                    None
                }
                Sent::Unsent => None,
                Sent::Closed(problem) => {
                    alone.extend(groups.closed(&group).map(|place| (place, problem.clone())));
                    (alone.len() >= ALONE_MAX && !passed).then_some(problem)
                }
                Sent::Down(problem) => {
                    put_all(&mut results, group.places, &down(problem.as_str()));
                    Some(problem)
                }
            };
            if let Some(problem) = problem {
                put_all(&mut results, groups.rest(), &down(problem));
                break;
            }
            if self.clock.monotonic().saturating_sub(started) > self.timeout {
                break;
            }
        }
        self.blame(window, alone, before, &mut results);
        results
    }

    /// Messages that closed their channel alone: theirs is the fault if others have passed since.
    fn blame(
        &self,
        window: &[Delivery],
        alone: Vec<(usize, String)>,
        passed_before: u64,
        results: &mut [Result<(), DeliverError>],
    ) {
        let mut suspects = self.suspects();
        for (place, problem) in alone {
            let Some(no) = window.get(place).map(|it| it.no) else {
                continue;
            };
            suspects.closed(no, passed_before);
            let detail = format!("the broker closes the channel over this message: {problem}");
            let error = if suspects.is_at_fault(no) {
                DeliverError::Message {
                    reason: QuarantineReason::Refused,
                    detail,
                    attempts_max: None,
                }
            } else {
                down(detail)
            };
            put(results, place, Err(error));
        }
    }

    async fn send(
        &self,
        window: &[Delivery],
        group: &Group,
        results: &mut [Result<(), DeliverError>],
    ) -> Sent {
        let lane = match tokio::time::timeout(self.timeout, self.lane()).await {
            Ok(Ok(lane)) => lane,
            Ok(Err(problem)) => return Sent::Down(problem),
            Err(_elapsed) => {
                return Sent::Down(format!(
                    "no connection within {} s",
                    self.timeout.as_secs_f32()
                ));
            }
        };
        let prepared = publisher::prepare(window, group, lane.frame_bytes_max, results);
        if prepared.is_empty() {
            self.tell(Ask::Back(lane));
            return Sent::Unsent;
        }
        let started = self.clock.monotonic();
        let published =
            publisher::publish(&lane.channel, &self.exchange, &prepared, self.timeout).await;
        match published {
            Ok(verdicts) => {
                let took = self.clock.monotonic().saturating_sub(started);
                self.pace.confirmed(prepared.len(), took, self.timeout);
                self.tell(Ask::Back(lane));
                self.judge(&prepared, &verdicts, results);
                Sent::Settled
            }
            Err(Lost::Closed(problem)) if lane.connection.connected() => {
                self.tell(Ask::Lost { lane, hung: false });
                Sent::Closed(problem)
            }
            Err(Lost::Closed(problem) | Lost::Failed(problem)) => {
                self.tell(Ask::Lost { lane, hung: false });
                Sent::Down(problem)
            }
            Err(Lost::TimedOut) => {
                self.pace.timed_out(prepared.len());
                self.tell(Ask::Lost { lane, hung: true });
                Sent::Down(format!(
                    "no confirm within {} s",
                    self.timeout.as_secs_f32()
                ))
            }
        }
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

    /// Connects in the background, so that what is to be declared is there before the first delivery.
    pub(super) fn start(&self) {
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

    fn suspects(&self) -> MutexGuard<'_, Suspects> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(
        &self,
        prepared: &[Prepared<'_>],
        verdicts: &[Verdict],
        results: &mut [Result<(), DeliverError>],
    ) {
        let mut streaks = self.streaks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut suspects = self.suspects();
        let mut returned = 0;
        for (it, verdict) in prepared.iter().zip(verdicts) {
            suspects.passed(it.delivery.no);
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
                    // The key itself may be record content.
                    let detail = format!(
                        "no queue is bound to exchange {:?} for the routing key of route {}, send {}",
                        self.exchange.as_str(),
                        it.delivery.planned.route,
                        it.delivery.planned.send,
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
        if returned > 0 {
            self.tell(Ask::Returned);
        }
    }
}
