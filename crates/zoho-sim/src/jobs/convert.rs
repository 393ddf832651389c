//! The work of a mass conversion: one lead after the other.

use crate::{api, shared::Shared};

pub(super) async fn run(shared: &Shared, id: u64) {
    let job = shared.world(|world| world.jobs.conversions.get(&id).cloned());
    let Some(job) = job else {
        return;
    };
    for lead in job.leads {
        shared.world(|world| {
            let done = api::convert_lead(world, lead, &job.wish).is_ok();
            if let Some(job) = world.jobs.conversions.get_mut(&id) {
                job.converted += u64::from(done);
                job.failed += u64::from(!done);
            }
        });
        // Calls want their turn.
        tokio::task::yield_now().await;
    }
}
