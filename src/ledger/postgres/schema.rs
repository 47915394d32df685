//! The tables: made, looked at, brought up to date.
//!
//! They are in the schema that the user's `search_path` leads to. `escalator_schema` is the sign that they are ours, and
//! says which script was the last.

use tokio_postgres::{Client, Row};

use super::Error;
use super::link::{get, unavailable};
use super::target::Target;
use crate::ledger::Inspected;

/// One script per version. Never change one that was released. The numbers mean the same as SQLite's.
const MIGRATIONS: &[(u32, &str)] = &[
    (1, include_str!("0001_ledger.sql")),
    (2, include_str!("0002_listing.sql")),
    (3, include_str!("0003_findings.sql")),
    (4, include_str!("0004_pool.sql")),
    (5, include_str!("0005_letters.sql")),
];

/// Who holds this is making or changing tables; the others wait until it is done. Any number will do.
const LOCK: &str = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0;
    SELECT pg_advisory_xact_lock(7235419867001)";
/// The oldest that is tested.
const OLDEST_SERVER: i32 = 130_000;

const SERVER: &str = "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
    current_setting('server_encoding'), current_setting('transaction_read_only') = 'on',
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on', current_schema()::text";
const TABLES: &str = "SELECT to_regclass('escalator_schema') IS NOT NULL,
    EXISTS (SELECT 1 FROM pg_catalog.pg_class
            WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())
              AND relname IN ('escalations', 'conversations', 'resolutions', 'history', 'findings', 'budgets', 'workers', 'audit', 'dead_letters', 'replays', 'replay_entries')),
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";
const VERSION: &str = "SELECT max(version) FROM escalator_schema";
const WRITABLE: &str = "SELECT bool_and(has_table_privilege(name, privilege))
    FROM unnest(ARRAY['escalations', 'conversations', 'resolutions', 'history', 'findings', 'budgets', 'workers', 'audit', 'dead_letters', 'replays', 'replay_entries']) name,
         unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
    WHERE to_regclass(name) IS NOT NULL";

/// What a server is like.
pub(super) struct Server {
    /// Its version, as it says it.
    pub(super) version: String,
    /// Whether what it has confirmed survives the loss of power.
    pub(super) survives_power_loss: bool,
    schema: Option<String>,
}

/// What there is of tables.
enum Tables {
    Ours { version: u32 },
    NoneYet { may_be_made: bool },
}

/// Sees to it that the tables are there and as this program needs them.
pub(super) async fn bring_up_to_date(target: &Target, client: &Client) -> Result<Server, Error> {
    let server = server(target, client).await?;
    // The usual case, and one that needs no right to make tables.
    if let Tables::Ours { version } = tables(target, client).await?
        && version == newest()
    {
        return Ok(server);
    }
    migrate(target, client, &server).await?;
    Ok(server)
}

/// Sees to it that the tables are there as this program knows them, and changes nothing.
pub(super) async fn must_be_up_to_date(target: &Target, client: &Client) -> Result<(), Error> {
    match tables(target, client).await? {
        Tables::Ours { version } if version == newest() => Ok(()),
        Tables::Ours { version } => Err(open(
            target,
            &format!(
                "its schema has version {version}, this program reads version {}: start the service once, which brings it up to date",
                newest()
            ),
        )),
        Tables::NoneYet { .. } => Err(open(
            target,
            "there is no ledger yet; the service makes it when it starts",
        )),
    }
}

/// Looks without changing anything.
pub(super) async fn inspect(
    target: &Target,
    client: &Client,
) -> Result<(Server, Inspected), Error> {
    let server = server(target, client).await?;
    let found = match tables(target, client).await? {
        Tables::NoneYet { may_be_made: true } => Inspected::WillBeCreated,
        Tables::NoneYet { may_be_made: false } => {
            return Err(open(target, &may_not_create(&server)));
        }
        Tables::Ours { version } => {
            let row = client.query_typed_one(WRITABLE, &[]).await;
            let may: Option<bool> = get(&row.map_err(|e| target.failed(&e))?, 0)?;
            if may != Some(true) {
                let text = "the user may not read and write the ledger's tables (GRANT SELECT, INSERT, UPDATE, DELETE on them)";
                return Err(open(target, text));
            }
            Inspected::Present {
                version,
                newest: newest(),
            }
        }
    };
    Ok((server, found))
}

