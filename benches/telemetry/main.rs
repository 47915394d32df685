//! What telling costs: `make bench`. The same backlog is drained by the same worker with the log off, with what is on by default,
//! with every step told, and with spans exported; in one run and in turns, so that the ratios mean something on a noisy machine.
//!
//! Each leg is the program itself, whose CPU is counted from its start to its end, so that a flush at the end is in it. Its log goes to a
//! file; Prometheus and the collector are this process, which shares the machine with RabbitMQ, the worker and the simulated vendors,
//! which answer at once: with real ones an escalation takes longer, and telling of it costs the same. After that come the things
//! that go by the clock and not by escalations: one `GET /metrics`, and the lookout's looks at a large ledger.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark fails by panicking, and prints; it uses a part of what the tests share"
)]

#[path = "../../tests/it/tracing/collector.rs"]
mod collector;
mod looks;
#[path = "../../tests/it/support/process.rs"]
mod process;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod worker;

use std::time::{Duration, Instant};

use escalator::simulator::Config;

use collector::{Collector, Mood};
use process::Usage;
use support::world::World;
use worker::Worker;

/// In hand at once, and webhooks under way at once.
const CONCURRENCY: usize = 64;
const ROUNDS: usize = 5;
/// As Prometheus would if it were in a hurry; 15 s is what it does by itself.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);
/// What one `GET /metrics` costs is the mean of so many.
const SCRAPES: u32 = 1000;

struct Leg {
    name: &'static str,
    log: &'static str,
    scraped: bool,
    exported: bool,
}

/// The others are compared to the first.
const LEGS: [Leg; 4] = [
    Leg {
        name: "log off, not scraped",
        log: "off",
        scraped: false,
        exported: false,
    },
    Leg {
        name: "info, scraped",
        log: "info",
        scraped: true,
        exported: false,
    },
    Leg {
        name: "debug, scraped",
        log: "info,escalator=debug",
        scraped: true,
        exported: false,
    },
    Leg {
        name: "info, scraped, OTLP",
        log: "info",
        scraped: true,
        exported: true,
    },
];

#[derive(Clone, Copy)]
struct Cost {
    cpu_ms: f64,
    per_second: f64,
    log_bytes: f64,
    exported_bytes: f64,
    spans: f64,
    /// By the worker's own count, before its end.
    dropped: f64,
}

