//! The real program as a process of its own.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// Nothing that a test waits for takes longer, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running program; killed when dropped.
pub(crate) struct Program {
    child: Child,
    log: Arc<Log>,
    /// Base of the ingress, where it has one.
    pub(crate) ingress: String,
    /// Base of the admin listener.
    pub(crate) admin: String,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Program {
    /// Starts it with these settings and nothing else, and waits until it says that it runs.
    pub(crate) async fn start(role: &str, folder: &Path, settings: &[(String, String)]) -> Self {
        let mut program = Self::spawn(&[role], folder, settings);
        program.logged("started", |_| true).await;
        program.has_started();
        program
    }

    /// Whether it has said so far that it runs, and where.
    pub(crate) fn has_started(&mut self) -> bool {
        if self.admin.is_empty()
            && let Some(started) = self.events("started").into_iter().next()
        {
            let base = |name: &str| {
                started[name]
                    .as_str()
                    .map(|at| format!("http://{at}"))
                    .unwrap_or_default()
            };
            self.ingress = base("ingress");
            self.admin = base("admin");
        }
        !self.admin.is_empty()
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(arguments: &[&str], folder: &Path, settings: &[(String, String)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_escalator"))
            .args(arguments)
            .env_clear()
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::new(Log::default());
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                sink.lines.lock().unwrap().push(line);
                sink.count.send_modify(|count| *count += 1);
            }
        });
        Self {
            child,
            log,
            ingress: String::new(),
            admin: String::new(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap().clone()
    }

    /// The lines that tell this event.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let lines = self.log();
        let parsed = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.filter(|line| line["event"] == event).collect()
    }

    /// Waits for a line that tells this event and is as wanted.
    pub(crate) async fn logged(&self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut count = self.log.count.subscribe();
        let waiting = async {
            loop {
                count.mark_unchanged();
                if let Some(found) = self.events(event).into_iter().find(&wanted) {
                    return found;
                }
                count.changed().await.unwrap();
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("no {event} as wanted in:\n{}", self.log().join("\n")),
        }
    }

    /// What `/health/ready` answers.
    pub(crate) async fn readiness(&self) -> (u16, Value) {
        let answer = reqwest::get(format!("{}/health/ready", self.admin))
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Waits until `/health/ready` answers 200 or not, as wanted.
    pub(crate) async fn becomes_ready(&self, wanted: bool) -> Value {
        let waiting = async {
            loop {
                let (status, body) = self.readiness().await;
                if (status == 200) == wanted {
                    return body;
                }
                // Readiness is only ever asked for; there is no event to wait for from outside.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(body) => body,
            Err(_) => panic!("not ready={wanted}:\n{}", self.log().join("\n")),
        }
    }

    /// The value of a metric without labels; none if nobody answers, as after a crash.
    pub(crate) async fn try_metric(&self, name: &str) -> Option<f64> {
        // By hand: whoever asks many programs often would spend most of its time setting clients up.
        let address = self.admin.strip_prefix("http://")?;
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        value.parse().ok()
    }

    /// The value of a metric, summed over the series whose line contains all of `parts`.
    pub(crate) async fn metric(&self, parts: &[&str]) -> f64 {
        let answer = reqwest::get(format!("{}/metrics", self.admin))
            .await
            .unwrap();
        let text = answer.text().await.unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let done = std::process::Command::new("kill")
            .args([format!("-{name}"), self.pid().to_string()])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGTERM, then waits for the end.
    pub(crate) async fn terminate(mut self) -> (ExitStatus, Vec<String>) {
        self.signal("TERM");
        let status = self.ended().await;
        (status, self.log())
    }

    /// SIGKILL, then waits for the end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("it does not end:\n{}", self.log().join("\n")),
        }
    }
}
