//! Finds the heads that memory does not hold: at the start, after a reopen, and when a full queue has room again.

use rusqlite::{Connection, params};

use super::{accept::Effect, file::Fault, finish::open_row, names::Names, settle::delivery_row};
use crate::{
    event::DestinationName,
    store::waiting::{Lane, Waiting},
};

/// Rows read at once.
const PAGE_ROWS: i64 = 2_000;

/// Tells memory what was committed.
pub(super) fn apply(waiting: &Waiting, effects: Vec<Effect>) {
    let mut inbox = waiting.inbox();
    let mut lanes = waiting.lanes();
    let mut touched: Vec<DestinationName> = vec![];
    let mut inbox_touched = false;
    for effect in effects {
        let destination = match effect {
            Effect::Opened(row) => {
                inbox.queue.committed(row);
                inbox_touched = true;
                continue;
            }
            Effect::ChangeClosed(key, no, next, rows) => {
                inbox_touched |= next.is_some();
                inbox.queue.closed(key, no, next, rows);
                continue;
            }
            Effect::Wrote(write, at) => {
                waiting.own_writes().remember(write, at);
                continue;
            }
            Effect::Queued(name, row) => {
                lane(&mut lanes, &name).queue.committed(row);
                name
            }
            Effect::DeliveryClosed(name, it) => {
                lane(&mut lanes, &name)
                    .queue
                    .closed(it.key, it.no, it.next, it.rows);
                name
            }
            Effect::DeliveryDropped(name, it) => {
                lane(&mut lanes, &name)
                    .queue
                    .dropped(it.key, it.no, it.next, it.rows);
                name
            }
            Effect::Again(name, key, no, due) => {
                lane(&mut lanes, &name).queue.back(key, no, due, false);
                name
            }
            Effect::Removed(name, rows, all) => {
                let queue = &mut lane(&mut lanes, &name).queue;
                let (depth, _) = queue.state();
                queue.clear();
                queue.set_depth(depth.saturating_sub(rows));
                if !all {
                    queue.rescan();
                }
                name
            }
        };
        if !touched.contains(&destination) {
            touched.push(destination);
        }
    }
    for name in touched {
        lane(&mut lanes, &name).ring();
    }
    drop(lanes);
    drop(inbox);
    if inbox_touched {
        waiting.inbox_news.notify_waiters();
    }
}

type Lanes = std::collections::HashMap<DestinationName, Lane>;

fn lane<'a>(lanes: &'a mut Lanes, name: &DestinationName) -> &'a mut Lane {
    if !lanes.contains_key(name) {
        lanes.insert(name.clone(), Lane::new(true));
    }
    lanes.entry(name.clone()).or_insert_with(|| Lane::new(true))
}

/// Counts the rows and lets every one be offered again.
pub(super) fn restart(
    connection: &Connection,
    names: &Names,
    waiting: &Waiting,
) -> Result<(), Fault> {
    let open: i64 =
        connection.query_row("SELECT count(*) FROM open_change", [], |row| row.get(0))?;
    {
        let mut inbox = waiting.inbox();
        inbox.queue.set_depth(open.unsigned_abs());
        inbox.queue.rescan();
    }
    let mut statement =
        connection.prepare("SELECT destination, count(*) FROM delivery GROUP BY destination")?;
    let counts = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    let mut lanes = waiting.lanes();
    for lane in lanes.values_mut() {
        lane.queue.set_depth(0);
        lane.queue.rescan();
    }
    for (no, count) in counts {
        let name = DestinationName::new(names.text(no)?);
        let lane = lanes.entry(name).or_insert_with(|| Lane::new(false));
        lane.queue.set_depth(count.unsigned_abs());
    }
    Ok(())
}

/// Offers one page to the inbox and one to the backlog, where they have room; true when there may be more.
pub(super) fn page(
    connection: &Connection,
    names: &Names,
    waiting: &Waiting,
) -> Result<bool, Fault> {
    let inbox = page_of_changes(connection, waiting)?;
    let backlog = page_of_deliveries(connection, names, waiting)?;
    Ok(inbox || backlog)
}

fn page_of_changes(connection: &Connection, waiting: &Waiting) -> Result<bool, Fault> {
    let Some(from) = waiting.inbox().queue.scan_from() else {
        return Ok(false);
    };
    let rows = connection
        .prepare_cached(
            "SELECT no, key, server_time, accepted_at, connection FROM open_change WHERE no > ?1 ORDER BY no LIMIT ?2",
        )?
        .query_map(params![from, PAGE_ROWS], open_row)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let end = rows.len() < usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
    let to = rows.last().map_or(from, |it| it.no);
    let mut inbox = waiting.inbox();
    for row in rows {
        inbox.queue.scanned(row);
    }
    inbox.queue.scan_ended(from, to, end);
    let more = inbox.queue.scan_from().is_some();
    drop(inbox);
    waiting.inbox_news.notify_waiters();
    Ok(more)
}

fn page_of_deliveries(
    connection: &Connection,
    names: &Names,
    waiting: &Waiting,
) -> Result<bool, Fault> {
    let scan_from = |waiting: &Waiting| {
        let mut lanes = waiting.lanes();
        lanes
            .values_mut()
            .filter_map(|it| it.queue.scan_from())
            .min()
    };
    let Some(from) = scan_from(waiting) else {
        return Ok(false);
    };
    let rows = connection
        .prepare_cached(
            "SELECT no, key, next_at, planned_at, destination FROM delivery WHERE no > ?1 ORDER BY no LIMIT ?2",
        )?
        .query_map(params![from, PAGE_ROWS], |row| Ok((row.get(4)?, delivery_row(row)?)))?
        .collect::<rusqlite::Result<Vec<(i64, _)>>>()?;
    let end = rows.len() < usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
    let to = rows.last().map_or(from, |(_, it)| it.no);
    let mut lanes = waiting.lanes();
    for (no, row) in rows {
        let name = DestinationName::new(names.text(no)?);
        lane(&mut lanes, &name).queue.scanned(row);
    }
    for lane in lanes.values_mut() {
        lane.queue.scan_ended(from, to, end);
        lane.ring();
    }
    drop(lanes);
    Ok(scan_from(waiting).is_some())
}
