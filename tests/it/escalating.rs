//! The whole way: webhook, queue, steps, note.

use std::time::Duration;

use escalator::simulator::{Simulator, Webhook};
use futures_util::StreamExt;
use futures_util::stream;
use rand::seq::SliceRandom;

use crate::support::node::Node;
use crate::support::program::Program;
use crate::support::world::{Case, World, assert_once};

/// Delivers each webhook as often as it is in the list, in random order, eight at a time, as PagerDuty would: again and
/// again until it is taken.
async fn deliver_shuffled(simulator: &Simulator, ingress: &str, mut webhooks: Vec<Webhook>) {
    webhooks.shuffle(&mut rand::rng());
    let url = format!("{ingress}/webhooks/pagerduty");
    let delivering = stream::iter(webhooks).map(|webhook| {
        let (simulator, url) = (simulator.clone(), url.clone());
        async move {
            let within = Duration::from_secs(120);
            simulator.deliver_until(&url, &webhook, within).await
        }
    });
    let delivered: Vec<_> = delivering.buffer_unordered(8).collect().await;
    for one in delivered {
        assert_eq!(one.status(), Some(202), "{one:?}");
    }
}

fn twice(world: &World, cases: &[Case]) -> Vec<Webhook> {
    let once: Vec<_> = cases.iter().map(|case| world.trigger(case)).collect();
    once.iter().chain(&once).cloned().collect()
}

/// Waits until the worker has told the end of every delivery, so that nothing more can come.
async fn settled(program: &Program, webhooks: usize) {
    let ends = ["done", "ended_before"];
    let over = |program: &Program| {
        let attempts = program.events("escalation.attempt");
        attempts
            .iter()
            .filter(|a| ends.contains(&a["outcome"].as_str().unwrap()))
            .count()
            >= webhooks
    };
    program
        .logged("escalation.attempt", |_| over(program))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_webhook_that_comes_twice_makes_one_session_and_one_note() {
    let world = World::new().await;
    let program = world.start("serve", &[("LOG_LEVEL", "info")]).await;
    let cases: Vec<_> = (0..300).map(|_| world.case()).collect();
    let webhooks = twice(&world, &cases);
    let count = webhooks.len();
    deliver_shuffled(&world.simulator, &program.ingress, webhooks).await;
    world.until(|effects| effects.live_notes >= 300).await;
    settled(&program, count).await;
    let effects = world.simulator.effects();
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (300, 300, 300)
    );
    assert_once(&effects, &cases);
    assert!(world.dead_letters().await.is_empty());
    let (status, _) = program.terminate().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_stopped_and_started_in_the_middle_changes_nothing() {
    broker_restarted(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_started_in_the_middle_changes_nothing() {
    broker_restarted(true).await;
}

async fn broker_restarted(kill: bool) {
    let node = Node::start().await;
    let world = World::new().await;
    let settings = world.settings(&[("AMQP_URL", &node.amqp_url), ("LOG_LEVEL", "info")]);
    let program = Program::start("serve", world.folder.path(), &settings).await;
    program.becomes_ready(true).await;
    let cases: Vec<_> = (0..300).map(|_| world.case()).collect();
    let webhooks = twice(&world, &cases);
    let count = webhooks.len();
    let (simulator, ingress) = (world.simulator.clone(), program.ingress.clone());
    let delivering =
        tokio::spawn(async move { deliver_shuffled(&simulator, &ingress, webhooks).await });
    world.until(|effects| effects.live_notes >= 60).await;
    if kill {
        node.kill().await;
    } else {
        node.stop().await;
    }
    let body = program.becomes_ready(false).await;
    assert_eq!(body["broker"]["ok"], false, "{body}");
    assert_eq!(body["ledger"]["ok"], true, "{body}");
    node.start_again().await;
    program.becomes_ready(true).await;
    delivering.await.unwrap();
    world.until(|effects| effects.live_notes >= 300).await;
    settled(&program, count).await;
    let effects = world.simulator.effects();
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (300, 300, 300)
    );
    assert_once(&effects, &cases);
    let (status, log) = program.terminate().await;
    assert!(status.success(), "{status}\n{}", log.join("\n"));
    // No busy loop: while the broker is away, the supervisors say so now and then, not all the time.
    let tries = log.iter().filter(|line| line.contains("\"broker.")).count();
    assert!(tries < 200, "{tries} lines about the broker");
}
