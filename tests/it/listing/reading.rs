//! Whoever only looks makes nothing, changes nothing, and says what is the matter.

use crate::support::database::Database;
use rusqlite::Connection;

use super::{refused, shown};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_ledger_is_69_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.db");
    let said = refused(&ledger, &["list"], 69).await;
    assert!(
        said.contains("there is no such file") && said.contains("ledger.db"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_is_not_known_is_1_and_the_ledger_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.db");
    drop(escalator::ledger::Sqlite::open(&ledger).unwrap());
    let said = refused(&ledger, &["show", "QNOBODY"], 1).await;
    assert!(
        said.contains("QNOBODY") && said.contains(ledger.to_str().unwrap()),
        "{said}"
    );
    let (data, talk) = shown(&ledger, &["list"]).await;
    assert_eq!((data.as_str(), talk.as_str()), ("", "no escalation fits\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_left_as_it_is_and_a_newer_or_foreign_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.db");
    drop(escalator::ledger::Sqlite::open(&ledger).unwrap());
    let file = Connection::open(&ledger).unwrap();
    let version = |number: u32| file.pragma_update(None, "user_version", number).unwrap();
    version(1);
    let said = refused(&ledger, &["list"], 69).await;
    assert!(said.contains("start the service once"), "{said}");
    let now: u32 = file
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(now, 1);
    version(99);
    assert!(
        refused(&ledger, &["list"], 69)
            .await
            .contains("newer escalator")
    );
    version(0);
    assert!(
        refused(&ledger, &["list"], 69)
            .await
            .contains("another program")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opens_it_to_read_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    drop(escalator::ledger::Sqlite::open(&path).unwrap());
    let ledger = escalator::ledger::Sqlite::open_to_read(&path).unwrap();
    let incident = escalator::escalation::IncidentId::parse("Q1").unwrap();
    let now = jiff::Timestamp::now();
    use escalator::ledger::Ledger;
    let refusal = ledger.resolve(&incident, now).await.unwrap_err();
    assert!(refusal.to_string().contains("readonly"), "{refusal}");
    // And goes on reading.
    assert!(ledger.generations(&incident).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_on_postgresql_is_listed_and_neither_made_nor_written_to() {
    use escalator::ledger::{Error, Ledger, Postgres};
    let database = Database::new().await;
    let url = database.url.as_str();
    let list = async || {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
            .args(["escalations", "list", "--json"])
            .env_clear()
            .env("DATABASE_URL", url)
            .output()
            .await
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (data, talk) = (text(output.stdout), text(output.stderr));
        assert!(!talk.contains(database.url.password().unwrap()), "{talk}");
        (output.status.code().unwrap(), data, talk)
    };
    let (code, _, talk) = list().await;
    assert_eq!(code, 69, "{talk}");
    assert!(talk.contains("there is no ledger yet"), "{talk}");
    let ledger = Postgres::open(&database.secret()).await.unwrap();
    database
        .run(
            "INSERT INTO escalations (key, incident_id, state, epoch, lease_until, accepted_at, occurred_at, created_at, progress)
             VALUES ('Q1/0', 'Q1', 'open', 1, 0, 0, 0, 0, '{}')",
        )
        .await;
    let (code, data, talk) = list().await;
    assert_eq!((code, data.lines().count()), (0, 1), "{talk}");

    let reader = Postgres::open_to_read(&database.secret()).await.unwrap();
    let incident = escalator::escalation::IncidentId::parse("Q1").unwrap();
    let now = jiff::Timestamp::now();
    let refusal = reader.resolve(&incident, now).await.unwrap_err();
    assert!(
        matches!(&refusal, Error::Unavailable(text) if text.contains("read-only")),
        "{refusal}"
    );
    assert_eq!(reader.generations(&incident).await.unwrap().len(), 1);
    drop(ledger);
    database
        .run("DELETE FROM escalator_schema WHERE version = 5")
        .await;
    let (code, _, talk) = list().await;
    assert_eq!(code, 69, "{talk}");
    assert!(talk.contains("start the service once"), "{talk}");
}
