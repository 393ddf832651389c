//! What planning goes by.

use std::collections::HashMap;

use crate::{
    event::{Change, Fetch, Operation, SourceName},
    route::{Listen, RouteTable, Wants},
};

/// What a reload replaces.
#[derive(Debug, Default)]
pub struct Rules {
    /// Compiled routes.
    pub routes: RouteTable,
    /// Of each source, whether its records are read.
    pub fetch: HashMap<SourceName, Fetch>,
}

impl Rules {
    pub(super) fn fetch(&self, source: &SourceName) -> Fetch {
        self.fetch.get(source).copied().unwrap_or_default()
    }

    /// Whether a change's record is asked for, if not for an echo.
    pub(super) fn reads(&self, change: &Change, wants: &Wants) -> bool {
        change.operation != Operation::Delete
            && wants.listen != Listen::NoRecord
            && self.fetch(&change.source) != Fetch::Never
    }
}
