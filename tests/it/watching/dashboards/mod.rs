//! The dashboards under `deploy/grafana/dashboards/` are made here: `ESCALATOR_RENEW=1 cargo test --test it dashboards`.
//!
//! A dashboard that is drawn by hand in a browser is nobody's to review, and goes on asking for metrics that are gone. Here a
//! panel is a few lines with what it shows, what a bad picture means, and queries that a test reads as Prometheus would.
//! A panel's id is its own for good: links to single panels carry it.

mod checks;
mod dashboard;
mod internals;
pub(crate) mod known;
mod overview;
mod panel;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::watching::promql;

const OVERVIEW: &str = "escalator-overview";
const INTERNALS: &str = "escalator-internals";

/// One colour for one outcome, wherever it is shown.
const OUTCOMES: &[(&str, &str)] = &[
    ("accepted", "green"),
    ("ignored", "light-blue"),
    ("filtered", "blue"),
    ("not_understood", "orange"),
    ("bad_signature", "red"),
    ("no_signature", "semi-dark-red"),
    ("too_large", "purple"),
    ("not_stored", "dark-red"),
    ("late", "dark-orange"),
    ("done", "green"),
    ("cancelled", "text"),
    ("dead", "red"),
    ("later", "yellow"),
    ("handed_back", "blue"),
    ("ended_before", "light-blue"),
    ("noted", "purple"),
];

/// Each dashboard with the name of its file.
fn all() -> [(&'static str, Value); 2] {
    [
        ("overview.json", overview::dashboard()),
        ("internals.json", internals::dashboard()),
    ]
}

/// Every query of every panel: its dashboard's file, the panel's title, and the query with Grafana's variables filled in.
pub(crate) fn every_query(rate_interval: &str) -> Vec<(&'static str, String, String)> {
    let variables = [
        ("instance", ".*"),
        ("lane", ".*"),
        ("__rate_interval", rate_interval),
        ("__interval", "15s"),
        ("__range", "10m"),
    ];
    let mut all_queries = Vec::new();
    for (name, dashboard) in all() {
        for panel in checks::charts(&dashboard) {
            for (query, _) in checks::queries(panel) {
                let query = promql::filled_in(query, &variables).unwrap();
                all_queries.push((name, checks::text(&panel["title"]).to_owned(), query));
            }
        }
    }
    all_queries
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards")
}

#[test]
fn the_dashboards_are_as_they_are_made_here() {
    for (name, dashboard) in all() {
        let path = folder().join(name);
        let now = format!("{dashboard:#}\n");
        if std::env::var_os("ESCALATOR_RENEW").is_some() {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &now).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = kept
            .lines()
            .zip(now.lines())
            .position(|(kept, now)| kept != now);
        assert!(
            kept == now,
            "{} is not what tests/it/watching/dashboards makes, from line {} on; look at the difference after renewing it: \
             ESCALATOR_RENEW=1 cargo test --test it dashboards",
            path.display(),
            differs.unwrap_or_else(|| kept.lines().count().min(now.lines().count())) + 1
        );
    }
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["internals.json", "overview.json"],
        "one is left over"
    );
}
