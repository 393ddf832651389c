//! The operations that ask about records and sort them: to the answer of each.

use http::Method;

use super::{
    coql, deleted, locking, read, relate, related, search, tagging, tags, timeline, views,
};
use crate::{
    answer::Answer, call::Call, faults::CallTrouble, query_call::QueryOperation, world::World,
};

pub(super) fn answer(
    world: &mut World,
    call: &Call,
    operation: &QueryOperation,
    trouble: &CallTrouble,
) -> Answer {
    match operation {
        QueryOperation::FullData(module, id) => {
            read::full_data(world, call, (module, id.as_deref()), trouble)
        }
        QueryOperation::RecycleBin(id) => deleted::purge(world, call, id.as_deref()),
        QueryOperation::MassDelete(module) => deleted::mass(world, call, module),
        QueryOperation::Views => views::list(world, call),
        QueryOperation::View(id) => views::one(world, call, id),
        QueryOperation::Tags => tags::answer(world, call),
        QueryOperation::Tag(id) => tags::one(world, call, id),
        QueryOperation::TagCount(id) => tags::count(world, call, id),
        QueryOperation::Tagging(tagging) => tagging::answer(world, call, tagging),
        QueryOperation::RelatedLists => related::lists(world, call),
        QueryOperation::Coql => coql::answer(world, call, trouble),
        QueryOperation::Search(module) => search::answer(world, call, module, trouble),
        QueryOperation::Timeline(module, id) => {
            timeline::of_record(world, call, (module, id), trouble)
        }
        QueryOperation::Lock(lock) => locking::answer(world, call, lock, trouble),
        QueryOperation::Related(related) if call.method == Method::GET => {
            related::records(world, call, related, trouble)
        }
        QueryOperation::Related(related) => relate::answer(world, call, related, trouble),
    }
}
