//! A person's consent: the URL to send them to, the code they bring back, and the end of it all.

mod answer;
mod redirect;

use std::{fmt, time::Duration};

use clock::Clock;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

pub(crate) use self::answer::{Granted, Reply, judge};
pub use self::redirect::Redirected;
use crate::{
    Code, DataCenter, SetupError, StoredToken,
    data_center::is_loopback,
    grant::REQUESTS_WINDOW,
    transport::{Transport, join, retry_after},
};

/// What this crate's operations need, all of them; a client that does less asks for less.
///
/// Zoho: "Scopes", v8. Composite requests have a scope of their own, which Zoho's pages name differently: add it where
/// it is needed.
pub const SCOPES: [&str; 11] = [
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.users.ALL",
    "ZohoCRM.org.ALL",
    "ZohoCRM.notifications.ALL",
    "ZohoCRM.bulk.ALL",
    "ZohoCRM.coql.READ",
    "ZohoCRM.send_mail.all.CREATE",
    "ZohoCRM.settings.automation_actions.ALL",
    "ZohoSearch.securesearch.READ",
    "ZohoFiles.files.ALL",
];

/// An OAuth client that a person is asked to trust.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Its id, from Zoho's API console.
    pub id: SecretString,
    /// Its secret.
    pub secret: SecretString,
}

/// The accounts server of a data centre, asked on behalf of one OAuth client.
///
/// It sends each request once: a code works once only. A [`Client`](crate::Client) renews its token by itself and needs
/// none of this.
#[derive(Clone)]
pub struct OAuth {
    transport: Transport,
    data_center: DataCenter,
    client: OAuthClient,
    clock: Clock,
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// E.g. [`SCOPES`].
    pub scopes: &'a [&'a str],
    /// Where Zoho sends the browser; to the letter as registered in the API console.
    pub redirect_uri: &'a str,
    /// Comes back with the code and proves that the answer is to this question: from [`OAuth::new_state`], used once.
    pub state: &'a str,
}

/// What a code is worth.
#[derive(Clone, Debug)]
pub struct Consented {
    /// Good until it is revoked, or until the user's twenty-first consent to the same client.
    pub refresh_token: SecretString,
    /// The first access token: put into the [`TokenStore`](crate::TokenStore), it saves a request.
    pub token: StoredToken,
    /// What was consented to; empty where the answer does not say.
    pub scopes: Vec<String>,
}

/// Why the accounts server gave nothing, by what to do. Holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OAuthError {
    /// The person said no, or Zoho did for them (`access_denied`).
    #[error("no consent was given: {code}")]
    NoConsent {
        /// Zoho's word.
        code: Code,
    },
    /// The redirect is no answer to this question: somebody else's, or an old one. Start again.
    #[error("the redirect does not answer this question: {problem}")]
    NotOurs {
        /// What does not fit.
        problem: &'static str,
    },
    /// The redirect names an accounts server that is not Zoho's. Nothing was sent there.
    #[error("the redirect names an accounts server that is not on the allow-list")]
    UnknownServer,
    /// The code or refresh token is refused: unknown, used, expired or revoked. Start again.
    #[error("zoho refuses the code or token: {code}")]
    BadToken {
        /// `invalid_code`.
        code: Code,
    },
    /// The client, its secret, its redirect URI or a scope is wrong, or of another data centre: settings must change.
    #[error("zoho refuses the client: {code}")]
    BadClient {
        /// `invalid_client`, `invalid_client_secret`, `invalid_redirect_uri`, …
        code: Code,
    },
    /// A token came, but none to renew it with: the consent was not asked for with `access_type=offline`, or was
    /// given before without `prompt=consent`.
    #[error(
        "the answer holds no refresh token: consent must be asked for again, by the consent url of this client"
    )]
    NoRefreshToken,
    /// Ten requests in ten minutes.
    #[error("zoho has had too many token requests, again in {after:?}")]
    TooMany {
        /// How long to wait.
        after: Duration,
    },
    /// The accounts server cannot be reached or is not well. Later.
    #[error("the accounts server gives no answer: {problem}")]
    Unavailable {
        /// What it said, or `unreachable`.
        problem: Code,
        /// `Retry-After`, if there was one.
        after: Option<Duration>,
    },
}

