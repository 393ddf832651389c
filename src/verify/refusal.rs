//! Why a caller was not believed: a closed set for metrics and the list of refused requests; the caller never learns it.

use std::fmt;

/// The first proof that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// The caller's address is in none of the listed networks.
    AddressNotAllowed,
    /// A listed header is not there.
    MissingHeader,
    /// A listed header has another value.
    WrongHeader,
    /// A listed query parameter is neither in the request line nor in the body's `query_params`.
    MissingQuery,
    /// A listed query parameter has another value.
    WrongQuery,
    /// No `Authorization: Bearer`.
    MissingBearer,
    /// Another bearer token.
    WrongBearer,
    /// No `Authorization: Basic`.
    MissingBasic,
    /// Another user or password.
    WrongBasic,
    /// The header that carries the signature is not there.
    MissingSignature,
    /// The signature is not written as its settings say.
    MalformedSignature,
    /// The signature was made at a time too far from ours.
    StaleSignature,
    /// The signature was made with another key or over another body.
    WrongSignature,
    /// No `token` in the body.
    NoToken,
    /// Another `token`.
    WrongToken,
    /// The proof lies in a body that cannot be decoded.
    Undecodable,
}

impl Refusal {
    /// Every reason, for metrics that start at zero.
    pub const ALL: [Self; 16] = [
        Self::AddressNotAllowed,
        Self::MissingHeader,
        Self::WrongHeader,
        Self::MissingQuery,
        Self::WrongQuery,
        Self::MissingBearer,
        Self::WrongBearer,
        Self::MissingBasic,
        Self::WrongBasic,
        Self::MissingSignature,
        Self::MalformedSignature,
        Self::StaleSignature,
        Self::WrongSignature,
        Self::NoToken,
        Self::WrongToken,
        Self::Undecodable,
    ];

    /// The word in metrics, the list of refused requests and docs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddressNotAllowed => "address_not_allowed",
            Self::MissingHeader => "missing_header",
            Self::WrongHeader => "wrong_header",
            Self::MissingQuery => "missing_query",
            Self::WrongQuery => "wrong_query",
            Self::MissingBearer => "missing_bearer",
            Self::WrongBearer => "wrong_bearer",
            Self::MissingBasic => "missing_basic",
            Self::WrongBasic => "wrong_basic",
            Self::MissingSignature => "missing_signature",
            Self::MalformedSignature => "malformed_signature",
            Self::StaleSignature => "stale_signature",
            Self::WrongSignature => "wrong_signature",
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::Undecodable => "undecodable",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
