//! Asks Zoho for records: many changes, few calls.

mod batch;
mod batcher;
mod metrics;
mod org;
mod project;
mod settings;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use clock::Clock;
use jiff::Timestamp;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zoho_crm::{Client, SetupError, TokenStore};

use self::org::Org;
use crate::event::{ConnectionName, ModuleName, QuarantineReason, Record, RecordId};

pub use self::{metrics::Metrics, settings::Connection};

/// Which fields of a record are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    /// All the module has, in groups of 49 plus `Modified_Time`.
    All,
    /// These, plus id and `Modified_Time`.
    Only(BTreeSet<String>),
}

/// One record to read.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The org.
    pub connection: ConnectionName,
    /// Its module.
    pub module: ModuleName,
    /// Which record.
    pub record: RecordId,
    /// Which fields.
    pub fields: Fields,
    /// Read alone, for rich text, subforms and multi-lookups (`enrich.full`).
    pub full: bool,
    /// The change's time: a read in several groups waits until 2 s after it.
    pub server_time: Timestamp,
    /// `Modified_Time` of the record as last seen; an older answer is read again.
    pub modified_at_least: Option<Timestamp>,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadAnswer {
    /// The record, with the fields asked for.
    Found {
        /// Its values.
        record: Record,
        /// Zoho's time when it answered (its `Date` header).
        read_at: Timestamp,
        /// Its `Modified_Time`; not every module has one.
        modified_at: Option<Timestamp>,
    },
    /// Zoho does not return it: not in the list, not among converted leads, not alone.
    Missing,
}

/// Why a read gave nothing; the variants are what the caller does next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EnrichError {
    /// Zoho is down, slow, out of credits or refuses us for now: nothing is charged to the change.
    #[error("try again in {after:?}: {detail}")]
    Retry {
        /// How long to wait.
        after: Duration,
        /// Why; holds no secret and no record content.
        detail: String,
    },
    /// It will not get better by itself: quarantine.
    #[error("{reason}: {detail}")]
    Refuse {
        /// Stale read, or refused for good.
        reason: QuarantineReason,
        /// Why; holds no secret and no record content.
        detail: String,
    },
}

/// How long [`Enricher::close`] waits for calls in flight to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// However long a trouble may last, a change is tried again after this: a person may have ended it meanwhile, and asking
/// costs nothing while the client knows the answer.
const RETRY_MAX: Duration = Duration::from_mins(5);

/// A caller told to try again while we close will be gone before.
const CLOSING_RETRY: Duration = Duration::from_secs(1);

/// Reads records for any number of changes at once, within each org's limits.
#[derive(Debug)]
pub struct Enricher {
    connections: Vec<Connection>,
    orgs: HashMap<ConnectionName, Arc<Org>>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Enricher {
    /// Calls nobody yet. Each connection comes with the place that keeps its access token.
    ///
    /// # Errors
    /// When a connection's settings cannot work.
    pub fn new(
        connections: Vec<(Connection, Arc<dyn TokenStore>)>,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, SetupError> {
        Self::after(None, connections, clock, metrics)
    }

    /// The same, but a connection that `old` has too, with the same URLs, credentials and timeout, keeps its client, and
    /// with it the token, the credits used, what Zoho refused and the calls in flight. Its new limits hold from
    /// [`Self::apply_limits`] on, what Zoho refused until [`Self::lift_refusals`].
    ///
    /// # Errors
    /// When a connection's settings cannot work.
    pub fn after(
        old: Option<&Self>,
        connections: Vec<(Connection, Arc<dyn TokenStore>)>,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, SetupError> {
        let mut enricher = Self {
            connections: vec![],
            orgs: HashMap::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        for (connection, store) in connections {
            let metrics = metrics.connection(&connection.name);
            let client = match old.and_then(|it| it.client_for(&connection)) {
                Some(kept) => kept,
                None => connection.client(store, clock, &metrics)?,
            };
            let org = Org::new(client, connection.concurrency, clock.clone(), metrics);
            let org = org.owned_by(enricher.closing.clone(), enricher.tasks.clone());
            enricher.orgs.insert(connection.name.clone(), Arc::new(org));
            enricher.connections.push(connection);
        }
        Ok(enricher)
    }

    /// A client of ours that does for this connection.
    fn client_for(&self, connection: &Connection) -> Option<Client> {
        let mut ours = self.connections.iter();
        ours.find(|it| connection.can_keep_client_of(it))?;
        Some(self.orgs.get(&connection.name)?.client.clone())
    }

    /// From now on clients that were kept keep to their connections' limits of now.
    pub fn apply_limits(&self) {
        for connection in &self.connections {
            if let Some(org) = self.orgs.get(&connection.name)
                && let Err(error) = org.client.set_limits(&connection.limits())
            {
                tracing::warn!(connection.name = %connection.name, %error, "the limits stay as they were");
            }
        }
    }

    /// Credentials that Zoho refused to clients that were kept are tried once more: somebody may have mended them there.
    pub fn lift_refusals(&self) {
        for org in self.orgs.values() {
            org.client.lift_refusal();
        }
    }

    /// The client of each connection, which shares its token, credits and limits with the reads.
    pub fn clients(&self) -> HashMap<ConnectionName, Client> {
        let clients = self.orgs.iter();
        clients
            .map(|(name, org)| (name.clone(), org.client.clone()))
            .collect()
    }

    /// How many orgs it reads from.
    pub fn connections(&self) -> usize {
        self.orgs.len()
    }

    /// Reads one record, together with whatever else is wanted of its module at the time. Every request behind the
    /// answer was sent after this was called. May wait for tens of seconds (batch, retries, stale and torn reads).
    ///
    /// # Errors
    /// As the variants say.
    pub async fn read(&self, request: ReadRequest) -> Result<ReadAnswer, EnrichError> {
        let Some(org) = self.orgs.get(&request.connection) else {
            return Err(EnrichError::refused(format!(
                "there is no connection {}",
                request.connection
            )));
        };
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(EnrichError::closing()),
            answer = org.read(&request) => answer,
        }
    }

    /// Gives up what is under way; later reads are told to try again. Returns within 5 s.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(CLOSE_TIMEOUT, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("reads were still under way when the enricher closed");
        }
    }
}

impl EnrichError {
    fn refused(detail: String) -> Self {
        Self::Refuse {
            reason: QuarantineReason::ReadRefused,
            detail,
        }
    }

    fn closing() -> Self {
        Self::Retry {
            after: CLOSING_RETRY,
            detail: "the router is closing".to_owned(),
        }
    }
}

impl From<zoho_crm::Error> for EnrichError {
    /// What may pass is tried again at no charge, refused credentials too: the change is not at fault.
    fn from(error: zoho_crm::Error) -> Self {
        match error.retry_after() {
            Some(after) => Self::Retry {
                after: after.min(RETRY_MAX),
                detail: error.to_string(),
            },
            None => Self::refused(error.to_string()),
        }
    }
}
