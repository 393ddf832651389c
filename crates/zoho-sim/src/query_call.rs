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
    Tags,
    Tag(String),
    /// How many records have a tag.
    TagCount(String),
    Tagging(Tagging),
    Coql,
    Search(String),
    /// Module and id.
    Timeline(String, String),
    Lock(RecordLock),
    /// The records in a related list of one.
    Related(Related),
}

/// Tags put on records, or taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tagging {
    pub(crate) module: String,
    /// The record; those named in the body, if none.
    pub(crate) id: Option<String>,
    pub(crate) add: bool,
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
    /// The one record in the list, if the path names it.
    pub(crate) member: Option<String>,
}

impl QueryOperation {
    /// The operation of a path below `/crm/v8`, with the methods it knows.
    pub(crate) fn of(parts: &[&str]) -> Option<(Self, &'static [Method])> {
        const READ: &[Method] = &[Method::GET];
        const ADD: &[Method] = &[Method::POST];
        const END: &[Method] = &[Method::DELETE];
        Some(match *parts {
            ["coql"] => (Self::Coql, ADD),
            [module, "search"] => (Self::Search(module.into()), READ),
            ["settings", "tags"] => (Self::Tags, &[Method::GET, Method::POST, Method::PUT]),
            ["settings", "tags", id] => (Self::Tag(id.into()), &[Method::PUT, Method::DELETE]),
            ["settings", "tags", id, "actions", "records_count"] => {
                (Self::TagCount(id.into()), READ)
            }
            [module, "actions", action @ ("add_tags" | "remove_tags")] => {
                (Self::tagging(module, None, action), ADD)
            }
            [module, id, "actions", action @ ("add_tags" | "remove_tags")] => {
                (Self::tagging(module, Some(id), action), ADD)
            }
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

    fn tagging(module: &str, id: Option<&str>, action: &str) -> Self {
        Self::Tagging(Tagging {
            module: module.to_owned(),
            id: id.map(ToOwned::to_owned),
            add: action == "add_tags",
        })
    }

    /// The module whose records it is about.
    pub(crate) fn module(&self) -> Option<&str> {
        match self {
            Self::Search(module)
            | Self::FullData(module, _)
            | Self::MassDelete(module)
            | Self::Timeline(module, _) => Some(module),
            Self::Tagging(tagging) => Some(&tagging.module),
            Self::Lock(lock) => Some(&lock.module),
            Self::Related(related) => Some(&related.module),
            Self::Coql
            | Self::RecycleBin(_)
            | Self::Views
            | Self::View(_)
            | Self::RelatedLists
            | Self::Tags
            | Self::Tag(_)
            | Self::TagCount(_) => None,
        }
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
            Self::Tags | Self::Tag(_) | Self::TagCount(_) => Kind::Tags,
            Self::Tagging(_) => Kind::TagRecords,
            Self::Timeline(..) => Kind::Timeline,
            Self::Lock(_) => Kind::Lock,
            Self::Related(_) if method == Method::GET => Kind::Related,
            Self::Related(_) => Kind::Relate,
        }
    }
}
