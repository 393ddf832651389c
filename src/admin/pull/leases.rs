//! Who has which event, and until when. In memory: after a restart every event is due again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::event::{Delivery, DestinationName};

/// Events leased at once, over all consumers of a destination.
const LEASED_MAX: usize = 10_000;

/// All leases, by destination and event id.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<DestinationName, HashMap<String, Lease>>>);

/// An event that a consumer has.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) delivery: Delivery,
    pub(super) consumer: String,
    /// On the monotonic clock.
    pub(super) until: Duration,
}

impl Lease {
    /// What the consumer calls it.
    pub(super) fn id(&self) -> &str {
        &self.delivery.planned.message.attributes.id
    }
}

impl Leases {
    /// How many more there may be.
    pub(super) fn room(&self, destination: &DestinationName) -> usize {
        LEASED_MAX.saturating_sub(self.lock().get(destination).map_or(0, HashMap::len))
    }

    pub(super) fn put(&self, destination: &DestinationName, leases: Vec<Lease>) {
        let leases = leases.into_iter().map(|it| (it.id().to_owned(), it));
        self.lock()
            .entry(destination.clone())
            .or_default()
            .extend(leases);
    }

    /// Takes out those that this consumer has; the ids it does not have (any more) come second.
    pub(super) fn take(
        &self,
        destination: &DestinationName,
        consumer: &str,
        ids: Vec<String>,
    ) -> (Vec<Lease>, Vec<String>) {
        let mut found = vec![];
        let mut unknown = vec![];
        let mut all = self.lock();
        let leases = all.entry(destination.clone()).or_default();
        for id in ids {
            let held = leases.get(&id).is_some_and(|it| it.consumer == consumer);
            match held.then(|| leases.remove(&id)).flatten() {
                Some(lease) => found.push(lease),
                None => unknown.push(id),
            }
        }
        (found, unknown)
    }

    /// Takes out those that end at `now` or earlier.
    pub(super) fn ended(&self, now: Duration) -> Vec<(DestinationName, Vec<Lease>)> {
        self.lock()
            .iter_mut()
            .map(|(destination, leases)| {
                let ended = leases.extract_if(|_, lease| lease.until <= now);
                (destination.clone(), ended.map(|(_, lease)| lease).collect())
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DestinationName, HashMap<String, Lease>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::sample;

    fn lease(record: &str, consumer: &str, until_seconds: u64) -> Lease {
        Lease {
            delivery: sample::delivery(record),
            consumer: consumer.to_owned(),
            until: Duration::from_secs(until_seconds),
        }
    }

    fn ids(leases: &[Lease]) -> Vec<&str> {
        leases.iter().map(Lease::id).collect()
    }

    #[test]
    fn only_the_consumer_that_has_an_event_can_answer_for_it() {
        let destination = DestinationName::new("audit");
        let leases = Leases::default();
        leases.put(
            &destination,
            vec![lease("1", "bi", 60), lease("2", "etl", 60)],
        );
        assert_eq!(leases.room(&destination), LEASED_MAX - 2);
        let all = || vec!["1".to_owned(), "2".to_owned(), "3".to_owned()];
        let (found, unknown) = leases.take(&destination, "bi", all());
        assert_eq!(
            (ids(&found), unknown),
            (vec!["1"], vec!["2".to_owned(), "3".to_owned()])
        );
        let (found, unknown) = leases.take(&destination, "etl", all());
        assert_eq!(
            (ids(&found), unknown),
            (vec!["2"], vec!["1".to_owned(), "3".to_owned()])
        );
        assert_eq!(leases.room(&destination), LEASED_MAX);
    }

    #[test]
    fn leases_end_when_their_time_has_come() {
        let destination = DestinationName::new("audit");
        let leases = Leases::default();
        leases.put(
            &destination,
            vec![lease("1", "bi", 60), lease("2", "bi", 61)],
        );
        let ended = |seconds| {
            let mut ended = leases.ended(Duration::from_secs(seconds));
            assert_eq!(ended.len(), 1);
            let (name, leases) = ended.remove(0);
            assert_eq!(name, destination);
            leases
        };
        assert!(ended(59).is_empty());
        assert_eq!(ids(&ended(60)), ["1"]);
        assert_eq!(ids(&ended(100)), ["2"]);
        assert!(ended(100).is_empty());
    }
}
