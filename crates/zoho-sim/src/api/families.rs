//! From a family's operation to the function that carries it out.

use http::{Method, StatusCode};
use serde_json::json;

use super::{
    attachments, automation, bulk_read, bulk_write, composite, convert, files, mail, notes,
    webhooks,
};
use crate::{
    answer::{Answer, Refusal},
    call::Call,
    family::{Family, Named},
    faults::CallTrouble,
    world::World,
};

pub(super) fn answer(
    world: &mut World,
    call: &Call,
    family: &Family,
    trouble: &CallTrouble,
) -> Answer {
    let done = match family {
        Family::Notes(parent) => match call.method {
            Method::POST => notes::create(world, call, parent),
            _ => notes::list(world, call, parent),
        },
        Family::Attachments(parent) => match call.method {
            Method::POST => attachments::attach(world, call, parent),
            _ => attachments::list(world, call, parent),
        },
        Family::Attachment(parent, id) => match call.method {
            Method::DELETE => attachments::detach(world, parent, id),
            _ => attachments::download(world, parent, id),
        },
        Family::Photo(of) => match call.method {
            Method::POST => files::put_photo(world, call, of),
            Method::DELETE => files::delete_photo(world, of),
            _ => files::photo(world, of),
        },
        Family::Files => match call.method {
            Method::POST => files::upload(world, call),
            _ => files::fetch(world, call),
        },
        Family::SendMail(to) => mail::send(world, call, to),
        Family::FromAddresses => Ok(mail::from_addresses(world)),
        Family::MassConvert => match call.method {
            Method::POST => convert::mass(world, call),
            _ => convert::status(world, call),
        },
        Family::ConversionOptions(id) => convert::options(world, call, id),
        Family::Webhooks => match call.method {
            Method::POST => webhooks::create(world, call),
            Method::PUT => webhooks::update(world, call, None),
            Method::DELETE => webhooks::delete(world, &call.ids().unwrap_or_default()),
            _ => webhooks::list(world, call),
        },
        Family::Webhook(id) => match call.method {
            Method::PUT => webhooks::update(world, call, Some(id)),
            Method::DELETE => webhooks::delete(world, &[id]),
            _ => webhooks::one(world, id),
        },
        Family::WebhookModules => Ok(automation::modules(world)),
        Family::WebhookUsage => automation::usage(world, call),
        Family::WebhookFailures => automation::failures(world, call),
        Family::Composite => composite::answer(world, call, trouble),
        Family::Upload => bulk_write::upload(world, call),
        Family::BulkWrites => bulk_write::create(world, call, trouble.job),
        Family::BulkWrite(id) => bulk_write::details(world, id),
        Family::BulkWriteResult(id) => bulk_write::result(world, id),
        Family::BulkReads => bulk_read::create(world, call, trouble.job),
        Family::BulkRead(id) => bulk_read::details(world, id),
        Family::BulkReadResult(id) => bulk_read::result(world, id),
    };
    done.unwrap_or_else(|refusal| match refusal.code {
        "RESOURCE_NOT_FOUND" => refusal.answer(StatusCode::NOT_FOUND),
        _ => refusal.bad_request(),
    })
}

/// The number of a record that is there.
pub(super) fn existing(world: &World, named: &Named) -> Result<u64, Refusal> {
    let table = world.tables.get(&named.module);
    let table = table.ok_or_else(Refusal::invalid_module)?;
    let number = named.number();
    let found = table.get(number).is_some();
    found
        .then_some(number)
        .ok_or_else(|| Refusal::invalid_id(json!({"resource_path_index": 1})))
}
