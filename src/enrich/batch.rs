//! One batch: which fields are asked for, in how many calls, and what of it is at fault when Zoho refuses it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::future::try_join_all;
use serde_json::Value;
use zoho_crm::{Converted, Error, FIELDS_MAX, IDS_MAX, Listed, RecordQuery, Values};

use super::{
    Fields,
    batcher::Job,
    org::{Found, Look, Org},
    project::{ID, MODIFIED_TIME},
};
use crate::event::{ModuleName, RecordId};

/// Fields of one group; `Modified_Time` comes on top.
pub(super) const GROUP_FIELDS_MAX: usize = FIELDS_MAX - 1;

/// Calls spent on finding out which part of a batch Zoho refuses: enough for several bad ids among a hundred.
const ISOLATION_ROUNDS_MAX: usize = 64;

/// Reads that can share a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    /// One call cannot bring all the fields.
    pub(super) in_groups: bool,
    /// Whether converted leads are shown.
    pub(super) converted: Converted,
}

/// What a batch holds so far.
#[derive(Default)]
pub(super) struct Taken {
    ids: BTreeSet<RecordId>,
    fields: BTreeSet<String>,
}

impl Taken {
    /// Whether the job still fits, and if so, that it is in.
    pub(super) fn add(&mut self, job: &Job) -> bool {
        if self.ids.len() >= IDS_MAX && !self.ids.contains(&job.record) {
            return false;
        }
        if let (Fields::Only(names), false) = (&*job.fields, job.lane.in_groups) {
            let more = names
                .iter()
                .filter(|it| !is_always_asked(it) && !self.fields.contains(*it));
            if self.fields.len() + more.clone().count() > GROUP_FIELDS_MAX {
                return false;
            }
            let more: Vec<String> = more.cloned().collect();
            self.fields.extend(more);
        }
        self.ids.insert(job.record.clone());
        true
    }
}

/// A batch on its way.
pub(super) struct Batch {
    pub(super) org: Arc<Org>,
    pub(super) module: ModuleName,
    pub(super) lane: Lane,
}

/// What a batch's calls brought.
struct Brought {
    records: HashMap<String, Look>,
}

impl Batch {
    /// Answers every job, whatever happens to the others; but when too many calls were refused, what is then not known
    /// to be at fault gets no answer and is asked for again.
    pub(super) async fn run(self, jobs: Vec<Job>) {
        let mut rest = vec![jobs];
        let mut rounds = 0;
        let mut metadata_renewed = false;
        while let Some(jobs) = rest.pop() {
            let error = match self.ask(&jobs).await {
                Ok(brought) => {
                    brought.answer(jobs);
                    continue;
                }
                Err(error) => error,
            };
            rounds += 1;
            if !may_be_a_part(&error) {
                fail(jobs, &error);
            } else if rounds > ISOLATION_ROUNDS_MAX {
                // Nothing is shown against what this leaves: without an answer, its callers ask again, in another batch.
                drop(split(jobs, &error));
            } else if self.lane.in_groups && !metadata_renewed {
                // A field may have been removed since its name was learned.
                metadata_renewed = true;
                self.org.client.forget_fields(self.module.as_str());
                rest.push(jobs);
            } else {
                rest.extend(split(jobs, &error));
            }
        }
    }

