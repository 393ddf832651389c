//! An access token in a file: sealed, written whole or not at all, shared by all processes that name the same file.

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chacha20poly1305::{
    ChaCha20Poly1305, Nonce,
    aead::{Aead, Generate, Key, KeyInit, Payload},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::{BoxFuture, Credentials, Renewal, StoredToken, TokenStore, TokenStoreError};

/// First bytes of a file, and bound to what is sealed after them.
const MAGIC: &[u8] = b"zoho-crm token 1\n";

/// Bytes of a nonce, in front of what is sealed.
const NONCE_BYTES: usize = 12;

/// Longest wait for others to renew the token; a request of theirs ends much sooner.
const TURN_WAIT_MAX: Duration = Duration::from_secs(90);

/// Keeps a connection's access token in a file of mode 0600, sealed with ChaCha20-Poly1305.
///
/// Any number of processes on one machine may share the file: one of them renews the token while the others wait for
/// it, and the limit of ten token requests in ten minutes is kept by all together. The file is replaced as a whole, so
/// it is never half written; a file that cannot be read (another key, damage) counts as empty. Beside it, a `.lock`
/// file holds the turn; it stays empty and must be on a local file system.
#[derive(Clone)]
pub struct FileTokenStore {
    file: Arc<TokenFile>,
    /// Of this process one task at a time waits for the turn, so that one thread at most does.
    turn: Arc<Mutex<()>>,
}

struct TokenFile {
    path: PathBuf,
    /// The client's id: what was sealed for one does not open for another.
    owner: String,
    /// The first seals, any may open.
    ciphers: Vec<ChaCha20Poly1305>,
}

/// What is sealed.
#[derive(Default, Serialize, Deserialize)]
struct Content {
    /// As [`StoredToken::to_json`] gives it.
    token: Option<Box<RawValue>>,
    /// When token requests were sent lately.
    #[serde(default)]
    requests: Vec<Timestamp>,
}

impl FileTokenStore {
    /// The file need not exist; its directory must. Without a `key`, keys are derived from the client's secrets: who
    /// has one of those can ask for a token anyway. A key of one's own should be random, 32 characters or more.
    pub fn new(
        path: impl Into<PathBuf>,
        credentials: &Credentials,
        key: Option<&SecretString>,
    ) -> Self {
        let ciphers = match key {
            Some(key) => vec![cipher(key)],
            None => credentials.client_secrets.iter().map(cipher).collect(),
        };
        Self {
            file: Arc::new(TokenFile {
                path: path.into(),
                owner: credentials.client_id.expose_secret().to_owned(),
                ciphers,
            }),
            turn: Arc::default(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Runs file work on a thread that may wait.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&TokenFile) -> Result<T, TokenStoreError> + Send + 'static,
    ) -> Result<T, TokenStoreError> {
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || work(&file))
            .await
            .map_err(|error| TokenStoreError::new(error.to_string()))?
    }

    async fn take_turn(&self) -> Result<Renewal, TokenStoreError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.work(|file| {
            let held = file.lock().map_err(|error| file.failed("locked", &error))?;
            Ok(Renewal::new((held, turn)))
        })
        .await
    }
}

impl fmt::Debug for FileTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTokenStore")
            .field("path", &self.file.path)
            .finish_non_exhaustive()
    }
}

impl TokenStore for FileTokenStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>> {
        Box::pin(self.work(|file| {
            let token = file.read()?.token;
            Ok(token.and_then(|it| StoredToken::from_json(it.get().as_bytes()).ok()))
        }))
    }

    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(async {
            let json = token.to_json()?;
            let token = serde_json::from_slice(&json).map_err(|error| not_json(&error))?;
            self.work(|file| {
                let requests = file.read()?.requests;
                file.write(&Content {
                    token: Some(token),
                    requests,
                })
            })
            .await
        })
    }

    fn renewal(&self) -> BoxFuture<'_, Result<Renewal, TokenStoreError>> {
        Box::pin(async {
            tokio::time::timeout(TURN_WAIT_MAX, self.take_turn())
                .await
                .unwrap_or_else(|_| {
                    Err(TokenStoreError::new(
                        "another process has been renewing the token for too long",
                    ))
                })
        })
    }

    fn requests(&self) -> BoxFuture<'_, Result<Vec<Timestamp>, TokenStoreError>> {
        Box::pin(self.work(|file| Ok(file.read()?.requests)))
    }

    fn save_requests<'a>(
        &'a self,
        sent: &'a [Timestamp],
    ) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        let requests = sent.to_vec();
        Box::pin(self.work(|file| {
            let token = file.read()?.token;
            file.write(&Content { token, requests })
        }))
    }
}

