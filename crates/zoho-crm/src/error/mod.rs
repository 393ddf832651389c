//! What can go wrong, by what the caller does next.

use std::{fmt, io, sync::Arc, time::Duration};

use crate::TokenStoreError;

mod table;

pub(crate) use self::table::{Wait, code_of, decide, failing, from_answer, is_error, name_of};

/// Zoho's word for an error (`INVALID_DATA`), or for one of OAuth's (`invalid_code`). Anything that does not look like
/// such a word is not kept, so that it can be logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Code(Arc<str>);

/// The longest known code has 36 characters.
const CODE_CHARS_MAX: usize = 64;

impl Code {
    /// The word, or `none` when it is empty or not a word.
    pub fn new(text: &str) -> Self {
        let fits = !text.is_empty() && text.len() <= CODE_CHARS_MAX;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ' ' || c == '-';
        Self(if fits && text.chars().all(word) {
            text.into()
        } else {
            "none".into()
        })
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a call gave nothing. No variant holds a secret or a record's content.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer: connect, TLS, timeout or a connection cut short. Later.
    #[error("zoho cannot be reached: {problem}")]
    Unreachable {
        /// `connect`, `timeout`, `body`, `too large` or `request`.
        problem: &'static str,
        /// What the HTTP client said, without the URL.
        #[source]
        source: Option<Arc<reqwest::Error>>,
    },
    /// Zoho is not well (5xx). Later.
    #[error("zoho is not available: status {status}, {code}")]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// Zoho's code.
        code: Code,
        /// `Retry-After`, if there was one.
        after: Option<Duration>,
    },
    /// Too many calls at once, or the day's credits are spent (429): Zoho does not tell which. Not before `after`.
    #[error("zoho asks for fewer calls: {code}, again in {after:?}")]
    Throttled {
        /// Zoho's code.
        code: Code,
        /// How long to wait.
        after: Duration,
    },
    /// The call would touch the reserve of the credit budget; it was not made.
    #[error("the credit budget is spent but for its reserve, again in {after:?}")]
    CreditsSpent {
        /// When the oldest credits of the rolling day are free again, or when to look again.
        after: Duration,
    },
    /// No access token for now (the accounts server is down, or has had ten requests in ten minutes).
    #[error("no access token for now: {problem}, again in {after:?}")]
    TokenDelayed {
        /// Why.
        problem: Code,
        /// How long to wait.
        after: Duration,
    },
    /// The token could not be read from or kept in the [`TokenStore`](crate::TokenStore). Later.
    #[error("the access token cannot be kept: {0}")]
    TokenStore(#[source] TokenStoreError),
    /// The credentials, or every token granted for them, are refused (revoked, wrong client, wrong data centre): unless
    /// it is a blip, a person must act. Asked again once `after` has passed, or
    /// [`Client::lift_refusal`](crate::Client::lift_refusal) is called, not before.
    #[error("zoho refuses the credentials: {code}")]
    Unauthorized {
        /// `invalid_code` (revoked refresh token), `invalid_client`, `INVALID_TOKEN`, …
        code: Code,
        /// Calls fail at once until then.
        after: Duration,
    },
    /// The user, the scope or the edition does not allow it: a person must act.
    #[error("zoho does not allow this: status {status}, {code}")]
    Forbidden {
        /// HTTP status.
        status: u16,
        /// `OAUTH_SCOPE_MISMATCH`, `NO_PERMISSION`, …
        code: Code,
    },
    /// The request is wrong; sent again it will be wrong again.
    #[error("zoho refuses the request: status {status}, {code}{}", name.as_ref().map(|it| format!(" ({it})")).unwrap_or_default())]
    Invalid {
        /// HTTP status.
        status: u16,
        /// `INVALID_DATA`, `INVALID_MODULE`, `LIMIT_EXCEEDED`, …
        code: Code,
        /// The parameter or field that Zoho names as the cause; an API name, never a value.
        name: Option<Code>,
    },
    /// The record or URL is not there (404, or what means the same).
    #[error("not there: status {status}, {code}")]
    Gone {
        /// HTTP status.
        status: u16,
        /// Zoho's code.
        code: Code,
    },
    /// The record is locked, in a blueprint or not approved: later or never.
    #[error("the record's state does not allow this: {code}")]
    RecordState {
        /// `RECORD_LOCKED`, …
        code: Code,
    },
    /// The pages have moved on: start the listing again.
    #[error("the listing must be started again: {code}")]
    RestartPaging {
        /// `EXPIRED_VALUE`, …
        code: Code,
    },
    /// Somebody changed the record meanwhile (412): read it again.
    #[error("the record was changed meanwhile: {code}")]
    Modified {
        /// `RECORD_MODIFIED`.
        code: Code,
    },
    /// A success that does not look like one of Zoho's answers.
    #[error("unreadable answer: {problem}")]
    Malformed {
        /// What is missing or wrong; holds no content.
        problem: &'static str,
    },
    /// A file of this machine cannot be read or written.
    #[error("{problem}")]
    File {
        /// Which, and what of it; holds no path.
        problem: &'static str,
        /// What the system said.
        #[source]
        source: Option<Arc<io::Error>>,
    },
    /// The call cannot be made like this; nothing was sent.
    #[error("{problem}")]
    Misuse {
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The wait after a failure that says nothing about how long it will last.
pub(crate) const LATER: Duration = Duration::from_secs(5);

impl Error {
    /// How long to wait before the same call may succeed; `None` when waiting does not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { .. } | Self::TokenStore(_) | Self::Malformed { .. } => Some(LATER),
            Self::Unavailable { after, .. } => Some(after.unwrap_or(LATER)),
            Self::Throttled { after, .. }
            | Self::CreditsSpent { after }
            | Self::TokenDelayed { after, .. }
            | Self::Unauthorized { after, .. } => Some(*after),
            Self::Forbidden { .. }
            | Self::Invalid { .. }
            | Self::Gone { .. }
            | Self::RecordState { .. }
            | Self::RestartPaging { .. }
            | Self::Modified { .. }
            | Self::File { .. }
            | Self::Misuse { .. } => None,
        }
    }

    /// Whether Zoho may have carried out the call nevertheless: it was sent, and what became of it is not known.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Unreachable { problem, .. } => *problem != "connect",
            Self::Unavailable { .. } | Self::Malformed { .. } => true,
            Self::Throttled { .. }
            | Self::CreditsSpent { .. }
            | Self::TokenDelayed { .. }
            | Self::TokenStore(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Invalid { .. }
            | Self::Gone { .. }
            | Self::RecordState { .. }
            | Self::RestartPaging { .. }
            | Self::Modified { .. }
            | Self::File { .. }
            | Self::Misuse { .. } => false,
        }
    }

