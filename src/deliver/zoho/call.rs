//! The calls: one kind of command each, and what was written by them.

use std::collections::BTreeSet;

use zoho_crm::{
    Batch, Client, Error, ItemError, Trigger, Values, WriteOptions, Written, notes::NoteOf,
    tags::NewTag,
};

use super::{
    Zoho, answer, convert,
    job::{Job, Task},
    wish::Tags,
};
use crate::{
    deliver::Delivered,
    event::{Action, Command, ConnectionName, OwnWrite, RecordId},
};

/// The words of `trigger`.
const TRIGGERS: [Trigger; 3] = [Trigger::Workflow, Trigger::Approval, Trigger::Blueprint];

/// One result a job, in their order; or why the call as a whole failed. All jobs can share a call.
pub(super) async fn make(zoho: &Zoho, jobs: &[Job]) -> Result<Vec<Delivered>, Error> {
    let Some(first) = jobs.first() else {
        return Ok(vec![]);
    };
    let client = &zoho.client;
    match &first.task {
        Task::Fields => {
            let batch = fields(client, &first.command, jobs).await?;
            let written = |job: &Job, it: Written| own_write(&zoho.connection, &job.command, it);
            each(jobs, batch, written)
        }
        Task::Tags(wanted) => each(jobs, tags(client, first, wanted, jobs).await?, |_, ()| None),
        Task::Note(_) => each(jobs, notes(client, jobs).await?, |_, _| None),
        Task::Convert(how) => Ok(vec![convert::lead(zoho, first.record(), how).await?]),
        Task::Mail(mail) => {
            let module = first.command.module.as_str();
            client.send_mail(module, first.record(), mail).await?;
            Ok(vec![Ok(None)])
        }
    }
}

fn each<T>(
    jobs: &[Job],
    batch: Batch<T>,
    written: impl Fn(&Job, T) -> Option<OwnWrite>,
) -> Result<Vec<Delivered>, Error> {
    if let Some(error) = refused_as_one(&batch) {
        return Err(error);
    }
    let each = jobs.iter().zip(batch).map(|(job, result)| match result {
        Ok(done) => Ok(written(job, done)),
        Err(item) => Err(answer::of_item(&item, job.command.action)),
    });
    Ok(each.collect())
}

async fn fields(client: &Client, first: &Command, jobs: &[Job]) -> Result<Batch<Written>, Error> {
    let records: Vec<Values> = jobs.iter().map(|it| values(&it.command)).collect();
    let trigger: Option<Vec<Trigger>> = first.trigger.as_ref().map(|words| {
        let named = |it: &Trigger| words.iter().any(|word| word == it.as_str());
        TRIGGERS.into_iter().filter(named).collect()
    });
    let unique: Vec<&str> = first.unique_fields.iter().map(String::as_str).collect();
    let options = WriteOptions {
        trigger: trigger.as_deref(),
        duplicate_check_fields: &unique,
        ..WriteOptions::default()
    };
    let module = first.module.as_str();
    if first.action == Action::Update {
        client.update(module, &records, &options).await
    } else {
        client.upsert(module, &records, &options).await
    }
}

async fn tags(
    client: &Client,
    first: &Job,
    wanted: &Tags,
    jobs: &[Job],
) -> Result<Batch<()>, Error> {
    let module = first.command.module.as_str();
    let ids: Vec<&str> = jobs.iter().map(Job::record).collect();
    let names = wanted.names.iter().map(String::as_str);
    if first.command.action == Action::AddTags {
        let tags: Vec<NewTag> = names.map(NewTag::from).collect();
        client
            .add_tags(module, &ids, &tags, wanted.over_write)
            .await
    } else {
        let names: Vec<&str> = names.collect();
        client.remove_tags(module, &ids, &names).await
    }
}

async fn notes(client: &Client, jobs: &[Job]) -> Result<Batch<String>, Error> {
    let of = |job: &Job| match &job.task {
        Task::Note(note) => Some(NoteOf {
            module: job.command.module.as_str().to_owned(),
            record: job.record().to_owned(),
            note: note.clone(),
        }),
        Task::Fields | Task::Tags(_) | Task::Convert(_) | Task::Mail(_) => None,
    };
    let notes: Vec<NoteOf> = jobs.iter().filter_map(of).collect();
    client.add_notes(&notes).await
}

/// Some refusals name no record, but stand for all: then who is at fault is not told. What they say of permission is
/// about each record, as it is of one that goes alone: held against the org, it would be tried for ever.
fn refused_as_one<T>(batch: &Batch<T>) -> Option<Error> {
    let mut errors = batch.iter().map(|it| it.as_ref().err());
    let first: &ItemError = errors.next()??;
    if matches!(first.error, Error::Forbidden { .. }) {
        return None;
    }
    let all = errors
        .all(|it| it.is_some_and(|it| it.json_path == first.json_path && it.code == first.code));
    (all && batch.len() > 1).then(|| first.error.clone())
}

fn values(command: &Command) -> Values {
    let mut values = command.values.as_object().cloned().unwrap_or_default();
    if let Some(id) = &command.id {
        values.insert("id".to_owned(), id.as_str().into());
    }
    values
}

/// How its echo is recognised, if Zoho says it.
fn own_write(connection: &ConnectionName, command: &Command, written: Written) -> Option<OwnWrite> {
    let made = written.action == zoho_crm::Action::Inserted;
    let names = command.values.as_object()?.keys();
    Some(OwnWrite {
        connection: connection.clone(),
        module: command.module.clone(),
        record: RecordId::new(written.id),
        modified_at: written.modified_time?,
        // Only an earlier attempt can have made a record that holds this delivery's id.
        created: made || command.action == Action::Create,
        explained: BTreeSet::new(),
        fields: names.cloned().collect(),
    })
}
