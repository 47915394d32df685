//! Where the ledger is.

mod postgres;

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
        /// The address: `postgres://user:password@host:port/dbname?sslmode=…`, of which password, port and the mode may be
        /// left out. It has one host, a user and a database; the mode is one of [`SSL_MODES`], there is no other
        /// option, and every `%` in it begins an escape of two hexadecimal digits.
        url: SecretString,
    },
}

/// The values of `sslmode`, as PostgreSQL's own clients understand them. Without one it is `prefer`.
pub const SSL_MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

impl Database {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.secret_address(KEY)?;
        match parse(&text) {
            Ok(Parsed { url, warning }) => {
                if let Some(warning) = warning {
                    reader.warn(KEY, warning);
                }
                Some(Self { url })
            }
            Err(problem) => {
                let advice = if text.starts_with("postgres") {
                    "write postgres://user:password@host:5432/dbname?sslmode=verify-full, special characters of the password as %XX"
                } else {
                    "write sqlite://escalator.db or sqlite:///var/lib/escalator/escalator.db"
                };
                reader.fault(KEY, problem, advice);
                None
            }
        }
    }
}

#[derive(Debug)]
struct Parsed {
    url: DatabaseUrl,
    warning: Option<&'static str>,
}

/// No problem repeats what may be part of a password.
fn parse(text: &str) -> Result<Parsed, String> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        let url = DatabaseUrl::Sqlite {
            path: sqlite_path(path)?,
        };
        return Ok(Parsed { url, warning: None });
    }
    let url = Url::parse(text).map_err(|_| "is not an address")?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err("is neither sqlite:// nor postgres://".to_owned());
    }
    let warning = postgres::check(text, &url)?;
    let url = DatabaseUrl::Postgres {
        url: SecretString::from(text),
    };
    Ok(Parsed { url, warning })
}

fn sqlite_path(path: &str) -> Result<PathBuf, &'static str> {
    if path.starts_with(':') {
        return Err("is a database in memory, which a crash empties");
    }
    if path.is_empty() || path.ends_with('/') {
        return Err("names no file");
    }
    if path.contains(['?', '#', '%']) {
        return Err("has an option or an escape in it, where only a path may stand");
    }
    Ok(PathBuf::from(path))
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
                matches!(&parsed, Ok(Parsed { url: DatabaseUrl::Sqlite { path }, warning: None }) if path.to_str() == Some(expected)),
                "{parsed:?}"
            );
        }
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
            "mysql://me:hush@db/escalator",
            "postgres:escalator",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