    /// Whether what was asked for by its id is not there: 404, or `INVALID_DATA`, which Zoho says of such an id as well.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Gone { .. } => true,
            Self::Invalid { code, .. } => code.as_str() == "INVALID_DATA",
            Self::Unreachable { .. }
            | Self::Unavailable { .. }
            | Self::Throttled { .. }
            | Self::CreditsSpent { .. }
            | Self::TokenDelayed { .. }
            | Self::TokenStore(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::RecordState { .. }
            | Self::RestartPaging { .. }
            | Self::Modified { .. }
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::Misuse { .. } => false,
        }
    }

    /// Zoho's word for it, where there is one.
    pub const fn code(&self) -> Option<&Code> {
        match self {
            Self::Unavailable { code, .. }
            | Self::Throttled { code, .. }
            | Self::TokenDelayed { problem: code, .. }
            | Self::Unauthorized { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Invalid { code, .. }
            | Self::Gone { code, .. }
            | Self::RecordState { code }
            | Self::RestartPaging { code }
            | Self::Modified { code } => Some(code),
            Self::Unreachable { .. }
            | Self::CreditsSpent { .. }
            | Self::TokenStore(_)
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::Misuse { .. } => None,
        }
    }

    /// A word from a closed set, for metrics.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Unavailable { .. } => "unavailable",
            Self::Throttled { .. } => "throttled",
            Self::CreditsSpent { .. } => "credits_spent",
            Self::TokenDelayed { .. } => "token_delayed",
            Self::TokenStore(_) => "token_store",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::Invalid { .. } => "invalid",
            Self::Gone { .. } => "gone",
            Self::RecordState { .. } => "record_state",
            Self::RestartPaging { .. } => "restart_paging",
            Self::Modified { .. } => "modified",
            Self::Malformed { .. } => "malformed",
            Self::File { .. } => "file",
            Self::Misuse { .. } => "misuse",
        }
    }

    /// Every word [`Self::class`] can give, for metrics that start at zero.
    pub const CLASSES: [&'static str; 16] = [
        "unreachable",
        "unavailable",
        "throttled",
        "credits_spent",
        "token_delayed",
        "token_store",
        "unauthorized",
        "forbidden",
        "invalid",
        "gone",
        "record_state",
        "restart_paging",
        "modified",
        "malformed",
        "file",
        "misuse",
    ];
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A base URL that cannot be used.
    #[error("{url} cannot be used: {problem}")]
    Url {
        /// Which one, without credentials.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// No client secret or no refresh token.
    #[error("no {0} is given")]
    MissingCredential(&'static str),
    /// A limit of zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// No rustls crypto provider is installed in this process.
    #[error(
        "no crypto provider is installed: call rustls::crypto::CryptoProvider::install_default first"
    )]
    NoCryptoProvider,
    /// The HTTP client cannot be built.
    #[error("the http client cannot be built")]
    Http(#[source] reqwest::Error),
}
