//! Our own writes coming back: which change is one, and which must wait until that can be told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clock::Clock;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::event::{Change, Operation, OwnWrite, Record, WriteTarget};

/// A change waits no longer than this for a write that may have caused it: as long as one write may take with all its
/// repeats. Then it is taken for somebody else's.
const LANDING_MAX: Duration = Duration::from_mins(2);

/// And no longer than this where it is not even known which records are written: one upsert must not hold up a module.
const UNKNOWN_LANDING_MAX: Duration = Duration::from_secs(10);

/// How long it waits at a stretch, in the place of another.
const PATIENCE: Duration = Duration::from_millis(100);

/// Zoho's clocks, and ours where the callback tells no time, are not further apart.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(2);

/// A callback is sent this soon after the write that caused it. Only needed where another write of ours came between.
const SENT_WITHIN: Duration = Duration::from_mins(5);

/// Fields that Zoho itself changes with every write.
const TOUCHED_BY_ANY: [&str; 3] = ["Modified_Time", "Modified_By", "Last_Activity_Time"];

const MODIFIED_TIME: &str = "Modified_Time";

/// Writes that are on their way. Clones share them. At most the windows that all destinations have out.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    flights: Mutex<Flights>,
    landed: Notify,
}

#[derive(Debug, Default)]
struct Flights {
    next: u64,
    targets: BTreeMap<u64, Begun>,
}

#[derive(Debug)]
struct Begun {
    at: Timestamp,
    target: WriteTarget,
}

/// Some writes, on their way until this is dropped: after their outcome was committed.
#[derive(Debug)]
pub(super) struct Flight {
    inner: Arc<Inner>,
    numbers: std::ops::Range<u64>,
}

impl Writing {
    /// To be called before they are sent, with the time.
    pub(super) fn begin(&self, targets: Vec<WriteTarget>, at: Timestamp) -> Flight {
        let mut flights = self.flights();
        let first = flights.next;
        for target in targets {
            let number = flights.next;
            flights.targets.insert(number, Begun { at, target });
            flights.next += 1;
        }
        Flight {
            inner: Arc::clone(&self.inner),
            numbers: first..flights.next,
        }
    }

    /// Whether a write on its way may have caused a change.
    pub(super) fn may_have_caused(&self, change: &Change) -> bool {
        !self.suspects(change).is_empty()
    }

    /// Waits a little for the writes that may have caused a change; false while one of them is still on its way, and it
    /// is worth while to ask again.
    pub(super) async fn landed(&self, change: &Change, clock: &Clock) -> bool {
        let suspects = self.suspects(change);
        if suspects.is_empty() {
            return true;
        }
        let known = suspects.iter().any(|it| it.record_known);
        let wait_max = if known {
            LANDING_MAX
        } else {
            UNKNOWN_LANDING_MAX
        };
        let waited = Duration::try_from(clock.now().duration_since(change.accepted_at));
        if waited.is_ok_and(|it| it > wait_max) {
            tracing::warn!(change.id = %change.id, "a write that may be of this record takes long: its change may be our own echo");
            return true;
        }
        tokio::select! {
            () = self.all_landed(&suspects) => true,
            () = clock.sleep(PATIENCE) => false,
        }
    }

    async fn all_landed(&self, suspects: &[Suspect]) {
        loop {
            let landed = self.inner.landed.notified();
            tokio::pin!(landed);
            landed.as_mut().enable();
            {
                let flights = self.flights();
                if !suspects
                    .iter()
                    .any(|it| flights.targets.contains_key(&it.number))
                {
                    return;
                }
            }
            landed.await;
        }
    }