impl OAuth {
    /// Sends nothing. A process-wide rustls crypto provider must be installed.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(
        data_center: DataCenter,
        client: OAuthClient,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        let direct = is_loopback(data_center.accounts_url());
        Ok(Self {
            transport: Transport::new(timeout, direct)?,
            data_center,
            client,
            clock,
        })
    }

    /// 32 random hexadecimal digits.
    pub fn new_state() -> String {
        let number: u128 = rand::rng().random();
        format!("{number:032x}")
    }

    /// Where to send a browser, for a refresh token that works without the person.
    ///
    /// Zoho: "OAuth: authorization request" of the accounts documentation.
    pub fn consent_url(&self, consent: &Consent<'_>) -> Url {
        let mut url = join(self.data_center.accounts_url(), &["oauth", "v2", "auth"]);
        url.query_pairs_mut()
            .append_pair("scope", &consent.scopes.join(","))
            .append_pair("client_id", self.client.id.expose_secret())
            .append_pair("response_type", "code")
            .append_pair("access_type", "offline")
            .append_pair("prompt", "consent")
            .append_pair("redirect_uri", consent.redirect_uri)
            .append_pair("state", consent.state);
        url
    }

    /// What the browser was sent back with, given the URL it arrived at (or the part from `?` on).
    ///
    /// Zoho: "Multi DC support": the person may live in another data centre than the client. Then `location` and
    /// `accounts-server` say where, and the code must be exchanged there: [`Redirected::data_center`], which is of Zoho's
    /// own, or the configured one, never another.
    ///
    /// # Errors
    /// [`OAuthError::NoConsent`], [`OAuthError::NotOurs`] or [`OAuthError::UnknownServer`].
    pub fn redirected(&self, arrived_at: &str, state: &str) -> Result<Redirected, OAuthError> {
        redirect::read(&self.data_center, arrived_at, state)
    }

    /// The same client at another data centre: what [`Self::redirected`] found.
    #[must_use]
    pub fn at(&self, data_center: DataCenter) -> Self {
        Self {
            data_center,
            ..self.clone()
        }
    }

    /// Its hosts.
    pub const fn data_center(&self) -> &DataCenter {
        &self.data_center
    }

    /// Redeems a code: of a redirect within two minutes, with the redirect URI of its consent URL; of a self client
    /// within the minutes chosen in the console, without one.
    ///
    /// Zoho: "OAuth: access token request". Errors come as HTTP 200. Not repeated: a code works once.
    ///
    /// # Errors
    /// As the variants say; [`OAuthError::NoRefreshToken`] where the answer lets nobody come back.
    pub async fn exchange(
        &self,
        code: &SecretString,
        redirect_uri: Option<&str>,
    ) -> Result<Consented, OAuthError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
        ];
        form.extend(redirect_uri.map(|it| ("redirect_uri", it)));
        let granted = self.ask(form).await?;
        let token = granted.stored(&self.clock);
        Ok(Consented {
            refresh_token: granted.refresh_token.ok_or(OAuthError::NoRefreshToken)?,
            token,
            scopes: granted.scopes,
        })
    }

    /// An access token for a refresh token, once: to see whether it works. Counts towards the ten requests in ten
    /// minutes.
    ///
    /// Zoho: "OAuth: refresh access tokens".
    ///
    /// # Errors
    /// As the variants say; a revoked refresh token is [`OAuthError::BadToken`].
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<StoredToken, OAuthError> {
        let form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose_secret()),
        ];
        Ok(self.ask(form).await?.stored(&self.clock))
    }

    /// Makes a token worthless: a refresh token with all its access tokens.
    ///
    /// Zoho: "OAuth: revoke tokens".
    ///
    /// # Errors
    /// [`OAuthError::BadToken`] when there is no such token (any more) here; else as the variants say.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), OAuthError> {
        let path = ["oauth", "v2", "token", "revoke"];
        let mut url = join(self.data_center.accounts_url(), &path);
        url.query_pairs_mut()
            .append_pair("token", token.expose_secret());
        let answer = self
            .transport
            .post_form(&url, &[])
            .await
            .map_err(unreachable)?;
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        if text("status").is_some_and(|it| it.eq_ignore_ascii_case("success")) {
            return Ok(());
        }
        let after = retry_after(&answer.headers, self.clock.now());
        Err(match (text("error"), answer.status) {
            (Some("Access Denied"), _) | (None, 429) => OAuthError::TooMany {
                after: after.unwrap_or(REQUESTS_WINDOW),
            },
            (Some(error), _) => OAuthError::BadToken {
                code: Code::new(error),
            },
            // A page of HTML is all that a token unknown to it gets.
            (None, 400..=499) => OAuthError::BadToken {
                code: Code::new("invalid_token"),
            },
            (None, status) => OAuthError::Unavailable {
                problem: Code::new(&format!("status {status}")),
                after,
            },
        })
    }

    async fn ask(&self, mut form: Vec<(&str, &str)>) -> Result<Granted, OAuthError> {
        form.push(("client_id", self.client.id.expose_secret()));
        form.push(("client_secret", self.client.secret.expose_secret()));
        let url = join(self.data_center.accounts_url(), &["oauth", "v2", "token"]);
        let asked_at = self.clock.monotonic();
        let answer = self
            .transport
            .post_form(&url, &form)
            .await
            .map_err(unreachable)?;
        let after = retry_after(&answer.headers, self.clock.now());
        match judge(answer.status, &answer.body, after, asked_at) {
            Reply::Granted(granted) => Ok(granted),
            Reply::BadToken(code) => Err(OAuthError::BadToken { code }),
            Reply::BadSecret(code) | Reply::Error(code) => Err(OAuthError::BadClient { code }),
            Reply::TooMany => Err(OAuthError::TooMany {
                after: after.unwrap_or(REQUESTS_WINDOW),
            }),
            Reply::Failed(problem, after) => Err(OAuthError::Unavailable { problem, after }),
        }
    }
}

fn unreachable(_: crate::Error) -> OAuthError {
    OAuthError::Unavailable {
        problem: Code::new("unreachable"),
        after: None,
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth")
            .field("data_center", &self.data_center)
            .finish_non_exhaustive()
    }
}
