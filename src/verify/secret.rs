//! The one way to compare a secret: in constant time, and with every accepted value.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Whether `given` is one of `accepted`. Both sides are hashed first, so that not even their length shows.
pub(super) fn is_any(given: &[u8], accepted: &[SecretString]) -> bool {
    let given = Sha256::digest(given);
    let mut found = Choice::from(0);
    for secret in accepted {
        found |= Sha256::digest(secret.expose_secret())
            .as_slice()
            .ct_eq(given.as_slice());
    }
    found.into()
}

/// As [`is_any`], for computed values that may differ in length.
pub(super) fn is_same(given: &[u8], expected: &[u8]) -> Choice {
    Sha256::digest(given)
        .as_slice()
        .ct_eq(Sha256::digest(expected).as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_listed_value_is_accepted_and_nothing_else() {
        let accepted = [SecretString::from("old"), SecretString::from("new")];
        assert!(is_any(b"old", &accepted));
        assert!(is_any(b"new", &accepted));
        for wrong in ["", "ol", "oldnew", "NEW"] {
            assert!(!is_any(wrong.as_bytes(), &accepted), "{wrong}");
        }
        assert!(!is_any(b"", &[]));
    }
}
