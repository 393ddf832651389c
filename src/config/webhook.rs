//! `kind: webhook`: URL, signature and headers.

use std::{net::IpAddr, time::Duration};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use crate::deliver::WebhookSettings;

use super::{
    destinations::timeout,
    reader::{Fields, Reader},
    typed::{host_address, is_loopback},
    yaml::Node,
};

/// Base64, padded or not.
const KEYS: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes of a signing key. Standard Webhooks: 24 to 64.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Longest wait for an answer. Standard Webhooks recommends 15 to 30 s.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);

/// Headers that we set, or that belong to the connection.
const OURS: [&str; 10] = [
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "host",
    "traceparent",
    "tracestate",
];

pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<WebhookSettings> {
    let allow_networks = fields
        .get("allow_networks")
        .map_or(vec![], |it| reader.networks(it));
    let url = reader
        .required(
            fields,
            "url",
            "where to POST, e.g. https://erp.example.com/hooks/zoho",
        )
        .and_then(|it| target(reader, it, &allow_networks));
    let sign = fields.get("sign").map_or(vec![], |it| sign(reader, it));
    let headers = fields
        .get("headers")
        .map_or(vec![], |it| headers(reader, it));
    let timeout = timeout(reader, fields, TIMEOUT_DEFAULT);
    Some(WebhookSettings {
        url: url?,
        sign,
        headers,
        timeout: timeout?,
        allow_networks,
    })
}

fn target(reader: &mut Reader<'_>, node: &Node, allow_networks: &[IpNet]) -> Option<Url> {
    let url = reader.http_url(node)?;
    let address = host_address(&url);
    let allowed = match address {
        Some(address) => allow_networks.iter().any(|it| it.contains(&address)),
        // Where a name leads is seen when it is dialled.
        None => !allow_networks.is_empty(),
    };
    if url.scheme() == "http" && !allowed && !is_loopback(&url) {
        reader.error_hint(
            node,
            "http would send records in clear",
            "use https, or list the private network it is in under `allow_networks`",
        );
        return None;
    }
    if address.is_some_and(|it| is_private(&it)) && !allowed {
        reader.warning(
            node,
            "private addresses are refused when dialled, so nothing will arrive there",
            "list its network under `allow_networks`, e.g. [127.0.0.0/8]",
        );
    }
    Some(url)
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.is_private() || it.is_loopback() || it.is_link_local(),
        IpAddr::V6(it) => it.is_loopback() || it.is_unique_local() || it.is_unicast_link_local(),
    }
}

fn sign(reader: &mut Reader<'_>, node: &Node) -> Vec<SecretString> {
    let fields = reader.fields(node, &["secret"], &[]);
    let hint = "whsec_ and then 24 to 64 random bytes in base64";
    reader
        .required(&fields, "secret", hint)
        .map_or(vec![], |it| reader.secrets(it, signing_key))
}

fn signing_key(text: &str) -> Result<(), &'static str> {
    let encoded = text
        .strip_prefix("whsec_")
        .ok_or("a signing secret begins with whsec_")?;
    let key = KEYS
        .decode(encoded.trim())
        .ok()
        .ok_or("after whsec_ a signing secret is base64")?;
    let fits = KEY_BYTES.contains(&key.len());
    fits.then_some(())
        .ok_or("a signing secret holds 24 to 64 bytes")
}

fn headers(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, SecretString)> {
    let mut headers = vec![];
    for entry in reader.entries(node, "values by header name") {
        let wrong = match HeaderName::try_from(entry.key.as_str()) {
            Ok(name) if OURS.contains(&name.as_str()) => Some("is set by zohook itself"),
            Ok(_) => None,
            Err(_) => Some("cannot be a header's name"),
        };
        if let Some(wrong) = wrong {
            let message = format!("`{}` {wrong}", entry.key);
            reader.error_at(entry.key_span.clone(), &entry.node.path, message, None);
        }
        let Some(value) = reader.secret_text(&entry.node) else {
            continue;
        };
        if HeaderValue::try_from(value).is_err() {
            reader.error(
                &entry.node,
                "a header's value is one line of visible characters",
            );
        }
        headers.push((entry.key.to_ascii_lowercase(), SecretString::from(value)));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signing_secret_is_whsec_and_base64_of_24_to_64_bytes() {
        let key = |bytes: usize| format!("whsec_{}", KEYS.encode(vec![7; bytes]));
        assert_eq!(signing_key(&key(24)), Ok(()));
        assert_eq!(signing_key(&key(64)), Ok(()));
        for wrong in [key(23), key(65), "whsec_!".to_owned(), "secret".to_owned()] {
            assert!(signing_key(&wrong).is_err(), "{wrong}");
        }
    }
}
