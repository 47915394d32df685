//! The crash suite, whole: `make torture`.
//!
//! Every crash point of every scenario, every crash point beside every fault of the call around it, pairs of crashes; each
//! on every ledger that there is. It writes `RESULTS.md` beside this file.
//!
//! - `TORTURE_ONLY=…`, as a failed run prints it: that run alone
//! - `TORTURE_SEED=…`: the pairs that this seed draws; without it a new one, which is printed
//! - `TORTURE_PAIRS=400`: how many pairs
//! - `TORTURE_LANES=16`: how many runs at once
//! - `TORTURE_LEDGER=postgres` or `sqlite`: on that ledger alone
//! - `TORTURE_PARTS=crashes` or `scale`: without it both, and only then are the results written

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
    reason = "a test fails by panicking, and this one prints; it uses a part of what the others share"
)]

mod kills;
mod suite;
#[path = "../it/support/mod.rs"]
mod support;
mod together;

use std::sync::Arc;
use std::time::Instant;

use suite::database::Database;
use suite::fault::Script;
use suite::lane::Lane;
use suite::run::{Spec, run};
use suite::scenario::Scenario;
use suite::series::Suite;
use suite::table::{Summary, markdown};
use tokio::task::JoinSet;

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

const RESULTS: &str = "\
# What came of every crash

Written by `make torture`: version VERSION, RabbitMQ RABBITMQ, ledgers: LEDGERS.

RESULTS

In the tables, a row is the point at which the process crashed, a column what went wrong at the vendor beside it, and a
cell what had come of the escalation when another process had ended it: `1/1` is one session attached and one note, `+1` one session
besides that nobody can reach, `0/0 code` a dead letter with that code, `×2` how often it came so. A point that a run
passes several times stands in one row.
";

/// What the broker calls itself.
async fn broker_version() -> String {
    let Ok(management) = std::env::var("RABBITMQ_MANAGEMENT_URL") else {
        return "unknown".to_owned();
    };
    let answer = reqwest::get(format!("{management}/api/overview")).await;
    let overview: serde_json::Value = answer.unwrap().json().await.unwrap();
    overview["rabbitmq_version"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::main]
async fn main() {
    let began = Instant::now();
    if let Ok(only) = std::env::var("TORTURE_ONLY") {
        return repeat(&only).await;
    }
    let databases = Database::all();
    let parts = std::env::var("TORTURE_PARTS").unwrap_or_else(|_| "scale,crashes".to_owned());
    let (scale, crashes) = (parts.contains("scale"), parts.contains("crashes"));
    let mut results = Vec::new();
    if scale {
        // A server that the workers of several machines share is what these are about; without one, the file has to do.
        let shared = databases.last().unwrap();
        let mut tell = |result: String| {
            println!("{result}");
            results.push(result);
        };
        tell(kills::run(shared).await);
        tell(together::same_message(shared).await);
        tell(together::same_conversation(shared).await);
    }
    let mut tables = String::new();
    if crashes {
        let (headline, markdown) = crash_everywhere(&databases).await;
        results.insert(0, headline);
        tables = markdown;
    }
    println!("{:.0} s in all", began.elapsed().as_secs_f64());
    if scale && crashes {
        let ledgers: Vec<_> = databases.iter().map(|one| one.name()).collect();
        let text = RESULTS
            .replace("VERSION", env!("CARGO_PKG_VERSION"))
            .replace("RABBITMQ", &broker_version().await)
            .replace("LEDGERS", &ledgers.join(", "))
            .replace("RESULTS", &format!("- {}", results.join("\n- ")));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture/RESULTS.md");
        std::fs::write(path, text + &tables).unwrap();
    }
}

/// One run alone, as a failed one told its name.
async fn repeat(only: &str) {
    let (_lane, report) = run(Lane::new().await, Spec::named(only)).await;
    println!("{}", report.log.join("\n"));
    println!("the first process passed {:#?}", report.passed);
    println!(
        "{only}: crashed {:?}, outcome {}, {:.1} s",
        report.crashed,
        report.verdict.outcome,
        report.took.as_secs_f64()
    );
    let violations = report.verdict.violations;
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Every point, every point beside every fault, and pairs; says how many, and gives the tables.
async fn crash_everywhere(databases: &[Database]) -> (String, String) {
    let began = Instant::now();
    let lanes = usize::try_from(number("TORTURE_LANES", 16)).unwrap();
    let seed = number("TORTURE_SEED", rand::random());
    let pairs = usize::try_from(number("TORTURE_PAIRS", 400)).unwrap();
    println!("seed {seed}, {lanes} runs at once");
    let suite = Suite::new(lanes).await;
    let mut running = JoinSet::new();
    for database in databases {
        for scenario in Scenario::ALL {
            let whole = Arc::clone(&suite).series(*database, scenario, Script::none(), 4);
            running.spawn(whole);
        }
        for fault in Script::all() {
            running.spawn(Arc::clone(&suite).series(*database, Scenario::Single, fault, 2));
        }
        for fault in Script::of_an_offer() {
            running.spawn(Arc::clone(&suite).series(*database, Scenario::Offered, fault, 2));
        }
    }
    running.join_all().await;
    Arc::clone(&suite).pairs(databases, seed, pairs).await;

    let reports = suite.reports.lock().await;
    let summary = Summary::of(&reports);
    let headline = format!(
        "{} runs, {} crashes at {} different points, {} faults, {pairs} pairs (seed {seed}): {} violations, {} sessions \
         that nobody can reach; {:.0} s.",
        summary.runs,
        summary.crashes,
        summary.points.len(),
        Script::all().len() + Script::of_an_offer().len(),
        summary.violations,
        summary.orphans,
        began.elapsed().as_secs_f64()
    );
    println!("{headline}");
    assert_eq!(summary.violations, 0);
    (headline, markdown(&reports))
}
