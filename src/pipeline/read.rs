//! What a change needs before it can be planned: the record, and the record as it was.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use clock::Clock;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    enrich::{EnrichError, Enricher, Fields, ReadAnswer, ReadRequest},
    event::{Change, ChangeOutcome, EnrichedEvent, Fetch, Operation, Record, RecordState, Unread},
    route::{Listen, Wants},
    store::{Claim, Seen, Snapshot, Store, StoreError},
};

use super::{
    Metrics,
    echo::{Echo, Explained, Suspicion, judge},
};

/// A callback of a delete may come so long after one of an edit that was made before it.
const DELETE_LATE_MAX: Duration = Duration::from_secs(5);

/// What reading came to.
pub(super) enum Read {
    /// Ready to be planned.
    Event {
        /// The change with its record, yet without its body.
        event: Box<EnrichedEvent>,
        /// What is now known of the record.
        seen: Option<Seen>,
    },
    /// No plan is needed.
    Closed {
        /// Why.
        outcome: ChangeOutcome,
        /// What is now known of the record.
        seen: Option<Seen>,
    },
    /// Zoho or the store could not be asked.
    Again {
        /// Wait so long.
        after: Duration,
        /// `zoho`, `store` or `missing`.
        reason: &'static str,
    },
}

/// Reads for one change.
pub(super) struct Reader<'a> {
    pub store: &'a Store,
    pub enricher: &'a Enricher,
    pub metrics: &'a Metrics,
    pub clock: &'a Clock,
}

/// The record for one change, before it becomes an event.
struct Found {
    state: RecordState,
    record: Option<Record>,
    read_at: Option<Timestamp>,
    seen: Option<Seen>,
    /// It is as our own write left it.
    echo: Option<Explained>,
}

/// How the record is wanted.
struct Wish<'a> {
    wants: &'a Wants,
    fetch: Fetch,
    snapshot: Option<&'a Snapshot>,
    /// The change may be our own echo, which only a read tells.
    suspicion: Option<&'a Suspicion>,
}

impl Found {
    const fn nothing(state: RecordState) -> Self {
        Self {
            state,
            record: None,
            read_at: None,
            seen: None,
            echo: None,
        }
    }

    /// What that means is each route's to say.
    const fn unread(why: Unread) -> Self {
        Self::nothing(RecordState::Unreadable(why))
    }
}

impl Reader<'_> {
    pub(super) async fn read(&self, claim: &Claim, wants: &Wants, fetch: Fetch) -> Read {
        match self.try_read(claim, wants, fetch).await {
            Ok(read) => read,
            Err(error) => Read::Again {
                after: wait_for_store(&error),
                reason: "store",
            },
        }
    }

    async fn try_read(
        &self,
        claim: &Claim,
        wants: &Wants,
        fetch: Fetch,
    ) -> Result<Read, StoreError> {
        let change = &claim.change;
        let suspicion = match judge(change, self.store.own_writes(claim)) {
            Echo::No => None,
            Echo::Perhaps(suspicion) => Some(suspicion),
            Echo::Yes(explained) => return Ok(closed(ChangeOutcome::Echo { explained })),
        };
        let snapshot = self.snapshot(claim).await?;
        let found = if change.operation == Operation::Delete {
            Found::nothing(RecordState::Deleted)
        } else {
            let wish = Wish {
                wants,
                fetch,
                snapshot: snapshot.as_ref(),
                suspicion: suspicion.as_ref(),
            };
            match self.record(change, &wish).await {
                Ok(Some(found)) => found,
                Ok(None) if self.store.deleted_meanwhile(claim).await? => {
                    Found::unread(Unread::Deleted)
                }
                Ok(None) => match self.delete_may_come(change) {
                    Some(after) => {
                        return Ok(Read::Again {
                            after,
                            reason: "missing",
                        });
                    }
                    None => Found::unread(Unread::Missing),
                },
                Err(EnrichError::Retry { after, detail }) => {
                    tracing::debug!(change.id = %change.id, detail, "zoho could not be asked");
                    return Ok(Read::Again {
                        after,
                        reason: "zoho",
                    });
                }
                Err(EnrichError::Refuse { reason, detail }) => {
                    Found::unread(Unread::Refused { reason, detail })
                }
            }
        };
        if let Some(explained) = found.echo {
            return Ok(Read::Closed {
                outcome: ChangeOutcome::Echo { explained },
                seen: found.seen,
            });
        }
        let event = EnrichedEvent {
            sequence: change.record.is_some().then_some(claim.sequence),
            change: change.clone(),
            state: found.state,
            record: found.record,
            before: snapshot.map(|it| it.seen.record),
            read_at: found.read_at,
            body: None,
        };
        Ok(Read::Event {
            event: Box::new(event),
            seen: found.seen,
        })
    }

    /// How long to wait for the delete that a missing record may mean; `None` when it would have come.
    fn delete_may_come(&self, change: &Change) -> Option<Duration> {
        let age = self.clock.now().duration_since(change.accepted_at);
        let left = DELETE_LATE_MAX.checked_sub(age.unsigned_abs())?;
        (!left.is_zero()).then_some(left)
    }

    async fn snapshot(&self, claim: &Claim) -> Result<Option<Snapshot>, StoreError> {
        let change = &claim.change;
        let (Some(_), Some(record)) = (&change.connection, &change.record) else {
            return Ok(None);
        };
        let asked = vec![(claim.key, change.module.clone(), record.clone())];
        Ok(self.store.snapshots(asked).await?.remove(&claim.key))
    }

    /// `None` where Zoho does not return the record.
    async fn record(&self, change: &Change, wish: &Wish<'_>) -> Result<Option<Found>, EnrichError> {
        let fields = match &wish.wants.listen {
            Listen::NoRecord => None,
            Listen::All => Some(Fields::All),
            Listen::Fields(fields) => Some(Fields::Only(fields.iter().cloned().collect())),
        };
        let unread = match (&fields, &change.connection, wish.fetch) {
            (None, _, _) => Some(Found::nothing(RecordState::NotRead)),
            (Some(_), None, _) | (Some(_), Some(_), Fetch::Never) => Some(from_values(change)),
            (Some(_), Some(_), Fetch::Always | Fetch::Missing) => None,
        };
        if let Some(unread) = unread {
            return self.unread(change, wish, unread).await.map(Some);
        }
        let fields = fields.unwrap_or(Fields::All);
        if wish.fetch == Fetch::Missing
            && wish.suspicion.is_none()
            && let Some(found) = covered(change, &fields, wish.wants.full, wish.snapshot)
        {
            self.metrics
                .fetches_skipped
                .with_label_values(&["values_cover"])
                .inc();
            return Ok(Some(found));
        }
        self.ask(change, wish, fields).await
    }

    /// What needs no record, unless it may be our own echo: then it is read for that alone.
    async fn unread(
        &self,
        change: &Change,
        wish: &Wish<'_>,
        unread: Found,
    ) -> Result<Found, EnrichError> {
        if wish.suspicion.is_none() {
            return Ok(unread);
        }
        match self.ask(change, wish, Fields::Only(BTreeSet::new())).await {
            Ok(Some(found)) if found.echo.is_some() => Ok(found),
            Err(error @ EnrichError::Retry { .. }) => Err(error),
            Ok(_) | Err(EnrichError::Refuse { .. }) => Ok(unread),
        }
    }

    async fn ask(
        &self,
        change: &Change,
        wish: &Wish<'_>,
        fields: Fields,
    ) -> Result<Option<Found>, EnrichError> {
        let (Some(connection), Some(record)) = (&change.connection, &change.record) else {
            return Ok(Some(from_values(change)));
        };
        let seen_at = wish.snapshot.and_then(|it| it.seen.modified_at);
        let written_at = wish.suspicion.map(Suspicion::newest);
        let request = ReadRequest {
            connection: connection.clone(),
            module: change.module.clone(),
            record: record.clone(),
            fields,
            full: wish.wants.full,
            server_time: change.server_time,
            modified_at_least: seen_at.max(written_at),
        };
        Ok(match self.enricher.read(request).await? {
            ReadAnswer::Missing => None,
            ReadAnswer::Found {
                record,
                read_at,
                modified_at,
            } => Some(Found {
                echo: wish.explained(change, modified_at, &record),
                state: RecordState::Present,
                read_at: Some(read_at),
                seen: Some(Seen {
                    record: merged(wish.snapshot, &record),
                    modified_at,
                    read_at: Some(read_at),
                }),
                record: Some(record),
            }),
        })
    }
}

