//! A request as read from the wire, and which of Zoho's operations it is.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Serialize;
use serde_json::Value;

use crate::family::Family;
use crate::query_call::{QueryOperation, Related};

/// What kind of call was made, for counting and for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `POST /oauth/v2/token`.
    Token,
    /// Any other call to the accounts server.
    Accounts,
    /// Users, org, modules, fields.
    Metadata,
    /// `GET /{module}?ids=`.
    ReadIds,
    /// `GET /{module}` without ids.
    ReadList,
    /// `GET /{module}/{id}`.
    ReadOne,
    /// `GET /{module}/deleted`.
    ReadDeleted,
    /// `GET /{module}/actions/count`.
    Count,
    /// `POST /coql`.
    Coql,
    /// `GET /{module}/search`.
    Search,
    /// Long texts in full.
    FullData,
    /// A related list of a record.
    Related,
    /// Relations made, changed or taken away in a related list.
    Relate,
    /// Anything on `/settings/tags`.
    Tags,
    /// Tags put on records, or taken off.
    TagRecords,
    /// `GET /{module}/{id}/__timeline`.
    Timeline,
    /// Anything on `/{module}/{id}/Locking_Information__s`.
    Lock,
    /// `POST /{module}`.
    Insert,
    /// `PUT /{module}` and `PUT /{module}/{id}`.
    Update,
    /// `POST /{module}/upsert`.
    Upsert,
    /// `DELETE /{module}` and `DELETE /{module}/{id}`.
    Delete,
    /// `POST /{module}/actions/mass_delete`.
    MassDelete,
    /// `DELETE /settings/recycle_bin` and `DELETE /settings/recycle_bin/{id}`.
    RecycleBin,
    /// `POST /Leads/{id}/actions/convert`.
    Convert,
    /// Notes of a record.
    Notes,
    /// Attachments, photos, uploaded files.
    Files,
    /// `POST /{module}/{id}/actions/send_mail`.
    Mail,
    /// `POST /crm/bulk/v8/read`.
    BulkRead,
    /// `POST /crm/bulk/v8/write`.
    BulkWrite,
    /// The state and the result of a bulk job, and the upload for one.
    BulkJob,
    /// `POST /__composite_requests`.
    Composite,
    /// Workflow webhooks and their failures.
    Automation,
    /// Anything on `/actions/watch`.
    Watch,
    /// A path or method the simulator does not know.
    Unknown,
}

/// The operation a call asks for, with what its path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Token,
    Revoke,
    Authorize,
    Users,
    User(String),
    Org,
    Modules,
    Module(String),
    Fields,
    Watch,
    Records(String),
    Record(String, String),
    Upsert(String),
    Deleted(String),
    Count(String),
    Convert(String),
    /// One of the families beside records, users and metadata.
    Family(Family),
    Query(QueryOperation),
    Control(Vec<String>),
    UnknownPath,
    WrongMethod,
}

/// A request, whole.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) operation: Operation,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The ids of `ids=a,b,c`, if the parameter is there.
    pub(crate) fn ids(&self) -> Option<Vec<&str>> {
        let list = self.parameter("ids")?;
        Some(
            list.split(',')
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .collect(),
        )
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, whatever the content type says: the official SDKs send none.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.operation {
            Operation::Token => Kind::Token,
            Operation::Revoke | Operation::Authorize => Kind::Accounts,
            Operation::Users
            | Operation::User(_)
            | Operation::Org
            | Operation::Modules
            | Operation::Module(_)
            | Operation::Fields => Kind::Metadata,
            Operation::Watch => Kind::Watch,
            Operation::Records(_) => match self.method {
                Method::POST => Kind::Insert,
                Method::PUT => Kind::Update,
                Method::DELETE => Kind::Delete,
                _ if self.parameter("ids").is_some() => Kind::ReadIds,
                _ => Kind::ReadList,
            },
            Operation::Record(..) => match self.method {
                Method::PUT => Kind::Update,
                Method::DELETE => Kind::Delete,
                _ => Kind::ReadOne,
            },
            Operation::Upsert(_) => Kind::Upsert,
            Operation::Deleted(_) => Kind::ReadDeleted,
            Operation::Count(_) => Kind::Count,
            Operation::Convert(_) => Kind::Convert,
            Operation::Family(family) => family.kind(&self.method),
            Operation::Query(operation) => operation.kind(&self.method),
            Operation::Control(_) | Operation::UnknownPath | Operation::WrongMethod => {
                Kind::Unknown
            }
        }
    }

    /// Records in the body's `data`.
    pub(crate) fn records_sent(&self) -> usize {
        self.json()
            .and_then(|body| body.get("data")?.as_array().map(Vec::len))
            .unwrap_or_default()
    }
}

