//! Proof of sender: a raw notification becomes a [`Notification`], or the reason why not. Only this module can make one.

mod finder;
mod mask;
mod preset;
mod refusal;
mod secret;
mod settings;
mod signature;

use std::net::{IpAddr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, header::AUTHORIZATION};
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use self::{mask::Mask, secret::is_any};
pub use self::{
    preset::Preset,
    refusal::Refusal,
    settings::{Algorithm, Encoding, Hmac, Proof, Signed},
};
use crate::event::{Body, Operation, RawNotification, SourceName, Undecodable};

/// A callback whose sender is proven. Holds no secret any more.
#[derive(Clone, Debug)]
pub struct Notification {
    source: SourceName,
    received_at: Timestamp,
    body: Result<Body, Undecodable>,
    stored: Bytes,
}

impl Notification {
    /// Where it came in.
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// When its last byte was read.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// What it says, secrets masked.
    ///
    /// # Errors
    /// When its proof lay elsewhere and the body cannot be decoded.
    pub fn body(&self) -> Result<&Body, Undecodable> {
        self.body.as_ref().map_err(|it| *it)
    }

    /// The bytes to store, secrets masked; [`Body::parse`] reads the same from them where there is a body at all.
    pub fn stored(&self) -> &Bytes {
        &self.stored
    }
}

/// Tells a source's callbacks from others.
#[derive(Clone, Debug)]
pub struct Verifier {
    proof: Proof,
    mask: Mask,
}

impl Verifier {
    /// Asks for this proof.
    pub fn new(proof: Proof) -> Self {
        let mask = Mask::of(&proof);
        Self { proof, mask }
    }

    /// What can be told before the body is read: [`Self::verify`] would refuse it for the same reason, whatever the body.
    ///
    /// # Errors
    /// The first proof that does not hold, if it needs no body.
    pub fn verify_head(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        query: &str,
    ) -> Result<(), Refusal> {
        self.check_head(peer, headers)?;
        for (name, accepted) in &self.proof.query {
            if check_query_of_line(name, accepted, query)?.is_none() {
                // This one may be in the body, and is the first that is told to be wrong.
                break;
            }
        }
        Ok(())
    }

    fn check_head(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), Refusal> {
        let proof = &self.proof;
        check_address(&proof.allow_from, peer)?;
        check_headers(&proof.headers, headers)?;
        check_bearer(&proof.bearer, headers)?;
        check_basic(&proof.basic, headers)
    }

    /// All listed kinds of proof must hold; within one, any listed value. `body` is what `raw.body` was read as.
    ///
    /// # Errors
    /// The first proof that does not hold. [`Refusal::Undecodable`] only when all proofs outside the body hold.
    pub fn verify(
        &self,
        raw: &RawNotification<'_>,
        mut body: Result<Body, Undecodable>,
    ) -> Result<Notification, Refusal> {
        let proof = &self.proof;
        self.check_head(raw.peer, raw.headers)?;
        check_query(&proof.query, raw, &body)?;
        if let Some(hmac) = &proof.hmac {
            signature::check(hmac, raw, &body)?;
        }
        check_token(proof, &body)?;
        let sent = if raw.body.is_empty() {
            // Read from the query string, so that is what is kept.
            Bytes::copy_from_slice(raw.query.as_bytes())
        } else {
            raw.body.clone()
        };
        let stored = self.mask.apply(&sent, &mut body);
        Ok(Notification {
            source: raw.source.clone(),
            received_at: raw.received_at,
            body,
            stored,
        })
    }
}

fn check_address(networks: &[IpNet], peer: IpAddr) -> Result<(), Refusal> {
    if networks.is_empty() || networks.iter().any(|it| contains(it, peer)) {
        Ok(())
    } else {
        Err(Refusal::AddressNotAllowed)
    }
}

/// An IPv4 address counts the same when it is written as `::ffff:a.b.c.d`, on either side.
pub fn contains(network: &IpNet, address: IpAddr) -> bool {
    const MAPPED_PREFIX_BITS: u8 = 96;
    let address = address.to_canonical();
    match (network, address) {
        (IpNet::V6(network), IpAddr::V4(address)) => {
            let mapped: Ipv6Addr = address.to_ipv6_mapped();
            network.prefix_len() >= MAPPED_PREFIX_BITS && network.contains(&mapped)
        }
        (network, address) => network.contains(&address),
    }
}

