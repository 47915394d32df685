//! The worker's task that forgets, on a real file whose rows were made old.

use std::sync::Arc;
use std::time::Duration;

use escalator::ledger::{Pruned, Sqlite};
use escalator::telemetry::Telemetry;
use escalator::worker::Forgetting;
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// So many escalations that ended so many days ago, each with a conversation, a link, a history and a tombstone.
fn ended(file: &Connection, days_ago: i64, count: u32) {
    let at = jiff::Timestamp::now().as_millisecond() - days_ago * 24 * 3600 * 1000;
    for number in 0..count {
        let (incident, conversation) = (
            format!("Q{days_ago}-{number}"),
            format!("c{days_ago}-{number}"),
        );
        let key = format!("{incident}/0");
        let insert =
            |sql: &str, values: &[&dyn rusqlite::ToSql]| file.execute(sql, values).unwrap();
        insert(
            "INSERT INTO escalations (key, incident_id, state, epoch, lease_until, accepted_at, occurred_at, created_at, ended_at, progress, conversation_id)
             VALUES (?1, ?2, 'done', 1, 0, ?3, ?3, ?3, ?3, '{}', ?4)",
            params![key, incident, at, conversation],
        );
        insert(
            "INSERT INTO history (key, seq, entries) VALUES (?1, 0, '[]')",
            params![key],
        );
        insert(
            "INSERT INTO conversations (conversation_id, epoch, lease_until, cobrowse, link, used_at) VALUES (?1, 1, 0, '{}', 'a link', ?2)",
            params![conversation, at],
        );
        insert(
            "INSERT INTO resolutions (incident_id, resolved_at, noted_at) VALUES (?1, ?2, ?2)",
            params![incident, at],
        );
    }
}

fn left(file: &Connection, what: &str) -> u32 {
    let sql = format!("SELECT count(*) FROM {what}");
    file.query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn opened() -> (Forgetting, Arc<Telemetry>, Connection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Arc::new(Sqlite::open(&path).unwrap());
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let forgetting = Forgetting::new(ledger, telemetry.clone(), 90 * DAY, DAY);
    (
        forgetting,
        telemetry,
        Connection::open(&path).unwrap(),
        folder,
    )
}

#[tokio::test]
async fn a_round_forgets_bite_after_bite_what_is_old_and_nothing_else_and_counts_it() {
    let (forgetting, telemetry, mut file, _folder) = opened();
    let filling = file.transaction().unwrap();
    ended(&filling, 91, 700);
    ended(&filling, 89, 20);
    ended(&filling, 0, 3);
    filling.commit().unwrap();
    let pruned = forgetting.round(&CancellationToken::new()).await;
    // The links of those that are 91 days old went with their conversations, or before them.
    assert_eq!(
        (pruned.escalations, pruned.conversations, pruned.resolutions),
        (700, 700, 700)
    );
    assert!(pruned.links >= 20, "{pruned:?}");
    for table in ["escalations", "conversations", "resolutions", "history"] {
        assert_eq!(left(&file, table), 23, "{table}");
    }
    assert_eq!(left(&file, "conversations WHERE link IS NOT NULL"), 3);
    let metrics = telemetry.render().unwrap();
    assert!(
        metrics.contains("escalator_pruned_total{what=\"escalations\"} 700"),
        "{metrics}"
    );
    assert_eq!(
        forgetting.round(&CancellationToken::new()).await,
        Pruned::default()
    );
}

#[tokio::test]
async fn told_to_stop_it_finishes_its_bite_and_ends() {
    let (forgetting, _, mut file, _folder) = opened();
    let filling = file.transaction().unwrap();
    ended(&filling, 91, 700);
    filling.commit().unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    assert_eq!(forgetting.round(&stop).await.escalations, 500);
    // Without the stop, this would wait for its first round for minutes.
    let run = forgetting.run(stop);
    assert!(
        tokio::time::timeout(Duration::from_secs(30), run)
            .await
            .is_ok()
    );
    assert_eq!(left(&file, "escalations"), 200);
}

#[tokio::test]
async fn a_ledger_that_refuses_ends_the_round_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    drop(Sqlite::open(&path).unwrap());
    let ledger = Arc::new(Sqlite::open_to_read(&path).unwrap());
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let forgetting = Forgetting::new(ledger, telemetry, 90 * DAY, DAY);
    assert_eq!(
        forgetting.round(&CancellationToken::new()).await,
        Pruned::default()
    );
}
