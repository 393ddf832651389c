//! Why the simulator would not do what the program holding it asked for.

/// A request of the program holding the simulator that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The JSON is not of the documented shape.
    #[error("not the JSON that was expected")]
    Unreadable,
    /// A fault is not of the documented shape.
    #[error("not a fault: {0}")]
    Fault(#[source] serde_json::Error),
    /// The script of faults is full.
    #[error("too many faults at once")]
    TooManyFaults,
    /// More records at once than are made.
    #[error("more than {0} records at once")]
    TooManyRecords(usize),
    /// A module has as many tags as it can.
    #[error("too many tags")]
    TooManyTags,
    /// There is no such module.
    #[error("no such module: {0}")]
    UnknownModule(String),
    /// There is no such record.
    #[error("no such record: {0}")]
    UnknownRecord(String),
}
