//! Random actions on the store, checked against a model that holds everything in plain maps.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use clock::{Clock, Simulated};
use jiff::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;
use zohook::{
    event::{ChangeOutcome, ConnectionName, Delivery, DestinationName, QuarantineReason, Settled},
    store::{Claim, Content, Finish, Store},
};

use super::store::{accept, finish, open, settings, settlement};

const DESTINATIONS: [&str; 2] = ["erp", "queue"];

#[derive(Clone, Debug)]
enum Action {
    Accept {
        records: Vec<u8>,
        server_time: i64,
    },
    Claim {
        max: usize,
    },
    Finish {
        which: usize,
        outcome: u8,
        twice: bool,
    },
    GiveBack {
        which: usize,
    },
    Hold {
        which: usize,
    },
    Release,
    Due {
        destination: usize,
        max: usize,
    },
    Settle {
        which: usize,
        how: u8,
    },
    PutBack {
        which: usize,
    },
    DropOldest {
        destination: usize,
    },
    Reopen {
        crash: bool,
    },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (prop::collection::vec(0_u8..4, 1..4), 0_i64..1000)
            .prop_map(|(records, server_time)| Action::Accept { records, server_time }),
        5 => (1_usize..4).prop_map(|max| Action::Claim { max }),
        6 => (any::<usize>(), 0_u8..5, any::<bool>())
            .prop_map(|(which, outcome, twice)| Action::Finish { which, outcome, twice }),
        1 => any::<usize>().prop_map(|which| Action::GiveBack { which }),
        2 => any::<usize>().prop_map(|which| Action::Hold { which }),
        1 => Just(Action::Release),
        6 => (0_usize..2, 1_usize..4).prop_map(|(destination, max)| Action::Due { destination, max }),
        6 => (any::<usize>(), 0_u8..4).prop_map(|(which, how)| Action::Settle { which, how }),
        1 => any::<usize>().prop_map(|which| Action::PutBack { which }),
        1 => (0_usize..2).prop_map(|destination| Action::DropOldest { destination }),
        1 => any::<bool>().prop_map(|crash| Action::Reopen { crash }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_does_as_the_model(actions in prop::collection::vec(action(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for action in actions {
                world.act(action).await;
            }
            world.check_totals().await;
            world.drain().await;
        });
    }
}

/// A change as the model knows it.
#[derive(Clone, Debug)]
struct Open {
    record: String,
    server_time: i64,
}

struct World {
    folder: TempDir,
    hand: Simulated,
    clock: Clock,
    store: Store,
    /// By change row.
    open: BTreeMap<i64, Open>,
    out: Vec<Claim>,
    /// Given back, so they keep their place before others of their record.
    waiting: BTreeSet<i64>,
    /// Given back at any time.
    begun: BTreeSet<i64>,
    /// Held, and with them their records.
    held: BTreeSet<i64>,
    /// By delivery row: destination and record.
    queued: BTreeMap<i64, (usize, String)>,
    delivered_out: Vec<Delivery>,
    last_sequence: HashMap<String, i64>,
    /// Of closed changes: what a restart must not fall below.
    closed_sequence: HashMap<String, i64>,
    change_no: i64,
    delivery_no: i64,
    created: u64,
    settled: u64,
    folders: Vec<TempDir>,
}

impl World {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (clock, hand) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
        let store = open(settings(folder.path()), &clock).await.unwrap();
        Self {
            folder,
            hand,
            clock,
            store,
            open: BTreeMap::new(),
            out: vec![],
            waiting: BTreeSet::new(),
            begun: BTreeSet::new(),
            held: BTreeSet::new(),
            queued: BTreeMap::new(),
            delivered_out: vec![],
            last_sequence: HashMap::new(),
            closed_sequence: HashMap::new(),
            change_no: 0,
            delivery_no: 0,
            created: 0,
            settled: 0,
            folders: vec![],
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Accept {
                records,
                server_time,
            } => self.accept(&records, server_time).await,
            Action::Claim { max } => self.claim(max).await,
            Action::Finish {
                which,
                outcome,
                twice,
            } => self.finish(which, outcome, twice).await,
            Action::GiveBack { which } => {
                if let Some(claim) = pick(&mut self.out, which) {
                    self.waiting.insert(claim.no.0);
                    self.begun.insert(claim.no.0);
                    self.store
                        .give_back(&claim, self.clock.now() + Duration::from_secs(10));
                    self.hand.advance(Duration::from_secs(10));
                }
            }
            Action::Hold { which } => {
                if let Some(claim) = pick(&mut self.out, which) {
                    self.held.insert(claim.no.0);
                    self.begun.insert(claim.no.0);
                    self.store.hold(claim, org());
                }
            }
            Action::Release => self.release(),
            Action::Due { destination, max } => self.due(destination, max).await,
            Action::Settle { which, how } => self.settle(which, how).await,
            Action::PutBack { which } => {
                if let Some(delivery) = pick(&mut self.delivered_out, which) {
                    self.store
                        .put_back(&delivery, self.clock.now() + Duration::from_hours(1));
                    self.store.due_now(&delivery.planned.destination);
                }
            }
            Action::DropOldest { destination } => self.drop_oldest(destination).await,
            Action::Reopen { crash } => self.reopen(crash).await,
        }
    }

