//! `zohook crm users` and `zohook crm org`.

use std::process::ExitCode;

use clap::Args;
use futures_util::StreamExt;
use zoho_crm::{User, UserType, Values};

use crate::cli::output::{self, Format, columns, row};

use super::{Amount, Session};

const COLUMNS: [&str; 7] = [
    "id",
    "full_name",
    "email",
    "status",
    "role",
    "profile",
    "time_zone",
];

const ORG: [&str; 7] = [
    "company_name",
    "id",
    "edition",
    "users",
    "kind",
    "time_zone",
    "zgid",
];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One user, by id.
    id: Option<String>,
    /// `AllUsers`, `ActiveUsers`, `DeactiveUsers`, `ConfirmedUsers`, `NotConfirmedUsers`, `ActiveConfirmedUsers`,
    /// `AdminUsers` or `CurrentUser`.
    #[arg(long = "type", value_name = "TYPE", default_value = "ActiveUsers", value_parser = user_type, conflicts_with = "id")]
    kind: UserType,
    #[command(flatten)]
    amount: Amount,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let format = session.format;
    if let Some(id) = &arguments.id {
        let Some(user) = session.client.user(id).await? else {
            anyhow::bail!("there is no user {id}");
        };
        output::one(format, &user.raw)?;
        return Ok(ExitCode::SUCCESS);
    }
    let users = session.client.users(arguments.kind);
    let rows = users
        .map(move |it| it.map(|user| shown(user, format)))
        .boxed();
    session
        .print(rows, Some(columns(&COLUMNS)), arguments.amount)
        .await
}

pub(super) async fn org(session: &Session) -> anyhow::Result<ExitCode> {
    let org = session.client.org().await?;
    if session.format == Format::Json {
        output::one(session.format, &org.raw)?;
        return Ok(ExitCode::SUCCESS);
    }
    let edition = org.license.paid_type.clone();
    let values = row([
        ("id", org.id.into()),
        ("company_name", org.company_name.into()),
        ("edition", edition.into()),
        ("users", org.license.users.into()),
        ("kind", org.kind.into()),
        ("time_zone", org.time_zone.into()),
        ("zgid", org.zgid.into()),
    ]);
    output::one_of(session.format, &values, &columns(&ORG))?;
    Ok(ExitCode::SUCCESS)
}

/// All of it for machines that can take it.
fn shown(user: User, format: Format) -> Values {
    if format == Format::Json {
        return user.raw;
    }
    row([
        ("id", user.id.into()),
        ("full_name", user.full_name.into()),
        ("email", user.email.into()),
        ("status", user.status.into()),
        ("role", user.role.into()),
        ("profile", user.profile.into()),
        ("time_zone", user.time_zone.into()),
    ])
}

fn user_type(name: &str) -> Result<UserType, String> {
    UserType::parse(name).ok_or_else(|| {
        let names = UserType::ALL.map(UserType::as_str).join(", ");
        format!("there are {names}")
    })
}
