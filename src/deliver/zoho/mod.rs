//! Writes to a Zoho org: commands rendered when they were planned, many records a call where Zoho takes them.

mod answer;
mod call;
mod convert;
mod job;
mod wish;

use clock::Clock;
use zoho_crm::Client;

use self::job::{Job, Task};
use super::{Capacity, Clients, Delivered, SetupError, ZohoSettings};
use crate::event::{Action, ConnectionName, Delivery, DestinationName, WriteTarget};

/// Windows in flight at once; the client itself caps the calls.
const LANES: usize = 4;

/// Records of one call share their tags. Where the call and then so many of them in a row were refused, the tags are at
/// fault, not each of up to 500 records.
const ALIKE_MAX: usize = 5;

/// One org.
#[derive(Debug)]
pub(super) struct Zoho {
    client: Client,
    connection: ConnectionName,
    clock: Clock,
    action: Action,
}

impl Zoho {
    pub(super) fn new(
        name: &DestinationName,
        settings: &ZohoSettings,
        clock: &Clock,
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
            clock: clock.clone(),
            action: settings.action,
        })
    }

    /// As much as one call takes: its outcome is committed before the next window.
    pub(super) const fn capacity(&self) -> Capacity {
        Capacity {
            window: together_max(self.action),
            lanes: LANES,
        }
    }

    /// The records that a window may change, where our own change can be told from others'.
    pub(super) fn writes(&self, window: &[Delivery]) -> Vec<WriteTarget> {
        let jobs = window.iter().filter_map(|it| Job::read(0, it).ok());
        jobs.map(|it| it.command)
            .filter(|it| it.action.writes_fields())
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
            match Job::read(at, delivery) {
                Ok(job) => {
                    results.push(Ok(None));
                    add(&mut calls, job);
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
        let results = match call::make(self, jobs).await {
            Err(error) if answer::may_be_one_of_many(&error) && jobs.len() > 1 => {
                self.each_alone(jobs).await
            }
            Err(error) => all(jobs, &error),
            Ok(results) => results,
        };
        jobs.iter().map(|it| it.at).zip(results).collect()
    }

    async fn each_alone(&self, jobs: &[Job]) -> Vec<Delivered> {
        let mut results: Vec<Delivered> = vec![];
        let mut alike = 0;
        for job in jobs {
            let alone = std::slice::from_ref(job);
            let mut result = match call::make(self, alone).await {
                Ok(result) => result,
                Err(error) => all(alone, &error),
            };
            let result = result.pop().unwrap_or_else(|| Err(answer::nothing()));
            alike = if answer::is_hopeless(&result) {
                alike + 1
            } else {
                0
            };
            results.push(result.clone());
            if matches!(job.task, Task::Tags(_)) && alike == ALIKE_MAX {
                results.resize(jobs.len(), result);
                break;
            }
        }
        results
    }
}

fn all(jobs: &[Job], error: &zoho_crm::Error) -> Vec<Delivered> {
    let of_job = |it: &Job| Err(answer::of_call(error, it.command.action));
    jobs.iter().map(of_job).collect()
}

/// Records of one call. Zoho: "Update records", "Add tags to records", v8. Notes go in tens, which cost no more
/// credits than a hundred and are fewer to be doubled.
const fn together_max(action: Action) -> usize {
    match action {
        Action::Update | Action::Upsert | Action::Create => zoho_crm::WRITTEN_MAX,
        Action::AddTags | Action::RemoveTags => zoho_crm::tags::RECORDS_MAX,
        Action::Note => 10,
        Action::Convert | Action::Mail => 1,
    }
}

/// To the first call that it can share: of the same kind, and not of the same record, whose writes keep their order.
fn add(calls: &mut Vec<Vec<Job>>, job: Job) {
    let after = calls
        .iter()
        .rposition(|jobs| jobs.iter().any(|it| is_same_record(it, &job)))
        .map_or(0, |it| it + 1);
    let most = together_max(job.command.action);
    let shared = calls
        .iter_mut()
        .skip(after)
        .find(|jobs| jobs.len() < most && jobs.iter().all(|it| can_share(it, &job)));
    match shared {
        Some(jobs) => jobs.push(job),
        None => calls.push(vec![job]),
    }
}

fn is_same_record(a: &Job, b: &Job) -> bool {
    let (a, b) = (&a.command, &b.command);
    let unique = |it: &crate::event::Command| -> Vec<_> {
        let names = it.unique_fields.iter();
        names.map(|name| it.values.get(name).cloned()).collect()
    };
    a.module == b.module && a.id == b.id && (a.id.is_some() || unique(a) == unique(b))
}

/// One call has one kind of command.
fn can_share(a: &Job, b: &Job) -> bool {
    let same_tags = match (&a.task, &b.task) {
        (Task::Tags(a), Task::Tags(b)) => a == b,
        _ => true,
    };
    let (a, b) = (&a.command, &b.command);
    same_tags
        && a.action == b.action
        && a.module == b.module
        && a.trigger == b.trigger
        && a.unique_fields == b.unique_fields
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
            add(&mut calls, Job::of(at, command).unwrap());
        }
        let places = |jobs: Vec<Job>| jobs.iter().map(|it| it.at).collect();
        calls.into_iter().map(places).collect()
    }

    fn sizes(commands: impl IntoIterator<Item = Value>) -> Vec<usize> {
        let commands: Vec<Value> = commands.into_iter().collect();
        calls(&commands).iter().map(Vec::len).collect()
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
        let many = (0..101).map(|it| update(&it.to_string()));
        assert_eq!(sizes(many), [100, 1]);
    }

    #[test]
    fn upserts_of_one_value_are_one_record() {
        let upsert = |email: &str| json!({"action": "upsert", "unique_fields": ["Email"], "values": {"Email": email}});
        let commands = [upsert("a"), upsert("b"), upsert("a")];
        assert_eq!(calls(&commands), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn five_hundred_records_share_their_tags() {
        let tag = |id: usize, values: Value| json!({"action": "add_tags", "id": id.to_string(), "values": values});
        let hot = || json!({"tags": ["hot"]});
        let commands = [
            tag(1, hot()),
            tag(2, json!({"tags": ["cold"]})),
            tag(3, hot()),
            tag(1, hot()),
            tag(4, json!({"tags": ["hot"], "over_write": true})),
        ];
        assert_eq!(calls(&commands), [vec![0, 2], vec![1], vec![3], vec![4]]);
        assert_eq!(sizes((0..501).map(|it| tag(it, hot()))), [500, 1]);
    }

    #[test]
    fn what_cannot_be_repeated_shares_calls_with_few_or_none() {
        let many = |action: &str, count: usize, values: Value| {
            let of = |it: usize| json!({"action": action, "id": it.to_string(), "values": values});
            sizes((0..count).map(of))
        };
        assert_eq!(many("note", 11, json!({"Note_Content": "x"})), [10, 1]);
        assert_eq!(many("convert", 2, json!({})), [1, 1]);
        let mail = json!({"from": "a@example.com", "to": "b@example.com", "subject": "s"});
        assert_eq!(many("mail", 2, mail), [1, 1]);
    }
}
