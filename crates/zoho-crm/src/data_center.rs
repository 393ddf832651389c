//! Which hosts serve an org: Zoho's data centres, or hosts of the user's own choice (a simulator, a proxy).

use std::fmt;

use url::{Host, Url};

use crate::SetupError;

/// One of Zoho's data centres, named by its top-level domain.
///
/// Zoho: "Multi DC support" and the constants of the official SDKs; `uk` is known from the field only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// United States.
    Com,
    /// Europe.
    Eu,
    /// India.
    In,
    /// Australia.
    ComAu,
    /// Japan.
    Jp,
    /// Canada.
    Ca,
    /// Saudi Arabia.
    Sa,
    /// China; an org of its own world: a client of another data centre cannot get consent there.
    Cn,
    /// United Kingdom.
    Uk,
}

impl Region {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Com,
        Self::Eu,
        Self::In,
        Self::ComAu,
        Self::Jp,
        Self::Ca,
        Self::Sa,
        Self::Cn,
        Self::Uk,
    ];

    /// `com eu in com.au jp ca sa cn uk`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Com => "com",
            Self::Eu => "eu",
            Self::In => "in",
            Self::ComAu => "com.au",
            Self::Jp => "jp",
            Self::Ca => "ca",
            Self::Sa => "sa",
            Self::Cn => "cn",
            Self::Uk => "uk",
        }
    }

    /// The region with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Host of the API, e.g. `www.zohoapis.com`.
    pub const fn api_host(self) -> &'static str {
        match self {
            Self::Com => "www.zohoapis.com",
            Self::Eu => "www.zohoapis.eu",
            Self::In => "www.zohoapis.in",
            Self::ComAu => "www.zohoapis.com.au",
            Self::Jp => "www.zohoapis.jp",
            Self::Ca => "www.zohoapis.ca",
            Self::Sa => "www.zohoapis.sa",
            Self::Cn => "www.zohoapis.com.cn",
            Self::Uk => "www.zohoapis.uk",
        }
    }

    /// Host of the accounts server, e.g. `accounts.zoho.com`.
    pub const fn accounts_host(self) -> &'static str {
        match self {
            Self::Com => "accounts.zoho.com",
            Self::Eu => "accounts.zoho.eu",
            Self::In => "accounts.zoho.in",
            Self::ComAu => "accounts.zoho.com.au",
            Self::Jp => "accounts.zoho.jp",
            Self::Ca => "accounts.zohocloud.ca",
            Self::Sa => "accounts.zoho.sa",
            Self::Cn => "accounts.zoho.com.cn",
            Self::Uk => "accounts.zoho.uk",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The two hosts a client talks to, and which `api_domain` of a token answer it believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataCenter {
    api_url: Url,
    accounts_url: Url,
}

impl DataCenter {
    /// One of Zoho's own.
    ///
    /// # Errors
    /// Never for the regions there are; the hosts are parsed like any others.
    pub fn region(region: Region) -> Result<Self, SetupError> {
        let url = |host: &str| {
            Url::parse(&format!("https://{host}")).map_err(|source| SetupError::Url {
                url: host.to_owned(),
                problem: source.to_string(),
            })
        };
        Self::custom(url(region.api_host())?, url(region.accounts_host())?)
    }

    /// Two base URLs. Where the API's host is not one of Zoho's, a token answer can never lead the client elsewhere.
    ///
    /// # Errors
    /// [`SetupError::Url`] unless both are `https`, or `http` on a loopback host, without user, query or fragment.
    pub fn custom(api_url: Url, accounts_url: Url) -> Result<Self, SetupError> {
        check(&api_url)?;
        check(&accounts_url)?;
        Ok(Self {
            api_url,
            accounts_url,
        })
    }

    /// Base of the API, as configured.
    pub fn api_url(&self) -> &Url {
        &self.api_url
    }

    /// Base of the accounts server.
    pub fn accounts_url(&self) -> &Url {
        &self.accounts_url
    }

    /// Where the API is called after a token answer said `api_domain`: that, if it can be believed, else as configured.
    pub(crate) fn api_base(&self, api_domain: Option<&str>) -> Url {
        let Some(claimed) = api_domain.and_then(|it| Url::parse(it).ok()) else {
            return self.api_url.clone();
        };
        let same = claimed.origin() == self.api_url.origin();
        if !same && self.trusts(&claimed) {
            return claimed;
        }
        if !same {
            tracing::warn!(
                claimed.host = claimed.host_str().unwrap_or_default(),
                "the token answer names an api_domain that is not on the allow-list: using the configured host"
            );
        }
        self.api_url.clone()
    }

    /// A known Zoho host is believed only by who already talks to one: a simulator must not lead to the real service.
    fn trusts(&self, claimed: &Url) -> bool {
        let known = |url: &Url| url.host_str().is_some_and(is_zoho_api_host);
        claimed.scheme() == "https"
            && claimed.port().is_none()
            && known(claimed)
            && known(&self.api_url)
    }
}

/// Production, sandbox and developer hosts of every region.
fn is_zoho_api_host(host: &str) -> bool {
    Region::ALL.into_iter().any(|region| {
        let api_host = region.api_host();
        let domain = api_host.strip_prefix("www.").unwrap_or(api_host);
        host.strip_suffix(domain)
            .is_some_and(|prefix| matches!(prefix, "www." | "sandbox." | "developer."))
    })
}

/// Whether the host can only be this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn check(url: &Url) -> Result<(), SetupError> {
    let problem = if url.host().is_none() {
        "it has no host"
    } else if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) {
        "it must be https (http only on a loopback address)"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it must not carry a user or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it must not have a query or fragment"
    } else {
        return Ok(());
    };
    // What may hold a secret (user, password, query) is left out.
    Err(SetupError::Url {
        url: format!(
            "{}://{}{}",
            url.scheme(),
            url.host_str().unwrap_or_default(),
            url.path()
        ),
        problem: problem.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(api: &str) -> Result<DataCenter, SetupError> {
        let accounts = Url::parse("https://accounts.zoho.com").unwrap();
        DataCenter::custom(Url::parse(api).unwrap(), accounts)
    }

    #[test]
    fn every_region_is_found_by_its_name() {
        for region in Region::ALL {
            assert_eq!(Region::parse(region.as_str()), Some(region));
            let center = DataCenter::region(region).unwrap();
            assert_eq!(center.api_url().host_str(), Some(region.api_host()));
            assert_eq!(
                center.accounts_url().host_str(),
                Some(region.accounts_host())
            );
        }
        assert_eq!(Region::parse("zohoapis.au"), None);
    }

    #[test]
    fn http_is_for_loopback_only() {
        assert!(custom("http://127.0.0.1:8181").is_ok());
        assert!(custom("http://[::1]:8181").is_ok());
        assert!(custom("http://localhost").is_ok());
        assert!(custom("http://example.com").is_err());
        assert!(custom("ftp://127.0.0.1").is_err());
        let error = custom("https://u:secret@example.com")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn an_api_domain_is_believed_only_from_the_allow_list() {
        let base = |configured: &str, claimed: Option<&str>| {
            custom(configured).unwrap().api_base(claimed).to_string()
        };
        let com = "https://www.zohoapis.com/";
        assert_eq!(base(com, None), com);
        assert_eq!(
            base(com, Some("https://www.zohoapis.eu")),
            "https://www.zohoapis.eu/"
        );
        assert_eq!(
            base(com, Some("https://sandbox.zohoapis.com.au")),
            "https://sandbox.zohoapis.com.au/"
        );
        for bad in [
            "https://evil.example",
            "http://www.zohoapis.com:80",
            "https://www.zohoapis.com.evil.example",
            "https://www.zohoapis.com:8443",
            "https://evil.zohoapis.com",
            "not a url",
        ] {
            assert_eq!(base(com, Some(bad)), com, "{bad}");
        }
        let simulator = "http://127.0.0.1:8181/";
        assert_eq!(
            base(simulator, Some("https://www.zohoapis.com")),
            simulator,
            "a simulator never leads to the real service"
        );
    }
}
