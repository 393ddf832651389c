//! Every operation of the API that this crate makes, as a closed set; and which of them may be sent again.

/// Operations, as a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each is named after its operation, documented at the method of `Client` that makes it"
)]
pub enum Call {
    List,
    One,
    Fields,
    Insert,
    Update,
    Upsert,
    Delete,
    Deleted,
    RecycleBin,
    FullData,
    Count,
    Coql,
    Search,
    Convert,
    ConvertStatus,
    MassConvert,
    SendMail,
    FromAddresses,
    NotesList,
    NotesOne,
    NotesCreate,
    NotesUpdate,
    NotesDelete,
    BulkReadCreate,
    BulkReadStatus,
    BulkReadResult,
    BulkWriteCreate,
    BulkWriteStatus,
    BulkWriteResult,
    Upload,
    WatchEnable,
    WatchList,
    WatchReplace,
    WatchPatch,
    WatchDropEvents,
    WatchDisable,
    WebhooksList,
    WebhooksOne,
    WebhooksCreate,
    WebhooksUpdate,
    WebhooksDelete,
    WebhookModules,
    WebhookUsage,
    WebhookFailures,
    Users,
    Org,
    Modules,
    Module,
    TagsList,
    TagsCreate,
    TagsUpdate,
    TagsDelete,
    TagsAdd,
    TagsRemove,
    TagsCount,
    AttachmentsList,
    AttachmentsUpload,
    AttachmentsDownload,
    AttachmentsDelete,
    PhotoUpload,
    PhotoDownload,
    PhotoDelete,
    FilesUpload,
    FilesDownload,
    Composite,
    Related,
    RelatedUpdate,
    RelatedRemove,
    Timeline,
    Locking,
    Raw,
}

impl Call {
    /// Every operation, for metrics that start at zero.
    pub const ALL: [Self; 71] = [
        Self::List,
        Self::One,
        Self::Fields,
        Self::Insert,
        Self::Update,
        Self::Upsert,
        Self::Delete,
        Self::Deleted,
        Self::RecycleBin,
        Self::FullData,
        Self::Count,
        Self::Coql,
        Self::Search,
        Self::Convert,
        Self::ConvertStatus,
        Self::MassConvert,
        Self::SendMail,
        Self::FromAddresses,
        Self::NotesList,
        Self::NotesOne,
        Self::NotesCreate,
        Self::NotesUpdate,
        Self::NotesDelete,
        Self::BulkReadCreate,
        Self::BulkReadStatus,
        Self::BulkReadResult,
        Self::BulkWriteCreate,
        Self::BulkWriteStatus,
        Self::BulkWriteResult,
        Self::Upload,
        Self::WatchEnable,
        Self::WatchList,
        Self::WatchReplace,
        Self::WatchPatch,
        Self::WatchDropEvents,
        Self::WatchDisable,
        Self::WebhooksList,
        Self::WebhooksOne,
        Self::WebhooksCreate,
        Self::WebhooksUpdate,
        Self::WebhooksDelete,
        Self::WebhookModules,
        Self::WebhookUsage,
        Self::WebhookFailures,
        Self::Users,
        Self::Org,
        Self::Modules,
        Self::Module,
        Self::TagsList,
        Self::TagsCreate,
        Self::TagsUpdate,
        Self::TagsDelete,
        Self::TagsAdd,
        Self::TagsRemove,
        Self::TagsCount,
        Self::AttachmentsList,
        Self::AttachmentsUpload,
        Self::AttachmentsDownload,
        Self::AttachmentsDelete,
        Self::PhotoUpload,
        Self::PhotoDownload,
        Self::PhotoDelete,
        Self::FilesUpload,
        Self::FilesDownload,
        Self::Composite,
        Self::Related,
        Self::RelatedUpdate,
        Self::RelatedRemove,
        Self::Timeline,
        Self::Locking,
        Self::Raw,
    ];

