//! Does what is due: one task, one job at a time, the world held only for slices of the work.

mod convert;
mod read;
mod write;

use std::sync::Arc;

use tokio::select;

use crate::{shared::Shared, world::jobs::Step};

/// Works until told to stop.
pub(crate) async fn run(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    stop.run_until_cancelled(work(&shared)).await;
}

async fn work(shared: &Shared) {
    let alarm = shared.world(|world| world.jobs.alarm());
    loop {
        let (step, wait) = shared.world(|world| {
            let now = world.clock.monotonic();
            let step = world.jobs.take_due(now);
            (step, world.jobs.next_due().map(|it| it.saturating_sub(now)))
        });
        match (step, wait) {
            (Some(step), _) => take(shared, step).await,
            (None, Some(wait)) => select! {
                () = shared.clock.sleep(wait) => {}
                () = alarm.notified() => {}
            },
            (None, None) => alarm.notified().await,
        }
    }
}

async fn take(shared: &Shared, step: Step) {
    match step {
        // A zip in the making is large.
        Step::Read(id) => Box::pin(read::run(shared, id)).await,
        Step::Write(id) => Box::pin(write::run(shared, id)).await,
        Step::Convert(id) => convert::run(shared, id).await,
        Step::Mail(id) => shared.world(|world| {
            if let Some(mail) = world.papers.mails.get_mut(&id) {
                mail.sent = true;
            }
        }),
    }
}
