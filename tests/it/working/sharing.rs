//! Two workers on one ledger.

use std::time::Duration;

use escalator::simulator::Config;

use super::triggered;
use crate::support::program::Program;
use crate::support::world::{World, assert_once};

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_work_and_do_nothing_twice() {
    let world = World::with(Config {
        latency: Duration::from_millis(20),
        ..Config::default()
    })
    .await;
    let ingress = world.start("ingress", &[]).await;
    let workers = [
        world.start("worker", &[]).await,
        world.start("worker", &[]).await,
    ];
    let cases = triggered(&world, &ingress, 100).await;
    world.until(|effects| effects.live_notes >= 100).await;
    let done = |worker: &Program| {
        let all = worker.events("escalation.attempt");
        all.iter().filter(|a| a["outcome"] == "done").count()
    };
    let enough = |_: &serde_json::Value| done(&workers[0]) + done(&workers[1]) >= 100;
    tokio::select! {
        _ = workers[0].logged("escalation.attempt", enough) => {}
        _ = workers[1].logged("escalation.attempt", enough) => {}
    }
    let effects = world.simulator.effects();
    assert_eq!((effects.sessions.len(), effects.attached), (100, 100));
    assert_once(&effects, &cases);
    let shares = workers.each_ref().map(done);
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), 100, "{shares:?}");
}
