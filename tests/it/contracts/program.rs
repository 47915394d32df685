//! The whole program at work, held against what is published: no other request leaves it than those of its clients.

use escalator::simulator::{CobrowseApi, Config, Fault, Operation, Subscription, What, Which};

use super::judge_all;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_program_asks_on_its_way_is_published() {
    // Token, conversation, session, media; alerts, both of the notes, abilities, subscriptions.
    asks(
        CobrowseApi::Sessions,
        "sessions",
        Operation::GenesysAttachMedia,
        9,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_program_asks_under_the_published_contract_is_published() {
    asks(
        CobrowseApi::Conversation,
        "genesys",
        Operation::GenesysOfferSession,
        8,
    )
    .await;
}

/// Lets it work, with a lost answer of each of two writes, so that the look-ups behind them are among the requests.
async fn asks(cobrowse_api: CobrowseApi, document: &str, write: Operation, asked: usize) {
    let world = World::with(Config {
        capture: true,
        cobrowse_api,
        ..Config::default()
    })
    .await;
    world.simulator.add_subscription(Subscription::to(
        "https://escalator.example/webhooks/pagerduty",
    ));
    for operation in [write, Operation::PagerdutyCreateNote] {
        world.simulator.script(Fault {
            operation,
            which: Which::Nth(1),
            what: What::LoseAnswer,
        });
    }
    let program = world.start("serve", &[]).await;
    let cases: Vec<_> = (0..4).map(|_| world.case()).collect();
    for case in &cases {
        world.deliver(&program, &world.trigger(case)).await;
    }
    let effects = world.until(|effects| effects.live_notes >= 4).await;
    assert_eq!(effects.attached, 4);
    let (status, _) = program.terminate().await;
    assert!(status.success());
    let checked = tokio::process::Command::new(env!("CARGO_BIN_EXE_escalator"))
        .arg("check")
        .env_clear()
        .envs(world.settings(&[]))
        .current_dir(world.folder.path())
        .output()
        .await
        .unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let seen = judge_all(&world.simulator.captured(), document);
    assert_eq!(seen.len(), asked, "{seen:#?}");
}