impl TokenFile {
    fn read(&self) -> Result<Content, TokenStoreError> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(error) => return Err(self.failed("read", &error)),
        };
        let content = self
            .open(&bytes)
            .and_then(|plain| serde_json::from_slice(&plain).ok());
        Ok(content.unwrap_or_else(|| {
            tracing::warn!(
                path = %self.path.display(),
                "the token file cannot be opened with this key: taking it as empty"
            );
            Content::default()
        }))
    }

    /// A new file takes the place of the old one, once it is safely on disk.
    fn write(&self, content: &Content) -> Result<(), TokenStoreError> {
        let plain = serde_json::to_vec(content).map_err(|error| not_json(&error))?;
        let sealed = self
            .seal(&plain)
            .ok_or_else(|| TokenStoreError::new("the token could not be sealed"))?;
        self.replace(&sealed)
            .map_err(|error| self.failed("written", &error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Readable by its owner alone from the first moment.
        let mut new = tempfile::Builder::new()
            .prefix(".zoho-token-")
            .tempfile_in(directory)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(&self.path)?;
        // The new name is safe only with its directory.
        if cfg!(unix) {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }

    /// Waits until nobody else has it.
    fn lock(&self) -> io::Result<File> {
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut path = OsString::from(&self.path);
        path.push(".lock");
        let file = options.open(path)?;
        file.lock()?;
        Ok(file)
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = Nonce::generate();
        let sealed = self
            .ciphers
            .first()?
            .encrypt(
                &nonce,
                Payload {
                    msg: plain,
                    aad: &self.bound(),
                },
            )
            .ok()?;
        Some([MAGIC, nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = bytes.strip_prefix(MAGIC)?.split_at_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_from(nonce).ok()?;
        let aad = self.bound();
        self.ciphers.iter().find_map(|cipher| {
            let payload = Payload {
                msg: sealed,
                aad: &aad,
            };
            cipher.decrypt(&nonce, payload).ok()
        })
    }

    fn bound(&self) -> Vec<u8> {
        [MAGIC, self.owner.as_bytes()].concat()
    }

    fn failed(&self, what: &str, error: &io::Error) -> TokenStoreError {
        let path = self.path.display();
        TokenStoreError::new(format!(
            "the token file {path} could not be {what}: {error}"
        ))
    }
}

fn cipher(key: &SecretString) -> ChaCha20Poly1305 {
    let mut hash = Sha256::new();
    hash.update(b"zoho-crm token file key 1\0");
    hash.update(key.expose_secret());
    let digest = <[u8; 32]>::from(hash.finalize());
    ChaCha20Poly1305::new(&Key::<ChaCha20Poly1305>::from(digest))
}

fn not_json(error: &serde_json::Error) -> TokenStoreError {
    TokenStoreError::new(format!(
        "the token could not be written: {:?}",
        error.classify()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "1000.planted-access-token";

    fn credentials(secrets: &[&str]) -> Credentials {
        Credentials {
            client_id: "1000.CLIENT".into(),
            client_secrets: secrets.iter().map(|it| (*it).into()).collect(),
            refresh_tokens: vec!["1000.refresh".into()],
        }
    }

    fn token() -> StoredToken {
        StoredToken {
            access_token: TOKEN.into(),
            expires_at: Timestamp::from_second(1_800_000_000).unwrap(),
            api_domain: Some("https://www.zohoapis.eu".into()),
        }
    }

    struct Place {
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self {
                directory: tempfile::tempdir().unwrap(),
            }
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("token")
        }

        fn store(&self, secrets: &[&str]) -> FileTokenStore {
            FileTokenStore::new(self.path(), &credentials(secrets), None)
        }
    }

    async fn kept(store: &FileTokenStore) -> Option<String> {
        let token = store.load().await.unwrap();
        token.map(|it| it.access_token.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn the_file_is_for_its_owner_only_and_holds_no_token_in_clear() {
        let place = Place::new();
        let store = place.store(&["secret"]);
        assert_eq!(kept(&store).await, None);
        store.save(&token()).await.unwrap();
        let bytes = std::fs::read(place.path()).unwrap();
        for clear in [TOKEN, "planted", "zohoapis", "2027"] {
            let found = bytes.windows(clear.len()).any(|it| it == clear.as_bytes());
            assert!(!found, "{clear}");
        }
        drop(store.renewal().await.unwrap());
        #[cfg(unix)]
        for name in ["token", "token.lock"] {
            let file = place.directory.path().join(name);
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &std::fs::metadata(file).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let back = store.load().await.unwrap().unwrap();
        assert_eq!(back.access_token.expose_secret(), TOKEN);
        assert_eq!(back.expires_at, token().expires_at);
        assert_eq!(back.api_domain, token().api_domain);
        assert!(!format!("{store:?}").contains("secret"));
    }

    #[tokio::test]
    async fn wide_open_permissions_do_not_survive_a_save() {
        let place = Place::new();
        std::fs::write(place.path(), b"").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let wide = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(place.path(), wide).unwrap();
            place.store(&["secret"]).save(&token()).await.unwrap();
            let mode = std::fs::metadata(place.path())
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_torn_or_changed_file_is_taken_as_empty_and_replaced() {
        let place = Place::new();
        let store = place.store(&["secret"]);
        store.save(&token()).await.unwrap();
        let whole = std::fs::read(place.path()).unwrap();
        for length in 0..whole.len() {
            std::fs::write(place.path(), &whole[..length]).unwrap();
            assert_eq!(kept(&store).await, None, "{length} bytes");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(place.path(), &changed).unwrap();
            assert_eq!(kept(&store).await, None, "byte {at}");
        }
        // A write that was cut short leaves its own file only.
        let left_over = place.directory.path().join(".zoho-token-torn");
        std::fs::write(left_over, &whole[..10]).unwrap();
        store.save(&token()).await.unwrap();
        assert_eq!(kept(&store).await.as_deref(), Some(TOKEN));
    }

    #[tokio::test]
    async fn a_secret_can_be_rotated_and_another_client_cannot_read() {
        let place = Place::new();
        place.store(&["old"]).save(&token()).await.unwrap();
        assert_eq!(
            kept(&place.store(&["new", "old"])).await.as_deref(),
            Some(TOKEN)
        );
        assert_eq!(kept(&place.store(&["new"])).await, None);
        let other = Credentials {
            client_id: "1000.OTHER".into(),
            ..credentials(&["old"])
        };
        assert_eq!(
            kept(&FileTokenStore::new(place.path(), &other, None)).await,
            None
        );
        let key = SecretString::from("a key of one's own");
        let own = FileTokenStore::new(place.path(), &credentials(&["old"]), Some(&key));
        assert_eq!(kept(&own).await, None);
        own.save(&token()).await.unwrap();
        assert_eq!(kept(&own).await.as_deref(), Some(TOKEN));
        assert_eq!(kept(&place.store(&["old"])).await, None);
    }

    #[tokio::test]
    async fn requests_and_token_do_not_overwrite_each_other() {
        let place = Place::new();
        let store = place.store(&["secret"]);
        let sent = [Timestamp::from_second(1_700_000_000).unwrap()];
        store.save_requests(&sent).await.unwrap();
        store.save(&token()).await.unwrap();
        assert_eq!(store.requests().await.unwrap(), sent);
        store.save_requests(&[]).await.unwrap();
        assert_eq!(kept(&store).await.as_deref(), Some(TOKEN));
    }

    #[tokio::test]
    async fn one_at_a_time_has_the_turn() {
        let place = Place::new();
        let (one, two) = (place.store(&["secret"]), place.store(&["secret"]));
        let turn = one.renewal().await.unwrap();
        let mut waiting = two.renewal();
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(futures_util::poll!(one.renewal()).is_pending());
        drop(turn);
        drop(waiting.await.unwrap());
        drop(one.renewal().await.unwrap());
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_a_clear_error() {
        let place = Place::new();
        let path = place.directory.path().join("none").join("token");
        let store = FileTokenStore::new(path, &credentials(&["secret"]), None);
        let error = store.save(&token()).await.unwrap_err().to_string();
        assert!(error.contains("could not be written"), "{error}");
        assert!(store.renewal().await.is_err());
    }
}
