//! `escalator serve` as a process of its own.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;

use super::super::exit::Failure;
use crate::simulator::Simulator;

/// How long it may take to say that it runs.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to end.
const END_WITHIN: Duration = Duration::from_secs(30);

/// The running process. Killed when dropped.
pub(super) struct Child {
    process: tokio::process::Child,
    /// Base of the ingress.
    pub(super) ingress: String,
    /// Base of the admin listener.
    pub(super) admin: String,
    /// Its log.
    pub(super) log: PathBuf,
    /// Ledger and log; kept as long as the process may write there.
    _folder: TempDir,
}

impl Child {
    /// Starts it against the simulator, with settings of its own and none of this process's.
    pub(super) async fn start(
        simulator: &Simulator,
        urls: &[SecretString],
    ) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new()
            .prefix("escalator-demo-")
            .tempdir()
            .map_err(Failure::failed)?;
        let config = simulator.config();
        let database = format!("sqlite://{}/ledger.db", folder.path().display());
        let amqp: Vec<&str> = urls.iter().map(ExposeSecret::expose_secret).collect();
        let program = std::env::current_exe().map_err(Failure::failed)?;
        let mut process = Command::new(program)
            .arg("serve")
            // Neither the settings of the user's shell nor a `.env` of the working directory have a say here.
            .env_clear()
            .current_dir(folder.path())
            .envs([
                ("AMQP_URL", amqp.join(",").as_str()),
                ("DATABASE_URL", &database),
                ("INGRESS_LISTEN", "127.0.0.1:0"),
                ("ADMIN_LISTEN", "127.0.0.1:0"),
                ("GENESYS_API_URL", &simulator.genesys_url()),
                ("GENESYS_CLIENT_ID", &config.client_id),
                ("GENESYS_CLIENT_SECRET", &config.client_secret),
                ("PAGERDUTY_API_URL", &simulator.pagerduty_url()),
                ("PAGERDUTY_API_TOKEN", &config.api_token),
                ("PAGERDUTY_FROM_EMAIL", &config.from_email),
                ("PAGERDUTY_WEBHOOK_SECRETS", &config.webhook_secret),
                ("LOG_FORMAT", "json"),
            ])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Failure::failed)?;
        let log = folder.path().join("escalator.log");
        let file = File::create(&log).map_err(Failure::failed)?;
        let stderr = process
            .stderr
            .take()
            .ok_or_else(|| Failure::failed("the process has no stderr"))?;
        let (started, starting) = oneshot::channel();
        tokio::spawn(follow(BufReader::new(stderr), file, started));
        let addresses = tokio::time::timeout(START_WITHIN, starting).await;
        match addresses {
            Ok(Ok((ingress, admin))) => Ok(Self {
                process,
                ingress: format!("http://{ingress}"),
                admin: format!("http://{admin}"),
                log,
                _folder: folder,
            }),
            Ok(Err(_)) | Err(_) => {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                Err(Failure::failed(format!(
                    "escalator serve did not start:\n{text}"
                )))
            }
        }
    }

    /// An error if it has ended by itself.
    pub(super) fn still_runs(&mut self) -> Result<(), Failure> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                let text = std::fs::read_to_string(&self.log).unwrap_or_default();
                Err(Failure::failed(format!(
                    "escalator serve ended by itself ({status}):\n{text}"
                )))
            }
            Err(error) => Err(Failure::failed(error)),
        }
    }

    /// Ends it as a service manager would, with SIGTERM, and waits until it has drained.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        if let Some(pid) = self.process.id() {
            // The standard library can only kill; this must be SIGTERM, so that it drains.
            let _ = Command::new("kill")
                .args(["-TERM", &pid.to_string()])
                .status()
                .await;
        }
        match tokio::time::timeout(END_WITHIN, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(Failure::failed(format!(
                "escalator serve ended with {status}"
            ))),
            Ok(Err(error)) => Err(Failure::failed(error)),
            Err(_) => Err(Failure::failed("escalator serve did not end")),
        }
    }
}

/// Copies the log to its file, and tells the addresses once the process has them.
async fn follow(
    stderr: BufReader<tokio::process::ChildStderr>,
    mut file: File,
    started: oneshot::Sender<(String, String)>,
) {
    let mut started = Some(started);
    let mut lines = stderr.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = writeln!(file, "{line}");
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        if text("event").as_deref() == Some("started")
            && let (Some(ingress), Some(admin)) = (text("ingress"), text("admin"))
            && let Some(started) = started.take()
        {
            let _ = started.send((ingress, admin));
        }
    }
}