    /// Writes begun before the change was told; later ones cannot have caused it.
    fn suspects(&self, change: &Change) -> Vec<Suspect> {
        if !could_be_ours(change) {
            return vec![];
        }
        let flights = self.flights();
        let caused = |begun: &Begun| {
            let target = &begun.target;
            begun.at <= change.accepted_at
                && Some(&target.connection) == change.connection.as_ref()
                && target.module == change.module
                && (target.record.is_none() || target.record == change.record)
        };
        let suspects = flights.targets.iter().filter(|(_, it)| caused(it));
        suspects
            .map(|(number, it)| Suspect {
                number: *number,
                record_known: it.target.record.is_some(),
            })
            .collect()
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.inner
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write on its way that may have caused a change.
struct Suspect {
    number: u64,
    record_known: bool,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = self
            .inner
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for number in self.numbers.clone() {
            flights.targets.remove(&number);
        }
        drop(flights);
        self.inner.landed.notify_waiters();
    }
}

/// What is known of a change without reading its record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Echo {
    /// Somebody else's.
    No,
    /// Our own.
    Yes(Explained),
    /// The record's `Modified_Time` tells.
    Perhaps(Suspicion),
}

/// What a change was taken for: the write with its source in `explained`, or `None` where the callback says what has
/// changed. [`ChangeOutcome::Echo`] takes it to the store.
pub(super) type Explained = Option<Box<OwnWrite>>;

/// Writes of ours that may have caused a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    writes: Vec<OwnWrite>,
}

/// Judges a change by the writes of ours to its record.
pub(super) fn judge(change: &Change, writes: Vec<OwnWrite>) -> Echo {
    if writes.is_empty() || !could_be_ours(change) {
        return Echo::No;
    }
    if change.operation == Operation::Insert {
        // A record is made once.
        let ours = writes.iter().any(|it| it.created);
        return if ours { Echo::Yes(None) } else { Echo::No };
    }
    let suspicion = Suspicion { writes };
    let values = change.values.as_ref();
    let told = values.and_then(|it| it.get(MODIFIED_TIME)?.as_str()?.parse().ok());
    if let Some(modified_at) = told {
        let explained = suspicion.explain(change, modified_at, None);
        return explained.map_or(Echo::No, Echo::Yes);
    }
    // The record is not older than our last write. What could not be its echo then needs no read.
    let perhaps = suspicion.explain(change, suspicion.newest(), None);
    perhaps.map_or(Echo::No, |_| Echo::Perhaps(suspicion))
}

impl Suspicion {
    /// The record cannot be older than that.
    pub(super) fn newest(&self) -> Timestamp {
        let times = self.writes.iter().map(|it| it.modified_at);
        times.max().unwrap_or(Timestamp::MIN)
    }

    /// What explains the change as our own echo: the record's `Modified_Time` is that of a write of ours, which was made
    /// before the change was told, and nothing has changed but what we wrote. A callback that does not say what has
    /// changed may be a person's, made just before our write: so each write explains one of them for each source, and the
    /// other is delivered. `read` is the record as last seen before, and as it is now.
    pub(super) fn explain(
        &self,
        change: &Change,
        modified_at: Timestamp,
        read: Option<(&Record, &Record)>,
    ) -> Option<Explained> {
        if !self.writes.iter().any(|it| it.modified_at == modified_at) {
            return None;
        }
        let told = change.server_time;
        let latest = told.checked_add(CLOCKS_APART_MAX).unwrap_or(told);
        let earliest = told.checked_sub(SENT_WITHIN).unwrap_or(told);
        // Of several writes in a row each has its callback, and the record has the time of the last.
        let causes: Vec<&OwnWrite> = self
            .writes
            .iter()
            .filter(|it| it.modified_at <= latest)
            .filter(|it| it.modified_at == modified_at || it.modified_at >= earliest)
            .collect();
        let written: BTreeSet<&str> = causes
            .iter()
            .flat_map(|it| it.fields.iter().map(String::as_str))
            .chain(TOUCHED_BY_ANY)
            .collect();
        if let Some(fields) = change.affected() {
            let within = fields.iter().all(|it| written.contains(it.as_str()));
            return (within && !causes.is_empty()).then_some(None);
        }
        let mut differing = read
            .into_iter()
            .flat_map(|(before, now)| differing(before, now));
        if !differing.all(|it| written.contains(it)) {
            return None;
        }
        let free = causes
            .into_iter()
            .find(|it| !it.explained.contains(&change.source))?;
        let mut write = free.clone();
        write.explained.insert(change.source.clone());
        Some(Some(Box::new(write)))
    }
}

/// We only make and write records of an org.
fn could_be_ours(change: &Change) -> bool {
    let written = matches!(change.operation, Operation::Insert | Operation::Update);
    written && change.connection.is_some() && change.record.is_some()
}

