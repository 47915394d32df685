//! How fast a backlog is drained, and what an escalation costs: `make bench`.
//!
//! Webhooks go in by a real ingress first; then a real worker starts and brings all of them to their note, against
//! vendors that answer at once. RabbitMQ, simulator and load share the machine, so read the ratios and the CPU times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark fails by panicking, and prints; it uses a part of what the tests share"
)]

#[path = "../tests/it/support/process.rs"]
mod process;
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use escalator::simulator::Config;

use process::Usage;
use support::world::World;

/// In hand at once, and webhooks under way at once.
const CONCURRENCY: usize = 64;

#[tokio::main]
async fn main() {
    let wanted = std::env::var("ESCALATIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(5000);
    let world = World::with(Config {
        latency: Duration::ZERO,
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        ..Config::default()
    })
    .await;
    let cases: Vec<_> = (0..wanted).map(|_| world.case()).collect();
    let webhooks: Vec<_> = cases.iter().map(|case| world.trigger(case)).collect();

    let ingress = world.start("ingress", &[("LOG_LEVEL", "info")]).await;
    let before = Usage::of(ingress.pid());
    let began = Instant::now();
    world.deliver_all(&ingress, webhooks, CONCURRENCY).await;
    let took = began.elapsed();
    report(
        "ingress",
        "webhooks",
        wanted,
        took,
        &before,
        &Usage::of(ingress.pid()),
    );
    let (status, _) = ingress.terminate().await;
    assert!(status.success());

    let concurrency = CONCURRENCY.to_string();
    let settings = [("LOG_LEVEL", "info"), ("WORKER_CONCURRENCY", &*concurrency)];
    let began = Instant::now();
    let worker = world.start("worker", &settings).await;
    let before = Usage::default();
    let patience = Duration::from_secs(600);
    let effects = world
        .simulator
        .wait_until(patience, |effects| effects.live_notes >= wanted)
        .await;
    let took = began.elapsed();
    let effects = effects.expect("all notes");
    report(
        "worker",
        "escalations",
        wanted,
        took,
        &before,
        &Usage::of(worker.pid()),
    );
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (wanted, wanted, wanted)
    );
    let requests = world.simulator.requests().len();
    println!(
        "requests to the vendors per escalation: {:.2}",
        requests as f64 / wanted as f64
    );
    let (status, _) = worker.terminate().await;
    assert!(status.success());
}

fn report(role: &str, what: &str, count: usize, took: Duration, before: &Usage, after: &Usage) {
    let cpu = after.cpu.saturating_sub(before.cpu);
    println!(
        "{role}: {count} {what} in {:.2} s, {:.0}/s, {:.3} ms of CPU each, peak {:.1} MiB",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1000.0 / count as f64,
        after.peak_kib as f64 / 1024.0,
    );
}
