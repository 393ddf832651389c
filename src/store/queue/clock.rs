//! How time passes for a queue, on a wall clock that may jump.

use super::{Queue, State};

/// Backward jumps of the wall clock above this move the due times with it.
const CLOCK_JUMP_US: i64 = 5_000_000;

/// No retry waits longer; a due time beyond was stored by a clock that ran ahead.
pub(super) const WAIT_MAX_US: i64 = 7 * 24 * 3_600 * 1_000_000;

impl<T> Queue<T> {
    /// What is due by now is ready.
    pub(super) fn promote(&mut self, now: i64) {
        let jump = self.now.saturating_sub(now);
        if jump > CLOCK_JUMP_US {
            self.shift(jump);
        }
        self.now = now;
        let latest = now.saturating_add(WAIT_MAX_US);
        while let Some(&(due, _, key)) = self.later.last()
            && due > latest
            && let Some(mut head) = self.remove(key)
        {
            head.state = State::Later {
                due: latest,
                put_back: matches!(head.state, State::Later { put_back: true, .. }),
            };
            self.insert(key, head);
        }
        while let Some(&(due, _, key)) = self.later.first() {
            if due > now {
                break;
            }
            let Some(mut head) = self.remove(key) else {
                break;
            };
            head.state = State::Ready { due };
            self.insert(key, head);
        }
    }

    fn shift(&mut self, jump: i64) {
        for (_, _, key) in std::mem::take(&mut self.later) {
            if let Some(head) = self.heads.get_mut(&key)
                && let State::Later { due, put_back } = head.state
            {
                let due = due.saturating_sub(jump);
                head.state = State::Later { due, put_back };
                self.later.insert((due, head.no, key));
            }
        }
    }
}
