//! Related lists: the records that look a record up, or are related to it.

use serde_json::{Value, json};

use super::{
    paging::Page,
    params,
    read::{self, No},
    relate,
};
use crate::{
    answer::{Answer, Refusal, put},
    call::Call,
    faults::CallTrouble,
    query_call::Related,
    world::{
        World,
        order::{Order, SortBy},
        record::{Columns, Record},
        relations,
        table::Table,
    },
};

/// Where the ids of lists begin within the org's ids, and how many a module has room for.
const LIST_IDS: u64 = 60_000;
const LISTS_EACH: u64 = 100;
const NEWEST_FIRST: Order = Order {
    by: SortBy::Id,
    ascending: false,
};
/// Lists that are neither: other operations serve them.
const OTHERS: &[&str] = &["Notes", "Attachments"];

/// Records of one module.
struct List<'w> {
    name: String,
    table: &'w Table,
    /// The field by which they look a record up; none if they are related to it otherwise.
    field: Option<&'w str>,
}

/// The related lists of a module.
fn of<'w>(world: &'w World, module: &str) -> Vec<List<'w>> {
    let partners = relations::partners(module);
    let partners = partners.filter_map(|it| world.tables.get(it));
    let mut lists: Vec<List<'w>> = partners
        .map(|table| List {
            name: table.module.name.clone(),
            table,
            field: None,
        })
        .collect();
    for table in world.tables.values() {
        let fields = table.module.fields.iter();
        for field in fields.filter(|it| it.target.as_deref() == Some(module)) {
            let plain = &table.module.name;
            let taken = lists.iter().any(|it| &it.name == plain);
            // A converted lead is no member of what became of it.
            if field.read_only {
                continue;
            }
            lists.push(List {
                name: if taken || plain == module {
                    format!("{plain}_{}", field.name)
                } else {
                    plain.clone()
                },
                table,
                field: Some(&field.name),
            });
        }
    }
    lists
}

pub(super) fn lists(world: &World, call: &Call) -> Answer {
    let module = match params::required(call, "module") {
        Ok(name) => world.tables.get(name).map(|it| &it.module),
        Err(refusal) => return refusal.bad_request(),
    };
    let Some(module) = module else {
        return Refusal::invalid_module().bad_request();
    };
    let ids = world.org + LIST_IDS + module.number(world.org) * LISTS_EACH;
    let others = OTHERS.iter().map(|it| ((*it).to_owned(), None));
    let lookups = of(world, &module.name);
    let lookups = lookups.iter().map(|it| (it.name.clone(), Some(it.table)));
    let shown: Vec<Value> = others
        .chain(lookups)
        .zip(1_u64..)
        .map(|((name, table), number)| {
            let target = table.map_or_else(
                || json!({"api_name": name, "id": world.module_id(&name)}),
                |it| json!({"api_name": it.module.name, "id": it.module.id.to_string()}),
            );
            json!({
                "id": (ids + number).to_string(),
                "sequence_number": number.to_string(),
                "display_label": name.replace('_', " "),
                "api_name": name,
                "module": target,
                "name": name.replace('_', " "),
                "action": null,
                "href": format!("{}/{{ENTITYID}}/{name}", module.name),
                "type": "default",
                "connectedmodule": null,
                "linkingmodule": null,
                "visible": true,
                "customize_sort": true,
                "customize_fields": true,
                "customize_display_label": true,
                "status": "visible",
            })
        })
        .collect();
    Answer::ok(json!({"related_lists": shown}))
}

pub(super) fn records(
    world: &mut World,
    call: &Call,
    related: &Related,
    trouble: &CallTrouble,
) -> Answer {
    match read_records(world, call, related, trouble) {
        Ok(None) => Answer::nothing(),
        Ok(Some((count, body))) => {
            world.counters.records_read += count;
            Answer::ok(body)
        }
        Err(no) => no.answer(),
    }
}

fn read_records(
    world: &World,
    call: &Call,
    related: &Related,
    trouble: &CallTrouble,
) -> Result<Option<(u64, Value)>, No> {
    let Related {
        module, id, list, ..
    } = related;
    let (table, record) = read::find(world, module, id, trouble)?;
    let lists = of(world, module);
    let list = lists.iter().find(|it| &it.name == list);
    let list = list.ok_or_else(relate::unknown_list)?;
    let fields = params::fields(call)?;
    let now = world.clock.now();
    let path = format!("{module}/{id}/{}", list.name);
    let page = Page::read(call, &path, now)?;
    let reading = world.reading(trouble);
    let since = params::since(call);
    let one = (table.module.id, record.id);
    let members: Box<dyn Iterator<Item = &Record>> = if let Some(field) = list.field {
        Box::new(list.table.walk(NEWEST_FIRST, None).filter(move |it| {
            let looked_up = it.version(reading).values.get(field);
            looked_up.and_then(|it| it.get("id")?.as_str()) == Some(id)
        }))
    } else {
        let ids = world.relations.with(one, list.table.module.id);
        Box::new(ids.filter_map(|it| list.table.get(it)))
    };
    let mut rows = members
        .filter(|it| {
            !it.converted && since.is_none_or(|since| it.version(reading).modified > since)
        })
        .skip(page.skip);
    let columns = Columns::of(&list.table.module, &fields);
    let shown = rows.by_ref().take(page.rows).map(|it| {
        let mut row = it.in_list(&columns, reading);
        let other = (list.table.module.id, it.id);
        let values = world.relations.between(one, other).into_iter().flatten();
        for (name, value) in values.filter(|it| fields.contains(&it.0.as_str())) {
            put(&mut row, name, value.clone());
        }
        row
    });
    let data: Vec<Value> = shown.collect();
    if data.is_empty() {
        return Ok(None);
    }
    let count = u64::try_from(data.len()).unwrap_or_default();
    let info = page.info(data.len(), rows.next().is_some(), now);
    Ok(Some((count, json!({"data": data, "info": info}))))
}
