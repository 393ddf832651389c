//! Sends callbacks to their `notify_url`, once each: Zoho promises no second try.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::{
    Semaphore,
    mpsc::{self, Receiver, Sender},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    shared::Shared,
    world::{World, notify::Callback},
};

/// Callbacks sent at once. Those that begin with the same record share a lane, hence an order.
const LANES: u64 = 32;
/// Callbacks waiting per lane; more are lost, and counted.
const WAITING_PER_LANE: usize = 16_384;
/// Delayed callbacks waiting at once; one more is sent without delay.
const DELAYED_MAX: usize = 16_384;
/// How long a receiver may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a callback that is to be overtaken waits for another.
const REORDER_WAIT: Duration = Duration::from_secs(1);

/// A callback on its way.
#[derive(Debug)]
struct Job {
    callback: Callback,
    delay: Duration,
    reordered: bool,
}

/// The ways into the lanes.
#[derive(Debug)]
pub(crate) struct Lanes {
    senders: Vec<Sender<Job>>,
}

/// The other ends, for [`run`].
#[derive(Debug)]
pub(crate) struct LaneEnds(Vec<Receiver<Job>>);

/// What every lane needs to send.
#[derive(Clone, Debug)]
struct Post {
    client: reqwest::Client,
    /// Weak, or the lanes would keep each other alive.
    shared: Weak<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
    delayed: Arc<Semaphore>,
}

pub(crate) fn lanes() -> (Lanes, LaneEnds) {
    let (senders, receivers) = (0..LANES).map(|_| mpsc::channel(WAITING_PER_LANE)).unzip();
    (Lanes { senders }, LaneEnds(receivers))
}

impl Lanes {
    /// Takes what the world made, with the faults it is to suffer. Never waits, so that the order
    /// of the changes is the order in the lanes.
    pub(crate) fn take(&self, world: &mut World) {
        for callback in std::mem::take(&mut world.outbox) {
            let trouble = world.script.for_callback();
            let counters = &mut world.counters.callbacks;
            if trouble.dropped {
                counters.dropped += 1;
                continue;
            }
            let copies = if trouble.duplicated {
                counters.duplicated += 1;
                2
            } else {
                1
            };
            counters.reordered += u64::from(trouble.reordered);
            let Some(lane) = self.senders.get(lane(&callback)) else {
                continue;
            };
            for _ in 0..copies {
                let job = Job {
                    callback: callback.clone(),
                    delay: trouble.delay,
                    reordered: trouble.reordered,
                };
                match lane.try_send(job) {
                    Ok(()) => counters.waiting += 1,
                    Err(_) => counters.overflowed += 1,
                }
            }
        }
    }
}

/// Runs the lanes until they are told to stop.
///
/// # Errors
/// When the HTTP client cannot be made.
pub(crate) fn run(
    ends: LaneEnds,
    shared: &Arc<Shared>,
    tracker: &TaskTracker,
) -> std::io::Result<()> {
    let post = Post {
        client: client().map_err(std::io::Error::other)?,
        shared: Arc::downgrade(shared),
        tracker: tracker.clone(),
        stop: shared.stop.clone(),
        delayed: Arc::new(Semaphore::new(DELAYED_MAX)),
    };
    for end in ends.0 {
        let post = post.clone();
        tracker.spawn(async move {
            let stop = post.stop.clone();
            stop.run_until_cancelled(run_lane(end, post)).await;
        });
    }
    Ok(())
}

async fn run_lane(mut jobs: Receiver<Job>, post: Post) {
    let mut held: Option<Callback> = None;
    loop {
        let job = if held.is_some() {
            // Not the clock's time: nobody may be there to move a simulated one.
            tokio::time::timeout(REORDER_WAIT, jobs.recv()).await.ok()
        } else {
            Some(jobs.recv().await)
        };
        match job {
            Some(Some(job)) if job.reordered && held.is_none() => held = Some(job.callback),
            Some(Some(job)) => {
                post.send(job.callback, job.delay).await;
                if let Some(callback) = held.take() {
                    post.send(callback, Duration::ZERO).await;
                }
            }
            Some(None) => return,
            None => {
                if let Some(callback) = held.take() {
                    post.send(callback, Duration::ZERO).await;
                }
            }
        }
    }
}

impl Post {
    async fn send(&self, callback: Callback, delay: Duration) {
        let permit = if delay.is_zero() {
            None
        } else {
            Arc::clone(&self.delayed).try_acquire_owned().ok()
        };
        let Some(permit) = permit else {
            self.post(callback).await;
            return;
        };
        // Others may pass it, so it leaves the lane.
        let post = self.clone();
        self.tracker.spawn(async move {
            let stop = post.stop.clone();
            stop.run_until_cancelled(async {
                let clock = post.shared.upgrade().map(|it| it.clock.clone());
                if let Some(clock) = clock {
                    clock.sleep(delay).await;
                }
                post.post(callback).await;
            })
            .await;
            drop(permit);
        });
    }

    async fn post(&self, callback: Callback) {
        if let Some(shared) = self.shared.upgrade() {
            shared.world(|world| world.counters.callbacks.sent += 1);
        }
        let fired = callback.fired;
        let mut request = self.client.request(callback.method, callback.url);
        for (name, value) in &callback.headers {
            request = request.header(name, value);
        }
        let answer = request.body(callback.body).send().await;
        let status = match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                // Read to the end, so that the connection can be used again.
                let read = answer.bytes().await;
                tracing::trace!(read = read.is_ok(), status, "callback answered");
                Some(status)
            }
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "callback not answered");
                None
            }
        };
        if let Some(shared) = self.shared.upgrade() {
            shared.world(|world| {
                let counters = &mut world.counters.callbacks;
                match status {
                    Some(status) => *counters.answered.entry(status).or_default() += 1,
                    None => counters.unanswered += 1,
                }
                counters.waiting = counters.waiting.saturating_sub(1);
                let well = status.is_some_and(|it| (200..300).contains(&it));
                if let Some(fired) = fired.filter(|_| !well) {
                    world.webhook_failed(fired, status);
                }
            });
            shared.settled.notify_waiters();
        }
    }
}

fn lane(callback: &Callback) -> usize {
    let mut hasher = DefaultHasher::new();
    (callback.url.as_str(), callback.first_id).hash(&mut hasher);
    usize::try_from(hasher.finish() % LANES).unwrap_or_default()
}

/// Follows no redirect, and speaks http only: it trusts no certificate.
fn client() -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?)
}
