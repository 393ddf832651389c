//! Lists of records: by page, by ids, of a custom view.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    paging::{Page, Place},
    params::{self, Converted},
};
use crate::{
    answer::{Answer, Refusal, put},
    call::Call,
    faults::CallTrouble,
    world::{
        World,
        order::{Order, SortBy},
        record::{Columns, Reading, Record},
        table::Table,
        view::View,
    },
};

/// Records changed since a time that are looked through one by one, rather than the whole list.
const CHANGED_FEW: usize = 5_000;

/// A list read, understood.
struct Wanted<'a> {
    fields: Vec<&'a str>,
    ids: Option<Vec<u64>>,
    order: Order,
    filter: Filter,
    page: Page,
}

/// Which records a list gives.
#[derive(Clone, Copy)]
struct Filter {
    converted: Converted,
    approved: bool,
    view: Option<View>,
    since: Option<Timestamp>,
    now: Timestamp,
}

/// The rows of a page, and whether there are more behind them.
struct Found<'t> {
    rows: Vec<&'t Record>,
    more: bool,
}

pub(super) fn list(world: &mut World, call: &Call, module: &str, trouble: &CallTrouble) -> Answer {
    let now = world.clock.now();
    let Some(table) = world.tables.get(module) else {
        return Refusal::invalid_module().bad_request();
    };
    let wanted = match Wanted::read(call, table, world.org, now) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.bad_request(),
    };
    let reading = world.reading(trouble);
    let fits = |record: &Record| {
        wanted.filter.takes(record, reading) && !params::is_missing(record.id, trouble)
    };
    let found = wanted.find(table, &fits);
    let columns = Columns::of(&table.module, &wanted.fields);
    let shown = found.rows.iter().map(|it| it.in_list(&columns, reading));
    let data: Vec<Value> = shown.collect();
    let asked = call.ids().map(|it| it.len()).unwrap_or_default();
    let asked = u64::try_from(asked).unwrap_or(u64::MAX);
    let counters = &mut world.counters;
    counters.ids_asked += asked;
    counters.ids_asked_max = counters.ids_asked_max.max(asked);
    counters.records_read += u64::try_from(data.len()).unwrap_or_default();
    if data.is_empty() {
        let unchanged = wanted.filter.since.is_some() && wanted.any(table, reading, trouble);
        return if unchanged {
            Answer::empty(StatusCode::NOT_MODIFIED)
        } else {
            Answer::nothing()
        };
    }
    let by = wanted.order.by;
    let ends = found.rows.first().zip(found.rows.last());
    let ends = ends.map(|(first, last)| (by.position(first), by.position(last)));
    let mut info = wanted.page.info_between(data.len(), found.more, now, ends);
    put(&mut info, "sort_by", json!(by.name()));
    let order = if wanted.order.ascending {
        "asc"
    } else {
        "desc"
    };
    put(&mut info, "sort_order", json!(order));
    put(&mut info, "call", json!(false));
    put(&mut info, "email", json!(false));
    Answer::ok(json!({"data": data, "info": info}))
}

impl<'a> Wanted<'a> {
    fn read(call: &'a Call, table: &Table, org: u64, now: Timestamp) -> Result<Self, Refusal> {
        let module = &table.module;
        let fields = params::fields(call)?;
        let ids = params::ids(call)?;
        let view = match call.parameter("cvid") {
            None => None,
            Some(_) if call.parameter("sort_by").is_some() => {
                return Err(Refusal::new(
                    "AMBIGUITY_DURING_PROCESSING",
                    "cvid and sort_by cannot be given together",
                    json!({"ambiguity_due_to": [{"param_name": "cvid"}, {"param_name": "sort_by"}]}),
                ));
            }
            Some(id) => Some(
                View::of_id(id, org, module)
                    .ok_or_else(|| Refusal::invalid_data(json!({"param_name": "cvid"})))?,
            ),
        };
        let approved = match call.parameter("approved") {
            None | Some("true" | "both") => true,
            // Nothing here waits for approval.
            Some("false") => false,
            Some(_) => {
                return Err(Refusal::invalid_data(json!({
                    "param_name": "approved", "supported_values": ["true", "false", "both"],
                })));
            }
        };
        Ok(Self {
            fields,
            ids,
            order: params::order(call)?,
            filter: Filter {
                converted: Converted::read(call)?,
                approved,
                view,
                since: params::since(call),
                now,
            },
            page: Page::read(call, &module.name, now)?,
        })
    }

    fn find<'t>(&self, table: &'t Table, fits: &dyn Fn(&Record) -> bool) -> Found<'t> {
        if let Some(ids) = &self.ids {
            let rows = ids.iter().filter_map(|id| table.get(*id)).collect();
            return self.sorted(rows, fits);
        }
        if let Some(changed) = self.changed(table) {
            return self.sorted(changed, fits);
        }
        let rows = self.page.rows;
        if let Some(Place::Before(place)) = self.page.place {
            let walk = table.walk(self.order.reversed(), Some(place));
            let mut rows: Vec<_> = walk.filter(|it| fits(it)).take(rows).collect();
            rows.reverse();
            return Found { rows, more: true };
        }
        let (behind, skip) = match self.page.place {
            Some(Place::Behind(place)) => (Some(place), 0),
            Some(Place::Before(_)) | None => (None, self.page.skip),
        };
        let walk = table.walk(self.order, behind).filter(|it| fits(it));
        let mut rows: Vec<_> = walk.skip(skip).take(rows + 1).collect();
        let more = rows.len() > self.page.rows;
        rows.truncate(self.page.rows);
        Found { rows, more }
    }

    /// The records changed since the time asked for, if they are few.
    fn changed<'t>(&self, table: &'t Table) -> Option<Vec<&'t Record>> {
        let since = self.filter.since?;
        let newest_first = Order {
            by: SortBy::ModifiedTime,
            ascending: false,
        };
        let newest = table.walk(newest_first, None);
        let changed: Vec<_> = newest
            .take_while(|it| it.current.modified > since)
            .take(CHANGED_FEW + 1)
            .collect();
        (changed.len() <= CHANGED_FEW).then_some(changed)
    }

    /// The page of a list that is sorted only now.
    fn sorted<'t>(&self, mut rows: Vec<&'t Record>, fits: &dyn Fn(&Record) -> bool) -> Found<'t> {
        rows.retain(|it| fits(it));
        rows.sort_by_key(|it| self.order.by.position(it));
        rows.dedup_by_key(|it| it.id);
        if !self.order.ascending {
            rows.reverse();
        }
        let more = rows.len() > self.page.skip + self.page.rows;
        let page = rows.into_iter().skip(self.page.skip).take(self.page.rows);
        Found {
            rows: page.collect(),
            more,
        }
    }

    /// Whether there is anything but for its age.
    fn any(&self, table: &Table, reading: Reading, trouble: &CallTrouble) -> bool {
        let filter = Filter {
            since: None,
            ..self.filter
        };
        let fits = |it: &&Record| filter.takes(it, reading) && !params::is_missing(it.id, trouble);
        match &self.ids {
            Some(ids) => ids
                .iter()
                .filter_map(|id| table.get(*id))
                .any(|it| fits(&it)),
            None => table.rows().any(|it| fits(&it)),
        }
    }
}

impl Filter {
    fn takes(&self, record: &Record, reading: Reading) -> bool {
        self.approved
            && self.converted.takes(record)
            && self
                .since
                .is_none_or(|since| record.version(reading).modified > since)
            && self
                .view
                .is_none_or(|view| view.takes(record, reading, self.now))
    }
}
