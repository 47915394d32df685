//! Limits, outages and restarts at their real length: `make endurance`.
//!
//! - `ENDURANCE=storm,outage,patience,stops,rolling,ladder,letters,alerts,truth`: which parts; without it all
//! - `ESCALATOR_PICTURE_TO=deploy/grafana/overview.svg`: where `truth` draws the README's picture of its run
//!
//! Every part prints what it measured, and fails by panicking. `RESULTS.md` beside this file is written by a run of all.

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

mod alerts;
mod backlog;
#[path = "../torture/suite/database.rs"]
mod database;
mod ladder;
mod letters;
mod outage;
mod patience;
#[path = "../it/watching/picture/mod.rs"]
mod picture;
mod recorded;
mod rolling;
mod searched;
mod stops;
mod storm;

#[path = "../it/support/mod.rs"]
mod support;
mod truth;

use std::time::Instant;

const ALL: [&str; 9] = [
    "storm", "outage", "patience", "stops", "rolling", "ladder", "letters", "alerts", "truth",
];

#[tokio::main]
async fn main() {
    let only = std::env::var("ENDURANCE").ok();
    let wanted: Vec<&str> = match &only {
        Some(only) => only.split(',').collect(),
        None => ALL.to_vec(),
    };
    let began = Instant::now();
    let mut results = Vec::new();
    for part in wanted {
        let said = match part {
            "storm" => vec![storm::run(1).await, storm::run(4).await],
            "outage" => outage::all().await,
            "patience" => vec![patience::run().await],
            "stops" => vec![stops::broker().await, stops::database().await],
            "rolling" => vec![rolling::run().await],
            "ladder" => vec![ladder::run().await],
            "letters" => letters::run().await,
            "alerts" => alerts::all().await,
            "truth" => truth::run().await,
            other => panic!("there is no part {other}: {ALL:?}"),
        };
        for line in said {
            println!("{line}");
            results.push(line);
        }
    }
    println!("{:.0} s in all", began.elapsed().as_secs_f64());
    if only.is_none() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/endurance/RESULTS.md");
        let text = format!(
            "# Limits, outages and restarts\n\nWritten by `make endurance`: version {}.\n\n- {}\n",
            env!("CARGO_PKG_VERSION"),
            results.join("\n- ")
        );
        std::fs::write(path, text).unwrap();
    }
}
