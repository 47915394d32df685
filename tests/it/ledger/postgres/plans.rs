//! How much of its tables the ledger reads: counted by the server, over everything that it is asked.

use std::time::Duration;

use escalator::escalation::{Code, ConversationId, IncidentId};
use escalator::ledger::{
    Cursor, Filter, Ledger, LetterFilter, LetterState, Pruned, Retention, State, Then,
};
use jiff::Timestamp;

use super::super::{
    LONG, at, conversation_granted, created, event, first, granted, record, release, reopened,
    session,
};
use super::opened;
use crate::support::database::{Database, Server};
use crate::support::vhost::eventually;
use escalator::ledger::LinkChange;

/// Rows of years: a few open, every tenth dead, all about conversations with links.
const YEARS: &str = r#"
INSERT INTO escalations (key, incident_id, state, epoch, lease_until, accepted_at, occurred_at, created_at, ended_at,
                         progress, ending, conversation_id, code)
SELECT 'Q' || n || '/0', 'Q' || n, CASE WHEN n % 10 = 0 THEN 'dead' ELSE 'done' END, 1, 0, n * 1000, n * 1000,
       1780000000000 + n, 1780000000000 + n, '{"setbacks":0,"note":{"state":"open"}}', '{"end":"done"}', 'c-' || n,
       CASE WHEN n % 10 = 0 THEN 'conversation_over' END
FROM generate_series(1, 20000) n;
INSERT INTO history SELECT 'Q' || n || '/0', 1, '[]' FROM generate_series(1, 20000) n;
INSERT INTO resolutions SELECT 'Q' || n, n, 1780000000000 + n FROM generate_series(1, 20000) n;
INSERT INTO conversations (conversation_id, epoch, lease_until, cobrowse, link, used_at)
SELECT 'c-' || n, 1, 0, '{}', 'https://join.example/' || n, 1780000000000 + n FROM generate_series(1, 20000) n;
INSERT INTO dead_letters (id, state, key, code, theme, incident_id, service_id, conversation_id, died_at, kept_at, letter, closed_at,
                          notice, notice_epoch)
SELECT 'dl-' || n, CASE WHEN n % 10 = 0 THEN 'open' ELSE 'closed' END, 'Q' || n || '/0', 'conversation_over', 'over', 'Q' || n, 'S' || n,
       'c-' || n, 1780000000000 + n, 1780000000000 + n,
       '{"version":1,"id":"dl-' || n || '","code":"conversation_over","reason":"over","hint":"","origin":"worker","died_at":"2026-01-01T00:00:00Z","attempts":0}',
       1780000000000 + n, '{"notice":"nobody"}', 0
FROM generate_series(1, 20000) n;
INSERT INTO replays (id, what, state, entered, per_minute, began_at, ended_at)
SELECT 'rp-' || n, '', 'done', '{"deed":"replay","by":"x"}', 60, 1780000000000 + n, 1780000000000 + n FROM generate_series(1, 2000) n;
INSERT INTO replay_entries (replay, number, letter, stage, outcome)
SELECT 'rp-' || n / 10, n, 'dl-' || n, 'over', 'replayed' FROM generate_series(1, 20000) n;
ANALYZE escalations, history, resolutions, conversations, dead_letters, replays, replay_entries;
"#;

/// Rows that were read by going through a table, and entries of indexes, in all.
async fn read(database: &Database) -> (i64, i64) {
    let count = "SELECT coalesce(sum(seq_tup_read), 0)::bigint,
                   (SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes WHERE schemaname = $1)
                 FROM pg_stat_user_tables WHERE schemaname = $1 AND relname <> 'escalator_schema'";
    let client = database.client().await;
    let row = client.query_one(count, &[&database.name()]).await.unwrap();
    (row.get(0), row.get(1))
}

