//! The file: made, looked at, brought up to date.

use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::writer::{Access, Writer};
use super::{Error, Sqlite};
use crate::ledger::Inspected;

/// One script per version; the file's `user_version` says which was the last. Never change one that was released.
const MIGRATIONS: &[(u32, &str)] = &[
    (1, include_str!("0001_ledger.sql")),
    (2, include_str!("0002_listing.sql")),
    (3, include_str!("0003_findings.sql")),
    (4, include_str!("0004_pool.sql")),
    (5, include_str!("0005_letters.sql")),
];

/// How long a write waits for another process that writes to the same file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

impl Sqlite {
    /// Opens the file, creating it and bringing its schema up to date as needed. Blocks for a moment.
    ///
    /// # Errors
    /// [`Error::Open`]: the folder is missing, the file is not ours or of a newer program, the disk is full …
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = |e: rusqlite::Error| Error::Open(format!("{}: {e}", path.display()));
        create_private(path).map_err(|e| Error::Open(format!("{}: {e}", path.display())))?;
        let mut connection = Connection::open(path).map_err(open)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(open)?;
        // Before anything is changed: the journal mode stays with the file.
        if is_foreign(&connection).map_err(open)? {
            return Err(Error::Open(format!(
                "{}: it is a database of another program; give escalator a file of its own",
                path.display()
            )));
        }
        into_wal(&connection)
            .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
            .map_err(open)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate(&mut connection).map_err(|e| Error::Open(format!("{}: {e}", path.display())))?;
        Ok(Self {
            writer: Writer::start(connection, Access::Write)?,
        })
    }
}

impl Sqlite {
    /// Looks at a ledger file without creating or changing anything. Blocks for a moment.
    ///
    /// # Errors
    /// [`Error::Open`], for what would keep [`open`](Self::open) from working.
    pub fn inspect(path: &Path) -> Result<Inspected, Error> {
        let fault = |e: String| Error::Open(format!("{}: {e}", path.display()));
        if !path.exists() {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                Some(_) | None => Path::new("."),
            };
            // The one way to know is to try: rights, read-only mounts and full disks look alike from outside.
            return tempfile::tempfile_in(folder)
                .map(|_| Inspected::WillBeCreated)
                .map_err(|e| fault(format!("cannot be created: {e}")));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let version = Connection::open_with_flags(path, flags)
            .and_then(|c| c.query_row("PRAGMA user_version", [], |row| row.get(0)))
            .map_err(|e| fault(e.to_string()))?;
        if version > newest() {
            return Err(fault(too_new(version)));
        }
        OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|e| fault(format!("cannot be written to: {e}")))?;
        Ok(Inspected::Present {
            version,
            newest: newest(),
        })
    }
}

pub(super) fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |(number, _)| *number)
}

pub(super) fn too_new(version: u32) -> String {
    format!(
        "its schema has version {version}, this program knows up to {}: a newer escalator wrote it",
        newest()
    )
}

/// Sees to it that the file is there, and that a new one is its owner's alone: it holds session links. SQLite gives its
/// companions (`-wal`, `-shm`) the rights of the file itself.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).map(|_| ())
}

/// Whether the file has tables that no script of ours made: those come in one transaction with their version.
pub(super) fn is_foreign(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT (SELECT user_version FROM pragma_user_version) = 0 AND EXISTS (SELECT 1 FROM sqlite_schema)",
        [],
        |row| row.get(0),
    )
}

/// Turns the write-ahead log on. SQLite does not wait while another process is doing just that to a new file, busy
/// timeout or not, so the patience is ours.
fn into_wal(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && began.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), String> {
    let text = |e: rusqlite::Error| e.to_string();
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(text)?;
    let version: u32 = transaction
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(text)?;
    if version > newest() {
        return Err(too_new(version));
    }
    for (_, script) in MIGRATIONS.iter().filter(|(number, _)| *number > version) {
        transaction.execute_batch(script).map_err(text)?;
    }
    transaction
        .pragma_update(None, "user_version", newest())
        .map_err(text)?;
    transaction.commit().map_err(text)
}
