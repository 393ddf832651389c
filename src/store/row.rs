//! What goes into a queue and comes out of it.

use super::queue::Group;
use crate::event::RecordKey;

/// A row as the queue needs it. Times in microseconds since 1970.
#[derive(Debug)]
pub(super) struct Row<T> {
    pub(super) key: RecordKey,
    pub(super) no: i64,
    /// Whose share of memory it takes, the same for all rows of a record; `None` where nothing is shared.
    pub(super) group: Option<Group>,
    /// Rows of one record go out in the order of (rank, no).
    pub(super) rank: i64,
    /// How old it is.
    pub(super) since: i64,
    /// Not before.
    pub(super) due: i64,
    /// What goes out and its size, if it is at hand.
    pub(super) content: Option<(T, usize)>,
}

/// What [`super::queue::Queue::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    /// These are out now.
    Out(Vec<(RecordKey, i64, T)>),
    /// The oldest must be read from the database first: give them to [`super::queue::Queue::fill`].
    Load(Vec<(RecordKey, i64)>),
    /// Nothing is due before that time.
    Nothing(Option<i64>),
}
