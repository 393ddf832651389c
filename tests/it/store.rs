//! The durable store: nothing accepted is lost, one row of a record is out at a time, the ledger adds up.

use std::{collections::BTreeSet, path::Path, time::Duration};

use clock::Clock;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use zohook::{
    event::{
        Attributes, Change, ChangeId, ChangeOutcome, ConnectionName, Delivery, DeliveryId,
        DestinationName, FailurePolicy, Message, ModuleName, NewDelivery, NotificationId,
        Operation, Origin, OwnWrite, QuarantineReason, Record, RecordId, RouteName, SendName,
        Settled, Settlement, SourceName,
    },
    store::{
        Accept, Accepted, Claim, Content, DedupKey, Finish, Gap, Metrics, Quarantined,
        QuarantinedKind, Seen, Settings, Store, StoreError,
    },
};

const DAY: Duration = Duration::from_hours(24);

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings {
        path: folder.join("zohook.db"),
        keep_events: 7 * DAY,
        size_bytes_max: 20 << 30,
    }
}

pub(crate) async fn open(settings: Settings, clock: &Clock) -> Result<Store, StoreError> {
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    Store::open(settings, clock.clone(), metrics).await
}

/// A callback about these records, as it is accepted.
pub(crate) fn accept(clock: &Clock, records: &[&str]) -> Accept {
    let id = NotificationId::random();
    let now = Timestamp::from_microsecond(clock.now().as_microsecond()).unwrap();
    let changes = records
        .iter()
        .enumerate()
        .map(|(index, record)| change(id, index, record, now))
        .collect();
    Accept {
        id,
        source: SourceName::new("crm"),
        connection: Some(ConnectionName::new("acme")),
        received_at: now,
        body: vec![b'x'; 1024].into(),
        content: Content::Changes(changes),
        dedup: None,
        unwanted: false,
    }
}

fn change(notification: NotificationId, index: usize, record: &str, now: Timestamp) -> Change {
    let module = ModuleName::new("Leads");
    let record = RecordId::new(record);
    Change {
        id: ChangeId::derive(notification, &module, Some(&record), index),
        notification,
        source: SourceName::new("crm"),
        connection: Some(ConnectionName::new("acme")),
        module,
        record: Some(record),
        operation: Operation::Update,
        event_type: None,
        server_time: now,
        accepted_at: now,
        origin: Origin::Notification,
        affected_fields: Some(vec!["Stage".to_owned()]),
        values: Some(Map::from_iter([("Stage".to_owned(), json!("Won"))])),
    }
}

pub(crate) fn planned(claim: &Claim, destination: &str) -> NewDelivery {
    let route = RouteName::new("everything");
    let send = SendName::new(destination);
    let id = DeliveryId::derive(claim.change.id, &route, &send);
    NewDelivery {
        id,
        destination: DestinationName::new(destination),
        route,
        send,
        on_failure: FailurePolicy::Quarantine,
        message: Message {
            attributes: Attributes {
                id: id.to_string(),
                source: claim.change.event_source(),
                event_type: claim.change.event_type(),
                subject: claim.change.record.as_ref().map(ToString::to_string),
                time: claim.change.server_time.to_string(),
                sequence: Some(claim.sequence.to_string()),
                partitionkey: None,
                origin: claim.change.origin.as_str().to_owned(),
                changedfields: None,
                recordreadat: None,
                recordstate: None,
                replayof: None,
            },
            content_type: "application/json".to_owned(),
            data: vec![b'd'; 1024].into(),
            routing_key: Some("Leads.update".to_owned()),
        },
    }
}

pub(crate) fn finish(claim: Claim, destinations: &[&str]) -> Finish {
    let deliveries = destinations.iter().map(|it| planned(&claim, it)).collect();
    Finish {
        claim,
        outcome: ChangeOutcome::Planned,
        deliveries,
        seen: None,
    }
}

pub(crate) fn settlement(delivery: &Delivery, settled: Settled) -> Settlement {
    Settlement {
        no: delivery.no,
        key: delivery.key,
        destination: delivery.planned.destination.clone(),
        settled,
    }
}

fn erp() -> DestinationName {
    DestinationName::new("erp")
}

async fn quick<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap()
}

