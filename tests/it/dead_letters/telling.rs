//! The note in the incident whose escalation has died: once, and with what a person needs.

use std::time::Duration;

use escalator::escalation::{Marker, NoteOutcome, Notice};
use escalator::simulator::{Fault, Operation, What, Which};
use serde_json::json;

use super::{dead, done, serving, told, unknown};
use crate::support::vhost::eventually;
use crate::support::world::{World, tells_of_a_death};

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_once_that_its_escalation_died_why_and_what_to_do() {
    let world = World::new().await;
    let program = serving(&world).await;
    let case = dead(&world, &program, 1).await.remove(0);
    let letter = told(&world, &case).await;
    let effects = world.simulator.effects();
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes.len(), 1);
    let text = &notes[0].content;
    assert!(tells_of_a_death(text), "{text}");
    for words in [
        "No cobrowse link for this incident: Genesys answered read_conversation with 404 not.found: not here",
        "What to do: ",
        &format!("Conversation: {}", case.conversation),
        &format!("Dead letter: {} (conversation_unknown)", letter.letter.id),
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let marker = Marker::of(letter.letter.key.as_ref().unwrap(), NoteOutcome::Failed);
    assert!(marker.is_in(text), "{text}");
    assert!(matches!(&letter.notice, Notice::Told { note, .. } if note.as_str() == notes[0].id));
    let said = program.logged("incident.told", |_| true).await;
    assert_eq!(said["letter"], letter.letter.id.as_str());
    // A second delivery of the letter, as after a lost ack, tells nobody twice.
    let raw = world.vhost.raw().await;
    let channel = raw.create_channel().await.unwrap();
    channel
        .basic_publish(
            "".into(),
            "escalations.dead".into(),
            lapin::options::BasicPublishOptions::default(),
            &letter.letter.encode().unwrap(),
            lapin::BasicProperties::default(),
        )
        .await
        .unwrap()
        .await
        .unwrap();
    program.logged("dead_letter.known", |_| true).await;
    assert_eq!(world.simulator.effects().live_notes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_call_the_incident_is_told_once() {
    let world = World::new().await;
    let program = serving(&world).await;
    for what in [
        What::LoseAnswer,
        What::Drop,
        What::Fail(502),
        What::status(503),
        What::Garbage,
        What::Late(Duration::from_millis(2_500)),
        What::pagerduty_throttled(1),
    ] {
        world.simulator.script(Fault {
            operation: Operation::PagerdutyCreateNote,
            which: Which::Nth(1),
            what: what.clone(),
        });
        let case = dead(&world, &program, 1).await.remove(0);
        let letter = told(&world, &case).await;
        assert!(
            matches!(letter.notice, Notice::Told { .. }),
            "{what:?} {letter:?}"
        );
        let effects = world.simulator.effects();
        let notes = effects.notes_of(&case.incident);
        assert_eq!(notes.len(), 1, "{what:?}: {notes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_cannot_be_told_is_recorded_and_nothing_dies_twice() {
    let world = World::new().await;
    let program = serving(&world).await;
    world.simulator.script(Fault {
        operation: Operation::PagerdutyCreateNote,
        which: Which::All,
        what: What::Status {
            status: 404,
            headers: Vec::new(),
            body: json!({"error": {"code": 2100, "message": "Not Found"}}).to_string(),
        },
    });
    let case = dead(&world, &program, 1).await.remove(0);
    let letter = told(&world, &case).await;
    assert!(
        matches!(&letter.notice, Notice::NotTold { why, .. } if why.contains("incident_unknown")),
        "{:?}",
        letter.notice
    );
    program.logged("incident.not_told", |_| true).await;
    assert_eq!(world.kept().await.len(), 1);
    let shown = done(&world, &["show", letter.letter.id.as_str()])
        .await
        .data;
    assert!(
        shown.contains("incident told no: incident_unknown"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_leaves_one_note_whenever_it_is_killed() {
    let world = World::new().await;
    for point in [
        "before recording a notice",
        "after recording a notice",
        "before write_note",
        "after write_note",
    ] {
        world.simulator.script(Fault {
            operation: Operation::GenesysConversation,
            which: Which::Nth(1),
            what: unknown(),
        });
        let case = world.case();
        let mut program = world.start("serve", &[("CRASH_AT", point)]).await;
        world.deliver(&program, &world.trigger(&case)).await;
        let status = program.ended().await;
        assert!(!status.success(), "{point} was not passed");
        let program = serving(&world).await;
        let letter = eventually("somebody else tells it", async || {
            let mut letters = world.kept().await;
            letters.retain(|letter| super::is_of(letter, &case) && !letter.notice.is_due());
            letters.pop()
        })
        .await;
        assert!(
            matches!(letter.notice, Notice::Told { .. }),
            "{point} {letter:?}"
        );
        let effects = world.simulator.effects();
        let notes = effects.notes_of(&case.incident);
        assert_eq!(notes.len(), 1, "{point}: {notes:?}");
        program.terminate().await;
    }
}
