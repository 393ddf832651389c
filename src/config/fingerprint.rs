//! What `routes.yaml` and the secret files it names held: how a change of any of them is noticed.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::substitute::{self, PartKind};

/// The contents of a route table and of all files that it names with `${file:…}`, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    path: PathBuf,
    /// `None` where the route table itself cannot be read.
    digest: Option<[u8; 32]>,
}

impl Fingerprint {
    /// As they are now. A secret file that cannot be read counts as empty; reading says what is wrong with it.
    pub fn of(path: &Path) -> Self {
        let text = super::read_file(path).ok();
        Self {
            path: path.to_owned(),
            digest: text.map(|it| digest(&it, super::folder(path))),
        }
    }

    /// The same files as they are now.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::of(&self.path)
    }

    /// Whether they hold something else now. A route table that is gone is being replaced, so it has not changed yet.
    pub fn is_outdated(&self) -> bool {
        let now = self.again();
        now.digest.is_some() && now != *self
    }
}

fn digest(text: &str, folder: &Path) -> [u8; 32] {
    let mut whole = Sha256::new();
    whole.update(Sha256::digest(text));
    for part in substitute::parts(text) {
        if let PartKind::File(path) = part.kind {
            let content = substitute::read(&folder.join(path)).unwrap_or_default();
            whole.update(Sha256::digest(content));
        }
    }
    whole.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_of_the_file_or_of_a_secret_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (routes, secret) = (folder.path().join("routes.yaml"), folder.path().join("s"));
        fs::write(&routes, "a: ${file:s}").unwrap();
        let without = Fingerprint::of(&routes);
        fs::write(&secret, "one").unwrap();
        assert!(without.is_outdated());
        let one = Fingerprint::of(&routes);
        assert!(!one.is_outdated());
        fs::write(&secret, "two").unwrap();
        assert!(one.is_outdated());
        let two = Fingerprint::of(&routes);
        fs::write(&routes, "a: x${file:s}").unwrap();
        assert!(two.is_outdated());
        let three = Fingerprint::of(&routes);
        fs::remove_file(&routes).unwrap();
        assert!(!three.is_outdated(), "it is being replaced");
    }
}
