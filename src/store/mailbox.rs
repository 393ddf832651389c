//! What callers ask of the writer thread: two bounded queues, accepts before all other work.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    error::{Refusal, StoreError},
    types::{Accept, Accepted, Content, Finish},
    waiting::change_bytes,
};
use crate::event::{ConnectionName, DestinationName, Settlement};

/// Accepts that may wait; more are refused as `busy`.
pub(super) const ACCEPTS_WAITING_MAX: usize = 8_192;
/// Bytes of the accepts that may wait, about; more are refused as `busy`. One that is larger may wait alone.
pub(super) const ACCEPT_BYTES_WAITING_MAX: usize = 64 << 20;
/// Other calls that may wait; more wait outside.
pub(super) const WORK_WAITING_MAX: usize = 1_024;

/// After a group of so many accepts the writer waits for half as many: senders are many, and each fsync serves more, but
/// while all of them wait for one group nobody reads requests.
const LINGER_FROM: usize = 8;
/// It waits no longer than that (tried: 0, 100, 250, 400, 800 µs; more leaves the processor idle).
const LINGER: Duration = Duration::from_micros(250);

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A notification that waits for its commit.
#[derive(Debug)]
pub(super) struct AcceptJob {
    pub(super) accept: Accept,
    pub(super) answer: Answer<Accepted>,
}

impl AcceptJob {
    /// What it takes in memory, about.
    fn bytes(&self) -> usize {
        let changes = match &self.accept.content {
            Content::Changes(changes) => changes.iter().map(change_bytes).sum(),
            Content::Unreadable { .. } => 0,
        };
        self.accept.body.len() + changes
    }
}

/// Everything else that is written.
#[derive(Debug)]
pub(super) enum Work {
    Finish(Arc<[Finish]>, Answer<()>),
    Settle(Arc<[Settlement]>, Answer<()>),
    PutToken(ConnectionName, Vec<u8>, Answer<()>),
    PutTokenRequests(ConnectionName, Vec<Timestamp>, Answer<()>),
    CloseGap(i64, Answer<()>),
    KeepDestinations {
        present: Vec<DestinationName>,
        moved: BTreeMap<DestinationName, u64>,
        answer: Answer<Vec<(DestinationName, u64)>>,
    },
    DropOldest {
        destination: DestinationName,
        left: u64,
        dropped: u64,
        answer: Answer<u64>,
    },
}

impl Work {
    /// Tells the caller that nothing was written.
    pub(super) fn refuse(self, refusal: &Refusal) {
        let error = refusal.clone().into();
        match self {
            Self::Finish(_, answer)
            | Self::Settle(_, answer)
            | Self::PutToken(_, _, answer)
            | Self::PutTokenRequests(_, _, answer)
            | Self::CloseGap(_, answer) => drop(answer.send(Err(error))),
            Self::KeepDestinations { answer, .. } => drop(answer.send(Err(error))),
            Self::DropOldest { answer, .. } => drop(answer.send(Err(error))),
        }
    }
}

/// Times in which callbacks were refused, by connection and reason; a few per connection.
pub(super) type HeldGaps = HashMap<(ConnectionName, &'static str), (Timestamp, Timestamp)>;

/// What the writer takes at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) accepts: Vec<AcceptJob>,
    pub(super) work: VecDeque<Work>,
    pub(super) gaps: HeldGaps,
    /// Nothing more will come.
    pub(super) closed: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    news: Condvar,
}

/// How the writer waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sleep {
    /// It does not, or has been woken.
    #[default]
    Awake,
    /// Until there is anything to do.
    Idle,
    /// Until so many accepts wait.
    Lingering(usize),
}

#[derive(Debug, Default)]
struct Inner {
    accepts: VecDeque<AcceptJob>,
    /// What they take in memory, about.
    accept_bytes: usize,
    /// Accepts in the last batch.
    before: usize,
    /// What the sleeping writer is to be woken for; waking it costs a system call.
    sleep: Sleep,
    work: VecDeque<Work>,
    gaps: HeldGaps,
    closed: bool,
}

