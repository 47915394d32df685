//! Resolved, reopened, and messages that are none.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use escalator::escalation::DeadLetterId;
use escalator::simulator::{Operation, What};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;

use super::{attempts, ended, letter, next, trigger};
use crate::support::world::{World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_resolved_before_it_was_worked_on_is_cancelled_and_nobody_is_asked() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    let triggered = world.trigger(&case);
    let resolved = world.simulator.webhook(&case.incident, "incident.resolved");
    // The broker does not keep them in order; the tombstone counts all the same.
    world.deliver(&program, &resolved).await;
    ended(&program, &case, "noted").await;
    world.deliver(&program, &triggered).await;
    ended(&program, &case, "cancelled").await;
    assert!(world.simulator.requests().is_empty());
    // A second delivery of the start finds the end.
    world.deliver(&program, &triggered).await;
    ended(&program, &case, "ended_before").await;
    // A newer reopening is not touched by the older resolution.
    let reopened = world.simulator.webhook(&case.incident, "incident.reopened");
    world.deliver(&program, &reopened).await;
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), &[case]);
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn once_a_session_was_asked_for_the_note_is_written_although_it_was_resolved() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let slow = What::Slow(Duration::from_millis(1500));
    next(&world, Operation::GenesysAttachMedia, slow);
    let case = world.case();
    trigger(&world, &program, &case).await;
    world.until(|effects| effects.attached == 1).await;
    let resolved = world.simulator.webhook(&case.incident, "incident.resolved");
    world.deliver(&program, &resolved).await;
    ended(&program, &case, "noted").await;
    assert_eq!(world.simulator.effects().live_notes, 0, "it came in time");
    ended(&program, &case, "done").await;
    assert_once(&world.simulator.effects(), &[case]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_incident_gets_a_note_of_its_own_about_the_session_that_is_live() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    for event in ["incident.resolved", "incident.reopened"] {
        let webhook = world.simulator.webhook(&case.incident, event);
        // Twice: the same event is the same generation.
        world.deliver(&program, &webhook).await;
        world.deliver(&program, &webhook).await;
    }
    world.until(|effects| effects.live_notes == 2).await;
    ended(&program, &case, "ended_before").await;
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (1, 1));
    let notes = effects.notes_of(&case.incident);
    assert_eq!(notes.len(), 2);
    assert!(
        notes
            .iter()
            .all(|note| note.content.contains(&effects.sessions[0].join_url))
    );
    assert_ne!(notes[0].content, notes[1].content, "the marker differs");
    let mut keys: Vec<_> = attempts(&program, &case)
        .iter()
        .filter(|attempt| attempt["outcome"] == "done")
        .map(|attempt| attempt["key"].to_string())
        .collect();
    keys.dedup();
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_become_a_dead_letter_with_those_bytes() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    let bytes = b"\xff\x00 not a message";
    let connection = world.vhost.raw().await;
    let channel = connection.create_channel().await.unwrap();
    channel
        .basic_publish(
            "".into(),
            "escalations.high".into(),
            BasicPublishOptions::default(),
            bytes,
            BasicProperties::default(),
        )
        .await
        .unwrap()
        .await
        .unwrap();
    let letter = letter(&world).await;
    assert_eq!(letter["code"], "message_undecodable", "{letter:#}");
    assert_eq!(letter["raw"], STANDARD.encode(bytes), "{letter:#}");
    assert_eq!(letter["id"], DeadLetterId::of_bytes(bytes).as_str());
    assert_eq!(letter["origin"], "worker");
    for words in ["reason", "hint"] {
        assert!(letter[words].as_str().unwrap().len() > 10, "{letter:#}");
    }
    // And the loop goes on.
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1, "it is not repeated: {letters:#?}");
}
