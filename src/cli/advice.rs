//! What to do about an error of Zoho's.

use zoho_crm::Error;

/// The error with a line of advice, where there is one to give.
pub(super) fn add(error: anyhow::Error) -> anyhow::Error {
    let found = error.chain().find_map(|it| it.downcast_ref::<Error>());
    match found.and_then(advice) {
        Some(advice) => anyhow::anyhow!("{error:#}\n{advice}"),
        None => error,
    }
}

fn advice(error: &Error) -> Option<String> {
    let code = error.code().map(zoho_crm::Code::as_str).unwrap_or_default();
    let text = match (error, code) {
        (Error::Unauthorized { .. }, "invalid_code") => {
            "the refresh token was revoked, or is of another client or data centre: get another with `zohook auth login`"
        }
        (Error::Unauthorized { .. }, "invalid_client" | "invalid_client_secret") => {
            "the client's id or secret is wrong, or it is of another data centre: see Zoho's API console"
        }
        (Error::Unauthorized { .. }, _) => {
            "`zohook auth status` says more; `zohook auth login` gets another refresh token"
        }
        (Error::Forbidden { .. }, "OAUTH_SCOPE_MISMATCH") => {
            "the refresh token was made without the scope for this: consent again with `zohook auth login --scopes …`"
        }
        (Error::Forbidden { .. }, _) => {
            "the user who consented may not do this, or the org's edition has it not"
        }
        (Error::Invalid { .. }, "INVALID_MODULE") => "`zohook crm modules` lists the modules",
        (Error::Invalid { .. }, "INVALID_QUERY" | "SYNTAX_ERROR") => {
            "a COQL query is `select Last_Name, Email from Leads where Company = 'Example' limit 200`; a `where` must be there"
        }
        (
            Error::Invalid { .. },
            "PAGINATION_LIMIT_EXCEEDED" | "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
        ) => {
            "lists end at 100,000 records: use `zohook crm bulk read`, or `coql` with a narrower `where`"
        }
        (Error::Invalid { name: Some(_), .. }, _) => {
            "`zohook crm fields MODULE` lists the fields and what they take"
        }
        (Error::Throttled { .. } | Error::CreditsSpent { .. }, _) => {
            "too many calls at once, or the day's API credits are spent: `zohook auth status` says how many are left"
        }
        (Error::TokenDelayed { .. }, _) => {
            "Zoho gives ten access tokens in ten minutes: other programs with the same refresh token count too"
        }
        (Error::Unreachable { .. }, _) => {
            "see whether the data centre is the right one and whether a proxy or firewall is in between"
        }
        _ if error.may_be_done() => "it may have been done nevertheless: look before you repeat it",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use zoho_crm::Code;

    use super::*;

    #[test]
    fn a_missing_scope_says_how_to_get_it() {
        let error = Error::Forbidden {
            status: 401,
            code: Code::new("OAUTH_SCOPE_MISMATCH"),
        };
        let text = format!("{:#}", add(error.into()));
        assert!(text.contains("OAUTH_SCOPE_MISMATCH\n"), "{text}");
        assert!(text.contains("auth login --scopes"), "{text}");
    }

    #[test]
    fn what_is_not_zohos_stays_as_it_is() {
        let text = format!("{:#}", add(anyhow::anyhow!("no such file")));
        assert_eq!(text, "no such file");
    }
}
