//! Plans: what a replay would do, by reading only; and what is done when the world has changed since.

use escalator::simulator::{ConversationSpec, Operation};

use super::{dead, done, says, serving, told};
use crate::support::world::{World, assert_once, tells_of_a_death};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_of_each_letter_what_a_replay_would_do_and_writes_nothing() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 2).await;
    world.simulator.end_conversation(&cases[1].conversation);
    // One whose conversation takes no cobrowse dies when it is asked for; by reading that cannot be known.
    let no_cobrowse = world.case_with(ConversationSpec {
        cobrowse: false,
        ..ConversationSpec::with_agent("agent-1")
    });
    world.deliver(&program, &world.trigger(&no_cobrowse)).await;
    told(&world, &no_cobrowse).await;
    let writes = || {
        let requests = world.simulator.requests().into_iter();
        requests
            .filter(|record| {
                [
                    Operation::GenesysCreateSession,
                    Operation::GenesysAttachMedia,
                    Operation::PagerdutyCreateNote,
                    Operation::PagerdutyUpdateNote,
                ]
                .contains(&record.operation)
            })
            .count()
    };
    let before = writes();
    let said = done(&world, &["plan", "--all"]).await;
    assert_eq!(writes(), before, "a plan writes nothing");
    let lines = said.lines();
    assert_eq!(lines[0]["type"], "plan");
    assert_eq!(lines[0]["by"], "alex");
    let of = |incident: &str| {
        lines
            .iter()
            .find(|line| line["incident"] == incident)
            .unwrap()
    };
    let going_on = of(&cases[0].incident);
    assert_eq!(
        (&going_on["verdict"], &going_on["at"]),
        (&"resumes".into(), &"session".into())
    );
    let over = of(&cases[1].incident);
    assert_eq!(
        (&over["verdict"], &over["code"]),
        (&"refused".into(), &"conversation_over".into())
    );
    let end = lines.last().unwrap();
    assert_eq!((&end["type"], &end["refused"]), (&"end".into(), &1.into()));
    assert_eq!(end["resumes"], 2);
    assert_eq!(end["sha256"].as_str().unwrap().len(), 64);
    assert!(said.talk.contains("2 would go on"), "{}", said.talk);
    assert_eq!(done(&world, &["list", "--json"]).await.lines().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_applied_as_far_as_it_is_true_still_and_each_surprise_is_reported() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 5).await;
    let path = world.folder.path().join("the.plan");
    let plan = path.to_str().unwrap();
    done(&world, &["plan", "--all", "--out", plan]).await;
    let over = says(&world, &["plan", "--all", "--out", plan]).await;
    assert_eq!(
        over.code,
        Some(1),
        "it is never written over: {}",
        over.talk
    );
    // The world goes on: an end, a discard, another operator.
    world.simulator.end_conversation(&cases[1].conversation);
    let discard = [
        "discard",
        "--incident",
        &cases[2].incident,
        "--because",
        "nobody waits",
    ];
    done(&world, &discard).await;
    done(&world, &["replay", "--incident", &cases[3].incident]).await;
    world.until(|effects| effects.attached == 1).await;
    let said = says(&world, &["replay", plan, "--json"]).await;
    assert_eq!(said.code, Some(1), "{}", said.talk);
    let lines = said.lines();
    let detail = |outcome: &str| -> Vec<String> {
        let of_it = lines.iter().filter(|line| line["outcome"] == outcome);
        of_it
            .map(|line| line["detail"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(detail("replayed").len(), 2, "{}", said.data);
    let refused = detail("refused");
    assert_eq!(refused.len(), 3, "{}", said.data);
    assert!(
        refused[2].contains("the plan said: resumes at session; now: refused, conversation_over"),
        "{refused:?}"
    );
    // Those that were closed before it began are entries too.
    let status = done(
        &world,
        &["replay", "status", &super::replay_of(&said), "--json"],
    )
    .await;
    let all = status.lines();
    let closed = |line: &&serde_json::Value| {
        let detail = line["detail"].as_str().unwrap_or_default();
        detail.starts_with("it is closed")
    };
    assert_eq!(all.iter().filter(closed).count(), 2, "{}", status.data);
    let effects = world
        .until(|effects| {
            let notes = effects.notes.values().flatten();
            effects.attached == 3
                && notes
                    .filter(|note| !tells_of_a_death(&note.content))
                    .count()
                    == 3
        })
        .await;
    assert_once(
        &effects,
        &[cases[0].clone(), cases[3].clone(), cases[4].clone()],
    );
    assert!(effects.attachments_of(&cases[1].conversation).is_empty());
    assert_eq!(done(&world, &["list", "--json"]).await.lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_changed_is_refused() {
    let world = World::new().await;
    let program = serving(&world).await;
    dead(&world, &program, 1).await;
    let plan = done(&world, &["plan", "--all"]).await.data;
    let path = world.folder.path().join("the.plan");
    for (text, why) in [
        (plan.replace("session", "note"), "is not as it was written"),
        (plan.lines().next().unwrap().to_owned() + "\n", "cut off"),
        ("no plan\n".to_owned(), "line 1"),
    ] {
        std::fs::write(&path, text).unwrap();
        let said = says(&world, &["replay", path.to_str().unwrap()]).await;
        assert_eq!(said.code, Some(64), "{}", said.talk);
        assert!(said.talk.contains(why), "{why}: {}", said.talk);
    }
    assert_eq!(world.kept().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vendor_does_not_say_is_unknown_and_never_guessed() {
    let world = World::new().await;
    let program = serving(&world).await;
    dead(&world, &program, 1).await;
    program.terminate().await;
    world.simulator.set_secret("another");
    world.simulator.revoke_tokens();
    let said = done(&world, &["plan", "--all"]).await;
    let entry = &said.lines()[1];
    assert_eq!(entry["verdict"], "unknown", "{entry}");
    let because = entry["because"].as_str().unwrap();
    assert!(because.starts_with("genesys_credentials"), "{because}");
}
