//! Which operation of the families beside records, users and metadata a path names.

use http::Method;

use crate::call::Kind;

/// A record as a path names it: the module, and the id as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) module: String,
    pub(crate) id: String,
}

/// The operations, one group a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `/{module}/{id}/Notes`.
    Notes(Named),
    /// `/{module}/{id}/Attachments`.
    Attachments(Named),
    /// `/{module}/{id}/Attachments/{id}`.
    Attachment(Named, String),
    /// `/{module}/{id}/photo`.
    Photo(Named),
    /// `/files`.
    Files,
    /// `/{module}/{id}/actions/send_mail`.
    SendMail(Named),
    /// `/settings/emails/actions/from_addresses`.
    FromAddresses,
    /// `/Leads/actions/mass_convert`.
    MassConvert,
    /// `/Leads/{id}/__conversion_options`.
    ConversionOptions(String),
    /// `/settings/automation/webhooks`.
    Webhooks,
    /// `/settings/automation/webhooks/{id}`.
    Webhook(String),
    /// `/settings/automation/webhooks/actions/associated_modules`.
    WebhookModules,
    /// `/settings/automation/webhooks/actions/usage_reports`.
    WebhookUsage,
    /// `/settings/automation/webhook_failures`.
    WebhookFailures,
    /// `/__composite_requests`.
    Composite,
    /// `/crm/v8/upload`.
    Upload,
    /// `/crm/bulk/v8/write`.
    BulkWrites,
    /// `/crm/bulk/v8/write/{id}`.
    BulkWrite(String),
    /// The `download_url` of a bulk write.
    BulkWriteResult(String),
    /// `/crm/bulk/v8/read`.
    BulkReads,
    /// `/crm/bulk/v8/read/{id}`.
    BulkRead(String),
    /// `/crm/bulk/v8/read/{id}/result`.
    BulkReadResult(String),
}

const READ: &[Method] = &[Method::GET];
const ADD: &[Method] = &[Method::POST];
const BOTH: &[Method] = &[Method::GET, Method::POST];
const ALL: &[Method] = &[Method::GET, Method::POST, Method::PUT, Method::DELETE];
const ONE: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];
const READ_OR_DELETE: &[Method] = &[Method::GET, Method::DELETE];
const FILE: &[Method] = &[Method::GET, Method::POST, Method::DELETE];

impl Family {
    /// The operation of a path, given in parts, and the methods it takes.
    pub(crate) fn of(parts: &[&str]) -> Option<(Self, &'static [Method])> {
        match parts {
            ["crm", "v8", rest @ ..] => Self::of_crm(rest),
            ["crm", "bulk", "v8", rest @ ..] => Self::of_bulk(rest),
            ["v2", "crm", _, "bulk-write", id, _] => {
                Some((Self::BulkWriteResult((*id).to_owned()), READ))
            }
            _ => None,
        }
    }

    fn of_bulk(parts: &[&str]) -> Option<(Self, &'static [Method])> {
        Some(match *parts {
            ["write"] => (Self::BulkWrites, ADD),
            ["write", id] => (Self::BulkWrite(id.to_owned()), READ),
            ["read"] => (Self::BulkReads, ADD),
            ["read", id] => (Self::BulkRead(id.to_owned()), READ),
            ["read", id, "result"] => (Self::BulkReadResult(id.to_owned()), READ),
            _ => return None,
        })
    }

    fn of_crm(parts: &[&str]) -> Option<(Self, &'static [Method])> {
        if let ["settings", "automation", rest @ ..] = parts {
            return Self::of_automation(rest);
        }
        Some(match *parts {
            ["__composite_requests"] => (Self::Composite, ADD),
            ["upload"] => (Self::Upload, ADD),
            ["files"] => (Self::Files, BOTH),
            ["settings", "emails", "actions", "from_addresses"] => (Self::FromAddresses, READ),
            ["settings", ..] => return None,
            ["Leads", "actions", "mass_convert"] => (Self::MassConvert, BOTH),
            ["Leads", id, "__conversion_options"] => (Self::ConversionOptions(id.to_owned()), READ),
            [module, id, "actions", "send_mail"] => (Self::SendMail(Named::new(module, id)), ADD),
            [module, id, "Notes"] => (Self::Notes(Named::new(module, id)), BOTH),
            [module, id, "Attachments"] => (Self::Attachments(Named::new(module, id)), BOTH),
            [module, id, "Attachments", attachment] => (
                Self::Attachment(Named::new(module, id), attachment.to_owned()),
                READ_OR_DELETE,
            ),
            [module, id, "photo"] => (Self::Photo(Named::new(module, id)), FILE),
            _ => return None,
        })
    }

    fn of_automation(parts: &[&str]) -> Option<(Self, &'static [Method])> {
        Some(match *parts {
            ["webhooks"] => (Self::Webhooks, ALL),
            ["webhooks", "actions", "associated_modules"] => (Self::WebhookModules, READ),
            ["webhooks", "actions", "usage_reports"] => (Self::WebhookUsage, READ),
            ["webhooks", id] => (Self::Webhook(id.to_owned()), ONE),
            ["webhook_failures"] => (Self::WebhookFailures, READ),
            _ => return None,
        })
    }

    pub(crate) fn kind(&self, method: &Method) -> Kind {
        match self {
            Self::Notes(_) => Kind::Notes,
            Self::Attachments(_) | Self::Attachment(..) | Self::Photo(_) | Self::Files => {
                Kind::Files
            }
            Self::SendMail(_) => Kind::Mail,
            Self::MassConvert if method == Method::POST => Kind::Convert,
            Self::MassConvert | Self::FromAddresses | Self::ConversionOptions(_) => Kind::Metadata,
            Self::Webhooks
            | Self::Webhook(_)
            | Self::WebhookModules
            | Self::WebhookUsage
            | Self::WebhookFailures => Kind::Automation,
            Self::Composite => Kind::Composite,
            Self::BulkReads => Kind::BulkRead,
            Self::BulkWrites => Kind::BulkWrite,
            Self::Upload
            | Self::BulkWrite(_)
            | Self::BulkWriteResult(_)
            | Self::BulkRead(_)
            | Self::BulkReadResult(_) => Kind::BulkJob,
        }
    }
}

impl Named {
    fn new(module: &str, id: &str) -> Self {
        Self {
            module: module.to_owned(),
            id: id.to_owned(),
        }
    }

    /// The id as a number; 0, which no record has, if it is none.
    pub(crate) fn number(&self) -> u64 {
        self.id.parse().unwrap_or_default()
    }
}
