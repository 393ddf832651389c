//! The real binary as a command: what it prints, and how it ends.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};
use zoho_sim::Sim;

/// A simulated org, and a folder that the commands run in.
pub(crate) struct Org {
    pub(crate) sim: Sim,
    url: String,
    folder: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Org {
    pub(crate) async fn start() -> Self {
        let mut settings = zoho_sim::Settings::on_loopback();
        settings.index_delay = Duration::ZERO..=Duration::ZERO;
        let sim = Sim::start(settings).await.unwrap();
        let url = sim.base_url();
        Self {
            sim,
            url,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The same, but the commands talk to this server.
    pub(crate) async fn answered_by(url: String) -> Self {
        Self {
            url,
            ..Self::start().await
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// In its folder, with nothing in the environment but the org.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.like(env!("CARGO_BIN_EXE_zohook"), arguments)
    }

    /// Another program, in the same place and with the same environment.
    pub(crate) fn like(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.within(program, arguments);
        command.env("ZOHO_REFRESH_TOKEN", Sim::REFRESH_TOKEN);
        command
    }

    /// Without a refresh token.
    pub(crate) fn stranger(&self, arguments: &[&str]) -> Command {
        self.within(env!("CARGO_BIN_EXE_zohook"), arguments)
    }

    fn within(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("ZOHO_API_URL", &self.url)
            .env("ZOHO_ACCOUNTS_URL", &self.url)
            .env("ZOHO_CLIENT_ID", Sim::CLIENT_ID)
            .env("ZOHO_CLIENT_SECRET", Sim::CLIENT_SECRET)
            .env("ZOHOOK_STATE_DIR", self.folder.path().join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments), "").await
    }

    /// `zohook crm …` that must succeed.
    pub(crate) async fn crm(&self, arguments: &[&str]) -> String {
        let ran = self.run(&[&["crm"], arguments].concat()).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.out
    }

    /// The same, with `--json`.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let out = self.crm(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out).expect(&out)
    }
}

/// Runs it to its end, with this on its stdin.
pub(crate) async fn ran(command: &mut Command, stdin: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // Fails when the command ended without reading, which is its right.
    drop(pipe.write_all(stdin.as_bytes()).await);
    drop(pipe);
    let output = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output())
        .await
        .expect("it ends")
        .unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
