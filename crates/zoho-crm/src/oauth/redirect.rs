//! The URL that a browser comes back to after a consent.

use secrecy::SecretString;
use url::Url;

use super::OAuthError;
use crate::{Code, DataCenter, Region};

/// A consent, given.
#[derive(Clone, Debug)]
pub struct Redirected {
    /// Good for two minutes, and once.
    pub code: SecretString,
    /// Where to exchange it, and where the org lives.
    pub data_center: DataCenter,
}

/// Stands before a redirect that is given from its `?` on.
const ANY_BASE: &str = "http://localhost/";

pub(super) fn read(
    configured: &DataCenter,
    arrived_at: &str,
    state: &str,
) -> Result<Redirected, OAuthError> {
    let url = Url::parse(ANY_BASE)
        .and_then(|base| base.join(arrived_at))
        .ok()
        .ok_or(OAuthError::NotOurs {
            problem: "it is no url",
        })?;
    let get = |name: &str| {
        let mut found = url.query_pairs().filter(|(key, _)| key == name);
        // Who names a thing twice may mean to be read differently by two readers.
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(Some(value.into_owned())),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(OAuthError::NotOurs {
                problem: "a parameter comes twice",
            }),
        }
    };
    if state.is_empty() || get("state")?.as_deref() != Some(state) {
        return Err(OAuthError::NotOurs {
            problem: "its state is not the one that was sent",
        });
    }
    if let Some(error) = get("error")? {
        return Err(OAuthError::NoConsent {
            code: Code::new(&error),
        });
    }
    let code = get("code")?.filter(|it| !it.is_empty());
    let data_center = home(
        configured,
        get("accounts-server")?.as_deref(),
        get("location")?.as_deref(),
    )?;
    Ok(Redirected {
        code: code
            .ok_or(OAuthError::NotOurs {
                problem: "it holds no code",
            })?
            .into(),
        data_center,
    })
}

/// Where the person lives: only hosts of Zoho's, and only for who already talks to one, or the configured ones.
fn home(
    configured: &DataCenter,
    server: Option<&str>,
    location: Option<&str>,
) -> Result<DataCenter, OAuthError> {
    let here = configured.accounts_url();
    let Some(own) = Region::of_accounts_url(here) else {
        // A simulator or proxy never leads to the real service.
        return match server.map(Url::parse) {
            None => Ok(configured.clone()),
            Some(Ok(url)) if url.origin() == here.origin() => Ok(configured.clone()),
            Some(_) => Err(OAuthError::UnknownServer),
        };
    };
    let by_location = |name: &str| Region::ALL.into_iter().find(|it| it.location() == name);
    let named = match server.map(Url::parse) {
        None => None,
        Some(Ok(url)) => Some(Region::of_accounts_url(&url).ok_or(OAuthError::UnknownServer)?),
        Some(Err(_)) => return Err(OAuthError::UnknownServer),
    };
    let located = location.and_then(by_location);
    let region = match (named, located) {
        (Some(named), Some(located)) if named != located => {
            return Err(OAuthError::NotOurs {
                problem: "its location and its accounts server are not the same data centre",
            });
        }
        (Some(region), _) | (None, Some(region)) => region,
        (None, None) if location.is_some() => return Err(OAuthError::UnknownServer),
        (None, None) => own,
    };
    if region == own {
        return Ok(configured.clone());
    }
    configured
        .moved_to(region)
        .ok()
        .ok_or(OAuthError::UnknownServer)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::Environment;

    const STATE: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

    fn center(region: Region) -> DataCenter {
        DataCenter::region(region).unwrap()
    }

    /// `code` and where to exchange it, or the error.
    fn check(configured: &DataCenter, query: &str) -> Result<(String, String), String> {
        let url = format!("http://localhost:8000/callback?{query}");
        match read(configured, &url, STATE) {
            Ok(it) => Ok((
                it.code.expose_secret().to_owned(),
                it.data_center.api_url().host_str().unwrap().to_owned(),
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_data_centre_of_the_person_is_followed() {
        let cases = [
            ("", "www.zohoapis.com"),
            (
                "&location=us&accounts-server=https%3A%2F%2Faccounts.zoho.com",
                "www.zohoapis.com",
            ),
            (
                "&location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu",
                "www.zohoapis.eu",
            ),
            (
                "&location=au&accounts-server=https%3A%2F%2Faccounts.zoho.com.au",
                "www.zohoapis.com.au",
            ),
            (
                "&location=ca&accounts-server=https://accounts.zohocloud.ca",
                "www.zohoapis.ca",
            ),
            (
                "&accounts-server=https://accounts.zoho.in/",
                "www.zohoapis.in",
            ),
            ("&location=jp", "www.zohoapis.jp"),
        ];
        for (more, host) in cases {
            let query = format!("state={STATE}&code=1000.abc{more}");
            let found = check(&center(Region::Com), &query);
            assert_eq!(found, Ok(("1000.abc".into(), host.into())), "{more}");
        }
    }

    #[test]
    fn a_sandbox_stays_a_sandbox() {
        let sandbox = DataCenter::environment(Region::Com, Environment::Sandbox).unwrap();
        let query = format!("state={STATE}&code=c&accounts-server=https://accounts.zoho.eu");
        let found = check(&sandbox, &query).unwrap();
        assert_eq!(found.1, "sandbox.zohoapis.eu");
    }

    #[test]
    fn only_zohos_own_servers_get_the_code() {
        for bad in [
            "accounts-server=https://accounts.zoho.com.evil.example",
            "accounts-server=https://evil.example",
            "accounts-server=http://accounts.zoho.com",
            "accounts-server=https://accounts.zoho.com:8443",
            "accounts-server=not a url",
            "location=moon",
        ] {
            let query = format!("state={STATE}&code=c&{bad}");
            let error = check(&center(Region::Com), &query).unwrap_err();
            assert!(error.contains("allow-list"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_simulator_never_leads_to_the_real_service() {
        let url = Url::parse("http://127.0.0.1:8181").unwrap();
        let simulator = DataCenter::custom(url.clone(), url).unwrap();
        let query =
            |server: &str| format!("state={STATE}&code=c&location=us&accounts-server={server}");
        let found = check(&simulator, &query("http://127.0.0.1:8181")).unwrap();
        assert_eq!(found.1, "127.0.0.1");
        assert!(check(&simulator, &query("https://accounts.zoho.com")).is_err());
    }

    #[test]
    fn what_is_no_answer_to_our_question_is_refused() {
        for (query, words) in [
            ("code=c", "state"),
            ("code=c&state=other", "state"),
            (&format!("state={STATE}"), "no code"),
            (&format!("state={STATE}&code="), "no code"),
            (&format!("state={STATE}&code=a&code=b"), "twice"),
            (&format!("state={STATE}&state=x&code=a"), "twice"),
            (
                &format!("state={STATE}&error=access_denied"),
                "no consent was given: access_denied",
            ),
            (
                &format!(
                    "state={STATE}&code=a&location=eu&accounts-server=https://accounts.zoho.in"
                ),
                "not the same data centre",
            ),
        ] {
            let error = check(&center(Region::Com), query).unwrap_err();
            assert!(error.contains(words), "{query}: {error}");
        }
    }

    #[test]
    fn the_query_alone_will_do() {
        let query = format!("?state={STATE}&code=1000.abc");
        let found = read(&center(Region::Eu), &query, STATE).unwrap();
        assert_eq!(found.code.expose_secret(), "1000.abc");
        assert!(!format!("{found:?}").contains("1000.abc"));
    }
}
