//! The work of a bulk read: records, slice by slice, into a zip of one file.

use std::io::{Cursor, Write};

use bytes::Bytes;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    shared::Shared,
    world::{
        World,
        bulk::TOKEN_LIFE,
        export::{Export, Progress},
        jobs::{Failed, PageToken, ReadResult},
        notify::Callback,
    },
};

/// Little compression: time matters more to a simulator than size.
const COMPRESSION: i64 = 1;

pub(super) async fn run(shared: &Shared, id: u64) {
    let export = shared.world(|world| {
        let job = world.jobs.reads.get(&id)?;
        (!job.order.fails).then(|| job.export.clone())
    });
    let written = match export {
        Some(export) => zipped(shared, id, &export).await.ok(),
        None => None,
    };
    shared.world(|world| finish(world, id, written));
}

/// Why there is no zip.
#[derive(Debug, thiserror::Error)]
#[error("not written")]
enum Unwritten {
    Csv(#[from] csv::Error),
    Zip(#[from] zip::result::ZipError),
    Io(#[from] std::io::Error),
}

async fn zipped(shared: &Shared, id: u64, export: &Export) -> Result<(Bytes, Progress), Unwritten> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(COMPRESSION));
    let extension = if export.calendar { "ics" } else { "csv" };
    zip.start_file(format!("{id}.{extension}"), options)?;
    zip.write_all(&export.head()?)?;
    let mut progress = Progress::default();
    while !progress.ended {
        let rows = shared.world(|world| export.advance(world, &mut progress))?;
        zip.write_all(&rows)?;
        // Calls want their turn.
        tokio::task::yield_now().await;
    }
    zip.write_all(export.foot().as_bytes())?;
    Ok((Bytes::from(zip.finish()?.into_inner()), progress))
}

fn finish(world: &mut World, id: u64, written: Option<(Bytes, Progress)>) {
    let org = world.org;
    let kept = written.and_then(|(zip, progress)| {
        let file = world.papers.keep(org, &format!("{id}.zip"), zip).ok()?;
        Some((file, progress))
    });
    let done = kept.map(|(file, progress)| ReadResult {
        rows: progress.written,
        more: progress.more,
        next_page_token: progress.more.then(|| next_token(world, id, progress)),
        file,
    });
    let Some(job) = world.jobs.reads.get_mut(&id) else {
        return;
    };
    job.done = Some(done.ok_or(Failed));
    let callback = job.order.callback.clone();
    if let Some(url) = callback
        && let Some(body) = world.read_job(id)
    {
        world.queue(0, Callback::json(url, &body, id));
    }
}

fn next_token(world: &mut World, id: u64, progress: Progress) -> String {
    let serial = world.jobs.serial();
    let name = crate::world::papers::opaque(world.org, id, serial);
    if let Some(job) = world.jobs.reads.get(&id) {
        let mut export = job.export.clone();
        export.after = progress.last;
        export.skip = 0;
        let token = PageToken {
            serial,
            page: job.page + 1,
            query: job.query.clone(),
            expires: world
                .clock
                .now()
                .checked_add(TOKEN_LIFE)
                .unwrap_or_default(),
            export,
        };
        world.jobs.keep_token(name.clone(), token);
    }
    name
}
