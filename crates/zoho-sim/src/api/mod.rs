//! The CRM API: from a call that was let in to its answer.

mod admit;
mod attachments;
mod automation;
mod bulk_read;
mod bulk_write;
mod composite;
mod convert;
mod families;
mod files;
mod coql;
mod deleted;
mod guard;
mod list;
mod locking;
mod mail;
mod metadata;
mod notes;
mod paging;
mod params;
mod query;
mod read;
mod relate;
mod related;
mod scope;
mod search;
mod tagging;
mod tags;
mod timeline;
mod timeline_filter;
mod views;
mod watch;
mod webhooks;
mod write;

use http::{Method, StatusCode};
use serde_json::json;

pub(crate) use self::{
    admit::{Admission, admit, leave, scripted, with_headers},
    convert::carry_out as convert_lead,
    mail::shown as shown_mail,
    watch::write as watch,
};
use crate::{
    answer::{Answer, Refusal},
    call::{Call, Operation},
    faults::CallTrouble,
    world::World,
};

/// Carries out a call.
pub(crate) fn answer(world: &mut World, call: &Call, trouble: &CallTrouble) -> Answer {
    match &call.operation {
        Operation::Users => metadata::users(world, call),
        Operation::User(id) => metadata::user(world, id),
        Operation::Org => metadata::org(world),
        Operation::Modules => metadata::modules(world),
        Operation::Module(name) => metadata::module(world, name),
        Operation::Fields => metadata::fields(world, call),
        Operation::Watch => watch::answer(world, call),
        Operation::Records(module) => match call.method {
            Method::POST => write::insert(world, call, module),
            Method::PUT => write::update(world, call, module, None),
            Method::DELETE => write::delete(world, call, module, &call.ids().unwrap_or_default()),
            _ => list::list(world, call, module, trouble),
        },
        Operation::Record(module, id) => match call.method {
            Method::PUT => write::update(world, call, module, Some(id)),
            Method::DELETE => write::delete(world, call, module, &[id]),
            _ if module == "Notes" && notes::fields(call).is_err() => {
                Refusal::parameter_missing("fields").bad_request()
            }
            _ => read::one(world, call, (module, id), trouble),
        },
        Operation::Upsert(module) => write::upsert(world, call, module),
        Operation::Deleted(module) => deleted::list(world, call, module),
        Operation::Count(module) => read::count(world, module),
        Operation::Convert(id) => convert::convert(world, call, id, trouble.job)
            .unwrap_or_else(|refusal| refusal.bad_request()),
        Operation::Family(family) => families::answer(world, call, family, trouble),
        Operation::Query(operation) => query::answer(world, call, operation, trouble),
        Operation::WrongMethod => Refusal::new(
            "INVALID_REQUEST_METHOD",
            "The http request method type is not a valid one",
            json!({}),
        )
        .bad_request(),
        Operation::Token
        | Operation::Revoke
        | Operation::Authorize
        | Operation::Control(_)
        | Operation::UnknownPath => unknown_path(),
    }
}

pub(crate) fn unknown_path() -> Answer {
    Refusal::new(
        "INVALID_URL_PATTERN",
        "Please check if the URL trying to access is a correct one",
        json!({}),
    )
    .answer(StatusCode::NOT_FOUND)
}
