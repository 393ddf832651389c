//! How fast the store is, against a plain log that is appended to and fsynced, in the same run.
//!
//! `cargo bench --bench store [-- FOLDER]`; the folder (default: target/bench-store) must be on the disk to measure.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a bench prints, and a failing one should stop"
)]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use clock::Clock;
use jiff::Timestamp;
use tokio::task::JoinSet;
use zohook::{
    event::{
        Attributes, Change, ChangeId, ChangeOutcome, ConnectionName, DeliveryId, DestinationName,
        FailurePolicy, Message, ModuleName, NewDelivery, NotificationId, Operation, Origin,
        RecordId, RouteName, SendName, Settled, Settlement, SourceName,
    },
    store::{Accept, Claim, Content, DedupKey, Finish, Metrics, Settings, Store},
};

const BODY_BYTES: usize = 1024;
const ROUND: Duration = Duration::from_secs(3);
const THROUGH_EVENTS: usize = 40_000;

fn main() {
    let folder = std::env::args()
        .skip(1)
        .find(|it| !it.starts_with('-'))
        .map_or_else(|| PathBuf::from("target/bench-store"), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!(
        "{:<34} {:>10} {:>13} {:>12} {:>10}",
        "", "events/s", "of plain log", "CPU us/event", "in writer"
    );
    for callers in [1, 16, 64, 256] {
        let plain = plain_log(&folder, callers);
        let accepts = runtime.block_on(accepts(&folder, callers));
        row(&format!("plain log, groups of {callers}"), &plain, &plain);
        row(&format!("accept, {callers} callers"), &accepts, &plain);
    }
    let plain = plain_log(&folder, 64);
    let through = runtime.block_on(through(&folder));
    row("accept, claim, finish, due, settle", &through, &plain);
    fs::remove_dir_all(&folder).unwrap();
}

/// What one measurement gave. The CPU time of the process says more than the rate where the machine is shared.
struct Measured {
    per_second: f64,
    cpu_us: f64,
    /// Of these, in the writer thread: what bounds the rate on a machine with nothing else to do.
    writer_us: f64,
}

struct Watch {
    clock: Clock,
    cpu: f64,
    writer: f64,
}

impl Watch {
    fn start() -> Self {
        Self {
            clock: Clock::real(),
            cpu: cpu_seconds(),
            writer: writer_seconds(),
        }
    }

    fn stop(&self, events: usize) -> Measured {
        Measured {
            per_second: events as f64 / self.clock.monotonic().as_secs_f64(),
            cpu_us: (cpu_seconds() - self.cpu) * 1e6 / events as f64,
            writer_us: (writer_seconds() - self.writer) * 1e6 / events as f64,
        }
    }
}

/// User and system time of this process; zero where there is no /proc.
fn cpu_seconds() -> f64 {
    seconds_in(Path::new("/proc/self/stat"))
}

/// The same of the store's writer thread.
fn writer_seconds() -> f64 {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return 0.0;
    };
    threads
        .filter_map(|it| Some(it.ok()?.path()))
        .filter(|it| {
            fs::read_to_string(it.join("comm")).is_ok_and(|name| name.trim() == "store-writer")
        })
        .map(|it| seconds_in(&it.join("stat")))
        .sum()
}

fn seconds_in(stat: &Path) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(stat).unwrap_or_default();
    let ticks = |field: usize| {
        let after_name = stat.rsplit(')').next()?;
        after_name
            .split_whitespace()
            .nth(field)?
            .parse::<f64>()
            .ok()
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS_PER_SECOND
}

fn row(name: &str, it: &Measured, plain: &Measured) {
    let ratio = it.per_second / plain.per_second;
    println!(
        "{name:<34} {:>10.0} {ratio:>13.3} {:>12.1} {:>10.1}",
        it.per_second, it.cpu_us, it.writer_us
    );
}

/// Appends groups of bodies, fdatasync after each.
fn plain_log(folder: &Path, group: usize) -> Measured {
    let watch = Watch::start();
    let path = folder.join("plain.log");
    let mut file = File::create(&path).unwrap();
    let bodies = vec![b'x'; BODY_BYTES * group];
    let mut events = 0;
    while watch.clock.monotonic() < ROUND {
        file.write_all(&bodies).unwrap();
        file.sync_data().unwrap();
        events += group;
    }
    fs::remove_file(path).unwrap();
    watch.stop(events)
}

async fn open(folder: &Path, clock: &Clock) -> Store {
    for file in ["bench.db", "bench.db-wal", "bench.db-shm", "bench.db.lock"] {
        drop(fs::remove_file(folder.join(file)));
    }
    let settings = Settings {
        path: folder.join("bench.db"),
        keep_events: Duration::from_hours(7 * 24),
        size_bytes_max: 20 << 30,
    };
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    Store::open(settings, clock.clone(), metrics).await.unwrap()
}

