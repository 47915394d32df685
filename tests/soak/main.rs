//! A long run with everything that a service meets in a month: `make soak` (ten minutes; SOAK_SECONDS for another time).
//!
//! A thousand webhooks, each delivered twice, spread over the whole time, while the broker is stopped once and killed
//! once, and the service is told to end and started again three times; besides, the broker gives one message in five
//! twice. At the end each incident has exactly one attached
//! session and one note, and memory and handles have not grown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and this one prints; it uses a part of what the others share"
)]

#[path = "../it/support/process.rs"]
mod process;
#[path = "../it/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use process::Usage;
use rand::seq::SliceRandom;
use support::duplicator::Duplicator;
use support::node::Node;
use support::program::Program;
use support::world::{World, assert_once};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

const INCIDENTS: usize = 1000;
/// Between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is done to the service on the way, and when, in sixteenths of the whole time.
#[derive(Clone, Copy, Debug)]
enum Blow {
    StopBroker,
    KillBroker,
    Terminate,
}

const BLOWS: [(u32, Blow); 5] = [
    (2, Blow::Terminate),
    (4, Blow::StopBroker),
    (8, Blow::Terminate),
    (10, Blow::KillBroker),
    (14, Blow::Terminate),
];

#[tokio::main]
async fn main() {
    let seconds = std::env::var("SOAK_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(600);
    let whole = Duration::from_secs(seconds);
    let node = Node::start().await;
    let world = Arc::new(World::new().await);
    // The address stays the same over restarts, as a service's does.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let settings = world.settings(&[
        ("AMQP_URL", &node.amqp_url),
        ("INGRESS_LISTEN", &address),
        ("LOG_LEVEL", "info"),
    ]);
    let start = async || {
        let program = Program::start("serve", world.folder.path(), &settings).await;
        program.becomes_ready(true).await;
        program
    };
    let mut program = start().await;
    let duplicator = Duplicator::start(&node.amqp_url, 5).await;
    let cases: Vec<_> = (0..INCIDENTS).map(|_| world.case()).collect();
    let once: Vec<_> = cases.iter().map(|case| world.trigger(case)).collect();
    let mut webhooks: Vec<_> = once.iter().chain(&once).cloned().collect();
    webhooks.shuffle(&mut rand::rng());

    let began = Instant::now();
    let mut delivering = JoinSet::new();
    let count = u32::try_from(webhooks.len()).unwrap();
    for (number, webhook) in (0..).zip(webhooks) {
        let (world, url) = (
            Arc::clone(&world),
            format!("http://{address}/webhooks/pagerduty"),
        );
        // The last tenth is left for what is retried.
        let at = began + whole * 9 / 10 * number / count;
        delivering.spawn(async move {
            sleep_until(at.into()).await;
            world
                .simulator
                .deliver_until(&url, &webhook, Duration::from_secs(300))
                .await
        });
    }
    println!("   time   notes  in hand      RSS   handles  threads  process");
    let mut blows = BLOWS
        .iter()
        .map(|(when, blow)| (began + whole * *when / 16, *blow))
        .peekable();
    let mut generation = 1;
    let mut looks: Vec<(u32, Usage)> = Vec::new();
    let mut attempts = 0;
    let mut next_look = began;
    while began.elapsed() < whole {
        let next = blows
            .peek()
            .map_or(next_look, |(when, _)| (*when).min(next_look));
        sleep_until(next.into()).await;
        if let Some((_, blow)) = blows.next_if(|(when, _)| Instant::now() >= *when) {
            println!("{:6.0} s  {blow:?}", began.elapsed().as_secs_f64());
            match blow {
                Blow::StopBroker => {
                    node.stop().await;
                    program.becomes_ready(false).await;
                    node.start_again().await;
                    program.becomes_ready(true).await;
                }
                Blow::KillBroker => {
                    node.kill().await;
                    program.becomes_ready(false).await;
                    node.start_again().await;
                    program.becomes_ready(true).await;
                }
                Blow::Terminate => {
                    attempts += program.events("escalation.attempt").len();
                    let (status, _) = program.terminate().await;
                    assert!(status.success(), "{status}");
                    program = start().await;
                    generation += 1;
                }
            }
            println!("{:6.0} s  ready again", began.elapsed().as_secs_f64());
        }
        if Instant::now() >= next_look {
            let usage = Usage::of(program.pid());
            let in_hand = program.metric(&["escalator_in_hand"]).await;
            println!(
                "{:6.0} s {:7} {in_hand:8} {:5.1} MiB {:8} {:8}  {generation}",
                began.elapsed().as_secs_f64(),
                world.simulator.effects().live_notes,
                usage.resident_kib as f64 / 1024.0,
                usage.handles,
                usage.threads,
            );
            looks.push((generation, usage));
            next_look += LOOK_EVERY;
        }
    }
    let delivered = timeout(Duration::from_secs(300), delivering.join_all())
        .await
        .expect("all delivered");
    assert!(
        delivered.iter().all(|one| one.is_accepted()),
        "every webhook is accepted in the end"
    );
    let effects = world.until(|effects| effects.live_notes >= INCIDENTS).await;
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (INCIDENTS, INCIDENTS, INCIDENTS)
    );
    assert_once(&effects, &cases);
    attempts += program.events("escalation.attempt").len();
    let (status, _) = program.terminate().await;
    assert!(status.success());
    let again: u32 = delivered.iter().map(|one| one.attempts - 1).sum();
    println!(
        "\n{INCIDENTS} incidents, each webhook delivered twice ({again} deliveries had to be repeated): {} sessions, {} attached, {} notes; {attempts} attempts of work.",
        effects.sessions.len(),
        effects.attached,
        effects.live_notes,
    );
    let (seen, copied) = duplicator.counts();
    println!("{copied} of {seen} messages came twice out of the queue");
    assert!(copied * 10 > seen, "one in five comes twice");
    for generation in 1..=generation {
        let of: Vec<_> = looks
            .iter()
            .filter(|(g, _)| *g == generation)
            .map(|(_, usage)| usage)
            .collect();
        if let (Some(first), Some(last)) = (of.first(), of.last()) {
            println!(
                "process {generation}: RSS {:.1} to {:.1} MiB (peak {:.1}), handles {} to {}",
                first.resident_kib as f64 / 1024.0,
                last.resident_kib as f64 / 1024.0,
                last.peak_kib as f64 / 1024.0,
                first.handles,
                last.handles,
            );
        }
    }
}