    /// All groups of all the jobs' fields, for all their ids.
    async fn ask(&self, jobs: &[Job]) -> Result<Brought, Error> {
        let all = Arc::new(self.all_fields(jobs).await?);
        let mut names: BTreeSet<&str> = all.iter().map(String::as_str).collect();
        for job in jobs {
            if let Fields::Only(own) = &*job.fields {
                names.extend(own.iter().map(String::as_str));
            }
        }
        let names: Vec<&str> = names
            .into_iter()
            .filter(|it| !is_always_asked(it))
            .collect();
        let ids: BTreeSet<&str> = jobs.iter().map(|it| it.record.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        self.org
            .metrics
            .batch
            .observe(f64::from(u32::try_from(ids.len()).unwrap_or(u32::MAX)));
        let mut groups: Vec<Vec<&str>> = names
            .chunks(GROUP_FIELDS_MAX)
            .map(<[&str]>::to_vec)
            .collect();
        if groups.is_empty() {
            groups.push(vec![]);
        }
        for group in &mut groups {
            group.push(MODIFIED_TIME);
        }
        let queries: Vec<RecordQuery<'_>> = groups
            .iter()
            .map(|fields| RecordQuery {
                module: self.module.as_str(),
                ids: &ids,
                fields,
                converted: self.lane.converted,
            })
            .collect();
        let lists = try_join_all(queries.iter().map(|it| self.org.client.records(it))).await?;
        Ok(Brought {
            records: merge(lists, &all),
        })
    }

    /// The module's fields that a list gives, if a job wants all of them.
    async fn all_fields(&self, jobs: &[Job]) -> Result<Vec<String>, Error> {
        if !jobs.iter().any(|it| *it.fields == Fields::All) {
            return Ok(vec![]);
        }
        let fields = self.org.client.fields(self.module.as_str()).await?;
        let listed = fields.iter().filter(|it| it.is_listed());
        Ok(listed.map(|it| it.api_name.clone()).collect())
    }
}

impl Brought {
    fn answer(self, jobs: Vec<Job>) {
        for job in jobs {
            let look = self.records.get(job.record.as_str());
            reply(job, Ok(look.cloned().unwrap_or(Look::NotListed)));
        }
    }
}

fn is_always_asked(name: &str) -> bool {
    name == ID || name == MODIFIED_TIME
}

/// One record out of its groups of fields. A record that one group lacks was not there all the time: not listed.
fn merge(lists: Vec<Listed>, all: &Arc<Vec<String>>) -> HashMap<String, Look> {
    let groups = lists.len();
    let Some(read_at) = lists.iter().map(|it| it.answered_at).min() else {
        return HashMap::new();
    };
    let mut merged: HashMap<String, (usize, bool, Values)> = HashMap::new();
    for values in lists.into_iter().flat_map(|it| it.records) {
        let Some(id) = values.get(ID).and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        let (count, torn, record) = merged.entry(id).or_default();
        *torn |= *count > 0 && record.get(MODIFIED_TIME) != values.get(MODIFIED_TIME);
        *count += 1;
        record.extend(values);
    }
    merged
        .into_iter()
        .filter(|(_, (count, _, _))| *count >= groups)
        .map(|(id, (_, torn, values))| {
            let found = Found {
                values: Arc::new(values),
                all: Arc::clone(all),
                torn,
                read_at,
            };
            (id, Look::Found(found))
        })
        .collect()
}

/// Whether Zoho may have refused the whole batch for one id or field in it.
fn may_be_a_part(error: &Error) -> bool {
    let Error::Invalid {
        status: 400, code, ..
    } = error
    else {
        return false;
    };
    !matches!(
        code.as_str(),
        "INVALID_MODULE" | "NOT_SUPPORTED" | "API_NOT_SUPPORTED" | "INVALID_REQUEST_METHOD"
    )
}

/// Parts of a refused batch to ask for again; what is known to be at fault is answered.
fn split(jobs: Vec<Job>, error: &Error) -> Vec<Vec<Job>> {
    if let Error::Invalid {
        name: Some(name), ..
    } = error
    {
        let asks =
            |job: &Job| matches!(&*job.fields, Fields::Only(own) if own.contains(name.as_str()));
        let (at_fault, others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(asks);
        if !at_fault.is_empty() {
            fail(at_fault, error);
            return non_empty([others]);
        }
        return split_unnamed(others, error);
    }
    split_unnamed(jobs, error)
}

fn split_unnamed(jobs: Vec<Job>, error: &Error) -> Vec<Vec<Job>> {
    let mut by_fields: Vec<(Arc<Fields>, Vec<Job>)> = vec![];
    for job in jobs {
        match by_fields
            .iter_mut()
            .find(|(fields, _)| *fields == job.fields)
        {
            Some((_, same)) => same.push(job),
            None => by_fields.push((Arc::clone(&job.fields), vec![job])),
        }
    }
    if by_fields.len() > 1 {
        return by_fields.into_iter().map(|(_, jobs)| jobs).collect();
    }
    let mut by_id: BTreeMap<RecordId, Vec<Job>> = BTreeMap::new();
    for job in by_fields.into_iter().flat_map(|(_, jobs)| jobs) {
        by_id.entry(job.record.clone()).or_default().push(job);
    }
    let half = by_id.len() / 2;
    let mut ids = by_id.into_values();
    if half > 0 {
        let first: Vec<Job> = ids.by_ref().take(half).flatten().collect();
        return non_empty([first, ids.flatten().collect()]);
    }
    // One id: Zoho says the same of an id that is not there. Asking for it alone tells.
    let is_data = matches!(error, Error::Invalid { code, .. } if code.as_str() == "INVALID_DATA");
    for job in ids.flatten() {
        let answer = if is_data {
            Ok(Look::NotListed)
        } else {
            Err(error.clone())
        };
        reply(job, answer);
    }
    vec![]
}

fn non_empty<const N: usize>(parts: [Vec<Job>; N]) -> Vec<Vec<Job>> {
    parts.into_iter().filter(|it| !it.is_empty()).collect()
}

fn fail(jobs: Vec<Job>, error: &Error) {
    for job in jobs {
        reply(job, Err(error.clone()));
    }
}

/// A caller that has gone away needs no answer.
fn reply(job: Job, answer: Result<Look, Error>) {
    drop(job.reply.send(answer));
}
