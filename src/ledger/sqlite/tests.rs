//! What is asked again and again is found by an index, however many rows there are.
#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use rusqlite::Connection;

use super::desk::own;
use super::{claims, listing, retention};
use crate::escalation::{Code, ConversationId, IncidentId, Key, Trigger};
use crate::ledger::gauges;
use crate::ledger::letters;
use crate::ledger::{Cursor, Filter, Sqlite, State};

fn filters() -> Vec<Filter> {
    let incident = IncidentId::parse("Q1").unwrap();
    let cursor = Cursor {
        created_at: Timestamp::UNIX_EPOCH,
        key: Key::of(&incident, &Trigger::First),
    };
    let state = Some(State::Open);
    let code = Some(Code::ConversationOver);
    let conversation = Some(ConversationId::parse("c1").unwrap());
    let since = Some(Timestamp::UNIX_EPOCH);
    let mut all = vec![Filter::default()];
    // Each alone, and each with a place to go on from.
    for filter in [
        Filter {
            state,
            ..Filter::default()
        },
        Filter {
            code,
            ..Filter::default()
        },
        Filter {
            conversation,
            ..Filter::default()
        },
        Filter {
            since,
            ..Filter::default()
        },
    ] {
        let after = Some(cursor.clone());
        all.push(Filter {
            after,
            ..filter.clone()
        });
        all.push(filter);
    }
    all
}

#[test]
fn whatever_is_asked_is_searched_by_an_index_and_never_by_going_through_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    drop(Sqlite::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    let mut asked = vec![
        claims::ROW.to_owned(),
        claims::NEWEST.to_owned(),
        claims::EARLIER.to_owned(),
        claims::CONVERSATION.to_owned(),
        retention::FORGETTABLE.to_owned(),
        retention::RESOLUTIONS.to_owned(),
        retention::LINKS.to_owned(),
        listing::HISTORY.to_owned(),
    ];
    asked.extend(filters().iter().map(listing::list_sql));
    let of_letters = letters::asked_often().into_iter().map(|sql| own(&sql));
    asked.extend(of_letters);
    asked.extend([gauges::OPEN, gauges::OPEN_LETTERS, gauges::ENTRIES].map(own));
    for sql in asked {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = connection.prepare(&explain).unwrap();
        let none = vec![rusqlite::types::Null; statement.parameter_count()];
        let steps: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(none), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let plan = steps.join("\n");
        // A list without a filter goes along an index, newest first, and stops at its limit.
        let along = "SCAN e USING INDEX escalations_by_age";
        assert!(
            plan.contains("SEARCH") || plan.contains(along),
            "{sql}\n{plan}"
        );
        assert!(!plan.replace(along, "").contains("SCAN"), "{sql}\n{plan}");
    }
}
