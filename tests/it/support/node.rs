//! A RabbitMQ node of a test's own, to be stopped and started. The others share the one of `make test`.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

/// A node; destroyed when dropped.
pub(crate) struct Node {
    folder: PathBuf,
    /// Where it answers. The same after a restart.
    pub(crate) amqp_url: String,
    pub(crate) management_url: String,
    /// Where it tells of itself to a Prometheus.
    pub(crate) prometheus_url: String,
    _parent: TempDir,
}

impl Node {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("node");
        run("start", &folder).await;
        let settings = std::fs::read_to_string(folder.join("env")).unwrap();
        let setting = |name: &str| {
            let line = settings
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap().trim_matches(['\'', '"']).to_owned()
        };
        Self {
            amqp_url: setting("AMQP_URL"),
            management_url: setting("RABBITMQ_MANAGEMENT_URL"),
            prometheus_url: setting("RABBITMQ_PROMETHEUS_URL"),
            folder,
            _parent: parent,
        }
    }

    /// Stops it in order, as an upgrade would; its data stay.
    pub(crate) async fn stop(&self) {
        run("stop", &self.folder).await;
    }

    /// Ends it as a crash would; its data stay.
    pub(crate) async fn kill(&self) {
        run("kill", &self.folder).await;
    }

    /// Starts it again on the same ports with the same data.
    pub(crate) async fn start_again(&self) {
        run("start", &self.folder).await;
    }

    /// `rabbitmqctl` for this node.
    pub(crate) async fn ctl(&self, arguments: &[&str]) {
        let mut command = script();
        command.arg("ctl").arg(&self.folder).args(arguments);
        finish(command).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let done = std::process::Command::new(path())
            .arg("destroy")
            .arg(&self.folder)
            .status();
        assert!(done.is_ok_and(|status| status.success()));
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/local/rabbitmq.sh")
}

fn script() -> Command {
    Command::new(path())
}

async fn run(what: &str, folder: &std::path::Path) {
    let mut command = script();
    command.arg(what).arg(folder);
    finish(command).await;
}

async fn finish(mut command: Command) {
    let output = tokio::time::timeout(Duration::from_secs(120), command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
