//! Which scopes a call needs.

use http::Method;

use crate::{
    call::{Call, Kind, Operation},
    coql,
    family::Family,
    query_call::QueryOperation,
    world::scopes::Need,
};

/// What all must be granted for a call.
pub(super) fn needs(call: &Call) -> Vec<Need> {
    let by_method = operation(&call.method);
    let of_module = |operation| match module(&call.operation) {
        Some(module) => vec![crm(&["modules", module], operation)],
        None => vec![crm(&["modules"], operation)],
    };
    match call.kind() {
        Kind::Token | Kind::Accounts | Kind::Unknown => vec![],
        Kind::Metadata => vec![crm(&metadata(&call.operation), by_method)],
        Kind::ReadIds
        | Kind::ReadList
        | Kind::ReadOne
        | Kind::ReadDeleted
        | Kind::Count
        | Kind::FullData
        | Kind::Related
        | Kind::Timeline => of_module("READ"),
        Kind::Insert | Kind::Upsert | Kind::Convert => of_module("CREATE"),
        Kind::Update | Kind::TagRecords => of_module("UPDATE"),
        Kind::Delete => of_module("DELETE"),
        Kind::Relate => of_module(by_method),
        Kind::MassDelete => {
            let module = module(&call.operation).unwrap_or_default();
            vec![crm(&["mass_delete", module], "DELETE")]
        }
        Kind::RecycleBin => vec![crm(&["settings", "recycle_bin"], by_method)],
        Kind::Tags => vec![crm(&["settings", "tags"], by_method)],
        Kind::Lock => vec![crm(&["modules", "lockinginformation"], by_method)],
        Kind::Coql => query(call),
        Kind::Search => {
            let mut needs = of_module("READ");
            needs.push(need("ZohoSearch", &["securesearch"], "READ"));
            needs
        }
        Kind::Notes => vec![crm(&["modules", "Notes"], by_method)],
        Kind::Files if call.operation == Operation::Family(Family::Files) => {
            vec![need("ZohoFiles", &["files"], by_method)]
        }
        Kind::Files => vec![crm(&["modules", "Attachments"], by_method)],
        Kind::Mail => vec![crm(&["send_mail", "Leads"], "CREATE")],
        Kind::BulkJob if call.operation == Operation::Family(Family::Upload) => {
            vec![need("ZohoFiles", &["files"], by_method)]
        }
        Kind::BulkRead | Kind::BulkJob => vec![crm(&["bulk"], bulk(&call.operation))],
        Kind::BulkWrite => vec![crm(&["bulk"], "CREATE")],
        Kind::Composite => vec![crm(&["composite_requests"], "CUSTOM")],
        Kind::Automation => vec![crm(&["settings", "automation_actions"], by_method)],
        Kind::Watch => vec![crm(&["notifications"], by_method)],
    }
}

/// The module that a path names.
fn module(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Records(module)
        | Operation::Record(module, _)
        | Operation::Upsert(module)
        | Operation::Deleted(module)
        | Operation::Count(module) => Some(module),
        Operation::Convert(_) => Some("Leads"),
        Operation::Query(operation) => operation.module(),
        Operation::Family(_)
        | Operation::Token
        | Operation::Revoke
        | Operation::Authorize
        | Operation::Users
        | Operation::User(_)
        | Operation::Org
        | Operation::Modules
        | Operation::Module(_)
        | Operation::Fields
        | Operation::Watch
        | Operation::Control(_)
        | Operation::UnknownPath
        | Operation::WrongMethod => None,
    }
}

fn metadata(asked: &Operation) -> Vec<&str> {
    if matches!(asked, Operation::Users | Operation::User(_)) {
        vec!["users"]
    } else if *asked == Operation::Org {
        vec!["org"]
    } else if *asked == Operation::Fields {
        vec!["settings", "fields"]
    } else if let Operation::Query(QueryOperation::MassDelete(module)) = asked {
        vec!["mass_delete", module]
    } else if *asked == Operation::Query(QueryOperation::RelatedLists) {
        vec!["settings", "related_lists"]
    } else if matches!(asked, Operation::Query(_)) {
        vec!["settings", "custom_views"]
    } else {
        vec!["settings", "modules"]
    }
}

/// The module that the query reads, too.
fn query(call: &Call) -> Vec<Need> {
    let mut needs = vec![crm(&["coql"], "READ")];
    let body = call.json();
    let text = body
        .as_ref()
        .and_then(|it| it.get("select_query")?.as_str());
    if let Some(Ok(query)) = text.map(coql::parse)
        && !query.from.bytes().all(|it| it.is_ascii_digit())
    {
        needs.push(crm(&["modules", &query.from], "READ"));
    }
    needs
}

/// What of a job is asked for by the scope that made it.
fn bulk(asked: &Operation) -> &'static str {
    let of_write = matches!(
        asked,
        Operation::Family(Family::BulkWrite(_) | Family::BulkWriteResult(_))
    );
    if of_write { "CREATE" } else { "READ" }
}

fn operation(method: &Method) -> &'static str {
    match *method {
        Method::POST => "CREATE",
        Method::PUT | Method::PATCH => "UPDATE",
        Method::DELETE => "DELETE",
        _ => "READ",
    }
}

fn crm(path: &[&str], operation: &'static str) -> Need {
    need("ZohoCRM", path, operation)
}

fn need(service: &'static str, path: &[&str], operation: &'static str) -> Need {
    Need {
        service,
        path: path.iter().map(|it| (*it).to_owned()).collect(),
        operation,
    }
}
