//! A running simulator, and the hand on it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    api,
    call::{Call, Operation},
    callbacks,
    counters::Counters,
    error::SimError,
    faults::Fault,
    hands, jobs, server,
    settings::Settings,
    shared::Shared,
    world::{World, scopes::Scopes, tokens},
};

/// A running simulator of one Zoho org. Dropping it stops it; [`Sim::shutdown`] also waits.
///
/// What is done through this handle is done as a person in the CRM: it needs no token, costs no
/// credits and is not counted as a call. Channels hear of it as of any change.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    /// Stops the tasks when dropped.
    _stop: DropGuard,
}

/// The hand on the script of faults.
#[derive(Clone, Copy, Debug)]
pub struct Faults<'a> {
    shared: &'a Shared,
}

impl Sim {
    /// The client id that is accepted.
    pub const CLIENT_ID: &'static str = tokens::CLIENT_ID;
    /// The client secret that is accepted.
    pub const CLIENT_SECRET: &'static str = tokens::CLIENT_SECRET;
    /// The refresh token that is accepted from the start.
    pub const REFRESH_TOKEN: &'static str = tokens::REFRESH_TOKEN;

    /// Listens, and serves until shut down or dropped.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let base_url = match &settings.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{address}"),
        };
        let (lanes, ends) = callbacks::lanes();
        let stop = CancellationToken::new();
        let world = World::new(&settings, base_url);
        let shared = Arc::new(Shared::new(world, lanes, stop.clone()));
        let tasks = TaskTracker::new();
        callbacks::run(ends, &shared, &tasks)?;
        tasks.spawn(jobs::run(Arc::clone(&shared)));
        tasks.spawn(server::run(listener, Arc::clone(&shared), tasks.clone()));
        Ok(Self {
            address,
            shared,
            tasks,
            _stop: stop.drop_guard(),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of both its accounts server and its API, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.shared.world(|world| world.base_url.clone())
    }

    /// What it has seen and done so far.
    pub fn counters(&self) -> Counters {
        self.shared.world(|world| world.counters.clone())
    }

    /// The script of faults.
    pub fn faults(&self) -> Faults<'_> {
        Faults {
            shared: &self.shared,
        }
    }

    /// Changes the latency of the calls to come.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.world(|world| world.latency = latency);
    }

    /// Changes how long the bulk jobs to come take.
    pub fn set_bulk_time(&self, takes: Duration) {
        self.shared.world(|world| world.jobs.takes = takes);
    }

    /// Inserts a record and gives its id.
    ///
    /// # Errors
    /// When `values` is not an object.
    pub fn insert(&self, module: &str, values: Value) -> Result<String, SimError> {
        let mut ids = self.insert_many(module, vec![values])?;
        ids.pop().ok_or(SimError::Unreadable)
    }

    /// Inserts records as one call does: one callback per channel, with all the ids.
    ///
    /// # Errors
    /// When a row is not an object.
    pub fn insert_many(&self, module: &str, rows: Vec<Value>) -> Result<Vec<String>, SimError> {
        self.shared
            .world(|world| hands::insert(world, module, rows))
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    /// When there is no such record, or `values` is not an object.
    pub fn update(&self, module: &str, id: &str, values: Value) -> Result<(), SimError> {
        let Value::Object(mut values) = values else {
            return Err(SimError::Unreadable);
        };
        values.insert("id".to_owned(), Value::String(id.to_owned()));
        self.update_many(module, vec![Value::Object(values)])
    }

    /// Changes fields of records, each row with its `id`, as one call does.
    ///
    /// # Errors
    /// When a record does not exist, or a row is not an object.
    pub fn update_many(&self, module: &str, rows: Vec<Value>) -> Result<(), SimError> {
        self.shared
            .world(|world| hands::update(world, module, rows))
    }

    /// Deletes records as one call does.
    ///
    /// # Errors
    /// When a record does not exist; then none is deleted.
    pub fn delete(&self, module: &str, ids: &[&str]) -> Result<(), SimError> {
        self.shared.world(|world| hands::delete(world, module, ids))
    }

    /// All records of a module, in full; none for an unknown module.
    pub fn records(&self, module: &str) -> Vec<Value> {
        self.shared.world(|world| hands::records(world, module))
    }

    /// All mails, sent and scheduled: `{"message_id", "module", "record_id", "status": sent |
    /// scheduled, "time", "mail"}`.
    pub fn mails(&self) -> Vec<Value> {
        self.shared.world(|world| hands::mails(world))
    }

    /// Makes a workflow rule: changes of the module's records by `operation` (insert, update or
    /// delete) call the webhook. Gives the rule's id.
    ///
    /// # Errors
    /// When there is no such webhook of the module, or no such operation.
    pub fn workflow_rule(
        &self,
        module: &str,
        operation: &str,
        webhook: &str,
    ) -> Result<String, SimError> {
        self.shared
            .world(|world| hands::workflow_rule(world, (module, operation), webhook))
    }

    /// Loads `{"Leads": [{...}], ...}` and gives the number of records. No channel hears of it.
    /// A row may bring its own `id`, `Created_Time` and `Modified_Time`. The key `$generate`, as in
    /// `{"$generate": {"Contacts": 1000}}`, makes records as [`Sim::generate`] does, and
    /// `{"$tags": {"Leads": [{"name": "hot"}]}}` brings tags.
    ///
    /// # Errors
    /// When it is not of that shape.
    pub fn load(&self, snapshot: &Value) -> Result<usize, SimError> {
        self.shared.world(|world| hands::load(world, snapshot))
    }

    /// Makes `count` records of a module from the seed, a second apart, the last one now; gives
    /// their number. No channel hears of it, and search finds them at once.
    ///
    /// # Errors
    /// When there is no such module, or more than a million are asked for.
    pub fn generate(&self, module: &str, count: usize) -> Result<usize, SimError> {
        self.shared.world(|world| world.generate(module, count))
    }

    /// Does what `POST /crm/v8/actions/watch` does with this body, `{"watch": [...]}`, and gives
    /// the answer's body. Not counted as a call.
    pub fn watch(&self, body: &Value) -> Value {
        let call = Call {
            method: Method::POST,
            operation: Operation::Watch,
            query: vec![],
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
        };
        let answer = self.shared.world(|world| api::watch(world, &call));
        answer.body.unwrap_or_default()
    }

    /// Sends callbacks without changing a record, to every channel that hears of such changes:
    /// `{"module", "operation": insert|update|delete, "ids": [...], "values": {...}?}`. Gives
    /// their number.
    ///
    /// # Errors
    /// When it is not of that shape.
    pub fn fire(&self, what: &Value) -> Result<u64, SimError> {
        self.shared.world(|world| hands::fire(world, what))
    }

    /// Issues a code for the grant `authorization_code`, as the console does for a self client.
    pub fn issue_code(&self) -> String {
        self.issue_code_for(&[])
    }

    /// As [`Sim::issue_code`], for tokens that may do only what these scopes grant, such as
    /// `ZohoCRM.modules.leads.READ`; everything, if there are none.
    pub fn issue_code_for(&self, scopes: &[&str]) -> String {
        let scopes = Scopes::read(&scopes.join(","));
        self.shared.world(|world| {
            let now = world.clock.monotonic();
            world.tokens.issue_code(None, scopes, now)
        })
    }

    /// All access tokens expire now.
    pub fn expire_access_tokens(&self) {
        self.shared.world(|world| world.tokens.expire_access());
    }

    /// Returns when no callback waits or is being sent.
    pub async fn callbacks_settled(&self) {
        self.shared.callbacks_settled().await;
    }

    /// Stops, and returns when all tasks have ended. Callbacks still waiting are lost.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Faults<'_> {
    /// Adds a fault; false if there are too many.
    pub fn add(&self, fault: Fault) -> bool {
        self.shared.world(|world| world.script.add(fault))
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.shared.world(|world| world.script.clear());
    }
}
