//! The same at the same instant: one message delivered to two workers, and two incidents of one conversation.

use std::time::{Duration, Instant};

use escalator::simulator::{Config, IncidentSpec};
use futures_util::{StreamExt, stream};
use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use serde_json::json;

use crate::number;
use crate::suite::database::Database;
use crate::support::world::{Case, World, assert_once};

/// All of them; a debug build on a busy machine needs a while.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Webhooks under way at once, and so many escalations in hand of each worker.
const AT_ONCE: usize = 32;

async fn world() -> World {
    World::with(Config {
        latency: Duration::from_millis(2),
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        ..Config::default()
    })
    .await
}

fn settings(ledger: &str) -> [(&str, &str); 4] {
    [
        ("DATABASE_URL", ledger),
        ("LOG_LEVEL", "info"),
        ("WORKER_CONCURRENCY", "32"),
        ("WORKER_CALL_TIMEOUT", "5s"),
    ]
}

/// Each message stands twice in the lane, one copy right behind the other, and two workers take from it.
pub(crate) async fn same_message(database: &Database) -> String {
    let count = usize::try_from(number("TORTURE_TOGETHER", 5000)).unwrap();
    let world = world().await;
    let ledger = database.fresh().await;
    let settings = settings(&ledger.url);
    let ingress = world.start("ingress", &settings).await;
    let cases: Vec<_> = (0..count).map(|_| world.case()).collect();
    trigger(&world, &ingress.ingress, &cases).await;
    twice(&world, count).await;
    let began = Instant::now();
    let workers = [
        world.start("worker", &settings).await,
        world.start("worker", &settings).await,
    ];
    let until = world
        .simulator
        .wait_until(PATIENCE, |e| e.live_notes >= count);
    until.await.expect("all notes");
    let mut met = 0;
    for worker in workers {
        let (status, log) = worker.terminate().await;
        assert!(status.success(), "{status}");
        met += held_or_done(&log);
    }
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (count, count, count)
    );
    format!(
        "The same message to two workers at once, {count} times: {} sessions, {} attached, {} notes; {met} times one found \
         the other at work or done; {:.0} s.",
        effects.sessions.len(),
        effects.attached,
        effects.live_notes,
        began.elapsed().as_secs_f64()
    )
}

/// Two incidents of one conversation stand behind one another in the lane.
pub(crate) async fn same_conversation(database: &Database) -> String {
    let count = usize::try_from(number("TORTURE_TOGETHER", 5000)).unwrap();
    let world = world().await;
    let ledger = database.fresh().await;
    let settings = settings(&ledger.url);
    let ingress = world.start("ingress", &settings).await;
    let mut cases = Vec::new();
    for _ in 0..count {
        let first = world.case();
        let spec = IncidentSpec::about(first.conversation.clone());
        let second = Case {
            incident: world.simulator.open_incident(spec),
            conversation: first.conversation.clone(),
        };
        cases.extend([first, second]);
    }
    trigger(&world, &ingress.ingress, &cases).await;
    let began = Instant::now();
    let workers = [
        world.start("worker", &settings).await,
        world.start("worker", &settings).await,
    ];
    let until = world
        .simulator
        .wait_until(PATIENCE, |e| e.live_notes >= 2 * count);
    until.await.expect("all notes");
    let mut met = 0;
    for worker in workers {
        let (status, log) = worker.terminate().await;
        assert!(status.success(), "{status}");
        met += held_or_done(&log);
    }
    let effects = world.simulator.effects();
    assert_once(&effects, &cases);
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (count, count, 2 * count)
    );
    format!(
        "Two incidents of one conversation at once, {count} times: {} sessions, {} attached, {} notes; {met} times one \
         found the other at work; {:.0} s.",
        effects.sessions.len(),
        effects.attached,
        effects.live_notes,
        began.elapsed().as_secs_f64()
    )
}

/// How often a worker was not the one.
fn held_or_done(log: &[String]) -> usize {
    let told = log.iter().filter(|line| {
        line.contains(r#""code":"in_other_hands""#) || line.contains(r#""outcome":"ended_before""#)
    });
    told.count()
}

async fn trigger(world: &World, ingress: &str, cases: &[Case]) {
    let url = format!("{ingress}/webhooks/pagerduty");
    let delivering = stream::iter(cases.chunks(2)).map(|pair| {
        let url = &url;
        async move {
            for case in pair {
                let webhook = world.trigger(case);
                let delivered = world.simulator.deliver_until(url, &webhook, PATIENCE).await;
                assert!(delivered.is_accepted(), "{delivered:?}");
            }
        }
    });
    delivering.buffered(AT_ONCE).collect::<()>().await;
}

/// Takes every message out of the lane and puts it back twice.
async fn twice(world: &World, count: usize) {
    let bodies = world.vhost.taker().await.take("escalations.high").await;
    // A webhook whose answer was lost on a busy machine was delivered again.
    assert!(bodies.len() >= count, "{}", bodies.len());
    let connection = world.vhost.raw().await;
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    for body in bodies {
        for copy in 0..2 {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(json!(copy).to_string().into());
            let publishing = channel.basic_publish(
                "".into(),
                "escalations.high".into(),
                BasicPublishOptions::default(),
                &body,
                properties,
            );
            publishing.await.unwrap().await.unwrap();
        }
    }
}