/// Nothing comes within a moment.
async fn nothing<T>(future: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(50), future)
        .await
        .is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_goes_all_the_way_and_the_ledger_adds_up() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let sent = accept(&clock, &["1", "2"]);
    let Content::Changes(changes) = sent.content.clone() else {
        unreachable!()
    };
    assert_eq!(
        store.accept(sent.clone()).await.unwrap(),
        Accepted::New(sent.id)
    );
    assert_eq!(store.inbox().depth, 2);

    let claims = quick(store.claim(10)).await;
    assert_eq!(
        claims.iter().map(|it| &it.change).collect::<Vec<_>>(),
        changes.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        store
            .body(claims[0].notification_no)
            .await
            .unwrap()
            .unwrap(),
        sent.body
    );
    let finishes = claims
        .into_iter()
        .map(|it| finish(it, &["erp", "queue"]))
        .collect::<Vec<_>>();
    store.finish(finishes).await.unwrap();
    assert_eq!(store.inbox().depth, 0);

    for name in ["erp", "queue"] {
        let destination = DestinationName::new(name);
        let due = quick(store.due(&destination, 10)).await;
        assert_eq!(due.len(), 2);
        let settled = due
            .iter()
            .map(|it| settlement(it, Settled::Delivered))
            .collect::<Vec<_>>();
        store.settle(settled).await.unwrap();
    }
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!(
        (ledger.changes.created, ledger.deliveries.delivered),
        (2, 4)
    );
    store.close().await;
    assert!(quick(store.claim(1)).await.is_empty());
    let refused = store.accept(accept(&clock, &["1"])).await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Unavailable {
            reason: "closed",
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_is_open_after_a_restart_with_every_value() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1"])).await.unwrap();
    store.accept(accept(&clock, &["2"])).await.unwrap();
    let first = quick(store.claim(1)).await.remove(0);
    store.finish(vec![finish(first, &["erp"])]).await.unwrap();
    let second = quick(store.claim(1)).await.remove(0);
    let due = quick(store.due(&erp(), 1)).await.remove(0);
    store.close().await;
    drop(store);

    let store = open(settings(folder.path()), &clock).await.unwrap();
    let again = quick(store.claim(10)).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].change, second.change);
    assert!(again[0].sequence > second.sequence);
    // Its row is not in memory now, and reading it is no waiting.
    let other = DestinationName::new("queue");
    assert_eq!(
        quick(store.due_within(&other, 10, Duration::ZERO)).await,
        []
    );
    let again = quick(store.due_within(&erp(), 10, Duration::ZERO)).await;
    assert_eq!(again, [due]);
    let gaps = store.gaps(10).await.unwrap();
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].connection.clone(), gaps[0].reason.as_str()),
        (None, "downtime")
    );
    store.close_gap(gaps[0].no).await.unwrap();
    assert_eq!(store.gaps(10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decoded_holds_up_its_record_alone() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1", "2"])).await.unwrap();
    for claim in quick(store.claim(2)).await {
        let seen = Seen {
            record: Record {
                fields: ["Stage".to_owned()].into(),
                values: Map::from_iter([("Stage".to_owned(), json!("Won"))]),
            },
            modified_at: None,
            read_at: None,
        };
        let finish = Finish {
            seen: Some(seen),
            ..finish(claim, &["erp"])
        };
        store.finish(vec![finish]).await.unwrap();
    }
    let mut deep = json!(1);
    for _ in 0..130 {
        deep = json!([deep]);
    }
    let mut sent = accept(&clock, &["3", "4"]);
    if let Content::Changes(changes) = &mut sent.content {
        changes[0].values = Some(Map::from_iter([("payload".to_owned(), deep)]));
    }
    store.accept(sent).await.unwrap();
    store.close().await;
    drop(store);
    let file = rusqlite::Connection::open(settings(folder.path()).path).unwrap();
    let spoiled = file
        .execute(
            "UPDATE delivery SET attributes = 'no json' WHERE no = 1",
            [],
        )
        .unwrap();
    assert_eq!(spoiled, 1);
    file.execute("UPDATE event SET seen_values = 'no json' WHERE no = 1", [])
        .unwrap();
    drop(file);

    let store = open(settings(folder.path()), &clock).await.unwrap();
    let claims = quick(store.claim(10)).await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].change.record, Some(RecordId::new("4")));
    let due = quick(store.due(&erp(), 10)).await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].no.0, 2);
    assert!(nothing(store.claim(10)).await);
    assert!(nothing(store.due(&erp(), 10)).await);
    assert_eq!((store.inbox().depth, store.backlog(&erp()).depth), (2, 2));
    let asked = ["1", "2"].map(|it| {
        let id = NotificationId::random();
        let change = change(id, 0, it, clock.now());
        (change.key(), change.module, RecordId::new(it))
    });
    let known = store.snapshots(asked.to_vec()).await.unwrap();
    assert_eq!(known.keys().collect::<Vec<_>>(), [&asked[1].0]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_opens_a_gap_though_the_caller_has_gone() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let full = Settings {
        size_bytes_max: 1,
        ..settings(folder.path())
    };
    let store = open(full, &clock).await.unwrap();
    let gone = tokio::time::timeout(Duration::ZERO, store.accept(accept(&clock, &["1"]))).await;
    assert!(!matches!(gone, Ok(Ok(_))));
    wait_until_async(async || {
        let gaps = store.gaps(10).await.unwrap();
        gaps.iter().any(|it| it.reason == "store_full")
    })
    .await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_change_of_a_record_is_out_at_a_time_oldest_first() {
    let folder = TempDir::new().unwrap();
    let (clock, _) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let mut times = vec![];
    for seconds in [30, 10, 20] {
        let mut sent = accept(&clock, &["1"]);
        if let Content::Changes(changes) = &mut sent.content {
            changes[0].server_time = Timestamp::from_second(seconds).unwrap();
        }
        store.accept(sent).await.unwrap();
    }
    let mut last = None;
    for _ in 0..3 {
        let mut claims = quick(store.claim(10)).await;
        assert_eq!(claims.len(), 1);
        assert!(nothing(store.claim(10)).await);
        let claim = claims.remove(0);
        assert!(last < Some(claim.sequence));
        last = Some(claim.sequence);
        times.push(claim.change.server_time.as_second());
        store.finish(vec![finish(claim, &["erp"])]).await.unwrap();
    }
    assert_eq!(times, [10, 20, 30]);
    for _ in 0..3 {
        let due = quick(store.due(&erp(), 10)).await;
        assert_eq!(due.len(), 1);
        assert!(nothing(store.due(&erp(), 10)).await);
        store
            .settle(vec![settlement(&due[0], Settled::Delivered)])
            .await
            .unwrap();
    }
    assert_eq!(store.ledger().await.unwrap().deliveries.delivered, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_comes_again_at_its_time() {
    let folder = TempDir::new().unwrap();
    let (clock, hand) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1"])).await.unwrap();
    let claim = quick(store.claim(1)).await.remove(0);
    store.give_back(&claim, clock.now() + Duration::from_secs(5));
    store.accept(accept(&clock, &["1"])).await.unwrap();
    assert!(nothing(store.claim(1)).await);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.claim(1).await }
    });
    hand.advance(Duration::from_secs(5));
    let again = quick(waiting).await.unwrap().remove(0);
    assert_eq!(again.no, claim.no);
    store.finish(vec![finish(again, &["erp"])]).await.unwrap();

    let due = quick(store.due(&erp(), 1)).await.remove(0);
    store.put_back(&due, clock.now() + DAY);
    assert!(nothing(store.due(&erp(), 1)).await);
    store.due_now(&erp());
    let due = quick(store.due(&erp(), 1)).await.remove(0);
    let at = clock.now() + Duration::from_mins(1);
    let again = Settled::Again {
        at,
        attempts: 1,
        error: "500".to_owned(),
    };
    store.settle(vec![settlement(&due, again)]).await.unwrap();
    store.due_now(&erp());
    assert!(nothing(store.due(&erp(), 1)).await);
    hand.advance(Duration::from_mins(1));
    assert_eq!(quick(store.due(&erp(), 1)).await[0].attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finish_of_a_closed_change_is_skipped() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1"])).await.unwrap();
    let claim = quick(store.claim(1)).await.remove(0);
    let twice = finish(claim, &["erp"]);
    store
        .finish(vec![twice.clone(), twice.clone()])
        .await
        .unwrap();
    store.finish(vec![twice]).await.unwrap();
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!((ledger.changes.planned, ledger.deliveries.planned), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_within_its_window_is_answered_with_the_first_id() {
    let folder = TempDir::new().unwrap();
    let (clock, hand) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
    let mut store = open(settings(folder.path()), &clock).await.unwrap();
    let send = |hash: u8| {
        let dedup = Some(DedupKey {
            hash: [hash; 32],
            window: DAY,
        });
        Accept {
            dedup,
            ..accept(&clock, &["1"])
        }
    };
    // Many at once: they share groups.
    let copies: Vec<_> = (0..50).map(|_| store.accept(send(1))).collect();
    let answers: Vec<_> = futures_util::future::join_all(copies).await;
    let first: Vec<_> = answers
        .iter()
        .filter_map(|it| match it.as_ref().unwrap() {
            Accepted::New(id) => Some(*id),
            Accepted::Duplicate(_) => None,
        })
        .collect();
    assert_eq!(first.len(), 1);
    assert!(answers.iter().all(|it| matches!(it.as_ref().unwrap(), Accepted::New(id) | Accepted::Duplicate(id) if *id == first[0])));
    store.close().await;
    store = open(settings(folder.path()), &clock).await.unwrap();
    assert_eq!(
        store.accept(send(1)).await.unwrap(),
        Accepted::Duplicate(first[0])
    );
    // A prefix that two hashes share is no repeat.
    let mut other = send(1);
    other.dedup.as_mut().unwrap().hash[31] = 0;
    assert!(matches!(
        store.accept(other).await.unwrap(),
        Accepted::New(_)
    ));
    hand.advance(DAY + Duration::from_secs(1));
    assert!(matches!(
        store.accept(send(1)).await.unwrap(),
        Accepted::New(_)
    ));
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!(ledger.notifications.duplicate, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_format_is_refused() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    open(settings(folder.path()), &clock)
        .await
        .unwrap()
        .close()
        .await;
    let file = rusqlite::Connection::open(settings(folder.path()).path).unwrap();
    file.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(file);
    let error = open(settings(folder.path()), &clock).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }));
    assert!(error.to_string().contains("has format 99"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_opener_is_told_which_file_is_held() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let error = open(settings(folder.path()), &clock).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }));
    assert!(error.to_string().contains("zohook.db.lock"), "{error}");
    store.close().await;
    open(settings(folder.path()), &clock).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_opener_is_told_by_whatever_name_it_comes() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let path = settings(folder.path()).path;
    let other = |name: &str| Settings {
        path: folder.path().join(name),
        ..settings(folder.path())
    };
    std::os::unix::fs::symlink(&path, folder.path().join("link.db")).unwrap();
    let error = open(other("link.db"), &clock).await.unwrap_err();
    assert!(error.to_string().contains("zohook.db.lock"), "{error}");
    std::fs::hard_link(&path, folder.path().join("hard.db")).unwrap();
    let error = open(other("hard.db"), &clock).await.unwrap_err();
    assert!(error.to_string().contains("hard links"), "{error}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sequence_never_falls_over_a_restart_even_when_the_clock_does() {
    let folder = TempDir::new().unwrap();
    let (late, _) = Clock::simulated(Timestamp::from_second(1_800_000_000).unwrap());
    let (early, _) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
    let mut last = None;
    for clock in [late, early] {
        let store = open(settings(folder.path()), &clock).await.unwrap();
        for _ in 0..3 {
            store.accept(accept(&clock, &["1"])).await.unwrap();
            let claim = quick(store.claim(1)).await.remove(0);
            assert!(last < Some(claim.sequence));
            last = Some(claim.sequence);
            store.finish(vec![finish(claim, &[])]).await.unwrap();
        }
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_remembered_as_last_seen() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let mut keys = None;
    for (stage, seen) in [("New", true), ("Won", true), ("Lost", false)] {
        store.accept(accept(&clock, &["1"])).await.unwrap();
        let claim = quick(store.claim(1)).await.remove(0);
        keys = Some((
            claim.key,
            claim.change.module.clone(),
            claim.change.record.clone().unwrap(),
            claim.change.server_time,
        ));
        let record = Record {
            values: Map::from_iter([("Stage".to_owned(), Value::from(stage))]),
            fields: ["Stage".to_owned(), "Owner".to_owned()].into(),
        };
        let seen = seen.then_some(Seen {
            record,
            modified_at: Some(claim.change.server_time),
            read_at: None,
        });
        store
            .finish(vec![Finish {
                seen,
                ..finish(claim, &[])
            }])
            .await
            .unwrap();
    }
    let (key, module, record, server_time) = keys.unwrap();
    let found = store
        .snapshots(vec![(key, module.clone(), record)])
        .await
        .unwrap();
    let snapshot = &found[&key];
    assert_eq!(snapshot.seen.record.values["Stage"], "Won");
    assert!(snapshot.seen.record.fields.contains("Owner"));
    assert_eq!(snapshot.server_time_max, server_time);
    // Another record whose key happened to be the same is not taken for it.
    let other = store
        .snapshots(vec![(key, module, RecordId::new("2"))])
        .await
        .unwrap();
    assert!(other.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_accepted_meanwhile_is_known_while_open_and_when_closed() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1"])).await.unwrap();
    let update = quick(store.claim(1)).await.remove(0);
    assert!(!store.deleted_meanwhile(&update).await.unwrap());
    let mut sent = accept(&clock, &["1"]);
    if let Content::Changes(changes) = &mut sent.content {
        changes[0].operation = Operation::Delete;
    }
    store.accept(sent).await.unwrap();
    assert!(store.deleted_meanwhile(&update).await.unwrap());
    store
        .finish(vec![Finish {
            outcome: ChangeOutcome::Superseded,
            ..finish(update.clone(), &[])
        }])
        .await
        .unwrap();
    let delete = quick(store.claim(1)).await.remove(0);
    store.finish(vec![finish(delete, &[])]).await.unwrap();
    assert!(store.deleted_meanwhile(&update).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_accepted_before_an_older_change_is_known_as_well() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let sent = |operation, server_time: i64| {
        let mut sent = accept(&clock, &["1"]);
        if let Content::Changes(changes) = &mut sent.content {
            changes[0].operation = operation;
            changes[0].server_time = Timestamp::from_second(server_time).unwrap();
        }
        sent
    };
    let (update, delete) = (|| Operation::Update, || Operation::Delete);
    store.accept(sent(delete(), 100)).await.unwrap();
    store.accept(sent(update(), 98)).await.unwrap();
    let older = quick(store.claim(1)).await.remove(0);
    assert_eq!(older.change.operation, update());
    assert!(store.deleted_meanwhile(&older).await.unwrap(), "still open");
    store.finish(vec![finish(older, &[])]).await.unwrap();
    // An earlier delete that comes late takes nothing back.
    for (operation, time, expected) in [
        (delete(), 100, true),
        (delete(), 90, true),
        (update(), 99, true),
        (update(), 100, true),
        (update(), 101, false),
    ] {
        if time != 100 || operation == update() {
            store.accept(sent(operation.clone(), time)).await.unwrap();
        }
        let claim = quick(store.claim(1)).await.remove(0);
        assert_eq!(claim.change.operation, operation);
        let known = store.deleted_meanwhile(&claim).await.unwrap();
        assert_eq!(known, expected, "{operation} of {time}");
        store.finish(vec![finish(claim, &[])]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_can_be_listed() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let unreadable = Content::Unreadable {
        detail: "no ids".to_owned(),
    };
    store
        .accept(Accept {
            content: unreadable,
            ..accept(&clock, &[])
        })
        .await
        .unwrap();
    store.accept(accept(&clock, &["1", "2"])).await.unwrap();
    let mut claims = quick(store.claim(2)).await;
    let reason = QuarantineReason::StaleRead;
    let outcome = ChangeOutcome::Quarantined {
        reason,
        detail: "old".to_owned(),
    };
    store
        .finish(vec![
            Finish {
                outcome,
                ..finish(claims.remove(0), &[])
            },
            finish(claims.remove(0), &["erp"]),
        ])
        .await
        .unwrap();
    let due = quick(store.due(&erp(), 1)).await.remove(0);
    let refused = Settled::Quarantined {
        reason: QuarantineReason::Refused,
        detail: "400".to_owned(),
    };
    store.settle(vec![settlement(&due, refused)]).await.unwrap();
    let listed = store.quarantined(10).await.unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|it| (it.kind, it.reason))
            .collect::<Vec<_>>(),
        [
            (QuarantinedKind::Delivery, QuarantineReason::Refused),
            (QuarantinedKind::Change, QuarantineReason::StaleRead),
            (QuarantinedKind::Notification, QuarantineReason::Unreadable),
        ]
    );
    assert_eq!(listed[0].destination, Some(erp()));
    let whose = |it: &Quarantined| {
        let record = it.record.as_ref().map(|it| it.as_str().to_owned());
        (it.source.is_some(), it.module.is_some(), record)
    };
    assert_eq!(
        listed.iter().map(whose).collect::<Vec<_>>(),
        [
            (true, true, Some("2".to_owned())),
            (true, true, Some("1".to_owned())),
            (true, false, None),
        ]
    );
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_a_removed_destination_go_to_quarantine() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    for _ in 0..13 {
        store
            .accept(accept(&clock, &(0..100).map(|_| "1").collect::<Vec<_>>()))
            .await
            .unwrap();
    }
    store.accept(accept(&clock, &["2"])).await.unwrap();
    for _ in 0..1300 {
        let claims = quick(store.claim(2)).await;
        store
            .finish(
                claims
                    .into_iter()
                    .map(|it| finish(it, &["erp", "queue"]))
                    .collect::<Vec<_>>(),
            )
            .await
            .unwrap();
    }
    let moved = quick(store.keep_destinations(vec![DestinationName::new("queue")]))
        .await
        .unwrap();
    assert_eq!(moved, [(erp(), 1301)]);
    assert_eq!(store.backlog(&erp()).depth, 0);
    assert_eq!(store.backlog(&DestinationName::new("queue")).depth, 1301);
    assert!(nothing(store.due(&erp(), 1)).await);
    let dropped = quick(store.drop_oldest(&DestinationName::new("queue"), 1000))
        .await
        .unwrap();
    assert_eq!(dropped, 1000);
    assert_eq!(store.backlog(&DestinationName::new("queue")).depth, 301);
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!(
        (ledger.deliveries.dropped, ledger.deliveries.quarantined),
        (1000, 1301)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_when_it_was_asked_for_are_given_back_as_put() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let acme = ConnectionName::new("acme");
    assert_eq!(store.token(&acme).await.unwrap(), None);
    store.put_token(&acme, vec![1]).await.unwrap();
    store.put_token(&acme, vec![2, 3]).await.unwrap();
    assert_eq!(store.token(&acme).await.unwrap(), Some(vec![2, 3]));
    assert_eq!(store.token_requests(&acme).await.unwrap(), []);
    let sent = vec![clock.now(), clock.now()];
    store.put_token_requests(&acme, sent.clone()).await.unwrap();
    assert_eq!(store.token_requests(&acme).await.unwrap(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_a_long_backlog_blocks_no_other() {
    const POISON: usize = 100_000;
    const PER_CALL: usize = 2_000;
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let mut store = open(settings(folder.path()), &clock).await.unwrap();
    for _ in 0..POISON / PER_CALL {
        let mut sent = accept(&clock, &[]);
        let now = sent.received_at;
        let changes = (0..PER_CALL).map(|index| Change {
            values: None,
            ..change(sent.id, index, "poison", now)
        });
        sent.content = Content::Changes(changes.collect());
        store.accept(sent).await.unwrap();
    }
    let poison = quick(store.claim(1)).await.remove(0);
    assert_eq!(poison.change.record, Some(RecordId::new("poison")));
    for restart in [false, true] {
        if restart {
            store.close().await;
            store = open(settings(folder.path()), &clock).await.unwrap();
            assert_eq!(quick(store.claim(1)).await[0].no, poison.no);
        }
        store.accept(accept(&clock, &["other"])).await.unwrap();
        let other = quick(store.claim(10)).await;
        assert_eq!(other.len(), 1);
        assert_eq!(other[0].change.record, Some(RecordId::new("other")));
        store
            .finish(vec![finish(other[0].clone(), &["erp"])])
            .await
            .unwrap();
    }
    assert_eq!(store.inbox().depth, u64::try_from(POISON).unwrap());
    // The same in a destination's queue: the poison's head is out, another's is due.
    let mut next = Some(poison);
    for _ in 0..2_000 {
        store
            .finish(vec![finish(next.take().unwrap(), &["erp"])])
            .await
            .unwrap();
        next = Some(quick(store.claim(1)).await.remove(0));
    }
    let due = quick(store.due(&erp(), 10)).await;
    let records: Vec<_> = due
        .iter()
        .map(|it| it.planned.message.attributes.subject.clone().unwrap())
        .collect();
    assert_eq!(records, ["other", "poison"]);
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
}

/// More records of one org wait than memory holds of one: another org is reached all the same, and nothing of the first is
/// forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn an_org_with_more_records_than_its_share_of_memory_blocks_no_other() {
    const RECORDS: usize = 110_000;
    const PER_CALL: usize = 2_000;
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let (acme, other) = (ConnectionName::new("acme"), ConnectionName::new("other"));
    let ids: Vec<_> = (0..RECORDS).map(|it| it.to_string()).collect();
    for ids in ids.chunks(PER_CALL) {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        store.accept(accept(&clock, &ids)).await.unwrap();
    }
    let of_other = async |store: &Store| {
        let mut sent = accept(&clock, &["1"]);
        if let Content::Changes(changes) = &mut sent.content {
            changes[0].connection = Some(other.clone());
        }
        store.accept(sent).await.unwrap();
        loop {
            for claim in quick(store.claim(512)).await {
                match &claim.change.connection {
                    Some(it) if *it == other => return claim,
                    _ => store.hold(claim, acme.clone()),
                }
            }
        }
    };
    let claim = of_other(&store).await;
    store.finish(vec![finish(claim, &[])]).await.unwrap();
    // And after a start, which finds the rows of the first org before those of the other.
    store.close().await;
    drop(store);
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let claim = of_other(&store).await;
    store.finish(vec![finish(claim, &[])]).await.unwrap();
    store.claimable_now();
    let mut left = RECORDS;
    while left > 0 {
        let claims = quick(store.claim(2_000)).await;
        left -= claims.len();
        let finishes: Vec<_> = claims.into_iter().map(|it| finish(it, &[])).collect();
        store.finish(finishes).await.unwrap();
    }
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!(ledger.changes.waiting, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_and_recovers_when_finished_rows_have_gone() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let small = Settings {
        size_bytes_max: 2 << 20,
        ..settings(folder.path())
    };
    let store = open(small, &clock).await.unwrap();
    let big = |n: usize| {
        let name = n.to_string();
        Accept {
            body: vec![b'x'; 100_000].into(),
            ..accept(&clock, &[&name])
        }
    };
    let mut accepted = 0;
    let refused = loop {
        match store.accept(big(accepted)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            refused,
            StoreError::Unavailable {
                reason: "store_full",
                ..
            }
        ),
        "{refused}"
    );
    assert!(!store.ready());
    // Unfinished rows are all there; once they are finished, they go.
    let claims = quick(store.claim(1000)).await;
    assert_eq!(claims.len(), accepted);
    store
        .finish(
            claims
                .into_iter()
                .map(|it| finish(it, &[]))
                .collect::<Vec<_>>(),
        )
        .await
        .unwrap();
    wait_until(|| store.ready()).await;
    store.accept(big(0)).await.unwrap();
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    // A gap is written within a second or so.
    quick(async {
        let is_it = |it: &Gap| it.reason == "store_full" && it.connection.is_some();
        while !store.gaps(10).await.unwrap().iter().any(is_it) {
            clock.sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Needs a small filesystem of its own; where none can be mounted, says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_loses_nothing_and_recovers() {
    let Some(disk) = SmallDisk::mount() else {
        panic!("a small disk cannot be mounted here: run the tests as root");
    };
    let clock = Clock::real();
    let store = open(settings(disk.path()), &clock).await.unwrap();
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![b'x'; 2 << 20]).unwrap();
    let mut accepted = vec![];
    let mut refused = 0;
    while refused < 3 {
        let sent = Accept {
            body: vec![b'x'; 50_000].into(),
            ..accept(&clock, &["1"])
        };
        match store.accept(sent.clone()).await {
            Ok(_) => accepted.push(sent.id),
            Err(StoreError::Unavailable { reason, .. }) => {
                assert!(["disk_full", "io"].contains(&reason), "{reason}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(!accepted.is_empty());
    assert!(!store.ready());
    std::fs::remove_file(&filler).unwrap();
    wait_until(|| store.ready()).await;
    let sent = accept(&clock, &["1"]);
    store.accept(sent.clone()).await.unwrap();
    accepted.push(sent.id);
    let mut claimed = vec![];
    while claimed.len() < accepted.len() {
        let claim = quick(store.claim(1)).await.remove(0);
        claimed.push(claim.change.notification);
        store.finish(vec![finish(claim, &[])]).await.unwrap();
    }
    assert_eq!(claimed, accepted);
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!(
        ledger.notifications.accepted,
        u64::try_from(accepted.len()).unwrap()
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_full_disk_waits_for_room() {
    let Some(disk) = SmallDisk::mount() else {
        panic!("a small disk cannot be mounted here: run the tests as root");
    };
    let clock = Clock::real();
    let store = open(settings(disk.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1"])).await.unwrap();
    // The log stays, as after a crash.
    let holder = rusqlite::Connection::open(settings(disk.path()).path).unwrap();
    let count = "SELECT count(*) FROM open_change";
    let open_changes: i64 = holder.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(open_changes, 1);
    store.close().await;
    let filler = disk.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[b'x'; 512]).is_ok() {}
    drop(file);
    let store = open(settings(disk.path()), &clock).await.unwrap();
    assert!(!store.ready());
    assert_eq!(quick(store.claim(1)).await.len(), 1);
    let refused = store.accept(accept(&clock, &["2"])).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    std::fs::remove_file(&filler).unwrap();
    wait_until(|| store.ready()).await;
    store.accept(accept(&clock, &["2"])).await.unwrap();
    let gaps = store.gaps(10).await.unwrap();
    assert!(gaps.iter().any(|it| it.reason == "downtime"), "{gaps:?}");
    store.close().await;
}

/// A filesystem of 4 MiB, gone at the end.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "none"])
            .arg(folder.path())
            .status()
            .ok()?;
        mounted.success().then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(
            std::process::Command::new("umount")
                .arg("-l")
                .arg(self.path())
                .status(),
        );
    }
}

async fn wait_until(condition: impl Fn() -> bool) {
    let clock = Clock::real();
    quick(async {
        while !condition() {
            clock.sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_rows_go_by_age_and_a_record_is_remembered_longer() {
    let folder = TempDir::new().unwrap();
    let (clock, hand) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
    let store = open(settings(folder.path()), &clock).await.unwrap();
    for _ in 0..2 {
        store.accept(accept(&clock, &["1"])).await.unwrap();
    }
    let claim = quick(store.claim(1)).await.remove(0);
    let (finished, key) = (claim.notification_no, claim.key);
    let record = Record {
        values: Map::from_iter([("Stage".to_owned(), Value::from("New"))]),
        fields: ["Stage".to_owned()].into(),
    };
    let seen = Some(Seen {
        record,
        modified_at: None,
        read_at: None,
    });
    let wanted = (key, claim.change.module.clone(), RecordId::new("1"));
    store
        .finish(vec![Finish {
            seen,
            ..finish(claim, &[])
        }])
        .await
        .unwrap();
    let open_one = quick(store.claim(1)).await.remove(0);
    hand.advance(8 * DAY);
    wait_until_async(async || {
        // Slices come no closer than a moment.
        hand.advance(Duration::from_millis(100));
        store.body(finished).await.unwrap().is_none()
    })
    .await;
    assert!(
        store
            .body(open_one.notification_no)
            .await
            .unwrap()
            .is_some()
    );
    let found = store.snapshots(vec![wanted.clone()]).await.unwrap();
    assert_eq!(found[&key].seen.record.values["Stage"], "New");
    hand.advance(28 * DAY);
    wait_until_async(async || {
        hand.advance(Duration::from_millis(100));
        let found = store.snapshots(vec![wanted.clone()]).await.unwrap();
        found.is_empty()
    })
    .await;
    store.finish(vec![finish(open_one, &[])]).await.unwrap();
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!(ledger.changes.planned, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_changed_lately_is_remembered_though_an_old_change_of_it_goes() {
    let folder = TempDir::new().unwrap();
    let (clock, hand) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
    let settings = Settings {
        keep_events: 60 * DAY,
        ..settings(folder.path())
    };
    let store = open(settings, &clock).await.unwrap();
    let close_one = async || {
        store.accept(accept(&clock, &["1"])).await.unwrap();
        let claim = quick(store.claim(1)).await.remove(0);
        let wanted = (claim.key, claim.change.module.clone(), RecordId::new("1"));
        let no = claim.notification_no;
        let seen = Some(Seen {
            record: Record {
                values: Map::from_iter([("Stage".to_owned(), Value::from("New"))]),
                fields: ["Stage".to_owned()].into(),
            },
            modified_at: None,
            read_at: None,
        });
        let finish = Finish {
            seen,
            ..finish(claim, &[])
        };
        store.finish(vec![finish]).await.unwrap();
        (no, wanted)
    };
    let (old, _) = close_one().await;
    hand.advance(59 * DAY);
    let (_, wanted) = close_one().await;
    hand.advance(2 * DAY);
    wait_until_async(async || {
        hand.advance(Duration::from_millis(100));
        store.body(old).await.unwrap().is_none()
    })
    .await;
    let found = store.snapshots(vec![wanted]).await.unwrap();
    assert_eq!(found.len(), 1);
}

/// What is finished late stands before what was finished in time, more of it than retention looks at in one go.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_finished_late_does_not_keep_what_is_old() {
    const ALL: usize = 1_300;
    const LATE: usize = 1_200;
    let folder = TempDir::new().unwrap();
    let (clock, hand) = Clock::simulated(Timestamp::from_second(1_700_000_000).unwrap());
    let settings = settings(folder.path());
    let store = open(settings.clone(), &clock).await.unwrap();
    let ids: Vec<_> = (0..2 * ALL).map(|it| it.to_string()).collect();
    for ids in ids.chunks(100) {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        store.accept(accept(&clock, &ids)).await.unwrap();
    }
    let mut claims = quick(store.claim(2 * ALL)).await;
    let closed_in_time = claims.split_off(LATE);
    let with_delivery = |it| finish(it, &["erp"]);
    let finishes: Vec<_> = closed_in_time.into_iter().map(with_delivery).collect();
    store.finish(finishes).await.unwrap();
    let settle = async |due: Vec<Delivery>| {
        let done = due.iter().map(|it| settlement(it, Settled::Delivered));
        store.settle(done.collect::<Vec<_>>()).await.unwrap();
    };
    let mut due = quick(store.due(&erp(), 2 * ALL)).await;
    settle(due.split_off(LATE)).await;

    hand.advance(8 * DAY);
    let finishes: Vec<_> = claims.into_iter().map(|it| finish(it, &[])).collect();
    store.finish(finishes).await.unwrap();
    settle(due).await;
    let file = rusqlite::Connection::open(settings.path).unwrap();
    let count = |table: &str| -> usize {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = file.query_row(&sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    };
    wait_until_async(async || {
        hand.advance(Duration::from_secs(1));
        (count("event"), count("receipt")) == (LATE, LATE)
    })
    .await;
}

/// A clock that ran ahead once does not hide the downtimes after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_downtime_is_seen_after_the_clock_was_set_back() {
    let folder = TempDir::new().unwrap();
    let ahead = Timestamp::from_second(1_800_000_000).unwrap();
    let right = Timestamp::from_second(1_700_000_000).unwrap();
    for now in [ahead, right] {
        let (clock, _hand) = Clock::simulated(now);
        let store = open(settings(folder.path()), &clock).await.unwrap();
        store.close().await;
    }
    let later = right + Duration::from_hours(3);
    let (clock, _hand) = Clock::simulated(later);
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let gaps = store.gaps(10).await.unwrap();
    assert!(
        gaps.iter().any(|it| it.from <= right && it.until >= later),
        "{gaps:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_is_counted_once() {
    let folder = TempDir::new().unwrap();
    let (clock, hand) = Clock::simulated(Timestamp::from_second(1_800_000_000).unwrap());
    let registry = prometheus::Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let store = Store::open(settings(folder.path()), clock.clone(), metrics)
        .await
        .unwrap();
    let counted = || {
        let families = registry.gather();
        let family = families
            .iter()
            .find(|it| it.name() == "zohook_clock_set_back_total")
            .unwrap();
        family.get_metric()[0].get_counter().get_value()
    };
    for jumps in [1.0, 2.0] {
        // It has looked at the clock at least once since.
        store.accept(accept(&clock, &["1"])).await.unwrap();
        store.accept(accept(&clock, &["1"])).await.unwrap();
        assert!((counted() - (jumps - 1.0)).abs() < 0.1);
        hand.set_back(Duration::from_mins(1));
        wait_until(|| counted() > jumps - 0.5).await;
    }
    store.close().await;
    assert!((counted() - 2.0).abs() < 0.1);
}

async fn wait_until_async(condition: impl AsyncFn() -> bool) {
    let clock = Clock::real();
    quick(async {
        while !condition().await {
            clock.sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

fn write_to(record: &str, modified: &str) -> OwnWrite {
    OwnWrite {
        connection: ConnectionName::new("acme"),
        module: ModuleName::new("Leads"),
        record: RecordId::new(record),
        modified_at: modified.parse().unwrap(),
        created: record == "2",
        explained: BTreeSet::new(),
        fields: BTreeSet::from(["Stage".to_owned(), "Amount".to_owned()]),
    }
}

/// Delivers what is due, as written to these records.
async fn settle_as_written(store: &Store, writes: &[OwnWrite]) {
    let due = quick(store.due(&erp(), 10)).await;
    assert_eq!(due.len(), writes.len());
    let settled = due.iter().zip(writes);
    let settled = settled.map(|(it, write)| settlement(it, Settled::Written(write.clone())));
    store.settle(settled.collect::<Vec<_>>()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_ours_is_remembered_over_a_restart_and_counts_as_delivered() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1", "2"])).await.unwrap();
    let claims = quick(store.claim(10)).await;
    assert!(claims.iter().all(|it| store.own_writes(it).is_empty()));
    let finished = claims.into_iter().map(|it| finish(it, &["erp"]));
    store.finish(finished.collect::<Vec<_>>()).await.unwrap();
    let writes = [
        write_to("1", "2026-11-22T10:00:00Z"),
        write_to("2", "2026-11-22T10:00:01Z"),
    ];
    settle_as_written(&store, &writes).await;

    store
        .accept(accept(&clock, &["1", "2", "3"]))
        .await
        .unwrap();
    let claims = quick(store.claim(10)).await;
    let found: Vec<_> = claims.iter().map(|it| store.own_writes(it)).collect();
    let expected = [vec![writes[0].clone()], vec![writes[1].clone()], vec![]];
    assert_eq!(found, expected);
    store.close().await;
    drop(store);

    let store = open(settings(folder.path()), &clock).await.unwrap();
    let claims = quick(store.claim(10)).await;
    let found: Vec<_> = claims.iter().map(|it| store.own_writes(it)).collect();
    assert_eq!(found, expected);
    let explained = OwnWrite {
        explained: BTreeSet::from([SourceName::new("crm")]),
        ..writes[0].clone()
    };
    let echoes = claims.into_iter().map(|claim| {
        let first = claim.change.record == Some(RecordId::new("1"));
        let explained = first.then(|| Box::new(explained.clone()));
        Finish {
            outcome: ChangeOutcome::Echo { explained },
            ..finish(claim, &[])
        }
    });
    store.finish(echoes.collect::<Vec<_>>()).await.unwrap();
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!((ledger.changes.planned, ledger.changes.echo), (2, 3));
    assert_eq!(ledger.deliveries.delivered, 2);
    store.close().await;
    drop(store);

    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1"])).await.unwrap();
    let claims = quick(store.claim(10)).await;
    assert_eq!(store.own_writes(&claims[0]), [explained]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_first_format_is_migrated_with_what_it_holds() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    store.accept(accept(&clock, &["1"])).await.unwrap();
    let claims = quick(store.claim(10)).await;
    let finished = claims.into_iter().map(|it| finish(it, &["erp"]));
    store.finish(finished.collect::<Vec<_>>()).await.unwrap();
    store.close().await;
    drop(store);
    // All that later formats have added.
    let file = rusqlite::Connection::open(settings(folder.path()).path).unwrap();
    file.execute_batch(
        "DROP TABLE own_write; DROP TABLE token_request; ALTER TABLE snapshot DROP COLUMN deleted_at; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(file);

    let store = open(settings(folder.path()), &clock).await.unwrap();
    settle_as_written(&store, &[write_to("1", "2026-11-22T10:00:00Z")]).await;
    let ledger = store.ledger().await.unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!(ledger.deliveries.delivered, 1);
    store.close().await;
    let file = rusqlite::Connection::open(settings(folder.path()).path).unwrap();
    let format: i64 = file
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(format, 4);
}

#[tokio::test]
async fn what_nobody_listens_to_is_closed_as_it_is_accepted_but_a_delete_is_not() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::real();
    let store = open(settings(folder.path()), &clock).await.unwrap();
    let mut sent = accept(&clock, &["1", "2"]);
    sent.unwanted = true;
    if let Content::Changes(changes) = &mut sent.content {
        changes[1].operation = Operation::Delete;
    }
    store.accept(sent).await.unwrap();
    let changes = store.ledger().await.unwrap().changes;
    assert_eq!(
        (changes.created, changes.unwanted, changes.waiting),
        (2, 1, 1)
    );
    let claims = quick(store.claim(10)).await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].change.operation, Operation::Delete);
    store.close().await;

    let store = open(settings(folder.path()), &clock).await.unwrap();
    let changes = store.ledger().await.unwrap().changes;
    assert_eq!((changes.unwanted, changes.waiting), (1, 1));
}
