//! What the promise costs: `make bench`. The same backlog is drained by the same worker three times over, with no ledger, on
//! SQLite and on PostgreSQL, in one run and in turns, so that the ratios mean something on a noisy machine.
//!
//! Without a ledger nothing is claimed and nothing is remembered, so that a crash or a second delivery would write twice:
//! that is the price of the other side. Each leg is a process of its own, whose CPU is counted; RabbitMQ, PostgreSQL and the
//! simulated vendors, which answer at once, share the machine with it.

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

mod forgetful;
#[path = "../../tests/it/support/process.rs"]
mod process;
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use escalator::cli::assembly;
use escalator::ledger::{Ledger, Watched};
use escalator::settings::{ProcessEnvironment, Role, Settings};
use escalator::simulator::Config;
use escalator::telemetry::{self, LogFormat, Telemetry};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use forgetful::Forgetful;
use process::Usage;
use support::database::Database;
use support::world::World;

/// In hand at once, and webhooks under way at once.
const CONCURRENCY: usize = 64;
const ROUNDS: usize = 3;
const LEG: &str = "BENCH_LEG";

#[derive(Clone, Copy, PartialEq)]
enum Leg {
    None,
    Sqlite,
    Postgres,
}

impl Leg {
    const ALL: [Self; 3] = [Self::None, Self::Sqlite, Self::Postgres];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

#[derive(Clone, Copy)]
struct Cost {
    per_second: f64,
    cpu_ms: f64,
    peak_mib: f64,
}

#[tokio::main]
async fn main() {
    if let Ok(leg) = std::env::var(LEG) {
        return work(&leg).await;
    }
    let wanted = std::env::var("ESCALATIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3000);
    println!("{wanted} escalations a leg, {CONCURRENCY} in hand, {ROUNDS} rounds\n");
    println!("round  ledger    escalations/s  CPU ms each  peak MiB");
    let mut costs: Vec<(Leg, Cost)> = Vec::new();
    for round in 1..=ROUNDS {
        for leg in Leg::ALL {
            let cost = drain(leg, wanted).await;
            println!(
                "{round:5}  {:8} {:14.0} {:12.3} {:9.1}",
                leg.name(),
                cost.per_second,
                cost.cpu_ms,
                cost.peak_mib
            );
            costs.push((leg, cost));
        }
    }
    println!("\nmedians, and their ratio to the run without a ledger");
    let base = median(&costs, Leg::None);
    for leg in Leg::ALL {
        let cost = median(&costs, leg);
        println!(
            "{:8} {:7.0}/s ({:.2})  {:.3} ms of CPU ({:.2})",
            leg.name(),
            cost.per_second,
            cost.per_second / base.per_second,
            cost.cpu_ms,
            cost.cpu_ms / base.cpu_ms,
        );
    }
}

fn median(costs: &[(Leg, Cost)], leg: Leg) -> Cost {
    let middle = |of: fn(&Cost) -> f64| {
        let mut values: Vec<_> = costs
            .iter()
            .filter(|(of, _)| *of == leg)
            .map(|(_, cost)| of(cost))
            .collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Cost {
        per_second: middle(|c| c.per_second),
        cpu_ms: middle(|c| c.cpu_ms),
        peak_mib: middle(|c| c.peak_mib),
    }
}

/// Puts a backlog into the queue, starts a worker, and measures it until the last note is there.
async fn drain(leg: Leg, wanted: usize) -> Cost {
    let world = World::with(Config {
        latency: Duration::ZERO,
        hydration: Duration::ZERO,
        media_visible_after: Duration::ZERO,
        ..Config::default()
    })
    .await;
    let database = match leg {
        Leg::None | Leg::Sqlite => None,
        Leg::Postgres => Some(Database::new().await),
    };
    let cases: Vec<_> = (0..wanted).map(|_| world.case()).collect();
    let webhooks: Vec<_> = cases.iter().map(|case| world.trigger(case)).collect();
    let ingress = world.start("ingress", &[("LOG_LEVEL", "info")]).await;
    world.deliver_all(&ingress, webhooks, CONCURRENCY).await;
    assert!(ingress.terminate().await.0.success());

    let concurrency = CONCURRENCY.to_string();
    let mut settings = vec![("LOG_LEVEL", "info"), ("WORKER_CONCURRENCY", &*concurrency)];
    if let Some(database) = &database {
        settings.push(("DATABASE_URL", database.url.as_str()));
    }
    let began = Instant::now();
    let mut child = worker(leg, &world, &settings);
    let patience = Duration::from_secs(600);
    let effects = world
        .simulator
        .wait_until(patience, |effects| effects.live_notes >= wanted)
        .await
        .expect("all notes");
    let took = began.elapsed();
    let usage = Usage::of(child.id().unwrap());
    assert_eq!(
        (effects.sessions.len(), effects.attached, effects.live_notes),
        (wanted, wanted, wanted)
    );
    drop(child.stdin.take());
    assert!(child.wait().await.unwrap().success());
    Cost {
        per_second: wanted as f64 / took.as_secs_f64(),
        cpu_ms: usage.cpu.as_secs_f64() * 1000.0 / wanted as f64,
        peak_mib: usage.peak_kib as f64 / 1024.0,
    }
}

fn worker(leg: Leg, world: &World, settings: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env_clear()
        .envs(world.settings(settings))
        .env(LEG, leg.name())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The worker of one leg: the program's own parts, put together as the program does, but for the ledger. Ends with its
/// standard input.
async fn work(leg: &str) {
    let settings = Settings::load(Role::Worker, None, &ProcessEnvironment).unwrap();
    telemetry::start_logging(LogFormat::Json, &settings.log.level).unwrap();
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let ledger: Arc<dyn Ledger> = if leg == Leg::None.name() {
        Arc::new(Forgetful::default())
    } else {
        assembly::ledger(&settings).await.ok().unwrap()
    };
    let ledger: Arc<dyn Ledger> = Arc::new(Watched::new(ledger, telemetry.clone()));
    let broker = assembly::broker(Role::Worker, &settings).ok().unwrap();
    let vendors = assembly::vendors(&settings, &ledger, telemetry.clone())
        .ok()
        .unwrap();
    let pool = assembly::pool(&settings, broker.clone(), ledger, telemetry, vendors)
        .ok()
        .unwrap();
    let stop = CancellationToken::new();
    let ending = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        ending.cancel();
    });
    assert_eq!(pool.run(stop).await, 0);
    broker.close().await;
}
