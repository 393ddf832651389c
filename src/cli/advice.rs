//! What to do about an error of Zoho's.

use zoho_crm::{DataCenter, Error, OAuthError};

const CREDENTIALS: &str =
    "the client's id or secret is wrong, or it is of another data centre: see Zoho's API console";

const TEN_TOKENS: &str = "Zoho gives ten access tokens in ten minutes: other programs with the same refresh token count too";

/// The error with a line of advice, where there is one to give.
pub(super) fn add(error: anyhow::Error, at: &DataCenter) -> anyhow::Error {
    let mut chain = error.chain();
    let advice = chain.find_map(|it| match (it.downcast_ref(), it.downcast_ref()) {
        (Some(error), _) => advice(error, at),
        (None, Some(error)) => consent_advice(error, at),
        (None, None) => None,
    });
    match advice {
        Some(advice) => anyhow::anyhow!("{error:#}\n{advice}"),
        None => error,
    }
}

fn unreachable(url: &url::Url) -> String {
    format!("see whether {url} is the right place, and whether a proxy or firewall is in between")
}

fn consent_advice(error: &OAuthError, at: &DataCenter) -> Option<String> {
    let text = match error {
        OAuthError::BadClient { code } if code.as_str() == "invalid_redirect_uri" => {
            "the redirect URI must stand in Zoho's API console as it was shown"
        }
        OAuthError::BadClient { .. } => CREDENTIALS,
        OAuthError::BadToken { .. } => {
            "a code is good once and for a few minutes, of this client and data centre alone: make another"
        }
        OAuthError::TooMany { .. } => TEN_TOKENS,
        OAuthError::Unavailable { problem, .. } if problem.as_str() == "unreachable" => {
            return Some(unreachable(at.accounts_url()));
        }
        OAuthError::NoConsent { .. }
        | OAuthError::NotOurs { .. }
        | OAuthError::UnknownServer
        | OAuthError::NoRefreshToken
        | OAuthError::Unavailable { .. }
        | _ => return None,
    };
    Some(text.to_owned())
}

fn advice(error: &Error, at: &DataCenter) -> Option<String> {
    let code = error.code().map(zoho_crm::Code::as_str).unwrap_or_default();
    let text = match (error, code) {
        (Error::Unauthorized { .. }, "invalid_code") => {
            "the refresh token was revoked, or is of another client or data centre: get another with `zohook auth login`"
        }
        (Error::Unauthorized { .. }, "invalid_client" | "invalid_client_secret") => CREDENTIALS,
        (Error::Unauthorized { .. }, _) => {
            "`zohook auth status` says more; `zohook auth login` gets another refresh token"
        }
        (Error::Forbidden { .. }, "OAUTH_SCOPE_MISMATCH") => {
            "the refresh token was made without the scope for this: consent again with `zohook auth login --scopes …`"
        }
        (Error::Forbidden { .. }, _) => {
            "the user who consented may not do this, or the org's edition has it not"
        }
        (Error::Invalid { .. }, "INVALID_MODULE" | "MODULE_NOT_AVAILABLE") => {
            "`zohook crm modules` lists the modules"
        }
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
        (Error::Invalid { .. }, "INVALID_DATA") => {
            "an id or a value in the command is not one that Zoho knows here"
        }
        (Error::Gone { .. }, _) => "nothing of this kind has this id, or it is there no more",
        (Error::Throttled { .. } | Error::CreditsSpent { .. }, _) => {
            "too many calls at once, or the day's API credits are spent: `zohook auth status` says how many are left"
        }
        (Error::TokenDelayed { .. }, "unreachable") => return Some(unreachable(at.accounts_url())),
        (Error::TokenDelayed { .. }, _) => TEN_TOKENS,
        (Error::Unreachable { .. }, _) if !error.may_be_done() => {
            return Some(unreachable(at.api_url()));
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

    fn told(error: impl Into<anyhow::Error>) -> String {
        let at = DataCenter::environment(zoho_crm::Region::Eu, zoho_crm::Environment::Production);
        format!("{:#}", add(error.into(), &at.unwrap()))
    }

    #[test]
    fn who_gives_no_answer_is_named() {
        let problem = Code::new("unreachable");
        let error = Error::TokenDelayed {
            problem: problem.clone(),
            after: std::time::Duration::from_secs(5),
        };
        let consent = OAuthError::Unavailable {
            problem,
            after: None,
        };
        for text in [told(error), told(consent)] {
            assert!(text.contains("https://accounts.zoho.eu"), "{text}");
        }
    }

    #[test]
    fn a_missing_scope_says_how_to_get_it() {
        let error = Error::Forbidden {
            status: 401,
            code: Code::new("OAUTH_SCOPE_MISMATCH"),
        };
        let text = told(error);
        assert!(text.contains("OAUTH_SCOPE_MISMATCH\n"), "{text}");
        assert!(text.contains("auth login --scopes"), "{text}");
    }

    #[test]
    fn what_is_not_zohos_stays_as_it_is() {
        let text = told(anyhow::anyhow!("no such file"));
        assert_eq!(text, "no such file");
    }
}
