//! Power loss: whatever moment it comes, every notification that was answered is there afterwards.
//!
//! A preloaded shim (tests/powerloss/shim.c) keeps what was fsynced and cuts a copy at each fsync; each cut is opened
//! as a store of its own.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clock::Clock;
use tempfile::TempDir;
use zohook::{
    event::{DestinationName, Settled},
    store::{Settings, Store, StoreError},
};

use super::store::{accept, finish, open, settings, settlement};

/// Set in the program that the shim is preloaded into: the folder it works in.
const FOLDER: &str = "POWERLOSS_TEST_FOLDER";
const SMALL: usize = 25;
const LARGE: usize = 25;
/// Enough for the log to be checkpointed on the way.
const LARGE_BYTES: usize = 500_000;

#[test]
fn a_200_survives_a_power_loss_at_any_commit() {
    let world = World::new();
    world.run(&[]);
    let (checked, lost) = world.check_cuts();
    assert!(checked >= 2 * SMALL + LARGE, "only {checked} cuts");
    assert_eq!(lost, 0);
    assert!(
        world.path("refused").exists(),
        "no failed fsync was answered with io"
    );
}

#[test]
fn without_the_fsync_of_the_log_a_power_loss_is_noticed() {
    let world = World::new();
    world.run(&[("POWERLOSS_LIE", "1")]);
    let (_, lost) = world.check_cuts();
    assert!(lost > 0, "the model would not notice a missing fsync");
}

/// The program: accepts, and writes down what was answered and which cut was the newest then. Does nothing unless it
/// was started by one of the tests above.
#[tokio::test(flavor = "multi_thread")]
async fn program() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let clock = Clock::real();
    let queue = DestinationName::new("queue");
    let mut answered = String::new();
    for (count, bytes) in [(SMALL, 100), (LARGE, LARGE_BYTES), (SMALL, 100)] {
        let store = open(settings(&folder.join("store")), &clock).await.unwrap();
        for _ in 0..count {
            let mut sent = accept(&clock, &["1"]);
            sent.body = vec![b'x'; bytes].into();
            let id = sent.id;
            store.accept(sent).await.unwrap();
            let cut = fs::metadata(folder.join("shadow/count")).map_or(0, |it| it.len());
            writeln!(answered, "{id} {cut}").unwrap();
            let claims = store.claim(1).await;
            store
                .finish(
                    claims
                        .into_iter()
                        .map(|it| finish(it, &["queue"]))
                        .collect::<Vec<_>>(),
                )
                .await
                .unwrap();
            let due = store.due(&queue, 1).await;
            let settled = due.iter().map(|it| settlement(it, Settled::Delivered));
            store.settle(settled.collect::<Vec<_>>()).await.unwrap();
        }
        if bytes > 100 {
            refuse_while_the_disk_fails(&store, &folder).await;
        }
        store.close().await;
    }
    fs::write(folder.join("answered"), answered).unwrap();
}

/// An fsync that fails refuses its group; when the disk works again, so does the store.
async fn refuse_while_the_disk_fails(store: &Store, folder: &Path) {
    let clock = Clock::real();
    let fail = folder.join("shadow/fail");
    fs::write(&fail, "").unwrap();
    let refused = store.accept(accept(&clock, &["2"])).await;
    if matches!(refused, Err(StoreError::Unavailable { reason: "io", .. })) {
        assert!(!store.ready());
        fs::write(folder.join("refused"), "").unwrap();
    }
    fs::remove_file(&fail).unwrap();
    for _ in 0..500 {
        if store.ready() {
            break;
        }
        clock.sleep(Duration::from_millis(20)).await;
    }
    store.accept(accept(&clock, &["2"])).await.unwrap();
}

struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["store", "shadow", "shadow/now", "shadow/aside"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(folder.path().join("shim.so"))
            .arg("tests/powerloss/shim.c")
            .args(["-ldl", "-lpthread"])
            .status()
            .unwrap();
        assert!(built.success(), "a C compiler is needed");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, more: &[(&str, &str)]) {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "powerloss::program", "--nocapture"])
            .env(FOLDER, self.folder.path())
            .env("LD_PRELOAD", self.path("shim.so"))
            .env("POWERLOSS_DIR", self.path("store"))
            .env("POWERLOSS_SHADOW", self.path("shadow"))
            .envs(more.iter().copied())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Opens each cut; gives how many there are and in how many something answered is missing.
    fn check_cuts(&self) -> (usize, usize) {
        let mut by_cut: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for line in fs::read_to_string(self.path("answered")).unwrap().lines() {
            let (id, cut) = line.split_once(' ').unwrap();
            by_cut
                .entry(cut.parse().unwrap())
                .or_default()
                .push(id.to_owned());
        }
        let mut must = vec![];
        let mut cuts = 0;
        let mut missing = 0;
        let last = fs::metadata(self.path("shadow/count")).unwrap().len();
        for cut in 0..=last {
            must.extend(by_cut.remove(&cut).unwrap_or_default());
            let folder = self.path(&format!("shadow/cut-{cut:06}"));
            if must.is_empty() || !folder.exists() {
                continue;
            }
            cuts += 1;
            if !holds(&folder, &must) {
                missing += 1;
            }
            fs::remove_dir_all(folder).unwrap();
        }
        (cuts, missing)
    }
}

/// Whether the store in `folder` is sound and has every one of `must`.
fn holds(folder: &Path, must: &[String]) -> bool {
    let names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    if !names.iter().any(|it| it == OsStr::new("zohook.db")) {
        return false;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = Settings {
        keep_events: Duration::from_hours(24),
        ..settings(folder)
    };
    let path = settings.path.clone();
    let sound = runtime.block_on(async {
        let Ok(store) = open(settings, &Clock::real()).await else {
            return false;
        };
        let ledger = store.ledger().await.unwrap();
        store.close().await;
        ledger.adds_up()
    });
    let file = rusqlite::Connection::open(path).unwrap();
    let check: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let mut found = file
        .prepare("SELECT count(*) FROM notification WHERE id = ?1")
        .unwrap();
    sound
        && must.iter().all(|id| {
            let id = uuid::Uuid::parse_str(id).unwrap();
            let count: i64 = found.query_row([id.as_bytes()], |row| row.get(0)).unwrap();
            count == 1
        })
}
