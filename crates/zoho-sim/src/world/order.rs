//! In which order lists give records, and places in such an order.

use jiff::Timestamp;

use super::record::Record;

/// What a list can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortBy {
    Id,
    CreatedTime,
    ModifiedTime,
}

/// An order of records: ties go by id, in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) by: SortBy,
    pub(crate) ascending: bool,
}

/// Where a record stands in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The time sorted by; the same for all if sorted by id.
    pub(crate) at: Timestamp,
    pub(crate) id: u64,
}

impl SortBy {
    pub(crate) const ALL: [Self; 3] = [Self::Id, Self::CreatedTime, Self::ModifiedTime];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::CreatedTime => "Created_Time",
            Self::ModifiedTime => "Modified_Time",
        }
    }

    pub(crate) fn position(self, record: &Record) -> Position {
        let at = match self {
            Self::Id => Timestamp::UNIX_EPOCH,
            Self::CreatedTime => record.created,
            Self::ModifiedTime => record.current.modified,
        };
        Position { at, id: record.id }
    }
}

impl Order {
    pub(crate) fn reversed(self) -> Self {
        Self {
            ascending: !self.ascending,
            ..self
        }
    }
}