async fn server(target: &Target, client: &Client) -> Result<Server, Error> {
    let row = client.query_typed_one(SERVER, &[]).await;
    let row = row.map_err(|e| target.failed(&e))?;
    let version: String = get(&row, 1)?;
    if get::<i32>(&row, 0)? < OLDEST_SERVER {
        let text = format!("its PostgreSQL {version} is too old; 13 is the oldest that will do");
        return Err(open(target, &text));
    }
    let encoding: String = get(&row, 2)?;
    if encoding != "UTF8" {
        let text = format!(
            "its encoding is {encoding}, which cannot hold every text; make a database with ENCODING 'UTF8'"
        );
        return Err(open(target, &text));
    }
    if get(&row, 3)? {
        let text = format!(
            "{}: it takes no writes; it is a standby, most likely",
            target.at()
        );
        return Err(Error::Unavailable(text));
    }
    Ok(Server {
        version,
        survives_power_loss: get(&row, 4)?,
        schema: get(&row, 5)?,
    })
}

async fn tables(target: &Target, client: &Client) -> Result<Tables, Error> {
    let failed = |e: tokio_postgres::Error| target.failed(&e);
    let row = client.query_typed_one(TABLES, &[]).await.map_err(failed)?;
    if get(&row, 0)? {
        let row: Row = client.query_typed_one(VERSION, &[]).await.map_err(failed)?;
        let version: Option<i64> = get(&row, 0)?;
        let version = version.and_then(|version| u32::try_from(version).ok());
        return match version {
            Some(version) if version > newest() => Err(open(target, &too_new(version))),
            Some(version) => Ok(Tables::Ours { version }),
            None => Err(open(
                target,
                "its table escalator_schema has no version in it",
            )),
        };
    }
    if get(&row, 1)? {
        let text = "its schema has tables of another program; give escalator a database of its own";
        return Err(open(target, text));
    }
    Ok(Tables::NoneYet {
        may_be_made: get(&row, 2)?,
    })
}

async fn migrate(target: &Target, client: &Client, server: &Server) -> Result<(), Error> {
    let failed = |e: tokio_postgres::Error| target.failed(&e);
    client.batch_execute("BEGIN").await.map_err(failed)?;
    client.batch_execute(LOCK).await.map_err(failed)?;
    // Again: whoever had the lock before may have done all of it.
    let done = match tables(target, client).await? {
        Tables::Ours { version } => version,
        Tables::NoneYet { may_be_made: true } => {
            let table = "CREATE TABLE escalator_schema (version BIGINT NOT NULL)";
            client.batch_execute(table).await.map_err(failed)?;
            0
        }
        Tables::NoneYet { may_be_made: false } => {
            return Err(open(target, &may_not_create(server)));
        }
    };
    for (version, script) in MIGRATIONS.iter().filter(|(version, _)| *version > done) {
        let noted = format!("INSERT INTO escalator_schema (version) VALUES ({version})");
        client.batch_execute(script).await.map_err(failed)?;
        client.batch_execute(&noted).await.map_err(failed)?;
    }
    client.batch_execute("COMMIT").await.map_err(unavailable)
}

fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

fn open(target: &Target, text: &str) -> Error {
    Error::Open(format!("{}: {text}", target.at()))
}

fn too_new(version: u32) -> String {
    format!(
        "its schema has version {version}, this program knows up to {}: a newer escalator wrote it",
        newest()
    )
}

fn may_not_create(server: &Server) -> String {
    match &server.schema {
        Some(schema) => format!(
            "the user may not make tables in the schema {schema} (as its owner: GRANT CREATE ON SCHEMA {schema} TO the user)"
        ),
        None => "the user's search_path leads to no schema that exists".to_owned(),
    }
}