#[tokio::main]
async fn main() {
    let wanted = std::env::var("ESCALATIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2000);
    println!(
        "{wanted} escalations a leg, {CONCURRENCY} in hand, {ROUNDS} rounds in turns; scraped every {SCRAPE_EVERY:?}\n"
    );
    let mut rounds: Vec<Vec<Cost>> = Vec::new();
    for round in 0..ROUNDS {
        let mut costs = [None; LEGS.len()];
        // Each begins once: whatever a machine does slower and slower is nobody's in particular.
        for turn in 0..LEGS.len() {
            let which = (round + turn) % LEGS.len();
            let cost = drain(&LEGS[which], wanted).await;
            println!(
                "round {}  {:20} {:7.3} ms of CPU each, {:4.0}/s",
                round + 1,
                LEGS[which].name,
                cost.cpu_ms,
                cost.per_second
            );
            costs[which] = Some(cost);
        }
        rounds.push(costs.into_iter().flatten().collect());
    }
    table(&rounds);
    let world = scrapes().await;
    looks::measure(&world.ledger()).await;
}

fn table(rounds: &[Vec<Cost>]) {
    println!(
        "\nfor each escalation, medians; the ratio to the first line is taken within each round: its median, its least and its most\n"
    );
    println!(
        "{:20}  CPU ms  ratio             escalations/s  ratio  log bytes  OTLP bytes  spans  dropped",
        ""
    );
    for (which, leg) in LEGS.iter().enumerate() {
        let middle = |of: fn(&Cost) -> f64| median(rounds.iter().map(|legs| of(&legs[which])));
        let ratios = |of: fn(&Cost) -> f64| {
            let ratios = rounds
                .iter()
                .map(move |legs| of(&legs[which]) / of(&legs[0]));
            ratios.collect::<Vec<_>>()
        };
        let cpu = ratios(|cost| cost.cpu_ms);
        println!(
            "{:20}  {:6.3}  {:.2} ({:.2} to {:.2})  {:13.0}  {:5.2}  {:9.0}  {:10.0}  {:5.1}  {:7.1}",
            leg.name,
            middle(|cost| cost.cpu_ms),
            median(cpu.iter().copied()),
            cpu.iter().copied().fold(f64::INFINITY, f64::min),
            cpu.iter().copied().fold(0.0, f64::max),
            middle(|cost| cost.per_second),
            median(ratios(|cost| cost.per_second).into_iter()),
            middle(|cost| cost.log_bytes),
            middle(|cost| cost.exported_bytes),
            middle(|cost| cost.spans),
            middle(|cost| cost.dropped),
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A world with a backlog in its queue. An ingress that does not export decides that for the worker behind it.
async fn backlog(wanted: usize, more: &[(&str, &str)]) -> World {
    let world = World::with(Config {
        latency: Duration::ZERO,
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        ..Config::default()
    })
    .await;
    let cases: Vec<_> = (0..wanted).map(|_| world.case()).collect();
    let webhooks: Vec<_> = cases.iter().map(|case| world.trigger(case)).collect();
    let mut settings = vec![("LOG_LEVEL", "info")];
    settings.extend(more);
    let ingress = world.start("ingress", &settings).await;
    world.deliver_all(&ingress, webhooks, CONCURRENCY).await;
    assert!(ingress.terminate().await.0.success());
    world
}

async fn all_notes(world: &World, wanted: usize) {
    let patience = Duration::from_secs(600);
    let effects = world
        .simulator
        .wait_until(patience, |effects| effects.live_notes >= wanted)
        .await
        .expect("all notes");
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (wanted, wanted, wanted)
    );
}

/// Puts a backlog into the queue, starts a worker, and measures it until the last note is there and the worker has ended.
async fn drain(leg: &Leg, wanted: usize) -> Cost {
    let collector = Collector::start(Mood::Takes).await;
    let export: &[_] = match leg.exported {
        true => &[("OTLP_ENDPOINT", collector.url.as_str())],
        false => &[],
    };
    let world = backlog(wanted, export).await;
    let of_ingress = collector.taken().len();

    let concurrency = CONCURRENCY.to_string();
    let mut settings = vec![
        ("LOG_LEVEL", leg.log),
        ("WORKER_CONCURRENCY", &*concurrency),
    ];
    settings.extend(export);
    let began = Instant::now();
    let worker = Worker::start(&world, &settings);
    let scraping = leg.scraped.then(|| worker.scrape(SCRAPE_EVERY));
    all_notes(&world, wanted).await;
    let took = began.elapsed();
    let mut dropped = 0.0;
    if let Some(scraping) = scraping {
        scraping.abort();
        let text = worker::get(&worker.metrics().await).await;
        let line = "escalator_otlp_spans_total{outcome=\"dropped\"} ";
        let count = text.lines().find_map(|said| said.strip_prefix(line));
        // It is only there while export is on.
        assert_eq!(count.is_some(), leg.exported);
        dropped = count.map_or(0.0, |count| count.parse().unwrap());
    }
    let ended = worker.end().await;

    let bodies = collector.taken().into_iter().skip(of_ingress);
    let exported: usize = bodies.map(|(_, body)| body.len()).sum();
    let spans = collector.spans();
    let spans = spans.iter().filter(|span| span.role() == "worker").count();
    assert_eq!(leg.exported, spans > 0, "{}", leg.name);
    let each = |count: f64| count / wanted as f64;
    Cost {
        cpu_ms: each(ended.cpu.as_secs_f64() * 1000.0),
        per_second: wanted as f64 / took.as_secs_f64(),
        log_bytes: each(ended.log_bytes as f64),
        exported_bytes: each(exported as f64),
        spans: each(spans as f64),
        dropped: each(dropped),
    }
}

/// What one `GET /metrics` costs a worker that has done something. Leaves the ledger of a few escalations.
async fn scrapes() -> World {
    let world = backlog(looks::TEMPLATES, &[]).await;
    let worker = Worker::start(&world, &[("LOG_LEVEL", "info")]);
    all_notes(&world, looks::TEMPLATES).await;
    let url = worker.metrics().await;
    let client = reqwest::Client::new();
    let (before, began) = (Usage::of(worker.pid()), Instant::now());
    let mut text = String::new();
    for _ in 0..SCRAPES {
        let answer = client.get(&url).send().await.unwrap();
        text = answer.text().await.unwrap();
    }
    let took = began.elapsed() / SCRAPES;
    let cpu = (Usage::of(worker.pid()).cpu - before.cpu) / SCRAPES;
    worker.end().await;
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    println!(
        "\none GET /metrics: {:.2} ms of the worker's CPU, answered after {:.2} ms; {} bytes, {series} series",
        cpu.as_secs_f64() * 1000.0,
        took.as_secs_f64() * 1000.0,
        text.len(),
    );
    world
}
