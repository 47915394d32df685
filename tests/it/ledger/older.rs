//! A file of the first version, with rows in it, is brought up to date and loses nothing.

use escalator::escalation::{Code, End, EntryKind, IncidentId, NoteId, Progress, SessionId, Write};
use escalator::ledger::{Filter, Ledger, Sqlite, State};
use rusqlite::Connection;

use super::{conversation_granted, first, granted, reopened};

const FIRST_VERSION: &str = include_str!("../../../src/ledger/sqlite/0001_ledger.sql");

/// What the first version wrote: a dead escalation with its history, and an open one with a session.
const ROWS: &str = r#"
INSERT INTO escalations VALUES
  ('QDEAD/0', 'QDEAD', 'dead', 3, NULL, 0, 2, 1, 1790000000000, 1790000000000, 1790000000500, 1790000009000,
   '{"context":{"conversation":"c-1","agent":"a-1"},"setbacks":1,"note":{"state":"open"}}',
   '{"end":"dead","code":"conversation_over","reason":"the conversation has ended","published":true}'),
  ('QOPEN/0', 'QOPEN', 'open', 1, NULL, 0, 0, 0, 1790000000000, 1790000000000, 1790000000600, NULL,
   '{"context":{"conversation":"c-2"},"asked_at":"2026-09-21T14:13:20Z","setbacks":0,"note":{"state":"open"}}', NULL);
INSERT INTO conversations VALUES
  ('c-2', 1, NULL, 0, '{"session":{"state":"done","at":"2026-09-21T14:13:21Z","result":"s-2"},"media":{"state":"open"},"possible_orphans":1}',
   'https://join.example/2');
INSERT INTO resolutions VALUES ('QDEAD', 1790000008000);
INSERT INTO history VALUES
  ('QDEAD/0', 1, '{"at":"2026-09-21T14:13:20Z","epoch":1,"step":"session","what":"first"}'),
  ('QDEAD/0', 2, '{"at":"2026-09-21T14:13:29Z","epoch":3,"what":"dead","code":"conversation_over"}');
PRAGMA user_version = 1;
"#;

fn id(text: &str) -> IncidentId {
    IncidentId::parse(text).unwrap()
}

#[tokio::test]
async fn a_ledger_of_the_first_version_keeps_its_rows_and_can_be_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(FIRST_VERSION).unwrap();
    old.execute_batch(ROWS).unwrap();
    drop(old);

    let ledger = Sqlite::open(&path).unwrap();
    let dead = ledger.generations(&id("QDEAD")).await.unwrap().remove(0);
    assert_eq!((dead.state, dead.epoch, dead.attempts), (State::Dead, 3, 2));
    assert_eq!(dead.takeovers, 1);
    assert!(matches!(
        dead.end,
        Some(End::Dead {
            code: Code::ConversationOver,
            ..
        })
    ));
    let history = ledger.history(&dead.key).await.unwrap();
    let told: Vec<_> = history.iter().map(|e| (e.kind, &*e.what)).collect();
    assert_eq!(
        told,
        [
            (EntryKind::Answered, "first"),
            (EntryKind::Answered, "dead")
        ]
    );

    let died = Filter {
        code: Some(Code::ConversationOver),
        limit: 10,
        ..Filter::default()
    };
    assert_eq!(ledger.list(&died).await.unwrap(), [dead]);
    let about = Filter {
        conversation: Some(escalator::escalation::ConversationId::parse("c-2").unwrap()),
        limit: 10,
        ..Filter::default()
    };
    assert_eq!(ledger.list(&about).await.unwrap()[0].incident, id("QOPEN"));

    // Work goes on where the older program left it.
    let open = granted(&ledger, first(&id("QOPEN"))).await;
    let conversation = open.progress.context.clone().unwrap().conversation;
    let (_, cobrowse) = conversation_granted(&ledger, &open.held, &conversation, super::LONG).await;
    let session = SessionId::parse("s-2").unwrap();
    assert_eq!(cobrowse.session.done(), Some(&session));
    assert!(
        ledger
            .link(&conversation, &session)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(open.progress.note, Write::<NoteId>::Open);
    assert_ne!(open.progress, Progress::default());
    let event = super::event();
    let again = granted(&ledger, reopened(&id("QDEAD"), &event, 1)).await;
    assert!(again.resolved_at.is_some());
    assert_eq!(again.held.key.as_str(), format!("QDEAD/{event}"));
}
