//! The ledger on SQLite: one file, created by itself, shared by the processes of one machine.
//!
//! Write-ahead log with `synchronous = FULL`: a commit is on the disk before anybody hears of it. Leases use the
//! machine's clock, which all processes that share the file have in common.

mod claims;
mod records;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::{Duration, Instant};

use super::writer::{Writer, unavailable};
use super::{
    Claim, ClaimRequest, ConversationClaim, Error, Held, HeldConversation, Ledger, Record, Recorded,
};
use crate::escalation::{ConversationId, Entry, IncidentId, Key, SessionId, SessionLink};

/// One script per version; the file's `user_version` says which was the last. Never change one that was released.
const MIGRATIONS: &[(u32, &str)] = &[(1, include_str!("schema.sql"))];

/// How long a write waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A ledger in a file.
#[derive(Debug)]
pub struct Sqlite {
    writer: Writer,
}

impl Sqlite {
    /// Opens the file, creating it and bringing its schema up to date as needed. Blocks for a moment.
    ///
    /// # Errors
    /// [`Error::Open`]: the folder is missing, the file is not ours or of a newer program, the disk is full …
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = |e: rusqlite::Error| Error::Open(format!("{}: {e}", path.display()));
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
            writer: Writer::start(connection)?,
        })
    }
}

/// What a ledger file is like, without a change to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// There is no file yet; the folder is there and can be written to.
    WillBeCreated,
    /// It is there.
    Present {
        /// The version of its schema.
        version: u32,
        /// The version that this program brings it to.
        newest: u32,
    },
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
        std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|e| fault(format!("cannot be written to: {e}")))?;
        Ok(Inspected::Present {
            version,
            newest: newest(),
        })
    }
}

fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |(number, _)| *number)
}

fn too_new(version: u32) -> String {
    format!(
        "its schema has version {version}, this program knows up to {}: a newer escalator wrote it",
        newest()
    )
}

/// Whether the file has tables that no script of ours made: those come in one transaction with their version.
fn is_foreign(connection: &Connection) -> rusqlite::Result<bool> {
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

#[async_trait]
impl Ledger for Sqlite {
    async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error> {
        self.writer.run(move |t| claims::claim(t, &request)).await
    }

    async fn claim_conversation(
        &self,
        held: &Held,
        conversation: &ConversationId,
        lease: Duration,
    ) -> Result<ConversationClaim, Error> {
        let (held, conversation) = (held.clone(), conversation.clone());
        self.writer
            .run(move |t| claims::claim_conversation(t, &held, conversation, lease))
            .await
    }

    async fn record(&self, record: Record) -> Result<Recorded, Error> {
        self.writer.run(move |t| records::write(t, &record)).await
    }

    async fn renew(
        &self,
        held: &Held,
        conversation: Option<&HeldConversation>,
        lease: Duration,
    ) -> Result<(), Error> {
        let (held, conversation) = (held.clone(), conversation.cloned());
        self.writer
            .run(move |t| {
                let until = now_ms() + millis(lease);
                fenced(
                    t,
                    "UPDATE escalations SET lease_until = ?3 WHERE key = ?1 AND epoch = ?2 AND state = 'open'",
                    params![held.key.as_str(), number(held.epoch), until],
                )?;
                match conversation {
                    None => Ok(()),
                    Some(c) => fenced(
                        t,
                        "UPDATE conversations SET lease_until = ?3 WHERE conversation_id = ?1 AND epoch = ?2",
                        params![c.conversation.as_str(), number(c.epoch), until],
                    ),
                }
            })
            .await
    }

    async fn link(
        &self,
        conversation: &ConversationId,
        session: &SessionId,
    ) -> Result<Option<SessionLink>, Error> {
        let (conversation, session) = (conversation.clone(), session.clone());
        self.writer
            .run(move |t| {
                let link: Option<Option<String>> = t
                    .prepare_cached(
                        "SELECT link FROM conversations
                         WHERE conversation_id = ?1 AND json_extract(cobrowse, '$.session.result') = ?2",
                    )
                    .and_then(|mut s| {
                        s.query_row([conversation.as_str(), session.as_str()], |r| r.get(0))
                            .optional()
                    })
                    .map_err(unavailable)?;
                Ok(link.flatten().map(SessionLink::new))
            })
            .await
    }

    async fn resolve(&self, incident: &IncidentId, occurred_at: Timestamp) -> Result<(), Error> {
        let incident = incident.clone();
        self.writer
            .run(move |t| {
                t.prepare_cached(
                    "INSERT INTO resolutions (incident_id, resolved_at) VALUES (?1, ?2)
                     ON CONFLICT (incident_id) DO UPDATE SET resolved_at = max(resolved_at, excluded.resolved_at)",
                )
                .and_then(|mut s| s.execute(params![incident.as_str(), occurred_at.as_millisecond()]))
                .map_err(unavailable)?;
                Ok(())
            })
            .await
    }

    async fn dead_letter_published(&self, key: &Key) -> Result<(), Error> {
        let key = key.clone();
        self.writer
            .run(move |t| {
                t.prepare_cached(
                    "UPDATE escalations SET ending = json_set(ending, '$.published', json('true'))
                     WHERE key = ?1 AND state = 'dead'",
                )
                .and_then(|mut s| s.execute([key.as_str()]))
                .map_err(unavailable)?;
                Ok(())
            })
            .await
    }

    async fn history(&self, key: &Key) -> Result<Vec<Entry>, Error> {
        let key = key.clone();
        self.writer
            .run(move |t| {
                let mut statement = t
                    .prepare_cached("SELECT entry FROM history WHERE key = ?1 ORDER BY seq")
                    .map_err(unavailable)?;
                let rows = statement
                    .query_map([key.as_str()], |row| row.get::<_, String>(0))
                    .map_err(unavailable)?;
                rows.map(|row| from_json(&row.map_err(unavailable)?))
                    .collect()
            })
            .await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.writer
            .run(|t| {
                t.query_row("SELECT 1 FROM escalations LIMIT 1", [], |_| Ok(()))
                    .optional()
                    .map(|_| ())
                    .map_err(unavailable)
            })
            .await
    }
}

/// Runs a statement that names an epoch; that it found no row means that the epoch is old.
fn fenced(t: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> Result<(), Error> {
    let changed = t
        .prepare_cached(sql)
        .and_then(|mut s| s.execute(values))
        .map_err(unavailable)?;
    if changed == 0 {
        Err(Error::Fenced)
    } else {
        Ok(())
    }
}

fn resolved_at(t: &Transaction<'_>, incident: &IncidentId) -> Result<Option<Timestamp>, Error> {
    let at: Option<i64> = t
        .prepare_cached("SELECT resolved_at FROM resolutions WHERE incident_id = ?1")
        .and_then(|mut s| s.query_row([incident.as_str()], |r| r.get(0)).optional())
        .map_err(unavailable)?;
    at.map(timestamp).transpose()
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Epochs stay far below the limit: they grow by one per claim.
fn number(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

fn timestamp(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|e| Error::Corrupt(e.to_string()))
}

fn to_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Corrupt(e.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Corrupt(e.to_string()))
}
