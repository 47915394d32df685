//! Plans over HTTP: the same as the command line's, and applied by either.

use escalator::dead_letters::plan::Plan;
use escalator::simulator::{Config, ConversationSpec};
use serde_json::{Value, json};
use std::time::Duration;

use super::{becomes, begun, die, open, served};
use crate::support::vhost::eventually;
use crate::support::world::{World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_would_happen_and_nothing_else_is_done_when_it_is_applied() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    let mut cases = die(&world, &program, &api, 3).await;
    // The last one's conversation ends before the plan is made; the first one's after.
    world.simulator.end_conversation(&cases[2].conversation);
    let before = world.simulator.effects();
    let answer = api
        .post("/dead-letters/plan", &json!({"all": true, "by": "alex"}))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let plan = Plan::read(&answer.text).unwrap();
    assert_eq!(
        (plan.head.by.as_str(), plan.head.what.as_str()),
        ("alex", "all")
    );
    let verdicts: Vec<_> = plan
        .entries
        .iter()
        .map(|entry| entry.foreseen.verdict.in_words())
        .collect();
    let goes_on = "resumes at session";
    assert_eq!(verdicts, ["refused, conversation_over", goes_on, goes_on]);
    let after = world.simulator.effects();
    assert_eq!(before.sessions.len(), after.sessions.len(), "it only reads");

    world.simulator.end_conversation(&cases[0].conversation);
    let body = json!({"plan": answer.text, "because": "Genesys is itself again", "by": "kim"});
    let replay = begun(&api, body).await;
    let done = becomes(&api, &replay, "done").await;
    assert_eq!(
        (&done["replayed"], &done["refused"], &done["by"]),
        (&json!(1), &json!(2), &json!("kim"))
    );
    let what = done["what"].as_str().unwrap();
    assert!(
        what.starts_with("plan of ") && what.ends_with("by alex: all"),
        "{what}"
    );
    let entries = api.get(&format!("/replays/{replay}/entries")).await.ok(200);
    let details: Vec<_> = entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["detail"].as_str().unwrap())
        .collect();
    assert!(details[0].contains("has ended"), "{details:?}");
    assert!(
        details[2].contains("the plan said: resumes at session"),
        "{details:?}"
    );
    let effects = world.until(|effects| effects.attached == 1).await;
    assert_eq!(effects.sessions.len(), 1);
    cases.retain(|case| !effects.attachments_of(&case.conversation).is_empty());
    let notes = |effects: &escalator::simulator::Effects| {
        let notes = effects.notes_of(&cases[0].incident);
        notes.len() == 1 && effects.sessions[0].is_told_in(&notes[0].content)
    };
    world.until(notes).await;
    assert_once(&world.simulator.effects(), &cases);
    assert_eq!(open(&api).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_applies_a_plan_that_was_made_over_http() {
    let world = World::new().await;
    let (program, api) = served(&world, &[]).await;
    let cases = die(&world, &program, &api, 2).await;
    let body = json!({"filter": {"incident": cases[0].incident}});
    let answer = api.post("/dead-letters/plan", &body).await;
    let path = world.folder.path().join("plan");
    std::fs::write(&path, &answer.text).unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args(["dead-letters", "replay", "--json"])
        .arg(&path)
        .env_clear()
        .envs(world.settings(&[]))
        .current_dir(world.folder.path())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let id = last["id"].as_str().unwrap();
    // Whoever drove it, the replay is one.
    assert_eq!(api.get(&format!("/replays/{id}")).await.ok(200), last);
    assert_eq!(last["replayed"], 1);
    world.until(|effects| effects.attached == 1).await;
    assert_eq!(open(&api).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plan_is_made_at_a_time_and_one_that_nobody_reads_is_given_up() {
    // Slow enough that the first plan is being made while the second is asked for.
    let world = World::with(Config {
        latency: Duration::from_millis(800),
        ..Config::default()
    })
    .await;
    let (program, api) = served(&world, &[]).await;
    for _ in 0..3 {
        let over = world.case_with(ConversationSpec {
            over: true,
            ..ConversationSpec::with_agent("agent-1")
        });
        world.deliver(&program, &world.trigger(&over)).await;
    }
    eventually("all are kept", async || {
        (open(&api).await.len() == 3).then_some(())
    })
    .await;
    let client = reqwest::Client::new();
    let first = client
        .post(format!("{}/dead-letters/plan", program.admin))
        .bearer_auth(super::TOKEN)
        .body(r#"{"all":true}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(first.status().as_u16(), 200);
    let second = api.post("/dead-letters/plan", &json!({"all": true})).await;
    assert_eq!(second.errors(503), ["another plan is being made"]);
    assert_eq!(second.header("retry-after"), Some("5"));
    // Its connection closes with it.
    drop((first, client));
    eventually("another one may be made", async || {
        let answer = api.post("/dead-letters/plan", &json!({"all": true})).await;
        (answer.status == 200).then(|| Plan::read(&answer.text).unwrap())
    })
    .await;
}
