//! What a source asks of its callers.

use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

/// All listed kinds of proof must hold; within one, any listed value. Empty means not asked for.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// `token` in the body of a watch callback.
    pub token: Vec<SecretString>,
    /// Secret headers: lower-case name and accepted values.
    pub headers: Vec<(String, Vec<SecretString>)>,
    /// Secret query parameters: in the request line, else in the body's `query_params`.
    pub query: Vec<(String, Vec<SecretString>)>,
    /// `Authorization: Bearer …`.
    pub bearer: Vec<SecretString>,
    /// `Authorization: Basic …`, each `user:password`.
    pub basic: Vec<SecretString>,
    /// A signature over the body.
    pub hmac: Option<Hmac>,
    /// Networks the caller may come from; no secret.
    pub allow_from: Vec<IpNet>,
}

/// How a signature is made.
#[derive(Clone, Debug)]
pub struct Hmac {
    /// Lower-case name of the header that carries it.
    pub header: String,
    /// Hash function.
    pub algorithm: Algorithm,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What is signed.
    pub signed: Signed,
    /// How far its timestamp may be from our clock; only with [`Signed::TimestampDotBody`].
    pub tolerance: Option<Duration>,
    /// Accepted keys.
    pub secret: Vec<SecretString>,
}

/// Hash function of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA512.
    Sha512,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal, either case.
    Hex,
    /// Standard base64, padding optional.
    Base64,
    /// Hexadecimal or base64, whichever reads (Zoho Projects does not say which it uses).
    Either,
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The body as sent.
    Body,
    /// `<t>.<body>`; the header reads `t=<ms>,v=<signature>` (Zoho Payments).
    TimestampDotBody,
    /// All query and form pairs sorted by name, name and value concatenated, then the raw JSON body (Zoho Billing).
    SortedParametersThenBody,
}
