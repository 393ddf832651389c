//! The real binary, on ports that stay the same over restarts.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use clock::Clock;
use serde_json::Value;
use tokio::process::{Child, Command};

/// Longest wait for the router to become ready, or to stop.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

/// `zohook serve` in a folder of its own. Killed when dropped.
pub(crate) struct Router {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    stdout_unread: bool,
    child: Option<Child>,
}

impl Router {
    /// Writes the file, starts nothing yet.
    pub(crate) fn new(routes_yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("routes.yaml"), routes_yaml).unwrap();
        Self {
            public: free_address(),
            admin: free_address(),
            folder,
            environment: vec![],
            stdout_unread: false,
            child: None,
        }
    }

    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its stdout is a pipe that nobody reads.
    pub(crate) fn with_stdout_unread(mut self) -> Self {
        self.stdout_unread = true;
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn routes_path(&self) -> PathBuf {
        self.folder.path().join("routes.yaml")
    }

    /// Everything it has written to stderr so far, over all starts.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_zohook"))
            .arg("serve")
            .args(["--listen", &self.public.to_string()])
            .args(["--admin-listen", &self.admin.to_string()])
            .arg("--routes")
            .arg(self.routes_path())
            .arg("--store")
            .arg(format!(
                "sqlite:{}",
                self.folder.path().join("zohook.db").display()
            ))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(self.stdout())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let what = "the router to become ready";
        until(what, WAIT_MAX, async || {
            let exited = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(exited.is_none(), "it ended: {exited:?}\n{}", self.log());
            self.get_admin("/readyz").await.is_some()
        })
        .await;
    }

    fn stdout(&self) -> Stdio {
        if self.stdout_unread {
            return Stdio::piped();
        }
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("stdout"));
        file.unwrap().into()
    }

    /// Sends a signal, by its short name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().unwrap().to_string();
        let status = std::process::Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(status.unwrap().success());
    }

    /// The most memory it had at once, of this start.
    pub(crate) fn peak_kib(&self) -> u64 {
        let pid = self.child.as_ref().unwrap().id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mut lines = status.lines();
        let peak = lines.find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
        let kib = peak.trim().strip_suffix(" kB").unwrap();
        kib.parse().unwrap()
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(&mut self) -> std::process::ExitStatus {
        self.signal("TERM");
        let mut child = self.child.take().unwrap();
        tokio::time::timeout(WAIT_MAX, child.wait())
            .await
            .expect("SIGTERM stops it")
            .unwrap()
    }

    /// SIGHUP: it takes its file anew.
    pub(crate) fn reload(&self) {
        self.signal("HUP");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    /// The text of an admin path.
    pub(crate) async fn admin(&self, path: &str) -> String {
        self.get_admin(path).await.unwrap_or_default()
    }

    async fn get_admin(&self, path: &str) -> Option<String> {
        let mut request = client().get(format!("http://{}{path}", self.admin));
        let mut environment = self.environment.iter();
        if let Some((_, token)) = environment.find(|(name, _)| name == "ZOHOOK_ADMIN_TOKEN") {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    pub(crate) async fn ledger(&self) -> Value {
        serde_json::from_str(&self.admin("/api/v1/ledger").await).unwrap()
    }

    /// Waits until nothing waits in the inbox or for a destination, and checks that the ledger adds up.
    pub(crate) async fn settled(&self, longest: Duration) -> Value {
        until("everything to be settled", longest, async || {
            let ledger = self.ledger().await;
            ledger["ledger"]["changes"]["waiting"] == 0
                && ledger["ledger"]["deliveries"]["waiting"] == 0
        })
        .await;
        let ledger = self.ledger().await;
        assert_eq!(ledger["adds_up"], true, "{ledger}");
        ledger["ledger"].clone()
    }
}

/// Waits for a condition; panics with `what` when it takes longer.
pub(crate) async fn until(what: &str, longest: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let clock = Clock::real();
    while !holds().await {
        assert!(clock.monotonic() < longest, "waited {longest:?} for {what}");
        clock.sleep(Duration::from_millis(20)).await;
    }
}

/// A client with a timeout.
pub(crate) fn client() -> reqwest::Client {
    // Fails only when another test of this process did it before.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

/// A port that is free now and below those the system gives to outgoing connections, so that nothing takes it while
/// the router is down.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id().wrapping_mul(31);
    loop {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from((start.wrapping_add(step)) % 20_000).unwrap();
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}
