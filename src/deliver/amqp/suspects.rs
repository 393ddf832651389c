//! Records whose message closed its channel alone: the message's fault once others pass, else the destination's.

use std::collections::HashMap;

use crate::event::RecordKey;

/// Records watched at once; beyond, all are forgotten and found anew.
const RECORDS_MAX: usize = 1_000;

/// Of one destination.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Messages that the broker took, or gave back, without closing their channel.
    passed: u64,
    /// How many had passed before the record's message closed its channel.
    closed: HashMap<RecordKey, u64>,
}

impl Suspects {
    /// Such a message is sent alone.
    pub(super) fn contains(&self, record: RecordKey) -> bool {
        self.closed.contains_key(&record)
    }

    /// Its message was taken or given back.
    pub(super) fn passed(&mut self, record: RecordKey) {
        self.passed += 1;
        self.closed.remove(&record);
    }

    /// How many have passed so far.
    pub(super) const fn count(&self) -> u64 {
        self.passed
    }

    /// Its message closed its channel, and no other was on it. `passed` is the count when it was first tried.
    pub(super) fn closed(&mut self, record: RecordKey, passed: u64) {
        if self.closed.len() >= RECORDS_MAX && !self.closed.contains_key(&record) {
            self.closed.clear();
        }
        self.closed.entry(record).or_insert(passed);
    }

    /// Whether others have passed since; asked once for each time that it closed one.
    pub(super) fn is_at_fault(&mut self, record: RecordKey) -> bool {
        let passed = self.passed;
        self.closed
            .get_mut(&record)
            .is_some_and(|before| std::mem::replace(before, passed) < passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: i64) -> RecordKey {
        RecordKey::from_i64(number)
    }

    #[test]
    fn it_is_at_fault_once_others_pass() {
        let mut suspects = Suspects::default();
        suspects.passed(record(2));
        suspects.closed(record(1), suspects.count());
        assert!(suspects.contains(record(1)));
        assert!(
            !suspects.is_at_fault(record(1)),
            "perhaps none can pass now"
        );
        suspects.closed(record(1), suspects.count());
        suspects.passed(record(2));
        assert!(suspects.is_at_fault(record(1)));
        suspects.closed(record(1), suspects.count());
        assert!(!suspects.is_at_fault(record(1)), "and each time anew");
        suspects.passed(record(1));
        assert!(!suspects.contains(record(1)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut suspects = Suspects::default();
        for number in 0..10_000 {
            suspects.closed(record(number), 0);
        }
        assert!(suspects.closed.len() <= RECORDS_MAX);
    }
}
