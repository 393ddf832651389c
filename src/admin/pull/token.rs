//! Which consumer a token belongs to.

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::deliver::Consumer;

/// Whose token it is. Compares with every token, each in constant time.
pub(super) fn consumer(consumers: &[Consumer], token: &[u8]) -> Option<String> {
    let given = Sha256::digest(token);
    let mut found = None;
    for consumer in consumers {
        let mut same = Choice::from(0);
        for token in &consumer.token {
            same |= Sha256::digest(token.expose_secret()).ct_eq(&given);
        }
        if same.into() {
            found = Some(consumer.name.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_token_of_a_consumer_is_its_own_and_no_other_is() {
        let consumer_of = |name: &str, tokens: &[&str]| Consumer {
            name: name.to_owned(),
            token: tokens.iter().map(|it| (*it).into()).collect(),
        };
        let consumers = [
            consumer_of("bi", &["old", "new"]),
            consumer_of("etl", &["other"]),
        ];
        let whose = |token: &str| consumer(&consumers, token.as_bytes());
        assert_eq!(whose("old").as_deref(), Some("bi"));
        assert_eq!(whose("new").as_deref(), Some("bi"));
        assert_eq!(whose("other").as_deref(), Some("etl"));
        for wrong in ["", "ol", "oldd", "OLD"] {
            assert_eq!(whose(wrong), None, "{wrong}");
        }
    }
}
