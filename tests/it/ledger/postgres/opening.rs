//! Tables that are there, are not, are older, newer or somebody else's; and who may make them.

use std::time::Duration;

use escalator::escalation::{EntryKind, IncidentId};
use escalator::ledger::{Error, Filter, Inspected, Postgres, State};
use secrecy::SecretString;

use super::super::{at_once, conversation_granted, first, granted, incident};
use super::opened;
use crate::support::database::Database;

const FIRST_VERSION: &str = include_str!("../../../../src/ledger/postgres/0001_ledger.sql");

/// As the first version would have left it: a dead escalation with its history, and an open one with a session.
const ROWS: &str = r#"
CREATE TABLE escalator_schema (version BIGINT NOT NULL);
INSERT INTO escalator_schema VALUES (1);
INSERT INTO escalations VALUES
  ('QDEAD/0', 'QDEAD', 'dead', 3, NULL, 0, 2, 1, 1790000000000, 1790000000000, 1790000000500, 1790000009000,
   '{"context":{"conversation":"c-1","agent":"a-1"},"setbacks":1,"note":{"state":"open"}}',
   '{"end":"dead","code":"conversation_over","reason":"ended \u0000","published":true}'),
  ('QOPEN/0', 'QOPEN', 'open', 1, NULL, 0, 0, 0, 1790000000000, 1790000000000, 1790000000600, NULL,
   '{"context":{"conversation":"c-2"},"asked_at":"2026-09-21T14:13:20Z","setbacks":0,"note":{"state":"open"}}', NULL);
INSERT INTO conversations VALUES
  ('c-2', 1, NULL, 0, '{"session":{"state":"done","at":"2026-09-21T14:13:21Z","result":"s-2"},"media":{"state":"open"},"possible_orphans":1}',
   'https://join.example/2');
INSERT INTO resolutions VALUES ('QDEAD', 1790000008000);
INSERT INTO history VALUES
  ('QDEAD/0', 1, '{"at":"2026-09-21T14:13:20Z","epoch":1,"step":"session","what":"first"}'),
  ('QDEAD/0', 2, '{"at":"2026-09-21T14:13:29Z","epoch":3,"what":"dead \u0000","code":"conversation_over"}');
"#;

