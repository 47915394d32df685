//! What `list` shows, to people and to programs.

use escalator::simulator::ConversationSpec;
use rusqlite::{Connection, params};

use super::{assert_no_link, ended, objects, refused, shown, trigger};
use crate::support::world::World;

/// A ledger as a program made it, filled with so many escalations, a second apart; the last one is the newest.
fn filled(folder: &tempfile::TempDir, count: u32) -> std::path::PathBuf {
    let path = folder.path().join("ledger.db");
    drop(escalator::ledger::Sqlite::open(&path).unwrap());
    let mut ledger = Connection::open(&path).unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let transaction = ledger.transaction().unwrap();
    for number in 0..count {
        let at = now - i64::from(count - number) * 1000;
        let incident = format!("Q{number:013}");
        let row = "INSERT INTO escalations (key, incident_id, state, epoch, lease_until, accepted_at, occurred_at, created_at, ended_at, progress, ending, conversation_id)
                   VALUES (?1, ?2, 'done', 1, 0, ?3, ?3, ?3, ?3, ?4, '{\"end\":\"done\"}', ?5)";
        let conversation = format!("{number:08}-6a53-4d58-9a3e-2f6d1c1f0a11");
        let progress = format!("{{\"context\":{{\"conversation\":\"{conversation}\"}}}}");
        let values = params![
            format!("{incident}/0"),
            incident,
            at,
            progress,
            conversation
        ];
        transaction.execute(row, values).unwrap();
    }
    transaction.commit().unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_lets_through_what_fits_and_nothing_else() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let done = world.case();
    let dead = world.case_with(ConversationSpec {
        cobrowse: false,
        ..ConversationSpec::with_agent("agent-1")
    });
    let open = world.case_with(ConversationSpec::default());
    for (case, outcome) in [(&done, "done"), (&dead, "dead"), (&open, "later")] {
        trigger(&world, &program, case).await;
        ended(&program, case, outcome).await;
    }
    let ledger = world.ledger();
    let list = async |filter: &[&str]| -> Vec<String> {
        let arguments = [&["list"], filter].concat();
        let all = objects(&ledger, &arguments).await;
        assert!(all.iter().all(|one| one["type"] == "escalation"), "{all:?}");
        all.iter()
            .map(|one| one["incident"].as_str().unwrap().to_owned())
            .collect()
    };
    let newest_first = [&open, &dead, &done].map(|case| case.incident.clone());
    assert_eq!(list(&[]).await, newest_first);
    assert_eq!(list(&["--since", "1h"]).await, newest_first);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3600);
    assert!(list(&["--since", &later.to_string()]).await.is_empty());
    for (filter, expected) in [
        (["--state", "open"], &open),
        (["--state", "done"], &done),
        (["--state", "dead"], &dead),
        (["--code", "cobrowse_not_possible"], &dead),
        (["--conversation", &done.conversation], &done),
    ] {
        assert_eq!(
            list(&filter).await,
            [expected.incident.as_str()],
            "{filter:?}"
        );
    }
    assert!(list(&["--state", "cancelled"]).await.is_empty());
    assert_eq!(list(&["--limit", "2"]).await, newest_first[..2]);

    let (table, talk) = shown(&ledger, &["list"]).await;
    assert_eq!(talk, "3 escalations: 1 open, 1 done, 1 dead\n");
    let (json, _) = shown(&ledger, &["list", "--json"]).await;
    assert_no_link(&world, &[table, json]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_columns_stand_below_each_other_within_a_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = filled(&folder, 12);
    let (table, _) = shown(&ledger, &["list"]).await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 13, "{table}");
    let at = lines[0].find("conversation").unwrap();
    for (number, line) in lines.iter().enumerate().skip(1) {
        let conversation = format!("{:08}-6a53-4d58-9a3e-2f6d1c1f0a11", 12 - number);
        assert_eq!(line.find(&conversation), Some(at), "{table}");
        assert!(line.chars().count() <= 100, "{table}");
        assert!(
            !line.contains('\u{1b}'),
            "no colour where there is no terminal"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_the_newest_fifty_and_a_program_all() {
    let folder = tempfile::tempdir().unwrap();
    // More than two pages.
    let ledger = filled(&folder, 450);
    let (table, talk) = shown(&ledger, &["list"]).await;
    assert_eq!(table.lines().count(), 51);
    assert!(
        talk.contains("50 done; there are more: --limit N"),
        "{talk}"
    );
    let all = objects(&ledger, &["list"]).await;
    let incidents: Vec<_> = all
        .iter()
        .map(|one| one["incident"].as_str().unwrap())
        .collect();
    let expected: Vec<_> = (0..450)
        .rev()
        .map(|number| format!("Q{number:013}"))
        .collect();
    assert_eq!(incidents, expected);
    let (table, talk) = shown(&ledger, &["list", "--limit", "450"]).await;
    assert_eq!(
        (table.lines().count(), talk.as_str()),
        (451, "450 escalations: 450 done\n")
    );
    assert_eq!(
        objects(&ledger, &["list", "--limit", "201"]).await.len(),
        201
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_64_and_names_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = filled(&folder, 1);
    for (arguments, said) in [
        (["list", "--code", "genesis_throttled"], "genesys_throttled"),
        (["list", "--state", "ded"], "dead"),
        (["list", "--since", "yesterday"], "how long ago"),
        (["list", "--limit", "0"], "1.."),
        (["list", "--conversation", "a/b"], "conversation id"),
    ] {
        let talk = refused(&ledger, &arguments, 64).await;
        assert!(talk.contains(said), "{talk}");
    }
    let both = ["list", "--state", "open", "--code", "expired"];
    assert!(refused(&ledger, &both, 64).await.contains("only the dead"));
    refused(&ledger, &["show", "a/b"], 64).await;
}
