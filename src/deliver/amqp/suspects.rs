//! Messages that closed their channel alone: their own fault once others have passed, else the destination's.

use std::collections::HashMap;

use crate::event::DeliveryNo;

/// Deliveries watched at once; beyond, all are forgotten and found anew.
const WATCHED_MAX: usize = 1_000;

/// Of one destination.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Messages that the broker took, or gave back, without closing their channel.
    passed: u64,
    /// How many had passed before the message first closed its channel.
    closed: HashMap<DeliveryNo, u64>,
}

impl Suspects {
    /// Such a message is sent alone.
    pub(super) fn contains(&self, delivery: DeliveryNo) -> bool {
        self.closed.contains_key(&delivery)
    }

    /// It was taken or given back.
    pub(super) fn passed(&mut self, delivery: DeliveryNo) {
        self.passed += 1;
        self.closed.remove(&delivery);
    }

    /// How many have passed so far.
    pub(super) const fn count(&self) -> u64 {
        self.passed
    }

    /// It closed its channel, and no other was on it. `passed` is the count when it was first tried.
    pub(super) fn closed(&mut self, delivery: DeliveryNo, passed: u64) {
        if self.closed.len() >= WATCHED_MAX && !self.closed.contains_key(&delivery) {
            self.closed.clear();
        }
        self.closed.entry(delivery).or_insert(passed);
    }

    /// Whether others have passed since it first closed one. From then on it is, though no other comes any more.
    pub(super) fn is_at_fault(&self, delivery: DeliveryNo) -> bool {
        let before = self.closed.get(&delivery);
        before.is_some_and(|before| *before < self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_at_fault_once_others_pass() {
        let (poison, other) = (DeliveryNo(1), DeliveryNo(2));
        let mut suspects = Suspects::default();
        suspects.passed(other);
        suspects.closed(poison, suspects.count());
        assert!(suspects.contains(poison));
        assert!(!suspects.is_at_fault(poison), "perhaps none can pass now");
        suspects.closed(poison, suspects.count());
        suspects.passed(other);
        assert!(suspects.is_at_fault(poison));
        suspects.closed(poison, suspects.count());
        assert!(suspects.is_at_fault(poison), "for good");
        suspects.passed(poison);
        assert!(!suspects.contains(poison));
    }

    #[test]
    fn memory_is_bounded() {
        let mut suspects = Suspects::default();
        for number in 0..10_000 {
            suspects.closed(DeliveryNo(number), 0);
        }
        assert!(suspects.closed.len() <= WATCHED_MAX);
    }
}