    async fn accept(&mut self, records: &[u8], server_time: i64) {
        let names: Vec<_> = records.iter().map(ToString::to_string).collect();
        let mut sent = accept(
            &self.clock,
            &names.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        if let Content::Changes(changes) = &mut sent.content {
            for change in changes {
                change.server_time = Timestamp::from_second(server_time).unwrap();
            }
        }
        self.store.accept(sent).await.unwrap();
        for record in names {
            self.change_no += 1;
            self.created += 1;
            self.open.insert(
                self.change_no,
                Open {
                    record,
                    server_time,
                },
            );
        }
    }

    /// The change of a record that must go next, if none of it is out.
    fn head(&self, record: &str) -> Option<i64> {
        let of_record = |no: &&i64| self.open[*no].record == record;
        if self.out.iter().any(|it| {
            self.open
                .get(&it.no.0)
                .is_some_and(|it| it.record == record)
        }) {
            return None;
        }
        if self.held.iter().any(|no| self.open[no].record == record) {
            return None;
        }
        if let Some(kept) = self.waiting.iter().find(of_record) {
            return Some(*kept);
        }
        self.open
            .keys()
            .filter(of_record)
            .min_by_key(|no| (self.open[*no].server_time, **no))
            .copied()
    }

    fn heads(&self) -> BTreeSet<i64> {
        (0..4)
            .filter_map(|record: u8| self.head(&record.to_string()))
            .collect()
    }

    fn release(&mut self) {
        self.store.release(&org(), usize::MAX);
        self.waiting.append(&mut self.held);
    }

    async fn claim(&mut self, max: usize) {
        let heads = self.heads();
        if heads.is_empty() {
            return;
        }
        // The store may know of them in parts while it scans.
        let claims = soon(self.store.claim(max)).await;
        assert!(!claims.is_empty() && claims.len() <= max);
        for claim in claims {
            let record = claim.change.record.clone().unwrap().to_string();
            assert_eq!(self.head(&record), Some(claim.no.0), "of record {record}");
            let sequence = claim.sequence.as_i64();
            let last = self.last_sequence.insert(record, sequence);
            assert!(last < Some(sequence));
            self.waiting.remove(&claim.no.0);
            self.out.push(claim);
        }
    }

    async fn finish(&mut self, which: usize, outcome: u8, twice: bool) {
        let Some(claim) = pick(&mut self.out, which) else {
            return;
        };
        let record = self.open.remove(&claim.no.0).unwrap().record;
        self.closed_sequence
            .insert(record.clone(), claim.sequence.as_i64());
        let finish = match outcome {
            0..=2 => finish(claim, &DESTINATIONS[..usize::from(outcome)]),
            3 => Finish {
                outcome: ChangeOutcome::Unwanted,
                ..finish(claim, &[])
            },
            _ => {
                let detail = "torn".to_owned();
                let outcome = ChangeOutcome::Quarantined {
                    reason: QuarantineReason::StaleRead,
                    detail,
                };
                Finish {
                    outcome,
                    ..finish(claim, &[])
                }
            }
        };
        for index in 0..finish.deliveries.len() {
            self.delivery_no += 1;
            self.queued
                .insert(self.delivery_no, (index, record.clone()));
        }
        self.store.finish(vec![finish.clone()]).await.unwrap();
        if twice {
            self.store.finish(vec![finish]).await.unwrap();
        }
    }

    fn delivery_head(&self, destination: usize, record: &str) -> Option<i64> {
        let same = |it: &(usize, String)| it.0 == destination && it.1 == record;
        let out = |no: &i64| self.delivered_out.iter().any(|it| it.no.0 == *no);
        let first = self
            .queued
            .iter()
            .find(|(_, it)| same(it))
            .map(|(no, _)| *no)?;
        (!out(&first)).then_some(first)
    }

    async fn due(&mut self, destination: usize, max: usize) {
        let waits = (0..4).any(|record: u8| {
            self.delivery_head(destination, &record.to_string())
                .is_some()
        });
        if !waits {
            return;
        }
        let due = soon(
            self.store
                .due(&DestinationName::new(DESTINATIONS[destination]), max),
        )
        .await;
        assert!(!due.is_empty() && due.len() <= max);
        for delivery in due {
            let record = self.queued[&delivery.no.0].1.clone();
            assert_eq!(
                self.delivery_head(destination, &record),
                Some(delivery.no.0)
            );
            assert_eq!(delivery.planned.message.attributes.subject, Some(record));
            self.delivered_out.push(delivery);
        }
    }

    async fn settle(&mut self, which: usize, how: u8) {
        let Some(delivery) = pick(&mut self.delivered_out, which) else {
            return;
        };
        let settled = match how {
            0 => Settled::Delivered,
            1 => Settled::Expired,
            2 => Settled::Quarantined {
                reason: QuarantineReason::Refused,
                detail: "400".to_owned(),
            },
            _ => Settled::Again {
                at: self.clock.now(),
                attempts: 1,
                error: "500".to_owned(),
            },
        };
        if how < 3 {
            self.queued.remove(&delivery.no.0);
            self.settled += 1;
        }
        self.store
            .settle(vec![settlement(&delivery, settled)])
            .await
            .unwrap();
    }

    async fn drop_oldest(&mut self, destination: usize) {
        let out: BTreeSet<_> = self.delivered_out.iter().map(|it| it.no.0).collect();
        let oldest = self
            .queued
            .iter()
            .find(|(no, it)| it.0 == destination && !out.contains(no))
            .map(|(no, _)| *no);
        let name = DestinationName::new(DESTINATIONS[destination]);
        let dropped = self.store.drop_oldest(&name, 1).await.unwrap();
        assert_eq!(dropped, u64::from(oldest.is_some()));
        if let Some(no) = oldest {
            self.queued.remove(&no);
            self.settled += 1;
        }
    }

    /// A crash is a copy of the files as they are, opened elsewhere.
    async fn reopen(&mut self, crash: bool) {
        if crash {
            let fresh = TempDir::new().unwrap();
            for name in ["zohook.db", "zohook.db-wal"] {
                std::fs::copy(self.folder.path().join(name), fresh.path().join(name)).unwrap();
            }
            self.folders
                .push(std::mem::replace(&mut self.folder, fresh));
        } else {
            self.store.close().await;
        }
        self.store = open(settings(self.folder.path()), &self.clock)
            .await
            .unwrap();
        self.out.clear();
        self.waiting.clear();
        self.begun.clear();
        self.held.clear();
        self.last_sequence.clone_from(&self.closed_sequence);
        self.delivered_out.clear();
    }

    async fn check_totals(&self) {
        let ledger = self.store.ledger().await.unwrap();
        assert!(ledger.adds_up(), "{ledger:?}");
        assert_eq!(ledger.changes.created, self.created);
        assert_eq!(
            ledger.changes.waiting,
            u64::try_from(self.open.len()).unwrap()
        );
        assert_eq!(
            ledger.deliveries.planned,
            u64::try_from(self.delivery_no).unwrap()
        );
        assert_eq!(
            ledger.deliveries.waiting,
            ledger.deliveries.planned - self.settled
        );
        assert_eq!(self.store.inbox().depth, ledger.changes.waiting);
        let backlog: u64 = DESTINATIONS
            .iter()
            .map(|it| self.store.backlog(&DestinationName::new(*it)).depth)
            .sum();
        assert_eq!(backlog, ledger.deliveries.waiting);
    }

    /// Everything that is left comes out, in order.
    async fn drain(&mut self) {
        self.reopen(false).await;
        while !self.open.is_empty() {
            self.claim(3).await;
            while !self.out.is_empty() {
                self.finish(0, 2, false).await;
            }
        }
        for destination in 0..DESTINATIONS.len() {
            while self.queued.values().any(|it| it.0 == destination) {
                self.due(destination, 3).await;
                while !self.delivered_out.is_empty() {
                    self.settle(0, 0).await;
                }
            }
        }
        self.check_totals().await;
    }
}

fn org() -> ConnectionName {
    ConnectionName::new("acme")
}

fn pick<T>(from: &mut Vec<T>, which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(which % from.len()))
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap()
}
