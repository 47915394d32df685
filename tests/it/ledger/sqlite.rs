//! SQLite: the suite, and what a file promises beyond it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use escalator::escalation::{IncidentId, Key, Trigger};
use escalator::ledger::{Claim, Error, Ledger, Sqlite};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{at_once, first, granted, incident, release, told};

async fn fresh() -> (Arc<dyn Ledger>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (opened(&folder.path().join("ledger.db")), folder)
}

fn opened(path: &Path) -> Arc<dyn Ledger> {
    Arc::new(Sqlite::open(path).unwrap())
}

super::suite!(fresh);

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_claim_at_once_never_both_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledgers = [opened(&path), opened(&path)];
    let incidents: Vec<_> = (0..100).map(|_| incident()).collect();
    // Each asks twice for each.
    let claims = at_once(400, |number| {
        let ledger = ledgers[number % 2].clone();
        let request = first(&incidents[number / 4]);
        async move { ledger.claim(request).await.unwrap() }
    })
    .await;
    for four in claims.chunks(4) {
        let granted = four.iter().filter(|c| matches!(c, Claim::Granted(_)));
        assert_eq!(granted.count(), 1, "{four:?}");
    }
}

#[test]
fn many_processes_may_open_a_new_file_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let start = Arc::new(std::sync::Barrier::new(8));
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let (path, start) = (path.clone(), start.clone());
                std::thread::spawn(move || {
                    start.wait();
                    Sqlite::open(&path).map(drop)
                })
            })
            .collect();
        for one in opening {
            one.join().unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let incident = incident();
    let key = {
        let ledger = opened(&path);
        let held = granted(&*ledger, first(&incident)).await.held;
        ledger.record(release(&held)).await.unwrap();
        held.key
    };
    let ledger = opened(&path);
    assert_eq!(told(&*ledger, &key).await, ["recorded"]);
    assert_eq!(granted(&*ledger, first(&incident)).await.held.epoch, 2);
}

/// The child of the test below: writes until it is killed, and says what was answered. Alone it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var("LEDGER_OF_THE_PARENT") else {
        return;
    };
    let ledger = opened(Path::new(&path));
    at_once(8, |writer| {
        let ledger = ledger.clone();
        async move {
            for number in 0.. {
                let incident = IncidentId::parse(&format!("Q{writer}-{number}")).unwrap();
                let held = granted(&*ledger, first(&incident)).await.held;
                ledger.record(release(&held)).await.unwrap();
                writeln!(std::io::stdout(), "answered {incident}").unwrap();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_the_middle_of_writing_loses_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let child = "ledger::sqlite::a_writer_that_writes_until_it_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([child, "--exact", "--nocapture", "--test-threads=1"])
        .env("LEDGER_OF_THE_PARENT", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut answered = Vec::new();
    let mut line = String::new();
    while answered.len() < 200 {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "it ended by itself"
        );
        answered.extend(line.trim().strip_prefix("answered ").map(str::to_owned));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What was on its way when the kill came was answered too, except for a line that broke off.
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
    let more = whole.lines().filter_map(|l| l.strip_prefix("answered "));
    answered.extend(more.map(str::to_owned));

    let ledger = opened(&path);
    for incident in answered {
        let incident = IncidentId::parse(&incident).unwrap();
        let key = Key::of(&incident, &Trigger::First);
        assert_eq!(told(&*ledger, &key).await, ["recorded"], "{incident}");
        assert!(!granted(&*ledger, first(&incident)).await.recovered);
    }
}

fn refusal(path: &Path) -> String {
    match Sqlite::open(path) {
        Err(error @ Error::Open(_)) => {
            let text = error.to_string();
            assert!(text.contains(&path.display().to_string()), "{text}");
            text
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_of_a_newer_program_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    drop(Sqlite::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let text = refusal(&path);
    assert!(text.contains("99") && text.contains("newer"), "{text}");
    let version: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    refusal(&folder.path().join("missing").join("ledger.db"));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "buy milk\n".repeat(1000);
    std::fs::write(&path, &text).unwrap();
    let said = refusal(&path);
    assert!(said.contains("not a database"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_database_of_somebody_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE recipes (name TEXT)")
        .unwrap();
    let said = refusal(&path);
    assert!(said.contains("another program"), "{said}");
    let tables: u32 = other
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

/// Progress is read with what an older program knows of it. Fields that guard an effect come with a new version of
/// the schema, which keeps older programs out; any other field may be lost to them, and must not stop them.
#[tokio::test]
async fn fields_of_progress_that_are_not_known_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = opened(&path);
    let incident = incident();
    let held = granted(&*ledger, first(&incident)).await.held;
    let record = escalator::ledger::Record {
        attempts: 2,
        progress: escalator::escalation::Progress {
            setbacks: 3,
            ..Default::default()
        },
        ..release(&held)
    };
    ledger.record(record).await.unwrap();
    let sql = "UPDATE escalations SET progress = json_set(progress, '$.of_a_later_version', 1)";
    assert_eq!(
        Connection::open(&path).unwrap().execute(sql, []).unwrap(),
        1
    );
    let again = granted(&*ledger, first(&incident)).await;
    assert_eq!((again.progress.setbacks, again.attempts), (3, 2));
    ledger.record(release(&again.held)).await.unwrap();
}

#[tokio::test]
async fn progress_that_cannot_be_read_is_said_to_be_so_and_takes_nobody_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = opened(&path);
    let broken = incident();
    let held = granted(&*ledger, first(&broken)).await.held;
    ledger.record(release(&held)).await.unwrap();
    let sql = "UPDATE escalations SET progress = '{\"note\":{\"state\":\"of_a_later_version\"}}'";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    for _ in 0..2 {
        let claim = ledger.claim(first(&broken)).await;
        assert!(matches!(claim, Err(Error::Corrupt(_))), "{claim:?}");
    }
    granted(&*ledger, first(&incident())).await;
}
