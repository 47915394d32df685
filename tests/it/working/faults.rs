//! Everything that can happen to the three writes: whatever it is, one attachment and one note.
//!
//! The faults of one operation lie in wait side by side, one for each third of its first requests, and three times as many
//! escalations run into them; which of them meets which is not said.

use std::time::Duration;

use escalator::simulator::{Effects, Operation, What};

use super::{all_ended, attempts, count, gaps, next, nth, requests, triggered};
use crate::support::program::Program;
use crate::support::world::{Case, World, assert_once};

/// The effect takes place, and nobody hears of it (the call's deadline is 2 s, and so much later it still lands).
pub(super) fn lost() -> Vec<What> {
    vec![
        What::LoseAnswer,
        What::Late(Duration::from_millis(2500)),
        What::Huge(5 * 1024 * 1024),
    ]
}

/// No effect, and nobody can know that: a redirect may well come after the effect.
pub(super) fn failed() -> Vec<What> {
    let mut failed = vec![What::Drop, What::Hang, What::Redirect];
    failed.extend([500, 502, 503, 408].map(What::status));
    failed
}

/// One request in so many meets a fault.
pub(super) const SPREAD: u64 = 3;

struct Played {
    effects: Effects,
    adopted: usize,
    repeated: usize,
}

/// Lets one escalation run for each fault, and says how doubts were settled.
async fn play(operation: Operation, faults: Vec<What>) -> Played {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    // With good answers between them, or it would be an outage, which is another matter: `limits`.
    let total = faults.len();
    for (what, number) in faults.into_iter().zip(0..) {
        nth(&world, operation, number * SPREAD + 1, what);
    }
    let spread = usize::try_from(SPREAD).unwrap();
    let cases = triggered(&world, &program, total * spread).await;
    all_ended(&program, &cases, "done").await;
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(
        count(&world, Operation::Unknown),
        0,
        "a redirect was followed"
    );
    assert_calm(&world, &program, &cases, total);
    let twice = program.metric(&["escalator_duplicate_effects_total"]).await;
    assert_eq!(twice, 0.0);
    let settled = |how: &str| {
        let all = program.events("write.unknown_settled");
        all.iter().filter(|event| event["settled"] == how).count()
    };
    Played {
        effects,
        adopted: settled("adopted"),
        repeated: settled("repeated"),
    }
}

/// Nothing turned round and round.
fn assert_calm(world: &World, program: &Program, cases: &[Case], faults: usize) {
    for operation in [
        Operation::GenesysCreateSession,
        Operation::GenesysAttachMedia,
        Operation::PagerdutyCreateNote,
    ] {
        let asked = count(world, operation);
        assert!(asked <= cases.len() + faults, "{operation:?}: {asked}");
    }
    let looks = count(world, Operation::GenesysConversation);
    assert!(looks <= 10 * cases.len(), "{looks}");
    for case in cases {
        let spent = attempts(program, case).pop().unwrap()["attempts"].clone();
        assert!(spent.as_u64().unwrap() <= 3, "{case:?}: {spent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_creating_a_session_one_is_attached_and_told() {
    // What was created without an answer stays behind, attached to nothing.
    let mut faults = lost();
    faults.push(What::Garbage);
    let orphans = faults.len();
    faults.extend(failed());
    let unknown = faults.len();
    faults.push(What::Slow(Duration::from_millis(1500)));
    let played = play(Operation::GenesysCreateSession, faults).await;
    assert_eq!(played.effects.orphans().len(), orphans);
    assert_eq!((played.adopted, played.repeated), (0, unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_attaching_a_session_it_is_attached_once() {
    let (mut faults, failed) = (lost(), failed());
    let (found, absent) = (faults.len(), failed.len());
    faults.extend(failed);
    // A success whose body nobody needs, and one that only takes its time.
    faults.push(What::Garbage);
    faults.push(What::Slow(Duration::from_millis(1500)));
    let played = play(Operation::GenesysAttachMedia, faults).await;
    assert!(played.effects.orphans().is_empty());
    assert_eq!((played.adopted, played.repeated), (found, absent));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_writing_the_note_it_is_there_once() {
    let (mut faults, failed) = (lost(), failed());
    faults.push(What::Garbage);
    let (found, absent) = (faults.len(), failed.len());
    faults.extend(failed);
    faults.push(What::Slow(Duration::from_millis(1500)));
    let played = play(Operation::PagerdutyCreateNote, faults).await;
    assert!(played.effects.orphans().is_empty());
    assert_eq!((played.adopted, played.repeated), (found, absent));
}

/// A request whose answer was lost may land a settle time after it was given up. A session is asked for again after
/// that, for nothing could be looked up; attachment and note are looked for twice, another settle time apart.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_again_before_the_first_request_can_no_longer_land() {
    let world = World::new().await;
    let program = world.start("serve", &[("WORKER_SETTLE", "3s")]).await;
    for (operation, at_least_ms) in [
        (Operation::GenesysCreateSession, 3000),
        (Operation::GenesysAttachMedia, 6000),
        (Operation::PagerdutyCreateNote, 6000),
    ] {
        let before = count(&world, operation);
        next(&world, operation, What::Drop);
        let cases = triggered(&world, &program, 1).await;
        all_ended(&program, &cases, "done").await;
        let gaps = gaps(&requests(&world, operation)[before..]);
        assert_eq!(gaps.len(), 1, "{operation:?}");
        assert!(gaps[0] >= at_least_ms, "{operation:?}: {gaps:?}");
        assert_once(&world.simulator.effects(), &cases);
    }
}

/// The note is there, its answer was a 500, and then PagerDuty does not let the notes be read for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_is_refused_says_nothing_about_the_write_behind_it() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    next(&world, Operation::PagerdutyCreateNote, What::LoseAnswer);
    next(&world, Operation::PagerdutyListNotes, What::status(403));
    let cases = triggered(&world, &program, 1).await;
    all_ended(&program, &cases, "done").await;
    assert_once(&world.simulator.effects(), &cases);
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(count(&world, Operation::PagerdutyListNotes), 2);
}
