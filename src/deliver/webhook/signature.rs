//! Standard Webhooks signatures: who gets the message can tell that it is ours and not a replay.

use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

use crate::deliver::{DeliverError, error::unrenderable};

const PREFIX: &str = "whsec_";
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Keys are copied by hand: padded or not.
const KEYS: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Signs with every key, so that a receiver can change over from one to the next. Without a key it only names the message.
pub(super) struct Signer {
    keys: Vec<SecretBox<[u8]>>,
}

impl Signer {
    /// `secrets` are `whsec_` and base64.
    pub(super) fn new(secrets: &[SecretString]) -> Result<Self, String> {
        let keys = secrets.iter().map(|secret| {
            let encoded = secret
                .expose_secret()
                .strip_prefix(PREFIX)
                .ok_or_else(|| format!("a signing secret must begin with {PREFIX}"))?;
            match KEYS.decode(encoded.trim()) {
                Ok(key) if !key.is_empty() => Ok(SecretBox::new(key.into_boxed_slice())),
                // The error would quote a byte of the secret.
                Ok(_) | Err(_) => Err(format!("a signing secret must be {PREFIX} and base64")),
            }
        });
        Ok(Self {
            keys: keys.collect::<Result<_, String>>()?,
        })
    }

    /// Adds the three headers; `now` in seconds since 1970.
    pub(super) fn sign(
        &self,
        id: &str,
        now: i64,
        body: &str,
        headers: &mut HeaderMap,
    ) -> Result<(), DeliverError> {
        let id_value = HeaderValue::try_from(id)
            .map_err(|_invalid| unrenderable("the id cannot be a header"))?;
        headers.insert(ID, id_value);
        headers.insert(TIMESTAMP, HeaderValue::from(now));
        if self.keys.is_empty() {
            return Ok(());
        }
        let signatures = self
            .keys
            .iter()
            .map(|key| signature(key.expose_secret(), id, now, body))
            .collect::<Result<Vec<_>, _>>()?
            .join(" ");
        let value = HeaderValue::try_from(signatures)
            .map_err(|_invalid| unrenderable("the signature cannot be a header"))?;
        headers.insert(SIGNATURE, value);
        Ok(())
    }
}

/// `v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body`.
fn signature(key: &[u8], id: &str, now: i64, body: &str) -> Result<String, DeliverError> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key)
        .map_err(|_invalid| unrenderable("the key has no valid length"))?;
    for part in [id, ".", &now.to_string(), ".", body] {
        hmac.update(part.as_bytes());
    }
    Ok(format!(
        "v1,{}",
        STANDARD.encode(hmac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(secrets: &[&str]) -> HeaderMap {
        let secrets: Vec<_> = secrets.iter().map(|it| SecretString::from(*it)).collect();
        let mut headers = HeaderMap::new();
        Signer::new(&secrets)
            .unwrap()
            .sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                &mut headers,
            )
            .unwrap();
        headers
    }

    /// The test vector of the Standard Webhooks specification.
    #[test]
    fn signs_as_the_specification_says() {
        let headers = signed(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        assert_eq!(headers["webhook-id"], "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(
            headers["webhook-signature"],
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn several_keys_sign_in_their_order_and_none_signs_nothing() {
        let headers = signed(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_b3RoZXI"]);
        let value = headers["webhook-signature"].to_str().unwrap();
        let (first, second) = value.split_once(' ').unwrap();
        assert_eq!(first, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(second.starts_with("v1,") && second != first);
        assert!(!signed(&[]).contains_key("webhook-signature"));
    }

    #[test]
    fn a_bad_key_is_refused_without_quoting_it() {
        for bad in [
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_not base64!",
        ] {
            let Err(error) = Signer::new(&[SecretString::from(bad)]) else {
                panic!("took {bad}");
            };
            assert!(
                !error.contains("MfKQ") && !error.contains("not base64!"),
                "{error}"
            );
        }
    }
}
