//! How the Zoho products that sign their webhooks do it.

use std::time::Duration;

use secrecy::SecretString;

use super::{Algorithm, Encoding, Hmac, Signed};

/// A product whose way of signing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Zoho: "Securing webhooks", Subscriptions knowledge base; the same in Expense and Books.
    ZohoBilling,
    /// Zoho: "Webhook verification", Payments developer docs.
    ZohoPayments,
    /// Zoho: "Securing Zoho Sign webhooks".
    ZohoSign,
    /// Zoho: "Webinar webhooks".
    ZohoWebinar,
    /// Zoho: "Webhook security: HMAC signature", Projects; the encoding is not documented.
    ZohoProjects,
}

/// Zoho names no limit; this leaves room for a slow retry and a clock that is off.
const PAYMENTS_TOLERANCE: Duration = Duration::from_mins(5);

impl Preset {
    /// Every preset, for messages that list them.
    pub const ALL: [Self; 5] = [
        Self::ZohoBilling,
        Self::ZohoPayments,
        Self::ZohoSign,
        Self::ZohoWebinar,
        Self::ZohoProjects,
    ];

    /// The word in `routes.yaml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ZohoBilling => "zoho-billing",
            Self::ZohoPayments => "zoho-payments",
            Self::ZohoSign => "zoho-sign",
            Self::ZohoWebinar => "zoho-webinar",
            Self::ZohoProjects => "zoho-projects",
        }
    }

    /// The preset with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == word)
    }

    /// Its settings with these accepted keys.
    pub fn with_secret(self, secret: Vec<SecretString>) -> Hmac {
        let (header, encoding, signed, tolerance) = match self {
            Self::ZohoBilling => (
                "x-zoho-webhook-signature",
                Encoding::Hex,
                Signed::SortedParametersThenBody,
                None,
            ),
            Self::ZohoPayments => (
                "x-zoho-webhook-signature",
                Encoding::Hex,
                Signed::TimestampDotBody,
                Some(PAYMENTS_TOLERANCE),
            ),
            Self::ZohoSign => (
                "x-zs-webhook-signature",
                Encoding::Base64,
                Signed::Body,
                None,
            ),
            Self::ZohoWebinar => ("x-webinar-signature", Encoding::Hex, Signed::Body, None),
            Self::ZohoProjects => (
                "x-zp-webhook-signature",
                Encoding::Either,
                Signed::Body,
                None,
            ),
        };
        Hmac {
            header: header.to_owned(),
            algorithm: Algorithm::Sha256,
            encoding,
            signed,
            tolerance,
            secret,
        }
    }
}
