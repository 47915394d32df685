//! A database of a test's own, on the PostgreSQL of `make test` or on a server of its own, to be stopped and started.
//!
//! `ESCALATOR_TEST_POSTGRES_URL` says where the shared one is, and who may make databases there.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};
use url::Url;

/// Of every user; nothing else is spelt so, so that it can be searched for.
const PASSWORD: &str = "hush-of-the-test";

/// A user with a schema of its own in a database that others use too: much cheaper to make and to drop than a database.
/// All of it is gone when dropped.
pub(crate) struct Database {
    /// The address of its user, who may do anything there and nothing elsewhere.
    pub(crate) url: Url,
    admin: Url,
    name: String,
}

impl Database {
    /// Makes an empty one.
    pub(crate) async fn new() -> Self {
        let url = std::env::var("ESCALATOR_TEST_POSTGRES_URL").expect(
            "ESCALATOR_TEST_POSTGRES_URL; deploy/local/with-parts.sh postgres -- COMMAND sets it",
        );
        Self::at(Url::parse(&url).unwrap()).await
    }

    /// Makes an empty one on a server of the test's own.
    pub(crate) async fn on(server: &Server) -> Self {
        Self::at(server.url.clone()).await
    }

    async fn at(admin: Url) -> Self {
        let name = unique("it");
        let mut url = admin.clone();
        url.set_username(&name).unwrap();
        url.set_password(Some(PASSWORD)).unwrap();
        let make = format!(
            "CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; CREATE SCHEMA {name} AUTHORIZATION {name};"
        );
        connect(&admin).await.batch_execute(&make).await.unwrap();
        Self { url, admin, name }
    }

    /// Its address as a setting.
    pub(crate) fn secret(&self) -> SecretString {
        SecretString::from(self.url.as_str())
    }

    /// Its address by way of another host, such as a proxy.
    pub(crate) fn by(&self, address: std::net::SocketAddr) -> SecretString {
        let mut url = self.url.clone();
        url.set_host(Some(&address.ip().to_string())).unwrap();
        url.set_port(Some(address.port())).unwrap();
        SecretString::from(url.as_str())
    }

    /// A connection of the test's own, as the server's superuser, in this schema.
    pub(crate) async fn client(&self) -> Client {
        let client = connect(&self.admin).await;
        let here = format!("SET search_path TO {}", self.name);
        client.batch_execute(&here).await.unwrap();
        client
    }

    /// Runs statements there.
    pub(crate) async fn run(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap();
    }

    /// The user of this address, and the schema.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its address with another password.
    pub(crate) fn with_password(&self, password: &str) -> Url {
        let mut url = self.url.clone();
        url.set_password(Some(password)).unwrap();
        url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // The test's own runtime cannot be waited for from here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let client = connect(&admin).await;
                let drop = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}';
                     DROP SCHEMA {name} CASCADE; DROP ROLE {name};"
                );
                client.batch_execute(&drop).await.unwrap();
            });
        });
        assert!(dropping.join().is_ok() || std::thread::panicking());
    }
}

/// A name that nobody else has on any server.
fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "{prefix}_{}_{}_{count}",
        std::process::id(),
        now.subsec_nanos()
    )
}

async fn connect(url: &Url) -> Client {
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A PostgreSQL server of a test's own; destroyed when dropped, so after the databases on it.
pub(crate) struct Server {
    folder: PathBuf,
    /// Where its superuser logs in. The same after a restart.
    pub(crate) url: Url,
    _parent: TempDir,
}

impl Server {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let parent = tempfile::tempdir().unwrap();
        // Started by root, it runs as somebody else, who has to get through.
        #[cfg(unix)]
        std::fs::set_permissions(
            parent.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o711),
        )
        .unwrap();
        let folder = parent.path().join("server");
        run("start", &folder).await;
        let settings = std::fs::read_to_string(folder.join("env")).unwrap();
        let mut lines = settings.lines();
        let url = lines.find_map(|l| l.strip_prefix("ESCALATOR_TEST_POSTGRES_URL="));
        Self {
            url: Url::parse(url.unwrap().trim_matches(['\'', '"'])).unwrap(),
            folder,
            _parent: parent,
        }
    }

    /// Gives it a certificate, and restarts it with TLS.
    pub(crate) async fn with_tls(&self, certificate: &str, key: &str) {
        self.stop().await;
        let data = self.folder.join("data");
        let owner = std::fs::metadata(&data).unwrap();
        for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            std::fs::write(&path, pem).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
                chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            }
        }
        let config = data.join("postgresql.auto.conf");
        std::fs::write(config, "ssl = on\n").unwrap();
        self.start_again().await;
    }

    /// Stops it in order, as an upgrade would.
    pub(crate) async fn stop(&self) {
        run("stop", &self.folder).await;
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(&self) {
        run("kill", &self.folder).await;
    }

    /// Hangs it: connections stay open, nothing answers.
    pub(crate) async fn freeze(&self) {
        run("freeze", &self.folder).await;
    }

    /// Ends the hang.
    pub(crate) async fn thaw(&self) {
        run("thaw", &self.folder).await;
    }

    /// Starts it again on the same port with its data.
    pub(crate) async fn start_again(&self) {
        run("start", &self.folder).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let done = std::process::Command::new(script())
            .arg("destroy")
            .arg(&self.folder)
            .status();
        assert!(done.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/local/postgres.sh")
}

async fn run(what: &str, folder: &std::path::Path) {
    let mut command = Command::new(script());
    command.arg(what).arg(folder);
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