/// The same once every session of the ledger has ended, and so has told what it read.
async fn settled(database: &Database) -> (i64, i64) {
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
    let client = database.client().await;
    eventually("the ledger's sessions have ended", async || {
        let row = client.query_one(sessions, &[&database.name()]).await;
        (row.unwrap().get::<_, i64>(0) == 0).then_some(())
    })
    .await;
    read(database).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_worker_or_an_operator_asks_goes_through_a_table() {
    let database = Database::new().await;
    drop(opened(&database).await);
    database.run(YEARS).await;
    settled(&database).await;
    let before = read(&database).await;

    let ledger = opened(&database).await;
    // Often enough that the server takes to the plan that it keeps for any value.
    for round in 0..8 {
        work(&*ledger, round).await;
    }
    drop(ledger);
    let after = settled(&database).await;
    assert_eq!(after.0 - before.0, 0, "rows read by going through a table");
    // Lists of ten, and a handful of rows for each of the rest: nowhere near a table's 20,000.
    let by_index = after.1 - before.1;
    assert!((500..8_000).contains(&by_index), "{by_index}");
}

async fn work(ledger: &dyn Ledger, round: i64) {
    let incident = IncidentId::parse(&format!("Q{round}-new")).unwrap();
    let conversation = ConversationId::parse(&format!("c-{round}-new")).unwrap();
    let held = granted(ledger, first(&incident)).await.held;
    let (of_conversation, _) = conversation_granted(ledger, &held, &conversation, LONG).await;
    let session = session();
    let mut one = record(&held, Then::Continue);
    one.cobrowse = Some(created(&of_conversation, &session, LinkChange::Keep));
    ledger.record(one).await.unwrap();
    ledger
        .renew(&held, Some(&of_conversation), LONG)
        .await
        .unwrap();
    ledger.link(&conversation, &session).await.unwrap();
    ledger.record(release(&held)).await.unwrap();
    let reopening = reopened(&incident, &event(), 60);
    ledger.claim(reopening).await.unwrap();
    ledger.resolve(&incident, at(70)).await.unwrap();
    ledger.dead_letter_published(&held.key, 0).await.unwrap();
    ledger.history(&held.key).await.unwrap();
    ledger.generations(&incident).await.unwrap();
    ledger.ping().await.unwrap();
    letters(ledger).await;

    let limit = 10;
    let since = Timestamp::from_millisecond(1_780_000_019_900).unwrap();
    let after = Cursor {
        created_at: since,
        key: held.key.clone(),
    };
    let known = ConversationId::parse("c-70").unwrap();
    for filter in [
        Filter::default(),
        Filter {
            state: Some(State::Open),
            ..Filter::default()
        },
        Filter {
            code: Some(Code::ConversationOver),
            ..Filter::default()
        },
        Filter {
            conversation: Some(known),
            ..Filter::default()
        },
        Filter {
            since: Some(since),
            ..Filter::default()
        },
        Filter {
            after: Some(after),
            state: Some(State::Done),
            ..Filter::default()
        },
    ] {
        ledger.list(&Filter { limit, ..filter }).await.unwrap();
    }
    let a_month = Duration::from_secs(1) * 60 * 60 * 24 * 30;
    let retention = Retention {
        escalations: a_month,
        links: a_month,
        at_most: 10,
    };
    let pruned = ledger.prune(&retention).await.unwrap();
    assert_eq!((pruned.escalations, pruned.links), (10, 10));
    let nothing = Retention {
        escalations: a_month * 1000,
        links: a_month * 1000,
        at_most: 10,
    };
    let pruned = ledger.prune(&nothing).await.unwrap();
    assert_eq!(pruned, Pruned::default());
}

/// What is written again and again while an escalation is in hand finds room beside the row, and touches no index.
#[tokio::test(flavor = "multi_thread")]
async fn claims_records_and_renewals_touch_no_index() {
    // A page is only made tidy of what no transaction in the database can still see: here, nobody else's are.
    let server = Server::start().await;
    let database = Database::on(&server).await;
    let ledger = opened(&database).await;
    // As many as fill a few pages, and all are worked on.
    let waiting = "INSERT INTO escalations (key, incident_id, state, epoch, lease_until, accepted_at, occurred_at, created_at, progress)
                   SELECT 'Q' || n || '/0', 'Q' || n, 'open', 1, 0, 0, 0, 0, '{}' FROM generate_series(1, 200) n";
    database.run(waiting).await;
    for number in 1..=200 {
        let incident = IncidentId::parse(&format!("Q{number}")).unwrap();
        let held = granted(&*ledger, first(&incident)).await.held;
        ledger.renew(&held, None, LONG).await.unwrap();
        ledger.record(release(&held)).await.unwrap();
    }
    drop(ledger);
    settled(&database).await;
    let count = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
                 WHERE schemaname = $1 AND relname = 'escalations'";
    let client = database.client().await;
    let row = client.query_one(count, &[&database.name()]).await.unwrap();
    let (updates, hot): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(updates, 600);
    // Now and then a page is full of what the server's own upkeep might still look at. With an index on what they write it
    // would be none at all.
    assert!(hot >= 450, "{hot}");
}

async fn letters(ledger: &dyn Ledger) {
    let letters = ledger.letters();
    let kept = super::super::letters::dead(ledger).await;
    letters.letter(kept.id.clone()).await.unwrap();
    letters.ground(kept.id.clone()).await.unwrap();
    letters.take_notice(LONG).await.unwrap();
    let limit = 10;
    let state = LetterState::Any;
    for filter in [
        LetterFilter::default(),
        LetterFilter {
            code: Some(Code::ConversationOver),
            ..LetterFilter::default()
        },
        LetterFilter {
            incident: Some(IncidentId::parse("Q70").unwrap()),
            state,
            ..LetterFilter::default()
        },
        LetterFilter {
            conversation: Some(ConversationId::parse("c-70").unwrap()),
            state,
            ..LetterFilter::default()
        },
        LetterFilter {
            ids: vec![kept.id.clone()],
            state,
            ..LetterFilter::default()
        },
    ] {
        let filter = LetterFilter { limit, ..filter };
        letters.list_letters(filter).await.unwrap();
    }
    super::super::letters::replaying(ledger, &kept.id.to_string(), &[&kept]).await;
    letters.stage(kept.id.to_string(), 1).await.unwrap();
}
