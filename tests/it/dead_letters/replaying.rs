//! Replays: what was dead comes to its note, once, whoever asks for it and however often.

use escalator::ledger::Ledger as _;
use escalator::ledger::{Deed, EntryOutcome, ReplayState, Sqlite};
use escalator::simulator::{Fault, Operation, Which};
use serde_json::json;

use super::{Said, command, dead, done, replay_of, says, serving, told, unknown};
use crate::support::program::Program;
use crate::support::vhost::eventually;
use crate::support::world::{Case, World, assert_once, real_notes, tells_of_a_death};

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_brings_it_to_its_note_which_stands_where_the_failure_stood() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 3).await;
    let before = world.simulator.effects();
    let said = done(
        &world,
        &["replay", "--all", "--because", "Genesys is back", "--json"],
    )
    .await;
    let lines = said.lines();
    assert_eq!(lines.len(), 4, "{}", said.data);
    for line in &lines[..3] {
        assert_eq!(line["outcome"], "replayed", "{line}");
    }
    assert_eq!(
        (&lines[3]["state"], &lines[3]["replayed"]),
        (&json!("done"), &json!(3))
    );
    let effects = world
        .until(|effects| effects.attached == 3 && !some_tell_of_a_death(effects))
        .await;
    assert_once(&effects, &cases);
    for case in &cases {
        let (old, new) = (
            before.notes_of(&case.incident),
            effects.notes_of(&case.incident),
        );
        assert_eq!(old[0].id, new[0].id, "the note was replaced");
    }
    assert!(done(&world, &["list", "--json"]).await.lines().is_empty());
    // The story of it is told in one piece.
    let shown = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .args(["escalations", "show", &cases[0].incident])
        .env_clear()
        .envs(world.settings(&[]))
        .output()
        .await
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("by alex, rp-"), "{shown}");
    assert!(shown.contains("Genesys is back"), "{shown}");
    // One that is named gets an answer, also where it is not there to be had.
    let id = lines[0]["letter"].as_str().unwrap();
    let named = says(&world, &["replay", "--id", id]).await;
    assert_eq!(named.code, Some(1), "{}", named.talk);
    assert!(
        named.data.contains("it is closed: replayed by"),
        "{}",
        named.data
    );
    let discard = says(&world, &["discard", "--id", id, "--because", "x"]).await;
    assert_eq!(discard.code, Some(1), "{}", discard.talk);
    // Once more there is nothing to do.
    let again = done(&world, &["replay", "--all"]).await;
    assert!(again.talk.contains("no letter"), "{}", again.talk);
    let status = done(&world, &["replay", "status", &replay_of(&said), "--json"]).await;
    assert_eq!(status.lines().len(), 4);
}

fn some_tell_of_a_death(effects: &escalator::simulator::Effects) -> bool {
    let notes = effects.notes.values().flatten();
    notes
        .filter(|note| note.deleted_at_ms.is_none())
        .any(|note| tells_of_a_death(&note.content))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_again_leaves_one_failure_note_that_names_the_new_letter() {
    let world = World::new().await;
    let program = serving(&world).await;
    let case = dead(&world, &program, 1).await.remove(0);
    let first = told(&world, &case).await;
    world.simulator.script(Fault {
        operation: Operation::GenesysConversation,
        which: Which::Nth(1),
        what: unknown(),
    });
    done(&world, &["replay", "--all"]).await;
    let second = eventually("it has died again", async || {
        let letters = world.kept().await;
        letters.into_iter().find(|letter| !letter.notice.is_due())
    })
    .await;
    assert_ne!(second.letter.id, first.letter.id);
    assert_eq!(second.letter.follows, Some(first.letter.id));
    let effects = world.simulator.effects();
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].content.contains(second.letter.id.as_str()),
        "{}",
        notes[0].content
    );
    // And then it goes well.
    done(&world, &["replay", "--all"]).await;
    let effects = world
        .until(|effects| effects.attached == 1 && !some_tell_of_a_death(effects))
        .await;
    assert_once(&effects, &[case]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_with_the_same_filter_never_have_the_same_letter() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 40).await;
    let operator = |by: &'static str| {
        let arguments = [
            "replay",
            "--code",
            "conversation_unknown",
            "--per-minute",
            "6000",
            "--by",
            by,
            "--json",
        ];
        command(&world, &arguments).output()
    };
    let (one, other) = tokio::join!(operator("robin"), operator("kim"));
    let said = [Said::of(one.unwrap()), Said::of(other.unwrap())];
    let outcomes = said.iter().flat_map(Said::lines);
    let replayed = outcomes
        .filter(|line| line["outcome"] == "replayed")
        .count();
    assert_eq!(replayed, 40, "{}\n{}", said[0].data, said[1].data);
    for one in &said {
        // Whoever found letters in the other's hands says so, and fails.
        let refused = one.lines().iter().any(|line| line["outcome"] == "refused");
        assert_eq!(one.code, Some(i32::from(refused)), "{}", one.talk);
    }
    let effects = world
        .until(|effects| effects.attached == 40 && !some_tell_of_a_death(effects))
        .await;
    assert_once(&effects, &cases);
    ended(&program, &cases).await;
}

