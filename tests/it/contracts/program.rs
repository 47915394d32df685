//! The whole program at work, held against what is published: no other request leaves it than those of its clients.

use escalator::simulator::{Config, Fault, Operation, Subscription, What, Which};

use super::judge_all;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_program_asks_on_its_way_is_published() {
    let world = World::with(Config {
        capture: true,
        ..Config::default()
    })
    .await;
    world.simulator.add_subscription(Subscription::to(
        "https://escalator.example/webhooks/pagerduty",
    ));
    // A lost answer, so that the look-ups behind a write are among the requests.
    for operation in [
        Operation::GenesysAttachMedia,
        Operation::PagerdutyCreateNote,
    ] {
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
    let seen = judge_all(&world.simulator.captured(), "sessions");
    assert_eq!(seen.len(), super::OPERATIONS.len(), "{seen:#?}");
}
