//! `zohook crm insert`, `update` and `upsert`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use zoho_crm::{Action, Batch, Error, Trigger, WriteOptions, Written};

use super::{
    Session, borrowed,
    input::RecordArguments,
    results::{Results, Step},
    wrong,
};

#[derive(Debug, Args)]
pub(super) struct Insert {
    /// The module's API name.
    module: String,
    #[command(flatten)]
    records: RecordArguments,
    #[command(flatten)]
    triggers: Triggers,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// The module's API name.
    module: String,
    /// The record's id; not with --file, whose records have theirs under `id`.
    id: Option<String>,
    #[command(flatten)]
    records: RecordArguments,
    #[command(flatten)]
    triggers: Triggers,
}

#[derive(Debug, Args)]
pub(super) struct Upsert {
    /// The module's API name.
    module: String,
    /// By which fields an existing record is found, in this order; the module's own unique fields by default.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    by: Vec<String>,
    #[command(flatten)]
    records: RecordArguments,
    #[command(flatten)]
    triggers: Triggers,
}

/// What Zoho runs when a record is written.
#[derive(Debug, Args)]
struct Triggers {
    /// Which automation runs; all of it by default.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "NAMES",
        conflicts_with = "no_triggers"
    )]
    triggers: Vec<Automation>,
    /// No automation runs.
    #[arg(long)]
    no_triggers: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Automation {
    Workflow,
    Approval,
    Blueprint,
}

pub(super) async fn insert(session: &Session, arguments: &Insert) -> anyhow::Result<ExitCode> {
    let (module, triggers) = (arguments.module.as_str(), arguments.triggers.list());
    let records = arguments.records.read(&session.client, module).await?;
    let options = options(triggers.as_deref(), &[]);
    let mut results = Results::new(session.format, records.len(), "inserting")?;
    for records in records.chunks(results.step()) {
        let done = session.client.insert(module, records, &options).await;
        results.add(steps(done))?;
    }
    results.finish()
}

pub(super) async fn update(session: &Session, arguments: &Update) -> anyhow::Result<ExitCode> {
    let (module, triggers) = (arguments.module.as_str(), arguments.triggers.list());
    let mut records = arguments.records.read(&session.client, module).await?;
    match (&arguments.id, records.as_mut_slice()) {
        (Some(id), [record]) => {
            record.insert("id".to_owned(), id.as_str().into());
        }
        (Some(_), _) => {
            return Err(wrong(
                "an id is for one record: leave it out, and give each record its own",
            ));
        }
        (None, records) => {
            if let Some(at) = records.iter().position(|it| !it.contains_key("id")) {
                let text = format!("record {} has no `id`: which one is it?", at + 1);
                return Err(wrong(text));
            }
        }
    }
    let options = options(triggers.as_deref(), &[]);
    let mut results = Results::new(session.format, records.len(), "updating")?;
    for records in records.chunks(results.step()) {
        let done = session.client.update(module, records, &options).await;
        results.add(steps(done))?;
    }
    results.finish()
}

pub(super) async fn upsert(session: &Session, arguments: &Upsert) -> anyhow::Result<ExitCode> {
    let (module, triggers) = (arguments.module.as_str(), arguments.triggers.list());
    let records = arguments.records.read(&session.client, module).await?;
    let by = borrowed(&arguments.by);
    let options = options(triggers.as_deref(), &by);
    let mut results = Results::new(session.format, records.len(), "upserting")?;
    for records in records.chunks(results.step()) {
        let done = session.client.upsert(module, records, &options).await;
        results.add(steps(done))?;
    }
    results.finish()
}

fn options<'a>(
    trigger: Option<&'a [Trigger]>,
    duplicate_check_fields: &'a [&'a str],
) -> WriteOptions<'a> {
    WriteOptions {
        trigger,
        duplicate_check_fields,
        condition: None,
    }
}

fn steps(done: Result<Batch<Written>, Error>) -> Result<Batch<Step>, Error> {
    let step = |it: Written| match it.action {
        Action::Inserted => Step::of("inserted", it.id),
        Action::Updated => Step::of("updated", it.id),
    };
    Ok(done?.into_iter().map(|it| it.map(step)).collect())
}

impl Triggers {
    /// `None` leaves it to Zoho.
    fn list(&self) -> Option<Vec<Trigger>> {
        let one = |it: &Automation| match it {
            Automation::Workflow => Trigger::Workflow,
            Automation::Approval => Trigger::Approval,
            Automation::Blueprint => Trigger::Blueprint,
        };
        let any = self.no_triggers || !self.triggers.is_empty();
        any.then(|| self.triggers.iter().map(one).collect())
    }
}
