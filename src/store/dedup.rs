//! Which hashes were seen lately: 64-bit prefixes in memory, so that no index of random keys slows every accept.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Prefixes held at most; beyond, the oldest generation goes and the window shrinks.
pub(super) const PREFIXES_MAX: usize = 1_000_000;
/// Prefixes of one generation at most.
const GENERATION_MAX: usize = 65_536;
/// And so long.
const GENERATION_US: i64 = 3_600 * 1_000_000;
/// The longest window that may be asked for.
pub(super) const WINDOW_MAX: Duration = Duration::from_hours(24);
const WINDOW_MAX_US: i64 = 24 * 3_600 * 1_000_000;

#[derive(Debug)]
struct Generation {
    began_at: i64,
    prefixes: HashMap<u64, i64>,
}

/// Generations of prefixes, newest first.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    generations: VecDeque<Generation>,
    held: usize,
    /// Something younger than the longest window was dropped.
    shrunk: bool,
}

impl Dedup {
    /// Notifications whose hash may be this one, newest first; each must be confirmed on its row.
    pub(super) fn candidates(&self, hash: &[u8; 32]) -> impl Iterator<Item = i64> + '_ {
        let prefix = prefix(hash);
        self.generations
            .iter()
            .filter_map(move |it| it.prefixes.get(&prefix).copied())
    }

    /// Remembers a hash; `at` in microseconds, roughly rising.
    pub(super) fn insert(&mut self, hash: &[u8; 32], notification_no: i64, at: i64) {
        let full = self.generations.front().is_none_or(|it| {
            it.prefixes.len() >= GENERATION_MAX || at.saturating_sub(it.began_at) >= GENERATION_US
        });
        if full {
            self.generations.push_front(Generation {
                began_at: at,
                prefixes: HashMap::new(),
            });
            self.expire(at);
        }
        if let Some(generation) = self.generations.front_mut()
            && generation
                .prefixes
                .insert(prefix(hash), notification_no)
                .is_none()
        {
            self.held += 1;
        }
    }

    /// How far back a repeat is recognised.
    pub(super) fn window(&self, now: i64) -> Duration {
        match self.generations.back() {
            Some(oldest) if self.shrunk => {
                let us = now.saturating_sub(oldest.began_at).clamp(0, WINDOW_MAX_US);
                Duration::from_micros(us.unsigned_abs())
            }
            Some(_) | None => WINDOW_MAX,
        }
    }

    /// A generation can go once the next one began a window ago, and must go when memory's bound is reached.
    fn expire(&mut self, now: i64) {
        let horizon = now.saturating_sub(WINDOW_MAX_US + GENERATION_US);
        while let Some(oldest) = self.generations.back() {
            let old = oldest.began_at < horizon;
            if !old && self.held + GENERATION_MAX <= PREFIXES_MAX {
                break;
            }
            self.shrunk = !old;
            self.held -= oldest.prefixes.len();
            self.generations.pop_back();
        }
    }
}

fn prefix(hash: &[u8; 32]) -> u64 {
    hash.first_chunk::<8>()
        .map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&n.to_be_bytes());
        hash
    }

    #[test]
    fn memory_is_bounded_and_the_window_shrinks() {
        let mut dedup = Dedup::default();
        let count = 1_200_000_u64;
        for n in 0..count {
            dedup.insert(&hash(n), 1, i64::try_from(n).unwrap());
        }
        assert!(dedup.held <= PREFIXES_MAX);
        assert!(dedup.window(i64::try_from(count).unwrap()) < Duration::from_secs(2));
        assert_eq!(dedup.candidates(&hash(0)).count(), 0);
        assert_eq!(dedup.candidates(&hash(count - 1)).count(), 1);
    }

    #[test]
    fn a_day_of_few_hashes_is_held_whole() {
        let mut dedup = Dedup::default();
        for n in 0..24 {
            dedup.insert(&hash(n), 1, i64::try_from(n).unwrap() * GENERATION_US);
        }
        assert_eq!(dedup.candidates(&hash(0)).count(), 1);
        assert_eq!(dedup.window(24 * GENERATION_US), WINDOW_MAX);
        dedup.insert(&hash(30), 1, 30 * GENERATION_US);
        assert_eq!(dedup.candidates(&hash(0)).count(), 0);
        assert_eq!(dedup.window(30 * GENERATION_US), WINDOW_MAX);
    }
}