impl Wish<'_> {
    /// What explains a change as our own echo, now that its record was read.
    fn explained(
        &self,
        change: &Change,
        modified_at: Option<Timestamp>,
        record: &Record,
    ) -> Option<Explained> {
        let read = self.snapshot.map(|it| (&it.seen.record, record));
        self.suspicion?.explain(change, modified_at?, read)
    }
}

/// How long to wait after the store could not be read or written.
pub(super) const fn wait_for_store(error: &StoreError) -> Duration {
    match error {
        StoreError::Unavailable { retry_after, .. } => *retry_after,
        StoreError::Unusable { .. } => Duration::from_secs(5),
    }
}

fn closed(outcome: ChangeOutcome) -> Read {
    Read::Closed {
        outcome,
        seen: None,
    }
}

/// The callback's values are all there is.
fn from_values(change: &Change) -> Found {
    let Some(values) = &change.values else {
        return Found::nothing(RecordState::NotRead);
    };
    Found {
        record: Some(Record {
            values: values.clone(),
            fields: values.keys().cloned().collect(),
        }),
        ..Found::nothing(RecordState::Present)
    }
}

/// The callback's values, where they cover the fields and are newer than all that was planned for the record.
fn covered(
    change: &Change,
    fields: &Fields,
    full: bool,
    snapshot: Option<&Snapshot>,
) -> Option<Found> {
    let (Fields::Only(fields), Some(values), false) = (fields, &change.values, full) else {
        return None;
    };
    if snapshot.is_some_and(|it| change.server_time <= it.server_time_max) {
        return None;
    }
    let mut values = values.clone();
    if let Some(record) = &change.record {
        values.insert("id".to_owned(), Value::String(record.to_string()));
    }
    let known: HashSet<&str> = values.keys().map(String::as_str).collect();
    if !fields.iter().all(|field| known.contains(field.as_str())) {
        return None;
    }
    let record = Record {
        fields: values.keys().cloned().collect(),
        values,
    };
    Some(Found {
        echo: None,
        state: RecordState::Present,
        read_at: None,
        seen: Some(Seen {
            record: merged(snapshot, &record),
            modified_at: snapshot.and_then(|it| it.seen.modified_at),
            read_at: snapshot.and_then(|it| it.seen.read_at),
        }),
        record: Some(record),
    })
}

/// The newer values over the older ones: a snapshot holds the last that was seen of each field.
fn merged(snapshot: Option<&Snapshot>, newer: &Record) -> Record {
    let Some(snapshot) = snapshot else {
        return newer.clone();
    };
    let mut merged = snapshot.seen.record.clone();
    for field in &newer.fields {
        merged.values.remove(field);
    }
    merged.values.extend(newer.values.clone());
    merged.fields.extend(newer.fields.iter().cloned());
    merged
}