/// Everything that was begun has come to its end, and nothing came twice.
async fn ended(program: &Program, cases: &[Case]) {
    for case in cases {
        let done = |line: &serde_json::Value| {
            line["incident"] == case.incident.as_str() && line["outcome"] == "done"
        };
        program.logged("escalation.attempt", done).await;
    }
    assert!(program.events("effect.found_twice").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_replay_loses_nothing() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 12).await;
    // Slow enough to be in the middle of it.
    let arguments = ["replay", "--all", "--per-minute", "120", "--json"];
    let running = command(&world, &arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    world.until(|effects| effects.attached >= 2).await;
    let status = done(&world, &["replay", "status", "--json"])
        .await
        .lines()
        .remove(0);
    let id = status["id"].as_str().unwrap().to_owned();
    let cancelled = done(
        &world,
        &["replay", "cancel", &id, "--because", "wrong ones"],
    )
    .await;
    assert!(
        cancelled.talk.contains("is cancelled"),
        "{}",
        cancelled.talk
    );
    let said = Said::of(running.wait_with_output().await.unwrap());
    assert_eq!(
        said.code,
        Some(1),
        "it did not come to its end: {}",
        said.talk
    );
    let last = said.lines().pop().unwrap();
    assert_eq!(last["state"], "cancelled", "{last}");
    let (replayed, let_go) = (
        last["replayed"].as_u64().unwrap(),
        last["let_go"].as_u64().unwrap(),
    );
    assert_eq!(replayed + let_go, 12, "{last}");
    assert!(let_go > 0 && replayed > 0, "{last}");
    assert_eq!(
        done(&world, &["list", "--json"]).await.lines().len() as u64,
        let_go
    );
    done(&world, &["replay", "--all", "--per-minute", "6000"]).await;
    let effects = world
        .until(|effects| effects.attached == 12 && !some_tell_of_a_death(effects))
        .await;
    assert_once(&effects, &cases);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_replay_is_gone_on_with_and_nobody_else_drives_meanwhile() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 10).await;
    let running = command(&world, &["replay", "--all", "--per-minute", "60"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    world.until(|effects| effects.attached >= 1).await;
    let status = done(&world, &["replay", "status", "--json"])
        .await
        .lines()
        .remove(0);
    let id = status["id"].as_str().unwrap().to_owned();
    let busy = says(&world, &["replay", "resume", &id]).await;
    assert_eq!(busy.code, Some(1));
    assert!(busy.talk.contains("drives replay"), "{}", busy.talk);
    let pid = i32::try_from(running.id().unwrap()).unwrap();
    std::process::Command::new("kill")
        .args(["-INT", &pid.to_string()])
        .status()
        .unwrap();
    let said = Said::of(running.wait_with_output().await.unwrap());
    assert_eq!(said.code, Some(1), "{}", said.talk);
    assert!(
        said.talk.contains(&format!("replay resume {id}")),
        "{}",
        said.talk
    );
    let ledger = Sqlite::open_to_read(&world.ledger()).unwrap();
    let left = ledger.letters().replay(id.clone()).await.unwrap().unwrap();
    assert_eq!((left.state, left.driver), (ReplayState::Running, None));
    let resumed = done(&world, &["replay", "resume", &id, "--by", "robin"]).await;
    assert!(resumed.talk.contains("10 replayed"), "{}", resumed.talk);
    let audit = ledger.audit(10).await.unwrap();
    let resumes = audit
        .iter()
        .find(|line| line.entered.deed == Deed::ResumeReplay);
    assert_eq!(resumes.unwrap().entered.by, "robin");
    let effects = world
        .until(|effects| effects.attached == 10 && !some_tell_of_a_death(effects))
        .await;
    assert_once(&effects, &cases);
    let entries = ledger
        .letters()
        .replay_entries(id, false, 0, 100)
        .await
        .unwrap();
    assert!(
        entries
            .iter()
            .all(|entry| entry.outcome == Some(EntryOutcome::Replayed))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_copy_goes_to_the_right_conversation() {
    let world = World::new().await;
    let program = serving(&world).await;
    let case = dead(&world, &program, 1).await.remove(0);
    let letter = told(&world, &case).await;
    let id = letter.letter.id.as_str();
    let right = world.case().conversation;
    let arguments = [
        "edit",
        id,
        "--conversation",
        &right,
        "--because",
        "a typing error",
    ];
    let off = command(&world, &arguments)
        .env_remove("DEAD_LETTERS_EDIT")
        .output()
        .await;
    let off = Said::of(off.unwrap());
    assert_eq!(off.code, Some(64), "{}", off.talk);
    assert!(off.talk.contains("DEAD_LETTERS_EDIT"), "{}", off.talk);
    let wrong = ["edit", id, "--conversation", "not / one", "--because", "x"];
    assert_eq!(says(&world, &wrong).await.code, Some(64));
    let edited = done(&world, &arguments).await;
    let copy = edited.data.trim();
    done(&world, &["replay", "--id", copy]).await;
    let effects = world
        .until(|effects| effects.attached == 1 && !some_tell_of_a_death(effects))
        .await;
    let case = Case {
        conversation: right,
        ..case
    };
    assert_once(&effects, &[case]);
    let closed = done(&world, &["show", id, "--json"])
        .await
        .lines()
        .remove(0);
    assert_eq!(closed["closed"]["successor"], copy);
    drop(program);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_nobody_can_read_keeps_no_other_from_its_replay() {
    let world = World::new().await;
    let program = serving(&world).await;
    let cases = dead(&world, &program, 3).await;
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let spoilt = format!("{}/0", cases[1].incident);
    let spoil = "UPDATE escalations SET progress = 'spoilt' WHERE key = ?1";
    assert_eq!(ledger.execute(spoil, [&spoilt]).unwrap(), 1);
    drop(ledger);
    let plan = done(&world, &["plan", "--all"]).await.lines();
    let of = |case: &Case| {
        let mut lines = plan.iter();
        lines
            .find(|line| line["incident"] == case.incident.as_str())
            .unwrap()
    };
    assert_eq!(
        of(&cases[1])["code"],
        "ledger_unreadable",
        "{}",
        of(&cases[1])
    );
    assert_eq!(of(&cases[2])["verdict"], "resumes");
    let said = says(&world, &["replay", "--all", "--per-minute", "6000"]).await;
    assert_eq!(said.code, Some(1), "{}", said.talk);
    assert!(said.talk.contains("2 replayed, 1 refused"), "{}", said.talk);
    assert!(said.data.contains("cannot be read"), "{}", said.data);
    let effects = world
        .until(|effects| effects.attached == 2 && real_notes(effects) == 2)
        .await;
    assert_once(&effects, &[cases[0].clone(), cases[2].clone()]);
    let left = world.kept().await.remove(0);
    assert_eq!(left.incident.as_ref().unwrap().as_str(), cases[1].incident);
    let shown = done(&world, &["show", left.letter.id.as_str()]).await.data;
    assert!(shown.contains("cannot be read"), "{shown}");
}
