//! The program ends, well or badly, in the middle of its work.

use std::time::Duration;

use escalator::simulator::{Config, Operation, What};
use serde_json::Value;

use super::{all_ended, asked, attempts, count, next, trigger, triggered};
use crate::support::vhost::eventually;
use crate::support::world::{World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_gives_back_what_it_has_in_hand_and_the_next_finishes_it() {
    // The proof does not come before it is told to end and has nothing left to do but to give back.
    let world = World::with(Config {
        media_visible_after: Duration::from_secs(8),
        ..Config::default()
    })
    .await;
    let settings = [("WORKER_DRAIN_TIMEOUT", "1s"), ("WORKER_CONCURRENCY", "20")];
    let program = world.start("serve", &settings).await;
    let cases = triggered(&world, &program, 20).await;
    world.until(|effects| effects.attached == 20).await;
    let (status, log) = program.terminate().await;
    assert_eq!(status.code(), Some(0));
    let said = |what: &str| log.iter().filter(|line| line.contains(what)).count();
    assert_eq!(said("\"handed_back\""), 20, "{log:#?}");
    let parsed = log
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let phases: Vec<_> = parsed
        .filter(|line| line["event"] == "drain.phase")
        .map(|line| (line["phase"].clone(), line["level"].clone()))
        .collect();
    let all = ["stop_taking", "finish_or_give_back", "close"];
    let all = all.map(|phase| (Value::from(phase), Value::from("INFO")));
    assert_eq!(
        phases, all,
        "three phases, in order, with nothing left in hand"
    );
    assert_eq!(said("\"stopped\""), 1, "{log:#?}");

    let program = world.start("serve", &settings).await;
    world.until(|effects| effects.live_notes == 20).await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert_eq!(effects.sessions.len(), 20, "nothing was cut off");
    for case in &cases {
        let spent = attempts(&program, case);
        assert!(spent.iter().all(|a| a["attempts"] == 0), "{spent:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let world = World::new().await;
    let mut program = world.start("serve", &[("WORKER_CALL_TIMEOUT", "8s")]).await;
    next(&world, Operation::GenesysCreateSession, What::Hang);
    let case = world.case();
    trigger(&world, &program, &case).await;
    asked(&world, Operation::GenesysCreateSession, 1).await;
    program.signal("TERM");
    program.logged("drain.begun", |_| true).await;
    let began = std::time::Instant::now();
    program.signal("TERM");
    let status = program.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(3));
    program.logged("drain.cut_short", |_| true).await;

    let program = world.start("serve", &[]).await;
    all_ended(&program, std::slice::from_ref(&case), "done").await;
    assert_once(&world.simulator.effects(), &[case]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_work_again_and_again_it_leaves_one_session_and_one_note_each() {
    let world = World::with(Config {
        latency: Duration::from_millis(40),
        ..Config::default()
    })
    .await;
    let settings = [
        ("WORKER_LEASE", "2s"),
        ("WORKER_CALL_TIMEOUT", "1s"),
        ("WORKER_SETTLE", "500ms"),
        ("WORKER_CONCURRENCY", "8"),
    ];
    let mut running = world.start("serve", &settings).await;
    let mut cases = Vec::new();
    // In the middle of each of the three writes.
    for operation in [
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
        Operation::PagerdutyCreateNote,
    ] {
        let before = count(&world, operation);
        cases.extend(triggered(&world, &running, 14).await);
        asked(&world, operation, before + 4).await;
        running.kill().await;
        running = world.start("serve", &settings).await;
    }
    world.until(|effects| effects.live_notes >= 42).await;
    // A note that is there may still be looked for. What has ended for the ledger does nothing more.
    eventually("all have ended", async || {
        (ended_in_the_ledger(&world) == 42).then_some(())
    })
    .await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    // At most the answers that were on their way: eight in hand, three times.
    assert!(effects.orphans().len() <= 24, "{}", effects.orphans().len());
    let recovered = running
        .events("escalation.attempt")
        .iter()
        .any(|line| line["recovered"] == true);
    assert!(recovered, "nothing was taken over: it was not in mid-work");
    assert!(world.dead_letters().await.is_empty());
}

fn ended_in_the_ledger(world: &World) -> u32 {
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let ended = "SELECT count(*) FROM escalations WHERE state <> 'open'";
    ledger.query_row(ended, [], |row| row.get(0)).unwrap()
}
