//! Escalator in a process of its own.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;

use super::super::exit::Failure;
use super::Arguments;
use crate::simulator::Simulator;

/// How long it may take to say that it runs.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to end.
const END_WITHIN: Duration = Duration::from_secs(30);

/// Where a process runs, and with which settings.
pub(super) struct Surroundings {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Surroundings {
    /// Everything against the simulator; a ledger in this folder.
    pub(super) fn new(
        folder: &Path,
        simulator: &Simulator,
        urls: &[SecretString],
        arguments: &Arguments,
    ) -> Self {
        let config = simulator.config();
        let amqp: Vec<&str> = urls.iter().map(ExposeSecret::expose_secret).collect();
        let mut variables = vec![
            ("AMQP_URL", amqp.join(",")),
            (
                "DATABASE_URL",
                format!("sqlite://{}/ledger.db", folder.display()),
            ),
            ("INGRESS_LISTEN", "127.0.0.1:0".to_owned()),
            ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("GENESYS_API_URL", simulator.genesys_url()),
            ("GENESYS_COBROWSE_API", arguments.cobrowse_api.clone()),
            ("GENESYS_CLIENT_ID", config.client_id.clone()),
            // The simulator has no limit, and nobody wants to wait for one.
            ("GENESYS_REQUESTS_PER_MINUTE", "6000".to_owned()),
            ("PAGERDUTY_REQUESTS_PER_MINUTE", "6000".to_owned()),
            ("GENESYS_CLIENT_SECRET", config.client_secret.clone()),
            ("PAGERDUTY_API_URL", simulator.pagerduty_url()),
            ("PAGERDUTY_API_TOKEN", config.api_token.clone()),
            ("PAGERDUTY_FROM_EMAIL", config.from_email.clone()),
            ("PAGERDUTY_WEBHOOK_SECRETS", config.webhook_secret.clone()),
            ("LOG_FORMAT", "json".to_owned()),
        ];
        if arguments.crash {
            // A dead worker's claims and lost answers would take half a minute with the defaults; nobody watches that.
            variables.extend([
                ("WORKER_LEASE", "3s".to_owned()),
                ("WORKER_CALL_TIMEOUT", "1s".to_owned()),
                ("WORKER_SETTLE", "500ms".to_owned()),
            ]);
        }
        Self {
            folder: folder.to_owned(),
            variables,
        }
    }
}

/// The running process. Killed when dropped.
pub(super) struct Child {
    role: &'static str,
    process: tokio::process::Child,
    /// Base of the ingress, where the role has one.
    pub(super) ingress: String,
    /// Base of the admin listener.
    pub(super) admin: String,
    /// Its log.
    pub(super) log: PathBuf,
}

impl Child {
    /// Starts a role, with settings of its own and none of this process's.
    pub(super) async fn start(
        role: &'static str,
        surroundings: &Surroundings,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::failed)?;
        let mut process = Command::new(program)
            .arg(role)
            // Neither the settings of the user's shell nor a `.env` of the working directory have a say here.
            .env_clear()
            .current_dir(&surroundings.folder)
            .envs(
                surroundings
                    .variables
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for the demo, which ends its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Failure::failed)?;
        let log = surroundings.folder.join(format!("{role}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(Failure::failed)?;
        let stderr = process
            .stderr
            .take()
            .ok_or_else(|| Failure::failed("the process has no stderr"))?;
        let (started, starting) = oneshot::channel();
        tokio::spawn(follow(BufReader::new(stderr), file, started));
        match tokio::time::timeout(START_WITHIN, starting).await {
            Ok(Ok(addresses)) => Ok(Self {
                role,
                process,
                ingress: addresses.ingress,
                admin: addresses.admin,
                log,
            }),
            Ok(Err(_)) | Err(_) => {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                Err(Failure::failed(format!(
                    "escalator {role} did not start:\n{text}"
                )))
            }
        }
    }

    /// Kills it, as a crash would.
    pub(super) async fn kill(mut self) -> Result<(), Failure> {
        self.process.kill().await.map_err(Failure::failed)
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
            Err(_) => Err(Failure::failed(format!(
                "escalator {} did not end",
                self.role
            ))),
        }
    }
}

/// Where a process listens.
struct Addresses {
    ingress: String,
    admin: String,
}

/// Copies the log to its file, and tells the addresses once the process has them.
async fn follow(
    stderr: BufReader<tokio::process::ChildStderr>,
    mut file: File,
    started: oneshot::Sender<Addresses>,
) {
    let mut started = Some(started);
    let mut lines = stderr.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = writeln!(file, "{line}");
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let base = |name: &str| {
            text(name)
                .map(|at| format!("http://{at}"))
                .unwrap_or_default()
        };
        if text("event") == Some("started")
            && let Some(started) = started.take()
        {
            let _ = started.send(Addresses {
                ingress: base("ingress"),
                admin: base("admin"),
            });
        }
    }
}