impl Mailbox {
    /// Queues an accept, or says why not.
    pub(super) fn push_accept(&self, job: AcceptJob) -> Result<(), Refusal> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refusal::Closed);
        }
        let bytes = job.bytes();
        let full = inner.accept_bytes.saturating_add(bytes) > ACCEPT_BYTES_WAITING_MAX;
        if inner.accepts.len() >= ACCEPTS_WAITING_MAX || full && !inner.accepts.is_empty() {
            return Err(Refusal::Busy);
        }
        inner.accept_bytes += bytes;
        inner.accepts.push_back(job);
        let wake = match inner.sleep {
            Sleep::Awake => false,
            Sleep::Idle => true,
            Sleep::Lingering(enough) => inner.accepts.len() >= enough,
        };
        self.wake_if(wake, inner);
        Ok(())
    }

    /// Queues other work; the caller holds one of the [`WORK_WAITING_MAX`] permits.
    pub(super) fn push_work(&self, work: Work) {
        let mut inner = self.lock();
        if inner.closed {
            drop(inner);
            work.refuse(&Refusal::Closed);
            return;
        }
        inner.work.push_back(work);
        let wake = inner.sleep == Sleep::Idle;
        self.wake_if(wake, inner);
    }

    /// Remembers that callbacks of a connection were refused, until it can be written.
    pub(super) fn hold_gap(
        &self,
        gap: (ConnectionName, &'static str),
        from: Timestamp,
        until: Timestamp,
    ) {
        merge_gap(&mut self.lock().gaps, gap, (from, until));
    }

    /// Nothing more is taken in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_one();
    }

    /// Closes it and lets go of what waits, which ends the calls.
    pub(super) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let (accepts, work) = (
            std::mem::take(&mut inner.accepts),
            std::mem::take(&mut inner.work),
        );
        drop(inner);
        drop((accepts, work));
    }

    /// Waits up to `wait` for something to do, then takes it all, at most `accepts_max` accepts.
    pub(super) fn take(&self, wait: Duration, accepts_max: usize) -> Batch {
        let idle = |it: &Inner| it.accepts.is_empty() && it.work.is_empty();
        let mut inner = self.sleep(self.lock(), Sleep::Idle, wait, idle);
        if inner.before >= LINGER_FROM {
            let enough = (inner.before / 2).min(accepts_max);
            let few = |it: &Inner| it.accepts.len() < enough;
            inner = self.sleep(inner, Sleep::Lingering(enough), LINGER, few);
        }
        let count = inner.accepts.len().min(accepts_max);
        inner.before = count;
        let accepts: Vec<_> = inner.accepts.drain(..count).collect();
        inner.accept_bytes = inner.accepts.iter().map(AcceptJob::bytes).sum();
        Batch {
            accepts,
            work: std::mem::take(&mut inner.work),
            gaps: std::mem::take(&mut inner.gaps),
            closed: inner.closed && inner.accepts.is_empty(),
        }
    }

    /// Sleeps while `waits` holds, `wait` at most.
    fn sleep<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        sleep: Sleep,
        wait: Duration,
        waits: impl Fn(&Inner) -> bool,
    ) -> MutexGuard<'a, Inner> {
        inner.sleep = sleep;
        let (mut inner, _) = self
            .news
            .wait_timeout_while(inner, wait, |it| {
                let waits = waits(it) && !it.closed;
                // Woken by chance, it is to be woken again.
                it.sleep = if waits { sleep } else { Sleep::Awake };
                waits
            })
            .unwrap_or_else(PoisonError::into_inner);
        inner.sleep = Sleep::Awake;
        inner
    }

    fn wake_if(&self, wake: bool, mut inner: MutexGuard<'_, Inner>) {
        if wake {
            inner.sleep = Sleep::Awake;
            drop(inner);
            self.news.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One gap per connection and reason: from the first refusal to the last.
pub(super) fn merge_gap(
    gaps: &mut HeldGaps,
    gap: (ConnectionName, &'static str),
    (from, until): (Timestamp, Timestamp),
) {
    let held = gaps.entry(gap).or_insert((from, until));
    held.0 = held.0.min(from);
    held.1 = held.1.max(until);
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Instant};

    use uuid::Uuid;

    use super::*;
    use crate::event::{NotificationId, SourceName};

    fn job(body_bytes: usize) -> AcceptJob {
        let (answer, _) = oneshot::channel();
        let accept = Accept {
            id: NotificationId::from_uuid(Uuid::nil()),
            source: SourceName::new("crm"),
            connection: None,
            received_at: Timestamp::UNIX_EPOCH,
            body: vec![0; body_bytes].into(),
            content: Content::Changes(vec![]),
            dedup: None,
            unwanted: false,
        };
        AcceptJob { accept, answer }
    }

    /// The first of them finds the writer idle, the ninth finds it lingering for more.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that sleeps is woken in real time"
    )]
    fn the_writer_is_woken_however_it_sleeps() {
        const LONG: Duration = Duration::from_mins(1);
        let mailbox = Arc::new(Mailbox::default());
        let began = Instant::now();
        let writer = thread::spawn({
            let mailbox = Arc::clone(&mailbox);
            move || {
                let mut taken = 0;
                while taken < 200 {
                    taken += mailbox.take(LONG, 1_024).accepts.len();
                }
            }
        });
        for _ in 0..20 {
            for _ in 0..10 {
                mailbox.push_accept(job(0)).unwrap();
            }
            thread::sleep(Duration::from_millis(2));
        }
        writer.join().unwrap();
        assert!(began.elapsed() < LONG);
    }

    #[test]
    fn bytes_are_bounded_but_one_may_always_wait() {
        let mailbox = Mailbox::default();
        mailbox
            .push_accept(job(2 * ACCEPT_BYTES_WAITING_MAX))
            .unwrap();
        assert!(matches!(mailbox.push_accept(job(1)), Err(Refusal::Busy)));
        assert_eq!(mailbox.take(Duration::ZERO, 10).accepts.len(), 1);
        for _ in 0..2 {
            mailbox
                .push_accept(job(ACCEPT_BYTES_WAITING_MAX / 2))
                .unwrap();
        }
        assert!(matches!(mailbox.push_accept(job(1)), Err(Refusal::Busy)));
    }

    #[test]
    fn what_is_abandoned_ends_its_calls() {
        let mailbox = Mailbox::default();
        let (answer, mut answered) = oneshot::channel();
        mailbox.push_accept(AcceptJob { answer, ..job(0) }).unwrap();
        mailbox.abandon();
        assert!(matches!(
            answered.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        ));
        assert!(matches!(mailbox.push_accept(job(0)), Err(Refusal::Closed)));
    }
}