impl Operation {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        if let Some((family, methods)) = Family::of(&parts) {
            return if methods.contains(method) {
                Self::Family(family)
            } else {
                Self::WrongMethod
            };
        }
        let (operation, methods): (Self, &[Method]) = match parts.as_slice() {
            ["sim", rest @ ..] => {
                return Self::Control(rest.iter().map(ToString::to_string).collect());
            }
            ["oauth", "v2", "token"] => (Self::Token, &[Method::POST]),
            ["oauth", "v2", "token", "revoke"] => (Self::Revoke, &[Method::POST]),
            ["oauth", "v2", "auth"] => (Self::Authorize, &[Method::GET]),
            ["crm", "v8", rest @ ..] => Self::of_crm(rest),
            _ => (Self::UnknownPath, &[]),
        };
        if operation == Self::UnknownPath || methods.contains(method) {
            operation
        } else {
            Self::WrongMethod
        }
    }

    fn of_crm(parts: &[&str]) -> (Self, &'static [Method]) {
        const READ: &[Method] = &[Method::GET];
        const ADD: &[Method] = &[Method::POST];
        if let Some((operation, methods)) = QueryOperation::of(parts) {
            return (Self::Query(operation), methods);
        }
        match *parts {
            ["users"] => (Self::Users, READ),
            ["users", id] => (Self::User(id.into()), READ),
            ["org"] => (Self::Org, READ),
            ["settings", "modules"] => (Self::Modules, READ),
            ["settings", "modules", module] => (Self::Module(module.into()), READ),
            ["settings", "fields"] => (Self::Fields, READ),
            ["settings", ..] | [] => (Self::UnknownPath, &[]),
            ["actions", "watch"] => (
                Self::Watch,
                &[
                    Method::GET,
                    Method::POST,
                    Method::PUT,
                    Method::PATCH,
                    Method::DELETE,
                ],
            ),
            [module] => (
                Self::Records(module.into()),
                &[Method::GET, Method::POST, Method::PUT, Method::DELETE],
            ),
            [module, "upsert"] => (Self::Upsert(module.into()), ADD),
            [module, "deleted"] => (Self::Deleted(module.into()), READ),
            [module, "actions", "count"] => (Self::Count(module.into()), READ),
            ["Leads", id, "actions", "convert"] => (Self::Convert(id.into()), ADD),
            [module, id] => (
                Self::Record(module.into(), id.into()),
                &[Method::GET, Method::PUT, Method::DELETE],
            ),
            [module, id, list] if id.bytes().all(|it| it.is_ascii_digit()) => {
                let related = Related {
                    module: module.into(),
                    id: id.into(),
                    list: list.into(),
                    member: None,
                };
                (
                    Self::Query(QueryOperation::Related(related)),
                    &[Method::GET, Method::PUT, Method::DELETE],
                )
            }
            [module, id, list, member]
                if [id, member]
                    .iter()
                    .all(|it| it.bytes().all(|it| it.is_ascii_digit())) =>
            {
                let related = Related {
                    module: module.into(),
                    id: id.into(),
                    list: list.into(),
                    member: Some(member.into()),
                };
                (
                    Self::Query(QueryOperation::Related(related)),
                    &[Method::PUT, Method::DELETE],
                )
            }
            _ => (Self::UnknownPath, &[]),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods_name_their_operation() {
        let module = || "Leads".to_owned();
        for (method, path, expected) in [
            (Method::POST, "/oauth/v2/token", Operation::Token),
            (Method::GET, "/oauth/v2/token", Operation::WrongMethod),
            (Method::GET, "/crm/v8/Leads", Operation::Records(module())),
            (Method::PATCH, "/crm/v8/Leads", Operation::WrongMethod),
            (
                Method::GET,
                "/crm/v8/Leads/deleted",
                Operation::Deleted(module()),
            ),
            (
                Method::GET,
                "/crm/v8/Leads/17",
                Operation::Record(module(), "17".into()),
            ),
            (Method::POST, "/crm/v8/actions/watch", Operation::Watch),
            (Method::GET, "/crm/v7/Leads", Operation::UnknownPath),
            (Method::GET, "/", Operation::UnknownPath),
        ] {
            assert_eq!(Operation::of(&method, path), expected, "{method} {path}");
        }
    }
}
