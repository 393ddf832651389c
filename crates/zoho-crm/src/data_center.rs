//! Which hosts serve an org: Zoho's data centres, or hosts of the user's own choice (a simulator, a proxy).

use std::fmt;

use url::{Host, Url};

use crate::{Error, SetupError};

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

    /// Host of uploads, e.g. `content.zohoapis.com`; of production, sandbox and developer orgs alike. That of the
    /// United Kingdom is not known.
    pub const fn upload_host(self) -> Option<&'static str> {
        match self {
            Self::Com => Some("content.zohoapis.com"),
            Self::Eu => Some("content.zohoapis.eu"),
            Self::In => Some("content.zohoapis.in"),
            Self::ComAu => Some("content.zohoapis.com.au"),
            Self::Jp => Some("content.zohoapis.jp"),
            Self::Ca => Some("upload.zohocloud.ca"),
            Self::Sa => Some("files.zoho.sa"),
            Self::Cn => Some("content.zohoapis.com.cn"),
            Self::Uk => None,
        }
    }

    /// The region whose production, sandbox or developer API this host is.
    fn of_api_host(host: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| {
            host.strip_suffix(region.api_domain())
                .is_some_and(|prefix| Environment::ALL.iter().any(|it| it.prefix() == prefix))
        })
    }

    /// The API's domain, e.g. `zohoapis.com`.
    fn api_domain(self) -> &'static str {
        let host = self.api_host();
        host.strip_prefix("www.").unwrap_or(host)
    }

    /// The accounts server's own word for it (`location` of a consent's redirect): `us eu in au jp ca sa cn uk`.
    pub const fn location(self) -> &'static str {
        match self {
            Self::Com => "us",
            Self::ComAu => "au",
            Self::Eu | Self::In | Self::Jp | Self::Ca | Self::Sa | Self::Cn | Self::Uk => {
                self.as_str()
            }
        }
    }

    /// Whose accounts server this is.
    pub(crate) fn of_accounts_url(url: &Url) -> Option<Self> {
        let plain = url.scheme() == "https" && url.port().is_none();
        let host = url.host_str().filter(|_| plain)?;
        Self::ALL.into_iter().find(|it| it.accounts_host() == host)
    }
}

/// Which of an org's worlds: they share accounts server and client, not data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Environment {
    /// The live org.
    #[default]
    Production,
    /// Its sandbox.
    Sandbox,
    /// A developer org.
    Developer,
}

impl Environment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Production, Self::Sandbox, Self::Developer];

    /// `production`, `sandbox`, `developer`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
            Self::Developer => "developer",
        }
    }

    /// The environment with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// What stands before the domain in the API's host.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Production => "www.",
            Self::Sandbox => "sandbox.",
            Self::Developer => "developer.",
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
    /// Where uploads go, if not where the data centre's do.
    uploads: Option<Url>,
}

impl DataCenter {
    /// One of Zoho's own, in production.
    ///
    /// # Errors
    /// Never for the regions there are; the hosts are parsed like any others.
    pub fn region(region: Region) -> Result<Self, SetupError> {
        Self::environment(region, Environment::Production)
    }

    /// One of Zoho's own: the live org, its sandbox or a developer org.
    ///
    /// # Errors
    /// Never for the regions there are; the hosts are parsed like any others.
    pub fn environment(region: Region, environment: Environment) -> Result<Self, SetupError> {
        let url = |host: &str| {
            Url::parse(&format!("https://{host}")).map_err(|source| SetupError::Url {
                url: host.to_owned(),
                problem: source.to_string(),
            })
        };
        let api_url = url(&format!("{}{}", environment.prefix(), region.api_domain()))?;
        Self::custom(api_url, url(region.accounts_host())?)
    }