async fn refusal(url: &SecretString) -> String {
    match Postgres::open(url).await {
        Err(Error::Open(text)) => {
            let inspected = Postgres::inspect(url).await;
            assert!(
                matches!(&inspected, Err(Error::Open(said)) if *said == text),
                "{inspected:?} and not {text}"
            );
            text
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_may_make_the_tables_at_once() {
    let database = Database::new().await;
    let url = database.secret();
    let opened = at_once(10, |_| {
        let url = url.clone();
        async move { Postgres::open(&url).await.map(drop) }
    })
    .await;
    for one in opened {
        one.unwrap();
    }
    let versions = "SELECT count(*), max(version) FROM escalator_schema";
    let row = database.client().await.query_one(versions, &[]).await;
    let row = row.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_of_the_first_version_keeps_its_rows_and_can_be_listed() {
    let database = Database::new().await;
    let hands_over = format!("SET ROLE {}; {FIRST_VERSION} {ROWS}", database.name());
    database.run(&hands_over).await;
    let found = Postgres::inspect(&database.secret()).await.unwrap();
    let older = Inspected::Present {
        version: 1,
        newest: 5,
    };
    assert_eq!(found.ledger, older);

    let ledger = opened(&database).await;
    let id = |text| IncidentId::parse(text).unwrap();
    let dead = ledger.generations(&id("QDEAD")).await.unwrap().remove(0);
    assert_eq!((dead.state, dead.epoch, dead.attempts), (State::Dead, 3, 2));
    let history = ledger.history(&dead.key).await.unwrap();
    let told: Vec<_> = history.iter().map(|e| (e.kind, &*e.what)).collect();
    assert_eq!(
        told,
        [
            (EntryKind::Answered, "first"),
            (EntryKind::Answered, "dead \0")
        ]
    );
    ledger.dead_letter_published(&dead.key, 0).await.unwrap();
    assert_eq!(ledger.history(&dead.key).await.unwrap().len(), 3);
    let about = Filter {
        conversation: Some(escalator::escalation::ConversationId::parse("c-1").unwrap()),
        code: Some(escalator::escalation::Code::ConversationOver),
        limit: 10,
        ..Filter::default()
    };
    assert_eq!(ledger.list(&about).await.unwrap(), [dead]);
    let open = granted(&*ledger, first(&id("QOPEN"))).await;
    assert!(open.progress.asked_at.is_some());
    let conversation = escalator::escalation::ConversationId::parse("c-2").unwrap();
    let (_, cobrowse) =
        conversation_granted(&*ledger, &open.held, &conversation, Duration::from_secs(9)).await;
    let session = cobrowse.session.done().unwrap().clone();
    let link = ledger.link(&conversation, &session).await.unwrap();
    assert!(link.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_creates_nothing() {
    let database = Database::new().await;
    let found = Postgres::inspect(&database.secret()).await.unwrap();
    assert_eq!(found.ledger, Inspected::WillBeCreated);
    assert!(found.survives_power_loss);
    assert!(!found.at.contains(database.name()), "{}", found.at);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = $1";
    let client = database.client().await;
    let count = client.query_one(tables, &[&database.name()]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 0);
    opened(&database).await;
    let found = Postgres::inspect(&database.secret()).await.unwrap();
    let newest = Inspected::Present {
        version: 5,
        newest: 5,
    };
    assert_eq!(found.ledger, newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_newer_program_are_refused_and_left_as_they_are() {
    let database = Database::new().await;
    opened(&database).await;
    database
        .run("INSERT INTO escalator_schema VALUES (99)")
        .await;
    let text = refusal(&database.secret()).await;
    assert!(text.contains("99") && text.contains("newer"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_somebody_else_are_refused_and_left_as_they_are() {
    let database = Database::new().await;
    database.run("CREATE TABLE history (recipe TEXT)").await;
    let text = refusal(&database.secret()).await;
    assert!(text.contains("another program"), "{text}");
    let client = database.client().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = $1";
    let count = client.query_one(tables, &[&database.name()]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_make_tables_is_told_so_and_may_use_those_that_are_there() {
    let database = Database::new().await;
    let name = database.name();
    let to_others = format!(
        "ALTER SCHEMA {name} OWNER TO CURRENT_USER; GRANT USAGE ON SCHEMA {name} TO {name}"
    );
    database.run(&to_others).await;
    let text = refusal(&database.secret()).await;
    assert!(text.contains("may not make tables"), "{text}");

    let made = format!("GRANT CREATE ON SCHEMA {name} TO {name}");
    database.run(&made).await;
    opened(&database).await;
    let taken = format!(
        "REVOKE CREATE ON SCHEMA {name} FROM {name}; REASSIGN OWNED BY {name} TO CURRENT_USER;
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {name} TO {name}"
    );
    database.run(&taken).await;
    let found = Postgres::inspect(&database.secret()).await;
    assert!(
        matches!(&found, Err(Error::Open(text)) if text.contains("GRANT SELECT")),
        "{found:?}"
    );
    let given = format!("GRANT DELETE ON ALL TABLES IN SCHEMA {name} TO {name}");
    database.run(&given).await;
    Postgres::inspect(&database.secret()).await.unwrap();
    let ledger = opened(&database).await;
    granted(&*ledger, first(&incident())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_says_so_without_the_password() {
    let database = Database::new().await;
    let wrong = SecretString::from(database.with_password("hush-hush").as_str());
    let text = refusal(&wrong).await;
    assert!(text.contains("28P01") && !text.contains("hush"), "{text}");
    let mut elsewhere = database.url.clone();
    elsewhere.set_path("of-nobody");
    let text = refusal(&SecretString::from(elsewhere.as_str())).await;
    assert!(text.contains("of-nobody"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_no_place_for_work() {
    let database = Database::new().await;
    opened(&database).await;
    let standby = format!(
        "ALTER ROLE {} SET default_transaction_read_only = on",
        database.name()
    );
    database.run(&standby).await;
    let opened = Postgres::open(&database.secret()).await;
    assert!(
        matches!(&opened, Err(Error::Unavailable(text)) if text.contains("no writes")),
        "{opened:?}"
    );
}

/// Whatever the server's default is, an answer means that it is on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn writes_are_durable_where_the_default_is_that_they_are_not() {
    let database = Database::new().await;
    let hasty = format!(
        "ALTER ROLE {} SET synchronous_commit = off",
        database.name()
    );
    database.run(&hasty).await;
    let ledger = opened(&database).await;
    // The ledger's own session is asked, by a trigger that sees how it commits.
    database
        .run(
            "CREATE TABLE seen (how TEXT);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
               $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
             ALTER FUNCTION see() SET search_path FROM CURRENT;
             CREATE TRIGGER seeing BEFORE INSERT ON escalations FOR EACH ROW EXECUTE FUNCTION see();",
        )
        .await;
    granted(&*ledger, first(&incident())).await;
    let client = database.client().await;
    let seen = client.query_one("SELECT how FROM seen", &[]).await.unwrap();
    assert_eq!(seen.get::<_, String>(0), "on");
}
