//! Whose fault a returned message is: its own routing key's, or a binding that is gone.

use std::collections::{HashMap, HashSet};

use crate::event::RecordKey;

/// So many different records returned in a row for one key, and it is not the message.
const RECORDS_MAX: usize = 5;

/// Keys watched at once; beyond, all is forgotten and counted anew.
const KEYS_MAX: usize = 1_000;

/// The records returned in a row, by routing key. There is one exchange to a destination.
#[derive(Debug, Default)]
pub(super) struct Streaks {
    by_key: HashMap<String, HashSet<RecordKey>>,
}

impl Streaks {
    /// A queue took a message with that key.
    pub(super) fn routed(&mut self, routing_key: &str) {
        self.by_key.remove(routing_key);
    }

    /// No queue took it. True when the destination is to blame.
    pub(super) fn returned(&mut self, routing_key: &str, record: RecordKey) -> bool {
        if let Some(records) = self.by_key.get_mut(routing_key) {
            if records.len() < RECORDS_MAX {
                records.insert(record);
            }
            return records.len() >= RECORDS_MAX;
        }
        if self.by_key.len() >= KEYS_MAX {
            self.by_key.clear();
        }
        self.by_key
            .insert(routing_key.to_owned(), HashSet::from([record]));
        RECORDS_MAX <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: i64) -> RecordKey {
        RecordKey::from_i64(number)
    }

    #[test]
    fn five_different_records_in_a_row_blame_the_destination() {
        let mut streaks = Streaks::default();
        for number in 1..=4 {
            assert!(!streaks.returned("k", record(number)));
        }
        assert!(streaks.returned("k", record(5)));
        assert!(streaks.returned("k", record(1)), "and so it stays");
        assert!(!streaks.returned("other", record(6)), "for that key only");
        streaks.routed("k");
        assert!(!streaks.returned("k", record(7)), "until a queue takes one");
    }

    #[test]
    fn one_poison_message_never_does() {
        let mut streaks = Streaks::default();
        assert!((0..100).all(|_| !streaks.returned("k", record(1))));
    }

    #[test]
    fn memory_is_bounded() {
        let mut streaks = Streaks::default();
        for number in 0..10_000 {
            streaks.returned(&number.to_string(), record(number));
        }
        assert!(streaks.by_key.len() <= KEYS_MAX);
    }
}