    /// The same environment of another region.
    pub(crate) fn moved_to(&self, region: Region) -> Result<Self, SetupError> {
        let host = self.api_url.host_str().unwrap_or_default();
        let mut environments = Environment::ALL.into_iter();
        let environment = environments.find(|it| host.starts_with(it.prefix()));
        Self::environment(region, environment.unwrap_or_default())
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
            uploads: None,
        })
    }

    /// Sends uploads to this base URL.
    ///
    /// # Errors
    /// As [`Self::custom`].
    pub fn with_upload_url(self, upload_url: Url) -> Result<Self, SetupError> {
        check(&upload_url)?;
        Ok(Self {
            uploads: Some(upload_url),
            ..self
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

    /// Where uploads go for a token that is good on `api`: as configured, or where the data centre's go; on a host
    /// that is not Zoho's, to the API itself.
    pub(crate) fn upload_base(&self, api: &Url) -> Result<Url, Error> {
        if let Some(url) = &self.uploads {
            return Ok(url.clone());
        }
        let Some(region) = api.host_str().and_then(Region::of_api_host) else {
            return Ok(api.clone());
        };
        let url = region
            .upload_host()
            .and_then(|it| Url::parse(&format!("https://{it}")).ok());
        url.ok_or(Error::Misuse {
            problem: "the upload host of this data centre is not known: give one",
        })
    }

    /// An address that Zoho gave, for a token that is good on `api`: a path, or a URL of the same host or, with TLS,
    /// of the domain of the accounts server (`download-accl.zoho.com`).
    pub(crate) fn address(&self, api: &Url, address: &str) -> Result<Url, Error> {
        let parsed = Url::options().base_url(Some(api)).parse(address);
        let refused = Error::Malformed {
            problem: "an address that is not of the api",
        };
        let Some(url) = parsed.ok() else {
            return Err(refused);
        };
        let accounts = self.accounts_url.host_str().unwrap_or_default();
        let beside_accounts = |host: &str| {
            accounts
                .strip_prefix("accounts.")
                .and_then(|domain| host.strip_suffix(domain))
                .is_some_and(|it| it.ends_with('.'))
        };
        let own = url.origin() == api.origin();
        let zohos = url.scheme() == "https"
            && url.port().is_none()
            && api.host_str().is_some_and(is_zoho_api_host)
            && url.host_str().is_some_and(beside_accounts);
        let plain = url.username().is_empty() && url.password().is_none();
        if plain && (own || zohos) {
            return Ok(url);
        }
        Err(refused)
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
    Region::of_api_host(host).is_some()
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
    fn every_environment_has_a_host_in_every_region() {
        let api = |region, environment| {
            let center = DataCenter::environment(region, environment).unwrap();
            center.api_url().to_string()
        };
        for (region, environment, url) in [
            (
                Region::Com,
                Environment::Sandbox,
                "https://sandbox.zohoapis.com/",
            ),
            (
                Region::ComAu,
                Environment::Developer,
                "https://developer.zohoapis.com.au/",
            ),
            (
                Region::Ca,
                Environment::Production,
                "https://www.zohoapis.ca/",
            ),
        ] {
            assert_eq!(api(region, environment), url);
        }
        for environment in Environment::ALL {
            assert_eq!(Environment::parse(environment.as_str()), Some(environment));
        }
    }

    #[test]
    fn an_accounts_server_is_known_by_its_whole_origin() {
        let region = |url: &str| Region::of_accounts_url(&Url::parse(url).unwrap());
        assert_eq!(region("https://accounts.zohocloud.ca"), Some(Region::Ca));
        for bad in [
            "http://accounts.zoho.com",
            "https://accounts.zoho.com:8443",
            "https://accounts.zoho.com.evil.example",
        ] {
            assert_eq!(region(bad), None, "{bad}");
        }
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

    #[test]
    fn uploads_go_where_the_token_is_good() {
        let upload = |center: &DataCenter, api: &str| {
            let url = center.upload_base(&Url::parse(api).unwrap());
            url.map(|it| it.to_string()).map_err(|it| it.class())
        };
        let com = DataCenter::region(Region::Com).unwrap();
        for (api, expected) in [
            ("https://www.zohoapis.com", "https://content.zohoapis.com/"),
            (
                "https://sandbox.zohoapis.eu",
                "https://content.zohoapis.eu/",
            ),
            ("https://www.zohoapis.ca", "https://upload.zohocloud.ca/"),
            ("https://www.zohoapis.sa", "https://files.zoho.sa/"),
            ("http://127.0.0.1:8181", "http://127.0.0.1:8181/"),
        ] {
            assert_eq!(upload(&com, api).as_deref(), Ok(expected));
        }
        let uk = DataCenter::region(Region::Uk).unwrap();
        assert_eq!(upload(&uk, "https://www.zohoapis.uk"), Err("misuse"));
        let host = Url::parse("https://upload.example.com").unwrap();
        let uk = uk.with_upload_url(host.clone()).unwrap();
        assert_eq!(upload(&uk, "https://www.zohoapis.uk"), Ok(host.to_string()));
    }

    #[test]
    fn a_token_never_follows_an_address_elsewhere() {
        let com = DataCenter::region(Region::Com).unwrap();
        let api = Url::parse("https://www.zohoapis.com").unwrap();
        for good in [
            "/crm/bulk/v8/read/1/result",
            "https://www.zohoapis.com/crm/v8/x",
            "https://download-accl.zoho.com/v2/crm/1/bulk-write/1/1.zip",
        ] {
            assert!(com.address(&api, good).is_ok(), "{good}");
        }
        for bad in [
            "//evil.example/x",
            "https://evil.example/x",
            "https://zoho.com.evil.example/x",
            "https://evilzoho.com/x",
            "http://download-accl.zoho.com/x",
            "https://u:p@www.zohoapis.com/x",
            "file:///etc/passwd",
        ] {
            assert!(com.address(&api, bad).is_err(), "{bad}");
        }
        let simulator = Url::parse("http://127.0.0.1:8181").unwrap();
        let center = DataCenter::custom(simulator.clone(), simulator.clone()).unwrap();
        assert!(center.address(&simulator, "/x").is_ok());
        assert!(
            center
                .address(&simulator, "https://download-accl.zoho.com/x")
                .is_err()
        );
    }
}
