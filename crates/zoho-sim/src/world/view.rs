//! Custom views: the ones every module has from the start.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    module::Module,
    people::Who,
    record::{Reading, Record},
};

/// Where the ids of views begin within the org's ids, and how many a module has room for.
const VIEW_IDS: u64 = 50_000;
const VIEWS_EACH: u64 = 10;
/// What is recent.
const RECENT: Duration = Duration::from_hours(10 * 24);

/// A view that every module has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    All,
    /// Those the API client's user owns.
    Mine,
    RecentlyCreated,
    RecentlyModified,
}

impl View {
    pub(crate) const ALL: [Self; 4] = [
        Self::All,
        Self::Mine,
        Self::RecentlyCreated,
        Self::RecentlyModified,
    ];

    pub(crate) fn id(self, org: u64, module: &Module) -> String {
        let place = Self::ALL.iter().position(|it| *it == self);
        let place = u64::try_from(place.unwrap_or_default()).unwrap_or_default();
        (org + VIEW_IDS + module.number(org) * VIEWS_EACH + place).to_string()
    }

    pub(crate) fn of_id(id: &str, org: u64, module: &Module) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.id(org, module) == id)
    }

    pub(crate) fn takes(self, record: &Record, reading: Reading, now: Timestamp) -> bool {
        let recent = |at: Timestamp| now.duration_since(at).unsigned_abs() <= RECENT;
        let version = record.version(reading);
        match self {
            Self::All => true,
            Self::Mine => match version.values.get("Owner") {
                Some(owner) => owner
                    .get("id")
                    .is_some_and(|it| it.as_str() == Some(&Who::Integration.id(reading.org))),
                None => record.created_by == Who::Integration,
            },
            Self::RecentlyCreated => recent(record.created),
            Self::RecentlyModified => recent(version.modified),
        }
    }

    /// As `GET /settings/custom_views` shows it.
    pub(crate) fn to_json(self, org: u64, module: &Module) -> Value {
        let plural = module.name.replace('_', " ");
        let (name, system_name) = match self {
            Self::All => (format!("All {plural}"), "ALLVIEWS"),
            Self::Mine => (format!("My {plural}"), "MYVIEWS"),
            Self::RecentlyCreated => (format!("Recently Created {plural}"), "RECENTLYCREATED"),
            Self::RecentlyModified => (format!("Recently Modified {plural}"), "RECENTLYMODIFIED"),
        };
        json!({
            "id": self.id(org, module),
            "name": name,
            "display_value": name,
            "system_name": system_name,
            "system_defined": true,
            "default": self == Self::All,
            "access_type": "public",
            "category": "public_views",
            "created_time": null,
            "created_by": null,
            "modified_time": null,
            "modified_by": null,
            "last_accessed_time": null,
            "favorite": null,
            "locked": false,
        })
    }
}
