//! `zohook auth status`.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use secrecy::ExposeSecret;
use serde_json::Value;
use zoho_crm::{Error, Event, Observer};

use crate::cli::{
    org::Org,
    output::{self, Format, columns, row},
};

const NAMES: [&str; 11] = [
    "credentials",
    "from",
    "client_id",
    "accounts",
    "api",
    "org",
    "edition",
    "user",
    "profile",
    "scopes",
    "credits",
];

/// No answer has said how many credits are left.
const NOT_SAID: u64 = u64::MAX;

pub(super) async fn run(found: &Org, format: Format) -> anyhow::Result<ExitCode> {
    let left = Arc::new(AtomicU64::new(NOT_SAID));
    let client = found.client(Some(observer(&left)))?;
    let user = client.current_user().await;
    // The scope for the one may be missing, and the other tell what is to be known.
    let org = client.org().await;
    if let (Err(error), Err(_)) = (&user, &org) {
        let refused = matches!(error, Error::Unauthorized { .. });
        let what = if refused {
            "Zoho does not take the credentials of"
        } else {
            "it is not known whether Zoho takes the credentials of"
        };
        let text = format!("{what} {}", found.found_in);
        return Err(anyhow::Error::from(error.clone()).context(text));
    }
    let daily = org.as_ref().ok().and_then(|it| it.limits(0)?.credits_daily);
    let shown = |text: Result<Option<String>, &Error>| match text {
        Ok(text) => Value::from(text),
        Err(error) => Value::from(format!("not known: {error}")),
    };
    let status = row([
        ("credentials", "accepted".into()),
        ("from", found.found_in.as_str().into()),
        ("client_id", found.client_id.expose_secret().into()),
        ("api", found.data_center.api_url().as_str().into()),
        ("accounts", found.data_center.accounts_url().as_str().into()),
        ("org", shown(org.as_ref().map(|it| it.company_name.clone()))),
        (
            "edition",
            shown(org.as_ref().map(|it| it.license.paid_type.clone())),
        ),
        ("user", shown(user.as_ref().map(|it| it.email.clone()))),
        ("profile", shown(user.as_ref().map(|it| it.profile.clone()))),
        (
            "scopes",
            found
                .scopes()
                .unwrap_or_else(|| "not known: the consent was not given here".to_owned())
                .into(),
        ),
        (
            "credits",
            credits(left.load(Ordering::Relaxed), daily).into(),
        ),
    ]);
    output::one_of(format, &status, &columns(&NAMES))?;
    Ok(ExitCode::SUCCESS)
}

fn observer(left: &Arc<AtomicU64>) -> Observer {
    let left = Arc::clone(left);
    Arc::new(move |event| {
        if let Event::Call {
            credits_remaining: Some(credits),
            ..
        } = event
        {
            left.fetch_min(*credits, Ordering::Relaxed);
        }
    })
}

/// Zoho says how many are left only once half of them are used.
fn credits(left: u64, daily: Option<u64>) -> String {
    let of = daily.map_or(String::new(), |it| format!(" of {it}"));
    if left == NOT_SAID {
        format!("more than half{of} left")
    } else {
        format!("{left}{of} left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_means_that_more_than_half_is_left() {
        assert_eq!(
            credits(NOT_SAID, Some(50_000)),
            "more than half of 50000 left"
        );
        assert_eq!(credits(12, Some(50_000)), "12 of 50000 left");
        assert_eq!(credits(12, None), "12 left");
    }
}
