//! Writes to a Zoho org: commands rendered when they were planned, up to a hundred records a call.

mod answer;
mod call;

use std::time::Duration;

use zoho_crm::Client;

use super::{
    Capacity, Clients, DeliverError, Delivered, SetupError, ZohoSettings, error::unrenderable,
};
use crate::event::{Command, ConnectionName, Delivery, DestinationName, WriteTarget};

/// Records of one call. Zoho: "Update records", v8.
const WINDOW: usize = 100;

/// Windows in flight at once.
const LANES: usize = 4;

/// How much goes out at once; the client itself caps the calls.
pub(super) const CAPACITY: Capacity = Capacity {
    window: WINDOW,
    lanes: LANES,
    linger: Duration::ZERO,
};

/// One org.
#[derive(Debug)]
pub(super) struct Zoho {
    client: Client,
    connection: ConnectionName,
}

/// A command and its place in the window.
struct Job {
    at: usize,
    command: Command,
}

impl Zoho {
    pub(super) fn new(
        name: &DestinationName,
        settings: &ZohoSettings,
        clients: &Clients,
    ) -> Result<Self, SetupError> {
        let client = clients.get(&settings.connection);
        Ok(Self {
            client: client.cloned().ok_or_else(|| SetupError {
                name: name.as_str().to_owned(),
                detail: format!("there is no connection {}", settings.connection),
                source: None,
            })?,
            connection: settings.connection.clone(),
        })
    }

    /// The records that a window may change.
    pub(super) fn writes(&self, window: &[Delivery]) -> Vec<WriteTarget> {
        let commands = window.iter().filter_map(|it| command(it).ok());
        commands
            .map(|it| WriteTarget {
                connection: self.connection.clone(),
                module: it.module,
                record: it.id,
            })
            .collect()
    }

    /// One call after the other, each with what can share it.
    pub(super) async fn deliver(&self, window: &[Delivery]) -> Vec<Delivered> {
        let mut results: Vec<Delivered> = vec![];
        let mut calls: Vec<Vec<Job>> = vec![];
        for (at, delivery) in window.iter().enumerate() {
            match command(delivery) {
                Ok(command) => {
                    results.push(Ok(None));
                    add(&mut calls, Job { at, command });
                }
                Err(error) => results.push(Err(error)),
            }
        }
        for jobs in calls {
            for (at, result) in self.call(&jobs).await {
                if let Some(place) = results.get_mut(at) {
                    *place = result;
                }
            }
        }
        results
    }

    /// Where a call is refused as a whole, one of its records may be to blame: then each goes alone.
    async fn call(&self, jobs: &[Job]) -> Vec<(usize, Delivered)> {
        let results = call::write(&self.client, &self.connection, jobs).await;
        let results = match results {
            Err(error) if answer::may_be_one_of_many(&error) && jobs.len() > 1 => {
                let mut results = vec![];
                for job in jobs.chunks(1) {
                    let alone = call::write(&self.client, &self.connection, job).await;
                    results.push(match alone {
                        Ok(mut one) => one.pop().unwrap_or_else(|| Err(answer::nothing())),
                        Err(error) => Err(answer::of_call(&error)),
                    });
                }
                results
            }
            Err(error) => {
                let error = answer::of_call(&error);
                jobs.iter().map(|_| Err(error.clone())).collect()
            }
            Ok(results) => results,
        };
        jobs.iter().map(|it| it.at).zip(results).collect()
    }
}

/// To the first call that it can share: of the same kind, and not of the same record, whose writes keep their order.
fn add(calls: &mut Vec<Vec<Job>>, job: Job) {
    let after = calls
        .iter()
        .rposition(|jobs| {
            jobs.iter()
                .any(|it| is_same_record(&it.command, &job.command))
        })
        .map_or(0, |it| it + 1);
    let shared = calls.iter_mut().skip(after).find(|jobs| {
        jobs.len() < WINDOW && jobs.iter().all(|it| can_share(&it.command, &job.command))
    });
    match shared {
        Some(jobs) => jobs.push(job),
        None => calls.push(vec![job]),
    }
}

fn is_same_record(a: &Command, b: &Command) -> bool {
    let unique = |it: &Command| -> Vec<_> {
        let names = it.unique_fields.iter();
        names.map(|name| it.values.get(name).cloned()).collect()
    };
    a.module == b.module && a.id == b.id && (a.id.is_some() || unique(a) == unique(b))
}

/// One call has one kind of command.
fn can_share(a: &Command, b: &Command) -> bool {
    a.action == b.action
        && a.module == b.module
        && a.trigger == b.trigger
        && a.unique_fields == b.unique_fields
}

fn command(delivery: &Delivery) -> Result<Command, DeliverError> {
    let data = &delivery.planned.message.data;
    let command: Command = serde_json::from_slice(data).map_err(|error| {
        unrenderable(format!(
            "the command cannot be read: {:?}",
            error.classify()
        ))
    })?;
    // One bad name would have Zoho refuse all that shares the call.
    let problem = if !zoho_crm::is_api_name(command.module.as_str()) {
        "the module's name is not one"
    } else if !command.action.is_by_unique_field()
        && !command
            .id
            .as_ref()
            .is_some_and(|it| zoho_crm::is_record_id(it.as_str()))
    {
        "the record's id is not one"
    } else if !command.values.is_object() {
        "the values are no mapping"
    } else {
        return Ok(command);
    };
    Err(unrenderable(problem))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn calls(commands: &[Value]) -> Vec<Vec<usize>> {
        let mut calls = vec![];
        for (at, command) in commands.iter().enumerate() {
            let mut command = command.clone();
            command["module"] = json!("Leads");
            let command = serde_json::from_value(command).unwrap();
            add(&mut calls, Job { at, command });
        }
        let places = |jobs: Vec<Job>| jobs.iter().map(|it| it.at).collect();
        calls.into_iter().map(places).collect()
    }

    #[test]
    fn records_share_calls_and_one_record_keeps_its_order() {
        let update = |id: &str| json!({"action": "update", "id": id, "values": {"A": id}});
        let plain = json!({"action": "update", "id": "4", "trigger": [], "values": {}});
        let commands = [
            update("1"),
            update("2"),
            update("1"),
            update("3"),
            plain,
            update("1"),
        ];
        assert_eq!(calls(&commands), [vec![0, 1, 3], vec![2], vec![4], vec![5]]);
        let many: Vec<Value> = (0..101).map(|it| update(&it.to_string())).collect();
        let sizes: Vec<_> = calls(&many).iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 1]);
    }

    #[test]
    fn upserts_of_one_value_are_one_record() {
        let upsert = |email: &str| json!({"action": "upsert", "unique_fields": ["Email"], "values": {"Email": email}});
        let commands = [upsert("a"), upsert("b"), upsert("a")];
        assert_eq!(calls(&commands), [vec![0, 1], vec![2]]);
    }
}
