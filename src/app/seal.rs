//! Access tokens at rest: sealed with ChaCha20-Poly1305 under `ZOHOOK_STORE_KEY`, else under a key derived from the
//! client secret.

use chacha20poly1305::{
    ChaCha20Poly1305, Nonce,
    aead::{Aead, Generate, Key, KeyInit, Payload},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Bytes of a nonce, in front of what is sealed.
const NONCE_BYTES: usize = 12;

/// Seals under the first key, opens under any.
#[derive(Clone)]
pub(super) struct Sealer {
    ciphers: Vec<ChaCha20Poly1305>,
}

impl Sealer {
    /// `keys` may be any texts, but not none.
    pub(super) fn new(keys: &[SecretString]) -> Self {
        let ciphers = keys
            .iter()
            .map(|key| {
                let mut hash = Sha256::new();
                hash.update(b"zohook token key 1\0");
                hash.update(key.expose_secret());
                let digest = hash.finalize();
                ChaCha20Poly1305::new(&Key::<ChaCha20Poly1305>::from(<[u8; 32]>::from(digest)))
            })
            .collect();
        Self { ciphers }
    }

    /// `owner` is bound in: what was sealed for one connection does not open for another.
    pub(super) fn seal(&self, owner: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let cipher = self.ciphers.first()?;
        let nonce = Nonce::generate();
        let payload = Payload {
            msg: plain,
            aad: owner.as_bytes(),
        };
        let sealed = cipher.encrypt(&nonce, payload).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    /// `None` when no key opens it (the key was changed): then a new token is asked for.
    pub(super) fn open(&self, owner: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_from(nonce).ok()?;
        self.ciphers.iter().find_map(|cipher| {
            let payload = Payload {
                msg: sealed,
                aad: owner.as_bytes(),
            };
            cipher.decrypt(&nonce, payload).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_any_listed_key_and_its_owner_only() {
        let old = Sealer::new(&["old".into()]);
        let rotated = Sealer::new(&["new".into(), "old".into()]);
        let sealed = old.seal("acme", b"token").unwrap();
        assert_eq!(
            rotated.open("acme", &sealed).as_deref(),
            Some(&b"token"[..])
        );
        assert_eq!(rotated.open("other", &sealed), None);
        assert_eq!(Sealer::new(&["new".into()]).open("acme", &sealed), None);
        assert_eq!(rotated.open("acme", b"short"), None);
        assert!(!sealed.windows(5).any(|it| it == b"token"));
    }
}