fn check_headers(
    listed: &[(String, Vec<SecretString>)],
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    for (name, accepted) in listed {
        let values = headers
            .get_all(name)
            .iter()
            .map(http::HeaderValue::as_bytes);
        any_of(
            values,
            accepted,
            Refusal::MissingHeader,
            Refusal::WrongHeader,
        )?;
    }
    Ok(())
}

fn check_bearer(accepted: &[SecretString], headers: &HeaderMap) -> Result<(), Refusal> {
    if accepted.is_empty() {
        return Ok(());
    }
    let given = credentials(headers, "bearer").map(str::as_bytes);
    any_of(
        given,
        accepted,
        Refusal::MissingBearer,
        Refusal::WrongBearer,
    )
}

fn check_basic(accepted: &[SecretString], headers: &HeaderMap) -> Result<(), Refusal> {
    if accepted.is_empty() {
        return Ok(());
    }
    let given = credentials(headers, "basic").map(|it| STANDARD.decode(it).unwrap_or_default());
    any_of(given, accepted, Refusal::MissingBasic, Refusal::WrongBasic)
}

/// What follows the scheme in each `Authorization`.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> impl Iterator<Item = &'a str> {
    headers.get_all(AUTHORIZATION).iter().filter_map(move |it| {
        let (given, rest) = it.to_str().ok()?.trim().split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then_some(rest.trim())
    })
}

/// In the request line, else in the body's `query_params` (Zoho: "Notifications API", v8: the query of `notify_url`).
fn check_query(
    listed: &[(String, Vec<SecretString>)],
    raw: &RawNotification<'_>,
    body: &Result<Body, Undecodable>,
) -> Result<(), Refusal> {
    for (name, accepted) in listed {
        if check_query_of_line(name, accepted, raw.query)?.is_some() {
            continue;
        }
        let Ok(body) = body else {
            return Err(Refusal::Undecodable);
        };
        let in_body = field(body, "query_params")
            .and_then(|it| it.get(name))
            .and_then(scalar_text);
        any_of(
            in_body,
            accepted,
            Refusal::MissingQuery,
            Refusal::WrongQuery,
        )?;
    }
    Ok(())
}

/// `None` where the parameter is not in the request line.
fn check_query_of_line(
    name: &str,
    accepted: &[SecretString],
    query: &str,
) -> Result<Option<()>, Refusal> {
    let in_line: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .collect();
    if in_line.is_empty() {
        return Ok(None);
    }
    let values = in_line.iter().map(|it| it.as_bytes());
    any_of(values, accepted, Refusal::MissingQuery, Refusal::WrongQuery).map(Some)
}

/// A delete's token may be null (seen in real callbacks), so another secret must speak for it then.
fn check_token(proof: &Proof, body: &Result<Body, Undecodable>) -> Result<(), Refusal> {
    if proof.token.is_empty() {
        return Ok(());
    }
    let Ok(body) = body else {
        return Err(Refusal::Undecodable);
    };
    let given = match body {
        Body::Form(pairs) => pairs
            .iter()
            .find(|(name, _)| name == "token")
            .map(|(_, value)| value.clone()),
        Body::Json(_) | Body::Empty | Body::Text(_) => match field(body, "token") {
            None | Some(Value::Null) => None,
            Some(value) => Some(scalar_text(value).ok_or(Refusal::WrongToken)?),
        },
    };
    if given.is_none() && has_other_secret(proof) && is_delete(body) {
        return Ok(());
    }
    any_of(given, &proof.token, Refusal::NoToken, Refusal::WrongToken)
}

/// All others have been checked before, so listed means that it holds.
fn has_other_secret(proof: &Proof) -> bool {
    !proof.headers.is_empty()
        || !proof.query.is_empty()
        || !proof.bearer.is_empty()
        || !proof.basic.is_empty()
        || proof.hmac.is_some()
}

fn is_delete(body: &Body) -> bool {
    field(body, "operation")
        .and_then(Value::as_str)
        .is_some_and(|it| Operation::parse(it) == Operation::Delete)
}

fn field<'a>(body: &'a Body, name: &str) -> Option<&'a Value> {
    match body {
        Body::Json(value) => value.get(name),
        Body::Empty | Body::Form(_) | Body::Text(_) => None,
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn any_of<T: AsRef<[u8]>>(
    given: impl IntoIterator<Item = T>,
    accepted: &[SecretString],
    missing: Refusal,
    wrong: Refusal,
) -> Result<(), Refusal> {
    let mut refusal = missing;
    for value in given {
        if is_any(value.as_ref(), accepted) {
            return Ok(());
        }
        refusal = wrong;
    }
    Err(refusal)
}

#[cfg(test)]
mod tests;
