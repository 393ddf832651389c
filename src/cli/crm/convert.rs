//! `zohook crm convert`: one lead now, or several in the background, waited for.

use std::{process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};
use clock::Clock;
use serde_json::Value;
use zoho_crm::convert::{Became, Conversion, Converted, LEADS_MAX, LeadTarget, Target};

use crate::cli::{
    FAILED, complain,
    output::{self, row},
    progress,
};

use super::{Session, borrowed, input, wrong};

/// How often a conversion in the background is asked after, at first; then ever more seldom.
const POLL_FIRST: Duration = Duration::from_millis(500);

/// And at last.
const POLL_LAST: Duration = Duration::from_secs(10);

/// The longest a conversion is waited for.
const WAIT_MAX: Duration = Duration::from_hours(1);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The lead's id; several are converted in the background, all in the same way, and waited for.
    #[arg(required = true, num_args = 1..=LEADS_MAX)]
    ids: Vec<String>,
    /// Into this account that is there.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Into this contact that is there.
    #[arg(long, value_name = "ID")]
    contact: Option<String>,
    /// A value of a new deal, without which none is made: NAME=TEXT or NAME:=JSON.
    #[arg(long, value_name = "NAME=TEXT")]
    deal: Vec<String>,
    /// The lead's values replace those of the account and contact that are there.
    #[arg(long)]
    overwrite: bool,
    /// Tell the lead's owner.
    #[arg(long)]
    notify_owner: bool,
    /// Id of the user who gets the new records.
    #[arg(long, value_name = "ID")]
    assign_to: Option<String>,
    /// Where the lead's attachments go.
    #[arg(long, value_enum, value_name = "WHAT")]
    attachments_to: Option<To>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    Account,
    Contact,
    Deal,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let deal = if arguments.deal.is_empty() {
        None
    } else {
        Some(input::set(&arguments.deal)?)
    };
    let [id] = arguments.ids.as_slice() else {
        let alone = arguments.account.is_some()
            || arguments.contact.is_some()
            || arguments.assign_to.is_some()
            || arguments.attachments_to.is_some()
            || arguments.overwrite
            || arguments.notify_owner;
        if alone {
            return Err(wrong("of several leads only --deal can be said"));
        }
        let ids = borrowed(&arguments.ids);
        let job = session.client.convert_leads(&ids, deal.as_ref()).await?;
        return wait(session, &job, arguments.ids.len()).await;
    };
    let how = Conversion {
        account: arguments.account.map(Target::Existing),
        contact: arguments.contact.map(Target::Existing),
        deal,
        overwrite: arguments.overwrite.then_some(true),
        notify_lead_owner: arguments.notify_owner.then_some(true),
        assign_to: arguments.assign_to,
        move_attachments_to: arguments.attachments_to.map(|it| match it {
            To::Account => LeadTarget::Account,
            To::Contact => LeadTarget::Contact,
            To::Deal => LeadTarget::Deal,
        }),
        ..Conversion::default()
    };
    match session.client.convert_lead(id, &how).await? {
        Converted::Done {
            contact,
            account,
            deal,
        } => {
            let id = |it: Option<Became>| it.map_or(Value::Null, |it| it.id.into());
            let became = row([
                ("account", id(account)),
                ("contact", id(contact)),
                ("deal", id(deal)),
            ]);
            output::one(session.format, &became)?;
            Ok(ExitCode::SUCCESS)
        }
        Converted::Scheduled { job_id } => wait(session, &job_id, 1).await,
    }
}

async fn wait(session: &Session, job: &str, leads: usize) -> anyhow::Result<ExitCode> {
    let clock = Clock::real();
    let end = clock.monotonic() + WAIT_MAX;
    let bar = progress::counting(leads.try_into()?, "converting")?;
    let mut pause = POLL_FIRST;
    let status = loop {
        let status = session.client.conversion_status(job).await?;
        bar.set_position(status.converted + status.failed);
        if matches!(
            status.status.to_lowercase().as_str(),
            "completed" | "failed"
        ) {
            break status;
        }
        anyhow::ensure!(
            clock.monotonic() < end,
            "job {job} is not done after an hour: {} of {leads} converted so far",
            status.converted
        );
        clock.sleep(pause).await;
        pause = (pause * 2).min(POLL_LAST);
    };
    bar.finish_and_clear();
    let ended = row([
        ("job", job.into()),
        ("status", status.status.as_str().into()),
        ("converted", status.converted.into()),
        ("failed", status.failed.into()),
        ("waiting", status.waiting.into()),
    ]);
    output::one(session.format, &ended)?;
    if status.failed == 0 && status.converted > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!(
        "{} of {leads} leads were not converted",
        status.failed
    ));
    Ok(ExitCode::from(FAILED))
}
