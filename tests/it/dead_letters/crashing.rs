//! A replay whose process ends at every point that it passes: whoever goes on with it loses nothing and does nothing twice.

use escalator::ledger::Ledger as _;
use escalator::ledger::{ReplayState, Sqlite};
use std::os::unix::process::ExitStatusExt as _;

use super::{Said, command, dead, done, serving};
use crate::support::world::{World, assert_once, tells_of_a_death};

/// How long a driver that has crashed is thought to drive.
const LEASE: &str = "1s";

#[tokio::test(flavor = "multi_thread")]
async fn whenever_a_replay_crashes_it_is_gone_on_with() {
    let world = World::new().await;
    let program = serving(&world).await;
    let mut all = Vec::new();
    let mut crashed_at = Vec::new();
    for point in 1.. {
        all.extend(dead(&world, &program, 2).await);
        let crash_at = point.to_string();
        let output = command(&world, &["replay", "--all", "--per-minute", "60000"])
            .env("CRASH_AT", &crash_at)
            .env("WORKER_LEASE", LEASE)
            .env("WORKER_CALL_TIMEOUT", "200ms")
            .env("WORKER_SETTLE", "200ms")
            .output()
            .await
            .unwrap();
        let crashed = output.status.signal().is_some();
        let said = Said::of(output);
        if crashed {
            let last = said.talk.lines().last().unwrap_or_default();
            crashed_at.push(last.to_owned());
        } else {
            assert_eq!(said.code, Some(0), "{}", said.talk);
        }
        // Where it crashed before anything was begun, there is nothing to go on with.
        let ledger = Sqlite::open_to_read(&world.ledger()).unwrap();
        let replays = ledger.letters().replays(1).await.unwrap();
        if let Some(replay) = replays.first().filter(|replay| !replay.state.is_over()) {
            let id = replay.id.clone();
            resumed(&world, &id).await;
            let over = ledger.letters().replay(id).await.unwrap().unwrap();
            // One that crashed while it marked has not all of its letters, and says so.
            let state = match over.marked {
                true => ReplayState::Done,
                false => ReplayState::Cancelled,
            };
            assert_eq!(over.state, state, "{crashed_at:?}");
        }
        // What was not marked is open still.
        done(&world, &["replay", "--all", "--per-minute", "60000"]).await;
        let expected = all.len();
        let effects = world
            .until(|effects| {
                let notes = effects.notes.values().flatten();
                effects.attached == expected
                    && !notes.clone().any(|note| tells_of_a_death(&note.content))
            })
            .await;
        assert_once(&effects, &all);
        assert!(world.kept().await.is_empty(), "{crashed_at:?}");
        if !crashed {
            break;
        }
    }
    for stage in [
        "beginning a replay",
        "marking letters",
        "driving a replay",
        "staging an entry",
        "publishing a replayed message",
        "settling an entry",
        "ending a replay",
    ] {
        for side in ["before", "after"] {
            let point = format!("{side} {stage}");
            assert!(
                crashed_at.iter().any(|at| at.contains(&point)),
                "never crashed {point}: {crashed_at:#?}"
            );
        }
    }
    assert!(program.events("effect.found_twice").is_empty());
}

/// Until the lease of the driver that crashed is over; that time passes is the event.
async fn resumed(world: &World, id: &str) {
    let deadline = tokio::time::Instant::now() + crate::support::program::PATIENCE;
    loop {
        let said = super::says(world, &["replay", "resume", id]).await;
        if said.code == Some(0) || said.talk.contains("its beginning was cut off") {
            return;
        }
        assert!(said.talk.contains("drives replay"), "{}", said.talk);
        assert!(tokio::time::Instant::now() < deadline, "{}", said.talk);
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
