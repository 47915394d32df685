//! The ledgers under test: a file, and a database of a real server where `ESCALATOR_TEST_POSTGRES_URL` names one.

use tempfile::TempDir;
use tokio_postgres::NoTls;
use url::Url;

/// Which kind of ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Database {
    Sqlite,
    /// With a user that may create databases.
    Postgres(Url),
}

/// A ledger that nobody has used yet; gone when dropped.
pub(crate) struct Fresh {
    /// For `database.url`.
    pub(crate) url: String,
    kind: Kind,
}

enum Kind {
    File(#[allow(dead_code, reason = "held for its drop")] TempDir),
    Database { server: Url, name: String },
}

impl Database {
    /// All that there are on this machine.
    pub(crate) fn all() -> Vec<Self> {
        let server = std::env::var("ESCALATOR_TEST_POSTGRES_URL").ok();
        let server = server.map(|url| Self::Postgres(url.parse().unwrap()));
        [Self::Sqlite].into_iter().chain(server).collect()
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    pub(crate) async fn fresh(&self) -> Fresh {
        match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                Fresh {
                    url: format!("sqlite://{}", folder.path().join("ledger.db").display()),
                    kind: Kind::File(folder),
                }
            }
            Self::Postgres(server) => {
                let name = format!("torture_{:016x}", rand::random::<u64>());
                command(server, &format!("CREATE DATABASE {name}")).await;
                let mut url = server.clone();
                url.set_path(&name);
                Fresh {
                    url: url.to_string(),
                    kind: Kind::Database {
                        server: server.clone(),
                        name,
                    },
                }
            }
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let Kind::Database { server, name } = &self.kind else {
            return;
        };
        let (server, drop) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // A drop cannot wait, and after a failure there may be no runtime left to leave it to.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(command(&server, &drop));
        });
        let _ = dropping.join();
    }
}

async fn command(server: &Url, command: &str) {
    let (client, connection) = tokio_postgres::connect(server.as_str(), NoTls)
        .await
        .unwrap();
    let serving = tokio::spawn(connection);
    client.batch_execute(command).await.unwrap();
    drop(client);
    let _ = serving.await;
}