    /// A lower-case word for metrics: `list`, `bulk_read_create`, …
    #[expect(clippy::too_many_lines, reason = "one line an operation")]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::One => "one",
            Self::Fields => "fields",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Deleted => "deleted",
            Self::RecycleBin => "recycle_bin",
            Self::FullData => "full_data",
            Self::Count => "count",
            Self::Coql => "coql",
            Self::Search => "search",
            Self::Convert => "convert",
            Self::ConvertStatus => "convert_status",
            Self::MassConvert => "mass_convert",
            Self::SendMail => "send_mail",
            Self::FromAddresses => "from_addresses",
            Self::NotesList => "notes_list",
            Self::NotesOne => "notes_one",
            Self::NotesCreate => "notes_create",
            Self::NotesUpdate => "notes_update",
            Self::NotesDelete => "notes_delete",
            Self::BulkReadCreate => "bulk_read_create",
            Self::BulkReadStatus => "bulk_read_status",
            Self::BulkReadResult => "bulk_read_result",
            Self::BulkWriteCreate => "bulk_write_create",
            Self::BulkWriteStatus => "bulk_write_status",
            Self::BulkWriteResult => "bulk_write_result",
            Self::Upload => "upload",
            Self::WatchEnable => "watch_enable",
            Self::WatchList => "watch_list",
            Self::WatchReplace => "watch_replace",
            Self::WatchPatch => "watch_patch",
            Self::WatchDropEvents => "watch_drop_events",
            Self::WatchDisable => "watch_disable",
            Self::WebhooksList => "webhooks_list",
            Self::WebhooksOne => "webhooks_one",
            Self::WebhooksCreate => "webhooks_create",
            Self::WebhooksUpdate => "webhooks_update",
            Self::WebhooksDelete => "webhooks_delete",
            Self::WebhookModules => "webhook_modules",
            Self::WebhookUsage => "webhook_usage",
            Self::WebhookFailures => "webhook_failures",
            Self::Users => "users",
            Self::Org => "org",
            Self::Modules => "modules",
            Self::Module => "module",
            Self::TagsList => "tags_list",
            Self::TagsCreate => "tags_create",
            Self::TagsUpdate => "tags_update",
            Self::TagsDelete => "tags_delete",
            Self::TagsAdd => "tags_add",
            Self::TagsRemove => "tags_remove",
            Self::TagsCount => "tags_count",
            Self::AttachmentsList => "attachments_list",
            Self::AttachmentsUpload => "attachments_upload",
            Self::AttachmentsDownload => "attachments_download",
            Self::AttachmentsDelete => "attachments_delete",
            Self::PhotoUpload => "photo_upload",
            Self::PhotoDownload => "photo_download",
            Self::PhotoDelete => "photo_delete",
            Self::FilesUpload => "files_upload",
            Self::FilesDownload => "files_download",
            Self::Composite => "composite",
            Self::Related => "related",
            Self::RelatedUpdate => "related_update",
            Self::RelatedRemove => "related_remove",
            Self::Timeline => "timeline",
            Self::Locking => "locking",
            Self::Raw => "raw",
        }
    }

    /// Whether doing it twice is the same as doing it once, so that it may be sent again although nobody knows
    /// whether the first was carried out. Reads may always. To enable a channel again renews it.
    #[expect(clippy::too_many_lines, reason = "one line an operation")]
    pub const fn is_repeatable(self) -> bool {
        match self {
            Self::Insert
            | Self::Convert
            | Self::MassConvert
            | Self::SendMail
            | Self::NotesCreate
            | Self::BulkReadCreate
            | Self::BulkWriteCreate
            | Self::Upload
            | Self::WebhooksCreate
            | Self::TagsCreate
            | Self::AttachmentsUpload
            | Self::PhotoUpload
            | Self::FilesUpload
            | Self::Composite
            | Self::Raw => false,
            Self::List
            | Self::One
            | Self::Fields
            | Self::Update
            | Self::Upsert
            | Self::Delete
            | Self::Deleted
            | Self::RecycleBin
            | Self::FullData
            | Self::Count
            | Self::Coql
            | Self::Search
            | Self::ConvertStatus
            | Self::FromAddresses
            | Self::NotesList
            | Self::NotesOne
            | Self::NotesUpdate
            | Self::NotesDelete
            | Self::BulkReadStatus
            | Self::BulkReadResult
            | Self::BulkWriteStatus
            | Self::BulkWriteResult
            | Self::WatchEnable
            | Self::WatchList
            | Self::WatchReplace
            | Self::WatchPatch
            | Self::WatchDropEvents
            | Self::WatchDisable
            | Self::WebhooksList
            | Self::WebhooksOne
            | Self::WebhooksUpdate
            | Self::WebhooksDelete
            | Self::WebhookModules
            | Self::WebhookUsage
            | Self::WebhookFailures
            | Self::Users
            | Self::Org
            | Self::Modules
            | Self::Module
            | Self::TagsList
            | Self::TagsUpdate
            | Self::TagsDelete
            | Self::TagsAdd
            | Self::TagsRemove
            | Self::TagsCount
            | Self::AttachmentsList
            | Self::AttachmentsDownload
            | Self::AttachmentsDelete
            | Self::PhotoDownload
            | Self::PhotoDelete
            | Self::FilesDownload
            | Self::Related
            | Self::RelatedUpdate
            | Self::RelatedRemove
            | Self::Timeline
            | Self::Locking => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Call::ALL.into_iter().map(Call::as_str).collect();
        assert_eq!(names.len(), Call::ALL.len());
        assert!(
            names
                .iter()
                .all(|it| it.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        );
    }

    #[test]
    fn what_makes_something_new_each_time_is_not_repeated() {
        for call in [Call::Insert, Call::SendMail, Call::Convert, Call::Composite] {
            assert!(!call.is_repeatable(), "{}", call.as_str());
        }
        for call in [Call::List, Call::Upsert, Call::TagsAdd, Call::WatchEnable] {
            assert!(call.is_repeatable(), "{}", call.as_str());
        }
    }
}
