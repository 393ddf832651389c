//! One org: which way a record is looked for, and when it is looked for again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clock::Clock;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zoho_crm::{Client, Converted, Values, is_api_name, is_record_id};

use super::{
    EnrichError, Fields, ReadAnswer, ReadRequest,
    batch::{GROUP_FIELDS_MAX, Lane},
    batcher::{Batcher, Job, QUEUE_JOBS_MAX},
    metrics::ConnectionMetrics,
    project::{ID, MODIFIED_TIME, modified_at, names_of, project},
};
use crate::event::{ModuleName, QuarantineReason};

/// A read in several groups is not sent earlier than this after the change, and a stale or torn one is read again
/// after it: Zoho's times have whole seconds.
const SETTLE: Duration = Duration::from_secs(2);

/// A stale or torn read is done again so often.
const REREADS_MAX: u32 = 3;

/// The module whose records hide once they are converted.
const LEADS: &str = "Leads";

/// After a batch was lost to a fault of ours, or had too much that Zoho refuses, its callers try again.
const LOST_RETRY: Duration = Duration::from_secs(1);

/// One org's client, and the tasks that make batches for it.
#[derive(Debug)]
pub(super) struct Org {
    pub(super) client: Client,
    /// Batches of one module in flight at once; the client itself caps the calls.
    pub(super) concurrency: usize,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<ConnectionMetrics>,
    batchers: Mutex<HashMap<ModuleName, mpsc::Sender<Job>>>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// What a look for a record found.
#[derive(Clone, Debug)]
pub(super) enum Look {
    /// It is there.
    Found(Found),
    /// The list does not show it.
    NotListed,
}

/// A record as it came.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Everything the call brought.
    pub(super) values: Arc<Values>,
    /// What [`Fields::All`] means here.
    pub(super) all: Arc<Vec<String>>,
    /// Its groups of fields have different `Modified_Time`s.
    pub(super) torn: bool,
    /// The answer's `Date`.
    pub(super) read_at: Timestamp,
}

