//! The proof: the conversation itself has to show the session before anybody is told of it.

use std::time::Duration;

use escalator::simulator::{Config, Operation};

use super::{count, dead, ended, trigger};
use crate::support::world::{World, assert_once, real_notes};

async fn visible_after(time: Duration) -> World {
    World::with(Config {
        media_visible_after: time,
        ..Config::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_note_waits_until_the_conversation_shows_the_session() {
    let world = visible_after(Duration::from_millis(1500)).await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    ended(&program, &case, "done").await;
    let effects = world.simulator.effects();
    let attached = effects.attachments_of(&case.conversation)[0].at_ms;
    let told = effects.notes_of(&case.incident)[0].created_at_ms;
    assert!(told - attached >= 1500, "told after {} ms", told - attached);
    assert_once(&effects, &[case]);
    let looks = count(&world, Operation::GenesysConversation);
    assert!((3..=12).contains(&looks), "{looks}");
}

/// It takes 30 s: no setting shortens it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_conversation_never_shows_is_not_told_of() {
    let world = visible_after(Duration::from_secs(3600)).await;
    let program = world.start("serve", &[]).await;
    let case = world.case();
    trigger(&world, &program, &case).await;
    let letter = dead(&world, &program, &case, "cobrowse_not_confirmed", 0).await;
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (1, 1));
    assert_eq!(real_notes(&effects), 0);
    let attached = effects.attachments_of(&case.conversation)[0].at_ms;
    let died: jiff::Timestamp = letter["died_at"].as_str().unwrap().parse().unwrap();
    let waited = died.as_millisecond() - attached;
    assert!((30_000..35_000).contains(&waited), "{waited}");
    let looks = count(&world, Operation::GenesysConversation);
    assert!((10..=40).contains(&looks), "{looks}");
}
