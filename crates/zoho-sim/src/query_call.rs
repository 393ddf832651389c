//! Which operation a path asks for, among those that ask about records and sort them.

use http::Method;

use crate::call::Kind;

/// An operation on records beyond reading and writing them one way or the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueryOperation {
    /// Of one record, or of those in `ids=`.
    FullData(String, Option<String>),
    /// One record, or those in `ids=`.
    RecycleBin(Option<String>),
    MassDelete(String),
    Views,
    View(String),
    RelatedLists,
    Coql,
    Search(String),
    /// Module and id.
    Timeline(String, String),
    Lock(RecordLock),
    /// The records that look one record up.
    Related(Related),
}

/// The locks of a record, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordLock {
    pub(crate) module: String,
    pub(crate) id: String,
    pub(crate) lock: Option<String>,
}

/// A related list of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    pub(crate) module: String,
    pub(crate) id: String,
    pub(crate) list: String,
}

impl QueryOperation {
    /// The operation of a path below `/crm/v8`, with the methods it knows.
    pub(crate) fn of(parts: &[&str]) -> Option<(Self, &'static [Method])> {
        const READ: &[Method] = &[Method::GET];
        const END: &[Method] = &[Method::DELETE];
        Some(match *parts {
            ["coql"] => (Self::Coql, &[Method::POST]),
            [module, "search"] => (Self::Search(module.into()), READ),
            ["settings", "custom_views"] => (Self::Views, READ),
            ["settings", "custom_views", id] => (Self::View(id.into()), READ),
            ["settings", "related_lists"] => (Self::RelatedLists, READ),
            ["settings", "recycle_bin"] => (Self::RecycleBin(None), END),
            ["settings", "recycle_bin", id] => (Self::RecycleBin(Some(id.into())), END),
            [module, id, "__timeline"] => (Self::Timeline(module.into(), id.into()), READ),
            [module, id, "Locking_Information__s"] => (
                Self::Lock(RecordLock {
                    module: module.into(),
                    id: id.into(),
                    lock: None,
                }),
                &[Method::GET, Method::POST],
            ),
            [module, id, "Locking_Information__s", lock] => (
                Self::Lock(RecordLock {
                    module: module.into(),
                    id: id.into(),
                    lock: Some(lock.into()),
                }),
                &[Method::GET, Method::PUT, Method::DELETE],
            ),
            [module, "actions", "fetch_full_data"] => (Self::FullData(module.into(), None), READ),
            [module, id, "actions", "fetch_full_data"] => {
                (Self::FullData(module.into(), Some(id.into())), READ)
            }
            [module, "actions", "mass_delete"] => (
                Self::MassDelete(module.into()),
                &[Method::GET, Method::POST],
            ),
            _ => return None,
        })
    }

    pub(crate) fn kind(&self, method: &Method) -> Kind {
        match self {
            Self::Coql => Kind::Coql,
            Self::Search(_) => Kind::Search,
            Self::FullData(..) => Kind::FullData,
            Self::RecycleBin(_) => Kind::RecycleBin,
            Self::MassDelete(_) if method == Method::POST => Kind::MassDelete,
            Self::MassDelete(_) | Self::Views | Self::View(_) | Self::RelatedLists => {
                Kind::Metadata
            }
            Self::Timeline(..) => Kind::Timeline,
            Self::Lock(_) => Kind::Lock,
            Self::Related(_) => Kind::Related,
        }
    }
}