async fn accepts(folder: &Path, callers: usize) -> Measured {
    let clock = Clock::real();
    let store = open(folder, &clock).await;
    let watch = Watch::start();
    let start = clock.monotonic();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (store, clock) = (store.clone(), clock.clone());
        tasks.spawn(async move {
            let mut count = 0_usize;
            while clock.monotonic() < start + ROUND {
                let record = caller * 1_000_000 + count;
                store.accept(accept(clock.now(), record)).await.unwrap();
                count += 1;
            }
            count
        });
    }
    let events: usize = tasks.join_all().await.into_iter().sum();
    let measured = watch.stop(events);
    store.close().await;
    measured
}

/// All stages at once, as they run in the router.
async fn through(folder: &Path) -> Measured {
    let clock = Clock::real();
    let store = open(folder, &clock).await;
    let watch = Watch::start();
    let mut tasks = JoinSet::new();
    for caller in 0..64 {
        let (store, clock) = (store.clone(), clock.clone());
        tasks.spawn(async move {
            for n in 0..THROUGH_EVENTS / 64 {
                let record = caller * 1_000_000 + n;
                store.accept(accept(clock.now(), record)).await.unwrap();
            }
        });
    }
    tasks.spawn({
        let store = store.clone();
        async move {
            loop {
                let claims = store.claim(256).await;
                if claims.is_empty() {
                    break;
                }
                let finishes = claims.into_iter().map(finish).collect::<Vec<_>>();
                store.finish(finishes).await.unwrap();
            }
        }
    });
    let queue = DestinationName::new("queue");
    let mut settled = 0;
    while settled < THROUGH_EVENTS / 64 * 64 {
        let due = store.due(&queue, 256).await;
        let settlements = due
            .iter()
            .map(|it| Settlement {
                no: it.no,
                key: it.key,
                destination: queue.clone(),
                settled: Settled::Delivered,
            })
            .collect::<Vec<_>>();
        store.settle(settlements).await.unwrap();
        settled += due.len();
    }
    let measured = watch.stop(settled);
    assert!(store.ledger().await.unwrap().adds_up());
    store.close().await;
    while tasks.join_next().await.is_some() {}
    measured
}

fn accept(now: Timestamp, record: usize) -> Accept {
    let id = NotificationId::random();
    let module = ModuleName::new("Leads");
    let record = RecordId::new(format!("55412000{record:011}"));
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(id.uuid().as_bytes());
    hash.rotate_left(8);
    Accept {
        id,
        source: SourceName::new("crm"),
        connection: Some(ConnectionName::new("acme")),
        received_at: now,
        body: vec![b'x'; BODY_BYTES].into(),
        content: Content::Changes(vec![Change {
            id: ChangeId::derive(id, &module, Some(&record), 0),
            notification: id,
            source: SourceName::new("crm"),
            connection: Some(ConnectionName::new("acme")),
            module,
            record: Some(record),
            operation: Operation::Update,
            event_type: None,
            server_time: now,
            accepted_at: now,
            origin: Origin::Notification,
            affected_fields: Some(vec!["Stage".to_owned(), "Amount".to_owned()]),
            values: None,
        }]),
        dedup: Some(DedupKey {
            hash,
            window: Duration::from_hours(24),
        }),
        unwanted: false,
    }
}

fn finish(claim: Claim) -> Finish {
    let (route, send) = (RouteName::new("everything"), SendName::new("queue"));
    let id = DeliveryId::derive(claim.change.id, &route, &send);
    let subject = claim.change.record.as_ref().map(ToString::to_string);
    let message = Message {
        attributes: Attributes {
            id: id.to_string(),
            source: claim.change.event_source(),
            event_type: claim.change.event_type(),
            subject: subject.clone(),
            time: claim.change.server_time.to_string(),
            sequence: Some(claim.sequence.to_string()),
            partitionkey: subject,
            origin: claim.change.origin.as_str().to_owned(),
            changedfields: Some("Stage,Amount".to_owned()),
            recordreadat: None,
            recordstate: None,
            replayof: None,
        },
        content_type: "application/json".to_owned(),
        data: vec![b'd'; BODY_BYTES].into(),
        routing_key: Some("Leads.update".to_owned()),
    };
    let delivery = NewDelivery {
        id,
        destination: DestinationName::new("queue"),
        route,
        send,
        on_failure: FailurePolicy::Quarantine,
        message,
    };
    Finish {
        claim,
        outcome: ChangeOutcome::Planned,
        deliveries: vec![delivery],
        seen: None,
    }
}
