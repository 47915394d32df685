//! `escalator pause`, `resume` and `audit`.

use std::process::Output;

use serde_json::Value;

use crate::support::program::Program;
use crate::support::world::{World, assert_once};

async fn told(world: &World, arguments: &[&str]) -> Output {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args(arguments)
        .env_clear()
        .envs(world.settings(&[]))
        .env("USER", "on-call")
        .current_dir(world.folder.path())
        .output();
    output.await.unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn started(world: &World) -> Program {
    world.start("serve", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_pool_accepts_and_takes_nothing_and_goes_on_when_told() {
    let world = World::new().await;
    let program = started(&world).await;
    let other = world.start("worker", &[]).await;
    let paused = told(&world, &["pause", "--why", "Genesys migrates", "--json"]).await;
    let crew = lines(&paused);
    assert_eq!(crew.len(), 2, "{crew:?}");
    for worker in &crew {
        assert_eq!(
            (&worker["obeys"], &worker["paused"]),
            (&true.into(), &true.into())
        );
    }
    let cases: Vec<_> = (0..5).map(|_| world.case()).collect();
    for case in &cases {
        world.deliver(&program, &world.trigger(case)).await;
    }
    // One that starts now obeys from the start.
    let late = world.start("worker", &[]).await;
    let crew = lines(&told(&world, &["pause", "--json"]).await);
    assert_eq!(crew.len(), 3);
    for program in [&program, &other, &late] {
        assert_eq!(program.events("escalation.attempt").len(), 0);
        assert!((program.metric(&["escalator_paused"]).await - 1.0).abs() < 0.1);
    }
    let resumed = told(&world, &["resume"]).await;
    let words = String::from_utf8(resumed.stderr.clone()).unwrap();
    assert!(
        words.contains("3 of 3 workers take escalations again"),
        "{words}"
    );
    let effects = world.until(|effects| effects.live_notes == 5).await;
    assert_once(&effects, &cases);

    let deeds = lines(&told(&world, &["audit", "--json"]).await);
    let actions: Vec<_> = deeds.iter().map(|deed| deed["action"].clone()).collect();
    assert_eq!(actions, ["resume", "pause", "pause"]);
    assert_eq!(deeds[2]["why"], "Genesys migrates");
    assert_eq!(deeds[2]["by"], "on-call");
    assert!(deeds[2]["from"].is_string(), "{}", deeds[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_obey_in_time_is_named() {
    let world = World::new().await;
    let program = started(&world).await;
    program.signal("STOP");
    let paused = told(&world, &["pause", "--wait", "1s"]).await;
    program.signal("CONT");
    assert_eq!(paused.status.code(), Some(1), "{paused:?}");
    let words = String::from_utf8(paused.stderr).unwrap();
    assert!(words.contains("1 of 1 workers have not obeyed"), "{words}");
    let crew = String::from_utf8(paused.stdout).unwrap();
    assert!(crew.contains("has not obeyed yet"), "{crew}");
    // It does once it can.
    program.logged("pool.paused", |_| true).await;
}
