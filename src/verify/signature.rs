//! HMAC signatures: the forms that Zoho's products use, and any like them.

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{KeyInit, Mac};
use http::HeaderMap;
use jiff::Timestamp;
use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::Choice;

use super::{Algorithm, Encoding, Hmac, Refusal, Signed, secret::is_same};
use crate::event::{Body, RawNotification, Undecodable};

/// Either padded or not, with the standard alphabet.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether the request carries a signature made with one of the keys.
pub(super) fn check(
    hmac: &Hmac,
    raw: &RawNotification<'_>,
    body: &Result<Body, Undecodable>,
) -> Result<(), Refusal> {
    let header = header_text(raw.headers, &hmac.header)?;
    let (timestamp, signature) = match hmac.signed {
        Signed::TimestampDotBody => {
            let (timestamp, signature) = split_timestamp(header)?;
            check_age(hmac, timestamp, raw.received_at)?;
            (timestamp, signature)
        }
        Signed::Body | Signed::SortedParametersThenBody => ("", header),
    };
    let given = decode(signature, hmac)?;
    let text = match (hmac.signed, body) {
        (_, Err(Undecodable::Encoding)) | (Signed::SortedParametersThenBody, Err(_)) => {
            return Err(Refusal::Undecodable);
        }
        (Signed::SortedParametersThenBody, Ok(body)) => Cow::Owned(sorted_parameters(raw, body)),
        // The query is read instead, and the signature does not cover it.
        (Signed::Body | Signed::TimestampDotBody, _)
            if raw.body.is_empty() && !raw.query.is_empty() =>
        {
            return Err(Refusal::WrongSignature);
        }
        (Signed::TimestampDotBody, _) => {
            Cow::Owned([timestamp.as_bytes(), b".", &raw.body].concat())
        }
        (Signed::Body, _) => Cow::Borrowed(raw.body.as_ref()),
    };
    let mut found = Choice::from(0);
    for secret in &hmac.secret {
        let Some(expected) = sign(hmac.algorithm, secret, &text) else {
            continue;
        };
        for given in &given {
            found |= is_same(given, &expected);
        }
    }
    if found.into() {
        Ok(())
    } else {
        Err(Refusal::WrongSignature)
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let value = headers.get(name).ok_or(Refusal::MissingSignature)?;
    match value.to_str() {
        Ok(text) => Ok(text.trim()),
        Err(_) => Err(Refusal::MalformedSignature),
    }
}

/// `t=<ms>,v=<signature>`, in any order.
fn split_timestamp(header: &str) -> Result<(&str, &str), Refusal> {
    let part = |name: &str| {
        header.split(',').find_map(|it| {
            let (key, value) = it.trim().split_once('=')?;
            (key.trim() == name).then_some(value.trim())
        })
    };
    part("t").zip(part("v")).ok_or(Refusal::MalformedSignature)
}

fn check_age(hmac: &Hmac, timestamp: &str, now: Timestamp) -> Result<(), Refusal> {
    let Some(tolerance) = hmac.tolerance else {
        return Ok(());
    };
    let signed_at = timestamp
        .parse()
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .ok_or(Refusal::MalformedSignature)?;
    if now.duration_since(signed_at).unsigned_abs() > tolerance {
        return Err(Refusal::StaleSignature);
    }
    Ok(())
}

/// Every way the text can be read; a prefix such as `sha256=` is passed over.
fn decode(signature: &str, hmac: &Hmac) -> Result<Vec<Vec<u8>>, Refusal> {
    let prefix = match hmac.algorithm {
        Algorithm::Md5 => "md5=",
        Algorithm::Sha1 => "sha1=",
        Algorithm::Sha256 => "sha256=",
        Algorithm::Sha512 => "sha512=",
    };
    let signature = signature.strip_prefix(prefix).unwrap_or(signature);
    let as_hex = || hex::decode(signature).ok();
    let as_base64 = || BASE64.decode(signature).ok();
    let readings: Vec<_> = match hmac.encoding {
        Encoding::Hex => as_hex().into_iter().collect(),
        Encoding::Base64 => as_base64().into_iter().collect(),
        Encoding::Either => as_hex().into_iter().chain(as_base64()).collect(),
    };
    if readings.iter().all(Vec::is_empty) {
        return Err(Refusal::MalformedSignature);
    }
    Ok(readings)
}

/// Zoho Billing, "Securing webhooks": query and form pairs by name, then the JSON as sent.
fn sorted_parameters(raw: &RawNotification<'_>, body: &Body) -> Vec<u8> {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(raw.query.as_bytes()).collect();
    let mut rest: &[u8] = &raw.body;
    if let Body::Form(form) = body
        && !raw.body.is_empty()
    {
        pairs.extend(form.iter().map(|(name, value)| (name.into(), value.into())));
        rest = b"";
    }
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    let mut text = Vec::with_capacity(raw.query.len() + raw.body.len());
    for (name, value) in pairs {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(value.as_bytes());
    }
    text.extend_from_slice(rest);
    text
}

/// `None` never happens: a key of any length will do.
fn sign(algorithm: Algorithm, secret: &SecretString, text: &[u8]) -> Option<Vec<u8>> {
    fn digest<M: Mac>(mac: M, text: &[u8]) -> Vec<u8> {
        mac.chain_update(text).finalize().into_bytes().to_vec()
    }
    let key = secret.expose_secret().as_bytes();
    Some(match algorithm {
        Algorithm::Md5 => digest(hmac::Hmac::<Md5>::new_from_slice(key).ok()?, text),
        Algorithm::Sha1 => digest(hmac::Hmac::<Sha1>::new_from_slice(key).ok()?, text),
        Algorithm::Sha256 => digest(hmac::Hmac::<Sha256>::new_from_slice(key).ok()?, text),
        Algorithm::Sha512 => digest(hmac::Hmac::<Sha512>::new_from_slice(key).ok()?, text),
    })
}
