//! A vendor that asks for patience gets it, and it costs no attempt.

use escalator::simulator::{Operation, What};

use super::{ended, gaps, next, parked, requests, trigger};
use crate::support::world::{World, assert_once};

fn wait_three_seconds(status: u16) -> What {
    What::Status {
        status,
        headers: vec![("retry-after".to_owned(), "3".to_owned())],
        body: String::new(),
    }
}

/// Every operation, one after the other, is answered so once.
async fn every_operation(throttled: What) -> World {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    for (operation, vendor) in [
        (Operation::GenesysToken, "genesys"),
        (Operation::GenesysConversation, "genesys"),
        (Operation::GenesysCreateSession, "genesys"),
        (Operation::GenesysAttachMedia, "genesys"),
        (Operation::PagerdutyAlerts, "pagerduty"),
        (Operation::PagerdutyCreateNote, "pagerduty"),
    ] {
        next(&world, operation, throttled.clone());
        let before = requests(&world, operation).len();
        let case = world.case();
        trigger(&world, &program, &case).await;
        parked(&program, &case, &format!("{vendor}_throttled")).await;
        let done = ended(&program, &case, "done").await;
        assert_eq!(done["attempts"], 0, "{done}");
        let asked = &requests(&world, operation)[before..];
        assert!(gaps(asked)[0] >= 3000, "{operation:?}: {:?}", gaps(asked));
        assert_once(&world.simulator.effects(), &[case]);
    }
    assert!(world.dead_letters().await.is_empty());
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_again_sooner_than_retry_after_said() {
    let world = every_operation(wait_three_seconds(429)).await;
    let effects = world.simulator.effects();
    assert_eq!(effects.orphans().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_is_away_and_says_until_when_is_not_asked_sooner() {
    let world = World::new().await;
    let program = world.start("serve", &[]).await;
    for operation in [
        Operation::GenesysCreateSession,
        Operation::GenesysConversation,
        Operation::PagerdutyAlerts,
        Operation::PagerdutyCreateNote,
    ] {
        next(&world, operation, wait_three_seconds(503));
        let before = world.simulator.requests().len();
        let case = world.case();
        trigger(&world, &program, &case).await;
        ended(&program, &case, "done").await;
        let all = world.simulator.requests();
        let refused = all[before..]
            .iter()
            .position(|request| request.status() == Some(503))
            .unwrap();
        // The next request of any kind: they all go to the same credential.
        let gap = gaps(&all[before + refused..])[0];
        assert!(gap >= 3000, "{operation:?}: {gap}");
        assert_once(&world.simulator.effects(), &[case]);
    }
}
