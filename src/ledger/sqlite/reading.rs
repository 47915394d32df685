//! The file, opened by somebody who only looks: it is neither made nor brought up to date.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;

use super::super::writer::{Access, Writer};
use super::file::{BUSY_TIMEOUT, is_foreign, newest, too_new};
use super::{Error, Sqlite};

impl Sqlite {
    /// Opens a file to read it, also while others write to it. Every operation that would write fails with
    /// [`Error::Unavailable`]. Blocks for a moment.
    ///
    /// # Errors
    /// [`Error::Open`]: there is no such file, it is not ours, or its schema is not the one that this program knows; what
    /// to do about an older one is said, and left to whoever runs the service.
    pub fn open_to_read(path: &Path) -> Result<Self, Error> {
        let fault = |e: String| Error::Open(format!("{}: {e}", path.display()));
        let sqlite = |e: rusqlite::Error| fault(e.to_string());
        // SQLite says the same of a missing file as of one that may not be read.
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(fault("there is no such file".to_owned())),
            Err(e) => return Err(fault(e.to_string())),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
        if is_foreign(&connection).map_err(sqlite)? {
            return Err(fault("it is a database of another program".to_owned()));
        }
        let version: u32 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(sqlite)?;
        if version > newest() {
            return Err(fault(too_new(version)));
        }
        if version < newest() {
            return Err(fault(format!(
                "its schema has version {version}, this program reads version {}: start the service once, which brings it up to date",
                newest()
            )));
        }
        Ok(Self {
            writer: Writer::start(connection, Access::Read)?,
        })
    }
}
