//! The worker of one leg: the real program, whose log is a file, as a service's is, and not read by anybody on the way.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::support::world::World;

pub(crate) struct Worker {
    child: Child,
    log: PathBuf,
}

/// What it came to in its whole life.
pub(crate) struct Ended {
    pub(crate) cpu: Duration,
    pub(crate) log_bytes: u64,
}

impl Worker {
    pub(crate) fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let log = world.folder.path().join("worker.log");
        let child = Command::new(env!("CARGO_BIN_EXE_escalator"))
            .arg("worker")
            .env_clear()
            .envs(world.settings(settings))
            .current_dir(world.folder.path())
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Where its metrics are. Only a worker that logs says so.
    pub(crate) async fn metrics(&self) -> String {
        metrics(self.log.clone()).await
    }

    /// Reads its metrics again and again, until that is aborted.
    pub(crate) fn scrape(&self, every: Duration) -> JoinHandle<()> {
        let log = self.log.clone();
        tokio::spawn(async move {
            let url = metrics(log).await;
            let client = reqwest::Client::new();
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                let answer = client.get(&url).send().await.unwrap();
                assert!(!answer.bytes().await.unwrap().is_empty());
            }
        })
    }

    /// SIGTERM, then waits for the end.
    pub(crate) async fn end(mut self) -> Ended {
        let signal = std::process::Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status();
        assert!(signal.unwrap().success());
        let before = of_children();
        assert!(self.child.wait().await.unwrap().success());
        Ended {
            cpu: of_children() - before,
            log_bytes: fs::metadata(&self.log).unwrap().len(),
        }
    }
}

pub(crate) async fn get(url: &str) -> String {
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

async fn metrics(log: PathBuf) -> String {
    loop {
        let text = fs::read_to_string(&log).unwrap();
        let mut lines = text.lines().map(serde_json::from_str::<Value>);
        // The last line may be half written.
        let started = lines.find_map(|line| line.ok().filter(|line| line["event"] == "started"));
        if let Some(started) = started {
            return format!("http://{}/metrics", started["admin"].as_str().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// User and system time of all children that have been waited for. A child's is added at its end and not before, so that
/// nothing of its life is missing.
fn of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The name in brackets may hold blanks; the fields are counted from behind it.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = fields[13].parse::<u32>().unwrap() + fields[14].parse::<u32>().unwrap();
    crate::process::TICK * ticks
}
