//! `GET /{module}/search`: by criteria, e-mail address, phone number or word. What changed a
//! moment ago is not found yet, or found as it was.

use serde_json::{Value, json};

use super::{
    paging,
    params::{self, Converted},
    read::No,
};
use crate::{
    answer::{Answer, Refusal},
    call::Call,
    faults::CallTrouble,
    search::Search,
    world::{
        World,
        order::{Order, SortBy},
        record::{Columns, Record},
        typed::Typed,
    },
};

/// Records that one search reaches. Zoho: "Search records", v8.
const RESULTS_MAX: usize = 2_000;

pub(super) fn answer(
    world: &mut World,
    call: &Call,
    module: &str,
    trouble: &CallTrouble,
) -> Answer {
    match search(world, call, module, trouble) {
        Ok((count, body)) => {
            world.counters.records_read += count;
            Answer::ok(body)
        }
        Err(no) => no.answer(),
    }
}

fn search(
    world: &World,
    call: &Call,
    module: &str,
    trouble: &CallTrouble,
) -> Result<(u64, Value), No> {
    let table = world.tables.get(module);
    let table = table.ok_or_else(Refusal::invalid_module)?;
    let search = Search::read(call, &table.module)?;
    let converted = Converted::read(call)?;
    let (page, rows) = (paging::page(call)?, paging::per_page(call)?);
    let end = page.saturating_mul(rows);
    if end > RESULTS_MAX {
        return Err(No::from(Refusal::new(
            "LIMIT_REACHED",
            "the limit of records that a search gives is reached",
            json!({"limit": RESULTS_MAX}),
        )));
    }
    let approved = !matches!(
        call.parameter("approval_state"),
        Some("approval_process_pending" | "approval_process_rejected")
    );
    let now = world.clock.monotonic();
    let newest_first = Order {
        by: SortBy::Id,
        ascending: false,
    };
    let all = table.walk(newest_first, None);
    let mut found: Vec<&Record> = all
        .filter(|it| {
            approved
                && converted.takes(it)
                && !params::is_missing(it.id, trouble)
                && it
                    .indexed(now, world.index_delay(it.id))
                    .is_some_and(|version| search.finds(it, version, world.org))
        })
        .take(RESULTS_MAX)
        .collect();
    sort(world, call, &table.module.fields, &mut found)?;
    let more = found.len() > end;
    let reading = world.reading(trouble);
    let fields = if call.parameter("fields").is_some() {
        params::fields(call)?
    } else {
        let fields = table.module.fields.iter();
        fields.map(|it| it.name.as_str()).collect()
    };
    let columns = Columns::of(&table.module, &fields);
    let shown = found.iter().skip(end - rows).take(rows);
    let data: Vec<Value> = shown.map(|it| it.in_list(&columns, reading)).collect();
    if data.is_empty() {
        return Err(No::Nothing);
    }
    let count = u64::try_from(data.len()).unwrap_or_default();
    let info = json!({"per_page": rows, "count": count, "page": page, "more_records": more});
    Ok((count, json!({"data": data, "info": info})))
}

/// `sort_by` may name any field here.
fn sort(
    world: &World,
    call: &Call,
    fields: &[crate::world::module::Field],
    found: &mut [&Record],
) -> Result<(), Refusal> {
    let ascending = params::ascending(call)?;
    let Some(name) = call.parameter("sort_by") else {
        if ascending {
            found.reverse();
        }
        return Ok(());
    };
    let field = fields.iter().find(|it| it.name == name && it.in_lists());
    let field = field.ok_or_else(|| Refusal::invalid_data(json!({"param_name": "sort_by"})))?;
    found.sort_by_cached_key(|it| it.id);
    let key = |it: &Record| Typed::of(it, &it.current, field, world.org);
    found.sort_by(|one, other| {
        let order = key(one).rank(&key(other));
        if ascending { order } else { order.reverse() }
    });
    Ok(())
}
