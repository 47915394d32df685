//! What one message has heard, or has been promised, counts for every other: other escalations, and second copies of
//! itself.

use std::time::Duration;

use escalator::simulator::{Config, Fault, Operation, What, Which};
use rusqlite::params;

use super::{
    always, attempts, count, dead, ended, gaps, letter, next, parked, requests, trigger, triggered,
};
use crate::support::world::{Case, World, assert_once};

fn patience(status: u16, seconds: &str) -> What {
    What::Status {
        status,
        headers: vec![("retry-after".into(), seconds.into())],
        body: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_before_the_time_that_a_vendor_named_to_one() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    next(&world, Operation::GenesysCreateSession, patience(429, "6"));
    let first = world.case();
    trigger(&world, &program, &first).await;
    parked(&program, &first, "genesys_throttled").await;
    // The same escalation again, and another one.
    trigger(&world, &program, &first).await;
    let second = world.case();
    trigger(&world, &program, &second).await;
    ended(&program, &second, "done").await;
    ended(&program, &first, "done").await;
    let gaps = gaps(&requests(&world, Operation::GenesysCreateSession));
    assert!(gaps[0] >= 6000, "{gaps:?}");
    assert_once(&world.simulator.effects(), &[first, second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_token_is_asked_for_once_and_not_by_everybody() {
    let world = World::new().await;
    always(&world, Operation::GenesysToken, patience(429, "30"));
    let program = world.start("serve", &[]).await;
    for case in &triggered(&world, &program, 12).await {
        parked(&program, case, "genesys_throttled").await;
    }
    assert_eq!(count(&world, Operation::GenesysToken), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_keeps_the_wait_of_the_first_and_spends_no_attempt() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    // Refused before any effect is possible would be free; this one is not.
    always(&world, Operation::GenesysCreateSession, patience(503, "30"));
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "later").await;
    trigger(&world, &program, &case).await;
    let early = |line: &serde_json::Value| line["reason"] == "its time has not come yet";
    let second = program.logged("escalation.attempt", early).await;
    assert!(second["delay_ms"].as_u64().unwrap() > 20_000, "{second}");
    assert_eq!(second["attempts"], 1, "the first one's, not its own");
    assert_eq!(count(&world, Operation::GenesysCreateSession), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_attached_and_never_shown_is_not_joined_by_a_second() {
    let world = World::with(Config {
        media_visible_after: Duration::from_secs(3600),
        ..Config::default()
    })
    .await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    dead(&world, &program, &case, "cobrowse_not_confirmed", 0).await;
    let reopened = world.simulator.webhook(&case.incident, "incident.reopened");
    world.deliver(&program, &reopened).await;
    let again = |line: &serde_json::Value| {
        line["outcome"] == "dead" && !line["key"].as_str().unwrap().ends_with("/0")
    };
    let second = program.logged("escalation.attempt", again).await;
    assert_eq!(second["code"], "cobrowse_not_confirmed", "{second}");
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_host_that_hangs_holds_up_neither_everybody_in_turn_nor_the_end() {
    let world = World::new().await;
    always(&world, Operation::GenesysToken, What::Hang);
    let program = world
        .start("serve", &[("WORKER_DRAIN_TIMEOUT", "10s")])
        .await;
    let cases = triggered(&world, &program, 12).await;
    for case in &cases {
        ended(&program, case, "later").await;
    }
    // Twelve waits of 2 s, one after the other, would be 24 s.
    let slowest = cases.iter().flat_map(|case| attempts(&program, case));
    let slowest = slowest
        .map(|attempt| attempt["took_ms"].as_u64().unwrap())
        .max();
    assert!(slowest.unwrap() < 12_000, "{slowest:?}");
    let (status, log) = program.terminate().await;
    assert!(status.success(), "{status} {log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_whose_answer_was_lost_is_found_however_long_looking_fails() {
    let world = World::new().await;
    let program = world
        .start("serve", &[("ESCALATION_MAX_ATTEMPTS", "2")])
        .await;
    next(&world, Operation::PagerdutyCreateNote, What::LoseAnswer);
    world.simulator.script(Fault {
        operation: Operation::PagerdutyListNotes,
        // More than the attempts there are; and with the call itself fewer than it takes to call it an outage.
        which: Which::First(3),
        what: What::status(503),
    });
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), &[case]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vendor_quotes_of_a_note_reaches_neither_log_nor_letter() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let body = r#"{"error":{"message":"Invalid","code":2001,"errors":["'Cobrowse session ready: https://join.example.invalid/the-link' is not allowed"]}}"#;
    let quoting = What::Status {
        status: 400,
        headers: Vec::new(),
        body: body.into(),
    };
    next(&world, Operation::PagerdutyCreateNote, quoting);
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "dead").await;
    let letter = letter(&world).await.to_string();
    assert!(letter.contains("is not allowed"), "{letter}");
    assert!(!letter.contains("the-link"), "{letter}");
    assert!(!program.log().join("\n").contains("the-link"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_is_a_dead_letter_and_not_a_wait_without_end() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let row = "INSERT INTO conversations (conversation_id, epoch, lease_until, cobrowse) VALUES (?1, 1, 0, '{\"session\":7}')";
    ledger.execute(row, [&case.conversation]).unwrap();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "dead").await;
    assert_eq!(letter(&world).await["code"], "ledger_unreadable");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_one_worker_after_the_other_is_a_dead_letter() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    workers_ended_with(&world, &case, 10, "{}");
    trigger(&world, &program, &case).await;
    ended(&program, &case, "dead").await;
    let letter = letter(&world).await;
    assert_eq!(letter["code"], "internal", "{letter}");
    assert!(
        letter["reason"].as_str().unwrap().contains("11 workers"),
        "{letter}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_count_that_ended_after_it_was_last_given_back() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    workers_ended_with(&world, &case, 10, r#"{"takeovers_before":1}"#);
    next(&world, Operation::GenesysCreateSession, patience(429, "5"));
    trigger(&world, &program, &case).await;
    parked(&program, &case, "genesys_throttled").await;
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let before: u32 = ledger
        .query_row(
            "SELECT progress ->> 'takeovers_before' FROM escalations",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(before, 11, "given back in order, it starts anew");
    ended(&program, &case, "done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_wait_behind_a_write_in_doubt_forgives_nobody() {
    let world = World::new().await;
    let program = world.start("serve", &[("WORKER_SETTLE", "4s")]).await;
    let case = world.case();
    workers_ended_with(&world, &case, 4, "{}");
    next(&world, Operation::GenesysAttachMedia, What::Drop);
    trigger(&world, &program, &case).await;
    ended(&program, &case, "later").await;
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let before: Option<u32> = ledger
        .query_row(
            "SELECT progress ->> 'takeovers_before' FROM escalations",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(before, None, "it may be this write that ends its workers");
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), &[case]);
}

/// A row that so many claims had before, none of which was given back, and one more.
fn workers_ended_with(world: &World, case: &Case, count: u32, progress: &str) {
    let now = jiff::Timestamp::now().as_millisecond();
    let key = format!("{}/0", case.incident);
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let row = "INSERT INTO escalations (key, incident_id, state, epoch, owner, lease_until, takeovers, accepted_at, occurred_at, created_at, progress)
               VALUES (?1, ?2, 'open', ?5 + 1, 'a worker that is gone', 0, ?5, ?3, ?3, ?3, ?4)";
    ledger
        .execute(row, params![key, case.incident, now, progress, count])
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopening_does_not_wait_for_a_generation_that_has_lost_its_message() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    let key = format!("{}/0", case.incident);
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let row = "INSERT INTO escalations (key, incident_id, state, epoch, lease_until, accepted_at, occurred_at, created_at, progress)
               VALUES (?1, ?2, 'open', 1, 0, 0, 0, 0, '{}')";
    ledger.execute(row, params![key, case.incident]).unwrap();
    let reopened = world.simulator.webhook(&case.incident, "incident.reopened");
    world.deliver(&program, &reopened).await;
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), &[case]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolution_cancels_what_was_asked_for_and_certainly_refused() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    next(&world, Operation::GenesysCreateSession, patience(429, "5"));
    let case = world.case();
    trigger(&world, &program, &case).await;
    parked(&program, &case, "genesys_throttled").await;
    let resolved = world.simulator.webhook(&case.incident, "incident.resolved");
    world.deliver(&program, &resolved).await;
    ended(&program, &case, "cancelled").await;
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.live_notes), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_only_the_conversation_gives_the_escalation_back_at_once() {
    let world = World::new().await;
    // Two minutes: whoever had to wait for this lease would not be done in this test's time.
    let lease = [("WORKER_LEASE", "120s")];
    let program = world.start("serve", &lease).await;
    let slow = What::Slow(Duration::from_millis(1500));
    next(&world, Operation::GenesysAttachMedia, slow);
    let case = world.case();
    trigger(&world, &program, &case).await;
    world.until(|effects| effects.attached == 1).await;
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    ledger
        .execute("UPDATE conversations SET epoch = epoch + 1", [])
        .unwrap();
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), std::slice::from_ref(&case));
    let takeovers: u32 = ledger
        .query_row("SELECT takeovers FROM escalations", [], |row| row.get(0))
        .unwrap();
    assert_eq!(takeovers, 0);
    assert!(program.metric(&["escalator_fenced_writes_total"]).await >= 1.0);
}
