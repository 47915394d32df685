//! Where the ledger is.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::reader::Reader;

const KEY: &str = "database.url";

/// Settings of the ledger.
#[derive(Debug, Clone)]
pub struct Database {
    /// Where it is.
    pub url: DatabaseUrl,
}

/// Where the ledger is.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A file on a local disk, shared by the processes of one machine.
    Sqlite {
        /// The file, relative to the working directory or with a full path.
        path: PathBuf,
    },
    /// A PostgreSQL server, shared by the workers of several machines.
    Postgres {
        /// The address, with user and password.
        url: SecretString,
    },
}

impl Database {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.secret_address(KEY)?;
        match parse(&text) {
            Ok(url @ DatabaseUrl::Sqlite { .. }) => Some(Self { url }),
            Ok(DatabaseUrl::Postgres { .. }) => {
                let problem = "is postgres://, which this build does not support yet";
                reader.fault(
                    KEY,
                    problem,
                    "use sqlite://, and let the workers run on one machine",
                );
                None
            }
            Err(problem) => {
                let advice =
                    "write sqlite://escalator.db or sqlite:///var/lib/escalator/escalator.db";
                reader.fault(KEY, problem, advice);
                None
            }
        }
    }
}

fn parse(text: &str) -> Result<DatabaseUrl, &'static str> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        if path.starts_with(':') {
            return Err("is a database in memory, which a crash empties");
        }
        if path.is_empty() || path.ends_with('/') {
            return Err("names no file");
        }
        if path.contains(['?', '#', '%']) {
            return Err("has an option or an escape in it, where only a path may stand");
        }
        return Ok(DatabaseUrl::Sqlite {
            path: PathBuf::from(path),
        });
    }
    let url = Url::parse(text).map_err(|_| "is not an address")?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("is neither sqlite:// nor postgres://");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("has no host");
    }
    Ok(DatabaseUrl::Postgres {
        url: SecretString::from(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slashes_are_a_relative_path_and_three_a_full_one() {
        for (text, expected) in [
            ("sqlite://escalator.db", "escalator.db"),
            ("sqlite://data/a b.db", "data/a b.db"),
            ("sqlite:///var/lib/escalator.db", "/var/lib/escalator.db"),
        ] {
            let parsed = parse(text);
            assert!(
                matches!(&parsed, Ok(DatabaseUrl::Sqlite { path }) if path.to_str() == Some(expected)),
                "{parsed:?}"
            );
        }
    }

    #[test]
    fn postgres_is_recognised_and_its_password_is_not_shown() {
        let parsed = parse("postgres://me:hush@db.example.com/escalator?sslmode=require");
        assert!(matches!(parsed, Ok(DatabaseUrl::Postgres { .. })));
        assert!(!format!("{parsed:?}").contains("hush"));
    }

    #[test]
    fn what_is_no_place_for_a_ledger_is_refused() {
        for text in [
            "escalator.db",
            "sqlite:escalator.db",
            "sqlite://",
            "sqlite:///var/lib/",
            "sqlite://:memory:",
            "sqlite://escalator.db?mode=memory",
            "mysql://db/escalator",
            "postgres:///escalator",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