/// Fields known of both records that have another value in each.
fn differing<'a>(before: &'a Record, now: &'a Record) -> impl Iterator<Item = &'a str> {
    let both = before.fields.intersection(&now.fields);
    both.filter(|it| before.values.get(*it) != now.values.get(*it))
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use serde_json::{Map, Value, json};

    use super::*;
    use crate::event::{ConnectionName, ModuleName, RecordId, SourceName, sample};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    fn write(second: i64, fields: &[&str]) -> OwnWrite {
        OwnWrite {
            connection: ConnectionName::new("acme"),
            module: ModuleName::new("Leads"),
            record: RecordId::new("1"),
            modified_at: at(second),
            created: false,
            fields: fields.iter().map(|it| (*it).to_owned()).collect(),
            explained: BTreeSet::new(),
        }
    }

    fn change(operation: &str, second: i64, fields: Option<&[&str]>) -> Change {
        Change {
            operation: Operation::parse(operation),
            server_time: at(second),
            accepted_at: at(second),
            affected_fields: fields.map(|it| it.iter().map(|it| (*it).to_owned()).collect()),
            ..sample::change("Leads", "1")
        }
    }

    /// Whether a change is an echo once the record was read.
    fn is_echo(change: &Change, writes: &[OwnWrite], modified: i64) -> bool {
        match judge(change, writes.to_vec()) {
            Echo::No => false,
            Echo::Yes(_) => true,
            Echo::Perhaps(suspicion) => suspicion.explain(change, at(modified), None).is_some(),
        }
    }

    #[test]
    fn an_echo_has_the_time_of_our_write_and_no_field_but_ours() {
        let writes = [write(10, &["Stage", "Amount"])];
        let echo = |second, fields: &[&str], modified| {
            is_echo(&change("update", second, Some(fields)), &writes, modified)
        };
        assert!(echo(10, &["Stage"], 10));
        assert!(echo(11, &["Stage", "Amount", "Modified_Time"], 10));
        assert!(echo(86_000, &["Stage"], 10), "however late it is told");
        assert!(!echo(11, &["Stage", "Phone"], 10), "somebody else's field");
        assert!(!echo(11, &["Stage"], 12), "written again since");
        assert!(!echo(11, &["Stage"], 9));
        assert!(!echo(7, &["Stage"], 10), "told before we wrote");
        assert!(echo(8, &["Stage"], 10), "clocks differ a little");
    }

    #[test]
    fn without_a_write_of_ours_nothing_is_an_echo() {
        assert_eq!(judge(&change("update", 10, None), vec![]), Echo::No);
        let writes = vec![write(10, &["Stage"])];
        for operation in ["delete", "merge"] {
            let other = change(operation, 10, Some(&["Stage"]));
            assert_eq!(judge(&other, writes.clone()), Echo::No, "{operation}");
        }
    }

    #[test]
    fn an_echo_overtaken_by_our_next_write_is_still_one() {
        let writes = [write(10, &["Stage"]), write(20, &["Amount"])];
        let echo =
            |second, field: &str| is_echo(&change("update", second, Some(&[field])), &writes, 20);
        assert!(echo(11, "Stage"));
        assert!(echo(21, "Amount"));
        assert!(echo(21, "Stage"));
        assert!(!echo(20 + 300, "Stage"), "five minutes are long ago");
        assert!(!echo(11, "Amount"), "told before we wrote it");
    }

    #[test]
    fn an_insert_is_ours_only_if_our_write_made_the_record() {
        let insert = change("insert", 10, None);
        let updated = write(10, &["Stage"]);
        assert_eq!(judge(&insert, vec![updated.clone()]), Echo::No);
        let made = OwnWrite {
            created: true,
            ..updated
        };
        assert_eq!(judge(&insert, vec![made]), Echo::Yes(None));
    }

    #[test]
    fn a_callback_that_tells_the_time_needs_no_read() {
        let told = |time: &str| Change {
            values: Some(Map::from_iter([("Modified_Time".to_owned(), json!(time))])),
            ..change("update", 11, Some(&["Stage"]))
        };
        let writes = vec![write(10, &["Stage"])];
        let ours = "1970-01-01T05:46:50+05:30";
        assert_eq!(judge(&told(ours), writes.clone()), Echo::Yes(None));
        let later = "1970-01-01T05:46:51+05:30";
        assert_eq!(judge(&told(later), writes), Echo::No);
    }

    #[test]
    fn where_the_callback_does_not_say_what_changed_the_record_does() {
        let record = |value: Value| {
            let Value::Object(values) = value else {
                unreachable!()
            };
            Record {
                fields: values.keys().cloned().collect(),
                values,
            }
        };
        let suspicion = Suspicion {
            writes: vec![write(10, &["Stage"])],
        };
        let change = change("update", 11, None);
        let before = record(json!({"Stage": "a", "Phone": "1", "Fax": "2"}));
        let holds = |now: Value| {
            let read = Some((&before, &record(now)));
            suspicion.explain(&change, at(10), read).is_some()
        };
        assert!(holds(json!({"Stage": "b", "Phone": "1"})));
        assert!(holds(json!({"Stage": "b", "Modified_Time": "x"})));
        assert!(!holds(json!({"Stage": "b", "Phone": "3"})));
    }

    #[test]
    fn a_write_explains_one_callback_of_each_source_that_does_not_say_what_changed() {
        let change = change("update", 11, None);
        let other = Change {
            source: SourceName::new("hook"),
            ..change.clone()
        };
        let mut writes = vec![write(10, &["Stage"]), write(10, &["Stage"])];
        let explain = |writes: &[OwnWrite], change: &Change| {
            let writes = writes.to_vec();
            Suspicion { writes }.explain(change, at(10), None)
        };
        for place in 0..2 {
            let explained = explain(&writes, &change).unwrap().unwrap();
            assert_eq!(explained.explained, BTreeSet::from([change.source.clone()]));
            writes[place] = *explained;
        }
        assert_eq!(explain(&writes, &change), None, "somebody else's");
        assert!(explain(&writes, &other).is_some());
        let listed = Change {
            affected_fields: Some(vec!["Stage".to_owned()]),
            ..change
        };
        assert_eq!(
            explain(&writes, &listed),
            Some(None),
            "it says that it is ours"
        );
    }

    fn target(record: Option<&str>) -> WriteTarget {
        WriteTarget {
            connection: ConnectionName::new("acme"),
            module: ModuleName::new("Leads"),
            record: record.map(RecordId::new),
        }
    }

    #[tokio::test]
    async fn a_change_waits_for_the_writes_that_may_have_caused_it_and_no_others() {
        let writing = Writing::default();
        let (clock, hand) = Clock::simulated(at(10));
        let change = change("update", 10, None);
        let others = writing.begin(vec![target(Some("2"))], at(9));
        assert!(!writing.may_have_caused(&change));
        let first = writing.begin(vec![target(Some("2")), target(Some("1"))], at(9));
        let second = writing.begin(vec![target(None)], at(9));
        assert!(writing.may_have_caused(&change));

        let mut landed = Box::pin(writing.landed(&change, &clock));
        assert_eq!(futures_util::poll!(&mut landed), Poll::Pending);
        drop(first);
        assert_eq!(futures_util::poll!(&mut landed), Poll::Pending);
        let later = writing.begin(vec![target(Some("1"))], at(11));
        drop(second);
        assert!(landed.await);
        let third = writing.begin(vec![target(None)], at(10));
        let mut waits = Box::pin(writing.landed(&change, &clock));
        assert_eq!(futures_util::poll!(&mut waits), Poll::Pending);
        hand.advance(PATIENCE);
        assert!(!waits.await);
        hand.advance(UNKNOWN_LANDING_MAX);
        assert!(
            writing.landed(&change, &clock).await,
            "it waits for no unknown record any more"
        );
        let fourth = writing.begin(vec![target(Some("1"))], at(10));
        let mut waits = Box::pin(writing.landed(&change, &clock));
        assert_eq!(futures_util::poll!(&mut waits), Poll::Pending);
        hand.advance(LANDING_MAX);
        drop(waits);
        assert!(writing.landed(&change, &clock).await);
        drop((others, later, third, fourth));
        assert!(writing.flights().targets.is_empty());
    }
}