impl Org {
    pub(super) fn new(
        client: Client,
        concurrency: usize,
        clock: Clock,
        metrics: Arc<ConnectionMetrics>,
    ) -> Self {
        Self {
            client,
            concurrency,
            clock,
            metrics,
            batchers: Mutex::default(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Its tasks end with `closing` and are awaited through `tasks`.
    pub(super) fn owned_by(self, closing: CancellationToken, tasks: TaskTracker) -> Self {
        Self {
            closing,
            tasks,
            ..self
        }
    }

    pub(super) async fn read(
        self: &Arc<Self>,
        request: &ReadRequest,
    ) -> Result<ReadAnswer, EnrichError> {
        let answer = self.settled(request).await;
        match &answer {
            Ok(ReadAnswer::Found { .. }) => self.metrics.found.inc(),
            Ok(ReadAnswer::Missing) => self.metrics.missing.inc(),
            Err(EnrichError::Retry { .. }) => self.metrics.retry.inc(),
            Err(EnrichError::Refuse { .. }) => self.metrics.refused.inc(),
        }
        answer
    }

    /// Looks until the answer is neither stale nor torn, or often enough.
    async fn settled(self: &Arc<Self>, request: &ReadRequest) -> Result<ReadAnswer, EnrichError> {
        check_names(request)?;
        let fields = Arc::new(request.fields.clone());
        if !request.full && in_groups(&fields) {
            self.wait_until_settled(request.server_time).await;
        }
        let (mut stale, mut torn) = (0, 0);
        loop {
            let Look::Found(found) = self.look(request, &fields).await? else {
                return Ok(ReadAnswer::Missing);
            };
            let modified_at = modified_at(&found.values);
            if older(modified_at, request.modified_at_least) {
                if stale == REREADS_MAX {
                    return Err(EnrichError::Refuse {
                        reason: QuarantineReason::StaleRead,
                        detail: format!(
                            "still older than already seen after {REREADS_MAX} more reads"
                        ),
                    });
                }
                stale += 1;
                self.metrics.reread_stale.inc();
            } else if found.torn && torn < REREADS_MAX {
                torn += 1;
                self.metrics.reread_torn.inc();
            } else {
                if found.torn {
                    self.metrics.torn.inc();
                }
                return Ok(ReadAnswer::Found {
                    record: project(&found.values, &fields, &found.all),
                    read_at: found.read_at,
                    modified_at,
                });
            }
            self.clock.sleep(SETTLE).await;
        }
    }

    /// In the list, then among converted leads, then alone: only then it is missing.
    async fn look(
        self: &Arc<Self>,
        request: &ReadRequest,
        fields: &Arc<Fields>,
    ) -> Result<Look, EnrichError> {
        if request.full {
            return self.look_alone(request).await;
        }
        let mut lane = Lane {
            in_groups: in_groups(fields),
            converted: Converted::Hidden,
        };
        let mut look = self.look_in_list(request, fields, lane).await?;
        if matches!(look, Look::NotListed) && request.module.as_str() == LEADS {
            lane.converted = Converted::Both;
            look = self.look_in_list(request, fields, lane).await?;
        }
        match look {
            Look::Found(_) => Ok(look),
            Look::NotListed => self.look_alone(request).await,
        }
    }

    async fn look_alone(&self, request: &ReadRequest) -> Result<Look, EnrichError> {
        let one = self
            .client
            .record(request.module.as_str(), request.record.as_str())
            .await?;
        Ok(one.record.map_or(Look::NotListed, |values| {
            Look::Found(Found {
                all: Arc::new(names_of(&values)),
                values: Arc::new(values),
                torn: false,
                read_at: one.answered_at,
            })
        }))
    }

    /// Hands the record to its module's batcher and waits for its batch.
    async fn look_in_list(
        self: &Arc<Self>,
        request: &ReadRequest,
        fields: &Arc<Fields>,
        lane: Lane,
    ) -> Result<Look, EnrichError> {
        let (reply, answer) = oneshot::channel();
        let mut job = Job {
            record: request.record.clone(),
            fields: Arc::clone(fields),
            lane,
            reply,
        };
        // A batcher may end between being found and being told; the next one is new.
        while let Err(mpsc::error::SendError(back)) = self.batcher(&request.module).send(job).await
        {
            if self.closing.is_cancelled() {
                return Err(EnrichError::closing());
            }
            job = back;
        }
        match answer.await {
            Ok(look) => Ok(look?),
            Err(_) => Err(EnrichError::Retry {
                after: LOST_RETRY,
                detail: "the batch was given up".to_owned(),
            }),
        }
    }

    /// The module's batcher; made when there is none or the last one ended.
    fn batcher(self: &Arc<Self>, module: &ModuleName) -> mpsc::Sender<Job> {
        let mut batchers = self.batchers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = batchers.get(module).filter(|it| !it.is_closed()) {
            return sender.clone();
        }
        batchers.retain(|_, sender| !sender.is_closed());
        let (sender, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let batcher = Batcher::new(Arc::clone(self), module.clone(), queue);
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = batcher.run() => {}
            }
        });
        batchers.insert(module.clone(), sender.clone());
        sender
    }

    /// At most [`SETTLE`], however far our clock is from Zoho's.
    async fn wait_until_settled(&self, server_time: Timestamp) {
        let age = self.clock.now().duration_since(server_time);
        let age = Duration::try_from(age).unwrap_or_default();
        let left = SETTLE.saturating_sub(age);
        if !left.is_zero() {
            self.clock.sleep(left).await;
        }
    }
}

/// Whether one call cannot bring all these fields.
fn in_groups(fields: &Fields) -> bool {
    match fields {
        Fields::All => true,
        Fields::Only(names) => {
            let extra = names.iter().filter(|it| *it != ID && *it != MODIFIED_TIME);
            extra.count() > GROUP_FIELDS_MAX
        }
    }
}

fn older(modified_at: Option<Timestamp>, at_least: Option<Timestamp>) -> bool {
    matches!((modified_at, at_least), (Some(read), Some(seen)) if read < seen)
}

/// What cannot be a name is refused here, so that it cannot spoil a batch.
fn check_names(request: &ReadRequest) -> Result<(), EnrichError> {
    let field_fits = match &request.fields {
        Fields::All => true,
        Fields::Only(names) => names.iter().all(|it| is_api_name(it)),
    };
    let problem = if !is_api_name(request.module.as_str()) {
        "the module's name is not one"
    } else if !is_record_id(request.record.as_str()) {
        "the record's id is not one"
    } else if !field_fits {
        "a field's name is not one"
    } else {
        return Ok(());
    };
    Err(EnrichError::refused(problem.to_owned()))
}
