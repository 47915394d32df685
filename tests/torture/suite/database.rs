//! The ledgers under test: a file, and a schema on a real server where `ESCALATOR_TEST_POSTGRES_URL` names one.

use tempfile::TempDir;

use crate::support::database;

/// Which kind of ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// A ledger that nobody has used yet; gone when dropped.
pub(crate) struct Fresh {
    /// For `database.url`.
    pub(crate) url: String,
    _held: Held,
}

/// Held for its drop.
enum Held {
    File(#[allow(dead_code)] TempDir),
    Schema(#[allow(dead_code)] database::Database),
}

impl Database {
    /// All that there are on this machine, or the one that is asked for.
    pub(crate) fn all() -> Vec<Self> {
        let server = std::env::var_os("ESCALATOR_TEST_POSTGRES_URL");
        let server = server.map(|_| Self::Postgres);
        let only = std::env::var("TORTURE_LEDGER").ok();
        let wanted = |one: &Self| only.as_ref().is_none_or(|only| one.name() == only);
        let all = [Self::Sqlite].into_iter().chain(server);
        all.filter(wanted).collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    pub(crate) async fn fresh(self) -> Fresh {
        match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                Fresh {
                    url: format!("sqlite://{}", folder.path().join("ledger.db").display()),
                    _held: Held::File(folder),
                }
            }
            Self::Postgres => {
                let schema = database::Database::new().await;
                Fresh {
                    url: schema.url.to_string(),
                    _held: Held::Schema(schema),
                }
            }
        }
    }
}
